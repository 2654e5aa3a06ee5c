"""What may be built: search spaces, architectures, graphs. Imports no torch."""

from naopt.spaces.base import Architecture, Position, SearchSpace, Tokens
from naopt.spaces.cell_spec import CellSpec
from naopt.spaces.conv_cell import ConvCellSpace
from naopt.spaces.enumerated import EnumeratedSpace
from naopt.spaces.generic import GenericSpace
from naopt.spaces.graph import Edge, Graph, Node
from naopt.spaces.nasbench101 import NASBench101Space
from naopt.spaces.nasbench201 import NASBench201Space
from naopt.spaces.recurrent_baseline import RecurrentBaselineSpace
from naopt.spaces.recurrent_cell import RecurrentCellSpace, RecurrentSpec
from naopt.spaces.registry import create_space, parse_architecture, spaces

__all__ = [
    "Architecture",
    "CellSpec",
    "ConvCellSpace",
    "Edge",
    "EnumeratedSpace",
    "GenericSpace",
    "Graph",
    "NASBench101Space",
    "NASBench201Space",
    "Node",
    "Position",
    "RecurrentBaselineSpace",
    "RecurrentCellSpace",
    "RecurrentSpec",
    "SearchSpace",
    "Tokens",
    "create_space",
    "parse_architecture",
    "spaces",
]
