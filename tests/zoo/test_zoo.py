"""The zoo's data against the facts that are known of each cell."""

import subprocess
import sys

import pytest

from naopt import zoo
from naopt.errors import InputError, UnknownNameError
from naopt.spaces import create_space, parse_architecture
from naopt.spaces.conv_cell import ConvCellSpace
from naopt.spaces.operations import operation_set
from naopt.zoo.cells import OPERATION_IDS


def test_names() -> None:
    assert zoo.names() == ["naonet-a", "naonet-b", "naonet-v2", "naonet-ws"]


@pytest.mark.parametrize("name", zoo.names())
def test_entries_are_architectures_of_their_space(name: str) -> None:
    entry = zoo.get(name)
    space = create_space(entry.space)
    architecture = space.parse(entry.text)
    assert space.format(architecture) == entry.text
    assert parse_architecture(entry.text)[0].name == entry.space
    assert entry.name == name
    assert entry.source
    assert entry.figures
    assert all(value > 0 for value in entry.figures.values())


def test_naonet_a_in_words() -> None:
    normal, reduction = zoo.get("naonet-a").text.split("/")
    assert normal == (
        "normal:conv3x3@0+avg_pool5x5@1,conv1x3-3x1@2+conv3x3@1,conv1x1@0+conv3x3@1,conv1x3-3x1@0+conv3x3@4,"
        "identity@1+conv3x3@0"
    )
    assert reduction == (
        "reduction:conv3x3@0+avg_pool2x2@1,conv1x1@0+avg_pool3x3@0,conv1x7-7x1@0+max_pool2x2@1,avg_pool3x3@0+conv1x1@2,"
        "max_pool3x3@1+conv3x3@0"
    )


def test_naonet_a_output_is_the_published_concatenation() -> None:
    space = ConvCellSpace()
    cells = space.cells(space.parse(zoo.get("naonet-a").text))
    assert cells["normal"].loose_ends() == (3, 5, 6)
    assert cells["reduction"].loose_ends() == (3, 4, 5, 6)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("naonet-ws", "sep_conv5x5@0+identity@0"),
        ("naonet-b", "sep_conv5x5@0+avg_pool3x3@0"),
        ("naonet-v2", "sep_conv5x5@1+sep_conv5x5@0"),
    ],
)
def test_first_node_of_the_shared_weight_cells(name: str, normal: str) -> None:
    assert zoo.get(name).text.startswith(f"normal:{normal},")


def test_operation_numbers_cover_their_sets() -> None:
    for name, ids in OPERATION_IDS.items():
        assert sorted(ids.values()) == sorted(operation_set(name).operations)
    assert [OPERATION_IDS["nao-11"][number] for number in range(5, 16)] == [
        "identity", "conv1x1", "conv3x3", "conv1x3-3x1", "conv1x7-7x1", "max_pool2x2", "max_pool3x3", "max_pool5x5",
        "avg_pool2x2", "avg_pool3x3", "avg_pool5x5",
    ]  # fmt: skip
    assert [OPERATION_IDS["enas-5"][number] for number in range(5)] == list(operation_set("enas-5").operations)


def test_lookup_ignores_case_and_suggests() -> None:
    assert zoo.get("NAONet-A") is zoo.get("naonet-a")
    with pytest.raises(UnknownNameError, match="did you mean 'naonet-a'"):
        zoo.get("naonet-aa")


@pytest.mark.parametrize(
    ("text", "operations", "rule"),
    [
        ("0 7 1 7", "nao-11", "needs a normal and a reduction cell"),
        ("0 7 1 7 | 0 7 1", "nao-11", "four numbers a node"),
        ("0 7 1 7 | ", "nao-11", "four numbers a node"),
        ("0 7 1 7 | 0 7 1 x", "nao-11", "whole numbers"),
        ("0 7 1 4 | 0 7 1 7", "nao-11", "operation number '4': must be one of 5, 6"),
        ("0 0 1 1 | 0 0 1 1", "enas", "did you mean 'enas-5'"),
    ],
)
def test_number_strings_that_do_not_decode(text: str, operations: str, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        zoo.decode_cells(text, operations)


def test_the_zoo_imports_no_torch() -> None:
    code = "import sys; from naopt import zoo; zoo.get('naonet-a'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
