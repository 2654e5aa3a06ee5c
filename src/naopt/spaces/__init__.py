"""What may be built: search spaces, architectures, graphs. Imports no torch."""

from naopt.spaces.base import Architecture, SearchSpace, Tokens
from naopt.spaces.cell_spec import CellSpec
from naopt.spaces.choices import Choices, Value, choice, integer, ordinal
from naopt.spaces.conv_cell import ConvCellSpace
from naopt.spaces.documents import positions_document, positions_from_document, space_from_document
from naopt.spaces.enumerated import EnumeratedSpace
from naopt.spaces.generic import GenericSpace
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.image_baseline import ImageBaselineSpace
from naopt.spaces.insta import InstaSpace
from naopt.spaces.nasbench101 import NASBench101Space
from naopt.spaces.nasbench201 import NASBench201Space
from naopt.spaces.position import Place, Position
from naopt.spaces.recurrent_baseline import RecurrentBaselineSpace
from naopt.spaces.recurrent_cell import RecurrentCellSpace, RecurrentSpec
from naopt.spaces.registry import create_space, parse_architecture, spaces

Space = GenericSpace
"""The generic space, by the name under which people write their own."""

__all__ = [
    "Architecture",
    "CellSpec",
    "Choices",
    "ConvCellSpace",
    "Edge",
    "EnumeratedSpace",
    "GenericSpace",
    "Graph",
    "ImageBaselineSpace",
    "InstaSpace",
    "NASBench101Space",
    "NASBench201Space",
    "Node",
    "Place",
    "Position",
    "RecurrentBaselineSpace",
    "RecurrentCellSpace",
    "RecurrentSpec",
    "SearchSpace",
    "Space",
    "Tokens",
    "Value",
    "choice",
    "create_space",
    "integer",
    "ordinal",
    "parse_architecture",
    "positions_document",
    "positions_from_document",
    "space_from_document",
    "spaces",
]
