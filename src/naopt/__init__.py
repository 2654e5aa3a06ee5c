"""naopt: Neural Architecture Optimization, whole, and the systems around it. Importing it imports no torch."""

import logging

from naopt._version import __version__

__all__ = ["__version__"]

logging.getLogger("naopt").addHandler(logging.NullHandler())
