"""A reader of pickles that can construct nothing but plain values: for published files that exist only as pickles."""

from naopt.pickles.names import BENCHMARKS, UNSIGNED_BYTES, Names, PickledArray, Unread
from naopt.pickles.reader import PlainReader

__all__ = ["BENCHMARKS", "UNSIGNED_BYTES", "Names", "PickledArray", "PlainReader", "Unread"]
