import os
from pathlib import Path

import numpy as np
import pytest
import torch

from naopt.errors import InputError
from naopt.networks.base import AuxiliaryHead, count_multiply_adds, count_parameters, drop_path
from naopt.networks.build import build_network
from naopt.networks.convolutional import Cell, ConvolutionalNetwork
from naopt.networks.nasbench201 import DenseCell, ResidualReduction
from naopt.networks.settings import NetworkSettings
from naopt.spaces import (
    Architecture,
    CellSpec,
    ConvCellSpace,
    EnumeratedSpace,
    GenericSpace,
    NASBench201Space,
    Position,
    SearchSpace,
)

NAONET_A = (
    "normal:conv3x3@0+avg_pool5x5@1,conv1x3-3x1@2+conv3x3@1,conv1x1@0+conv3x3@1,conv1x3-3x1@0+conv3x3@4,"
    "identity@1+conv3x3@0/reduction:conv3x3@0+avg_pool2x2@1,conv1x1@0+avg_pool3x3@0,conv1x7-7x1@0+max_pool2x2@1,"
    "avg_pool3x3@0+conv1x1@2,max_pool3x3@1+conv3x3@0"
)
FIVE = ("sep_conv3x3", "sep_conv5x5", "avg_pool3x3", "max_pool3x3", "identity")
NAONET_B = "0 1 0 2 0 1 2 2 1 3 0 2 4 0 1 3 2 1 0 3 | 1 1 1 0 2 1 2 4 1 0 2 3 3 1 2 2 0 2 0 2"
NAONET_WS = "0 1 0 4 2 2 1 3 1 0 2 0 2 3 1 3 1 2 0 4 | 1 1 0 3 2 3 2 3 1 0 0 1 0 4 2 4 2 3 2 3"
NAONET_V2 = "1 1 0 1 2 4 0 0 0 0 2 1 0 0 0 2 0 3 0 0 | 0 2 0 2 2 2 1 0 0 0 0 1 0 0 0 3 0 0 0 1"


def five_operations(text: str) -> tuple[SearchSpace, Architecture]:
    space = ConvCellSpace(operations="enas-5")
    cells = []
    for part in text.split("|"):
        numbers = list(map(int, part.split()))
        cells.append(
            CellSpec(
                tuple(
                    ((numbers[i], FIVE[numbers[i + 1]]), (numbers[i + 2], FIVE[numbers[i + 3]]))
                    for i in range(0, len(numbers), 4)
                )
            )
        )
    return space, space.from_cells(*cells)


def eleven_operations(text: str) -> tuple[SearchSpace, Architecture]:
    space = ConvCellSpace()
    return space, space.parse(text)


@pytest.mark.parametrize(
    ("found", "stage", "filters", "millions"),
    [
        (eleven_operations(NAONET_A), 6, 36, "11.47"),
        (eleven_operations(NAONET_A), 6, 64, "36.19"),
        (eleven_operations(NAONET_A), 6, 128, "144.6"),
        (eleven_operations(NAONET_A), 3, 32, "4.92"),
        (five_operations(NAONET_B), 6, 36, "2.92"),
        (five_operations(NAONET_B), 5, 36, "2.49"),
        (five_operations(NAONET_V2), 6, 36, "4.39"),
        (five_operations(NAONET_WS), 5, 36, "2.30"),
    ],
)
def test_published_cells_have_the_published_number_of_parameters(
    found: tuple[SearchSpace, Architecture], stage: int, filters: int, millions: str
) -> None:
    settings = NetworkSettings(cells_per_stage=stage, filters=filters, auxiliary_weight=0.4)
    with torch.device("meta"):
        network = build_network(*found, settings, 3, 10)
    digits = len(millions.partition(".")[2])
    assert f"{count_parameters(network) / 1e6:.{digits}f}" == millions
    assert count_parameters(network, auxiliary=True) > count_parameters(network)


