"""The database of a search: trials, results and what is known of it as a whole, read once and written through."""

from naopt.store.store import DATABASE, RunStore, create_database

__all__ = ["DATABASE", "RunStore", "create_database"]
