"""Published cells, as data: number strings in ``cells.toml``, read into the text form that every command accepts."""

from naopt.zoo.cells import ZooEntry, decode_cells, get, names

__all__ = ["ZooEntry", "decode_cells", "get", "names"]