def test_the_newer_input_is_convolved_as_asked() -> None:
    """NAONet-WS at 2.47 million; by hand, a convolution of C channels has C * C weights and 2 C of normalisation."""
    counts = {}
    for how in ("needed", "always", "twice"):
        settings = NetworkSettings(cells_per_stage=5, filters=36, calibrate_newer=how)
        with torch.device("meta"):
            counts[how] = count_parameters(build_network(*five_operations(NAONET_WS), settings, 3, 10))
    assert f"{counts['twice'] / 1e6:.2f}" == "2.47"
    assert counts["twice"] - counts["needed"] == sum(n * (c * c + 2 * c) for n, c in ((5, 36), (6, 72), (6, 144)))
    assert counts["always"] == counts["needed"]


def test_a_newer_input_of_the_right_width_is_convolved_only_if_that_is_asked() -> None:
    space = ConvCellSpace(1, "conv3x3+identity")
    architecture = space.parse("normal:conv3x3@0+conv3x3@1/reduction:conv3x3@0+identity@1")
    counts = {}
    for how in ("needed", "always", "twice"):
        settings = NetworkSettings(cells_per_stage=1, filters=4, calibrate_newer=how)
        counts[how] = count_parameters(build_network(space, architecture, settings, 3, 10))
    # One loose end: stem 12 -> 4 needs it; then 8 -> 8 and 16 -> 16 do not, 4 -> 8 and 8 -> 16 before reductions do.
    assert counts["always"] - counts["needed"] == (8 * 8 + 2 * 8) + (16 * 16 + 2 * 16)
    assert counts["twice"] - counts["always"] == sum(c * c + 2 * c for c in (4, 8, 16))


@pytest.mark.parametrize(("size", "maps"), [(224, (56, 28)), (64, (16, 8)), (33, (9, 5))])
def test_the_imagenet_skeleton_divides_the_image_by_eight(size: int, maps: tuple[int, int]) -> None:
    settings = NetworkSettings(skeleton="imagenet", cells_per_stage=1, filters=6, auxiliary_weight=0.4)
    network = build_network(*eleven_operations(NAONET_A), settings, 3, 7)
    assert isinstance(network, ConvolutionalNetwork)
    seen: list[tuple[torch.Size, torch.Size]] = []
    network.cells[0].register_forward_pre_hook(lambda module, inputs: seen.append((inputs[0].shape, inputs[1].shape)))
    logits, auxiliary = network.outputs(torch.randn(2, 3, size, size))
    assert seen == [((2, 6, maps[0], maps[0]), (2, 6, maps[1], maps[1]))]
    assert auxiliary is not None
    assert logits.shape == auxiliary.shape == (2, 7)
    (logits.sum() + auxiliary.sum()).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert network.eval()(torch.randn(2, 3, size, size)).shape == (2, 7)


def test_the_imagenet_stem_by_hand() -> None:
    settings = NetworkSettings(skeleton="imagenet", cells_per_stage=4, filters=42)
    with torch.device("meta"):
        network = build_network(*eleven_operations(NAONET_A), settings, 3, 1000)
    sizes = {name: sum(p.numel() for p in getattr(network, name).parameters()) for name in ("older_stem", "stem")}
    assert sizes == {
        "older_stem": 9 * 3 * 21 + 2 * 21 + 9 * 21 * 42 + 2 * 42,
        "stem": 9 * 42 * 42 + 2 * 42,
    }
    assert len(list(network.cells)) == 14  # type: ignore[arg-type]


@pytest.mark.parametrize("space", [ConvCellSpace(), NASBench201Space()], ids=lambda space: space.name)
def test_the_auxiliary_head_sits_where_it_is_asked_to(space: SearchSpace) -> None:
    architecture = space.sample(np.random.default_rng(0))
    images = torch.randn(4, 3, 8, 8)
    found = {}
    for at in ("reduction", "cell"):
        torch.manual_seed(0)
        settings = NetworkSettings(cells_per_stage=2, filters=4, auxiliary_weight=0.4, auxiliary_at=at)
        network = build_network(space, architecture, settings, 3, 10)
        seen: list[torch.Tensor] = []
        network.auxiliary.register_forward_pre_hook(lambda module, inputs, seen=seen: seen.append(inputs[0]))  # type: ignore[union-attr]
        outputs: list[torch.Tensor] = []
        for module in network.modules():
            if isinstance(module, (Cell, DenseCell, ResidualReduction)):
                module.register_forward_hook(lambda m, i, output, outputs=outputs: outputs.append(output))
        network.outputs(images)
        found[at] = next(index for index, output in enumerate(outputs) if output is seen[0])
    # N cells, reduction, N cells, reduction, N cells.
    assert found == {"reduction": 5, "cell": 6}


