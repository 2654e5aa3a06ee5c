"""What a run found, as one self-contained HTML page."""

from naopt.report.page import write_report

__all__ = ["write_report"]