@pytest.mark.parametrize("space", [ConvCellSpace(1, "identity"), NASBench201Space()], ids=lambda space: space.name)
def test_drop_path_spares_identities_unless_asked(space: SearchSpace) -> None:
    text = "normal:identity@0+identity@1/reduction:identity@0+identity@1"
    if isinstance(space, NASBench201Space):
        text = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
    images = torch.randn(400, 3, 2, 2)
    for drop_identities in (False, True):
        settings = NetworkSettings(cells_per_stage=1, filters=4, drop_path_keep=0.05, drop_identities=drop_identities)
        network = build_network(space, space.parse(text), settings, 3, 10)
        network.progress = 1.0
        cell = next(m for m in network.modules() if isinstance(m, (Cell, DenseCell)))
        seen: list[tuple[torch.Tensor, ...]] = []
        cell.register_forward_hook(lambda m, inputs, output, seen=seen: seen.append((output,)))
        torch.manual_seed(3)
        network.outputs(images)
        zero = (seen[0][0].flatten(1) == 0).all(1)
        assert bool(zero.any()) == drop_identities


def test_other_skeletons_are_refused_for_nasbench201() -> None:
    space = NASBench201Space()
    with pytest.raises(InputError, match="must be cifar"):
        build_network(space, space.sample(np.random.default_rng(0)), NetworkSettings(skeleton="imagenet"), 3, 10)


def test_multiply_adds_by_hand() -> None:
    space = ConvCellSpace(1, "conv3x3+identity")
    architecture = space.parse("normal:conv3x3@0+identity@1/reduction:conv3x3@0+identity@1")
    network = build_network(space, architecture, NetworkSettings(cells_per_stage=1, filters=4), 3, 10)
    stem = 64 * 9 * 3 * 12
    first = 64 * (2 * 12 * 4 + 9 * 4 * 4)
    reduction = 64 * (12 * 8 + 4 * 8) + 16 * 9 * 8 * 8 + 16 * 8 * 8
    second = 16 * (4 * 8 + 9 * 8 * 8)
    reduction_2 = 16 * (8 * 16 + 8 * 16) + 4 * 9 * 16 * 16 + 4 * 16 * 16
    third = 4 * (8 * 16 + 9 * 16 * 16)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert count_multiply_adds(network, (3, 8, 8)) == sum((stem, first, reduction, second, reduction_2, third)) + 160
    assert network.training
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_nasbench201_networks_have_the_tables_number_of_parameters() -> None:
    folder = os.environ.get("NAOPT_DATA")
    if not folder:
        pytest.skip("NAOPT_DATA is not set: the folder with nasbench201.npz")
    with np.load(Path(folder) / "nasbench201.npz", allow_pickle=False) as table:
        tokens, params = table["tokens"], table["metric/params_m"]
    space = NASBench201Space()
    settings = NetworkSettings(cells_per_stage=5, filters=16)
    for row in np.random.default_rng(0).choice(len(tokens), 40, replace=False):
        with torch.device("meta"):
            network = build_network(space, space.architecture(tokens[row].tolist()), settings, 3, 10)
        assert count_parameters(network) / 1e6 == pytest.approx(float(params[row]), abs=1e-6)


SPACES: list[SearchSpace] = [
    ConvCellSpace(),
    ConvCellSpace(1, "conv3x3+identity"),
    ConvCellSpace(3, "dil_conv5x5+max_pool7x7+sep_conv7x7+identity"),
    ConvCellSpace(7, "enas-5"),
    NASBench201Space(),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1)])
def test_any_architecture_is_built_runs_and_learns(space: SearchSpace, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    settings = NetworkSettings(cells_per_stage=1, filters=3, drop_path_keep=0.5, dropout=0.2, auxiliary_weight=0.4)
    for _ in range(3):
        network = build_network(space, space.sample(rng), settings, 2, 4)
        network.progress = 1.0
        images = torch.randn(5, 2, *size)
        logits, auxiliary = network.outputs(images)
        assert auxiliary is not None
        assert logits.shape == auxiliary.shape == (5, 4)
        (logits.sum() + auxiliary.sum()).backward()  # type: ignore[no-untyped-call]
        network.eval()
        assert network.outputs(images)[1] is None
        assert torch.equal(network(images), network(images))


def test_unused_inputs_are_part_of_a_cells_output() -> None:
    space = ConvCellSpace(1, "conv3x3+identity")
    architecture = space.parse("normal:conv3x3@1+conv3x3@1/reduction:conv3x3@1+identity@1")
    network = build_network(space, architecture, NetworkSettings(cells_per_stage=1, filters=4), 3, 10)
    assert isinstance(network, ConvolutionalNetwork)
    assert [cell.out_channels for cell in network.cells] == [8, 16, 16, 32, 32]


def test_the_head_rectifies_only_if_asked_to() -> None:
    space = ConvCellSpace(1, "conv3x3+identity")
    architecture = space.parse("normal:conv3x3@1+conv3x3@1/reduction:conv3x3@1+identity@1")
    images = torch.randn(2, 1, 8, 8)
    outputs = []
    for head_relu in (True, False):
        torch.manual_seed(0)
        settings = NetworkSettings(cells_per_stage=1, filters=4, head_relu=head_relu)
        outputs.append(build_network(space, architecture, settings, 1, 3).eval()(images))
    assert not torch.equal(*outputs)


def test_listed_rows_are_built_as_in_the_whole_space() -> None:
    whole = ConvCellSpace(2)
    architecture = whole.sample(np.random.default_rng(0))
    settings = NetworkSettings(cells_per_stage=1, filters=4)
    networks = [
        build_network(space, architecture, settings, 1, 10)
        for space in (whole, EnumeratedSpace(whole, [architecture.tokens]))
    ]
    assert count_parameters(networks[0]) == count_parameters(networks[1])


def test_a_space_without_networks_is_refused() -> None:
    space = GenericSpace([Position("depth", ("1", "2"))])
    with pytest.raises(InputError, match="have no network"):
        build_network(space, space.architecture([0]), NetworkSettings(), 3, 10)


def test_scheduled_drop_path_grows_with_depth_and_time() -> None:
    space = ConvCellSpace(1)
    network = build_network(space, space.sample(np.random.default_rng(0)), NetworkSettings(cells_per_stage=1), 1, 10)
    assert network.keep_probability(4, 5, 0.6) == 1.0
    network.progress = 0.5
    assert network.keep_probability(4, 5, 0.6) == pytest.approx(0.8)
    assert network.keep_probability(0, 5, 0.6) == pytest.approx(0.96)
    network.eval()
    assert network.keep_probability(4, 5, 0.6) == 1.0


def test_drop_path_zeroes_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    y = drop_path(torch.ones(4000, 2, 3, 3), 0.8)
    per_sample = y.reshape(4000, -1)
    assert ((per_sample == 0).all(1) | (per_sample == 1.25).all(1)).all()
    assert float(y.mean()) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 11])
def test_the_auxiliary_head_takes_maps_of_any_size(size: int) -> None:
    for stride in (2, 3):
        assert AuxiliaryHead(6, 10, stride)(torch.randn(2, 6, size, size)).shape == (2, 10)


@pytest.mark.parametrize(("size", "stride"), [(8, 3), (7, 2)])
def test_the_auxiliary_head_pools_as_the_published_one(size: int, stride: int) -> None:
    head, x = AuxiliaryHead(3, 10, stride).eval(), torch.randn(2, 3, size, size)
    with torch.no_grad():
        published = head.classifier(head.features(torch.nn.functional.avg_pool2d(x.relu(), 5, stride)))
        assert torch.allclose(head(x), published, atol=1e-6)
