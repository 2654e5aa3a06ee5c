"""The benchmark of supernets, with tiny cases."""

import json
import mmap
import subprocess
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks import supernet
from benchmarks.supernet import Case, contenders, main, masked_step, masks, path_step, peak_mb, race, rebuilt_step

from naopt.networks.build import build_network
from naopt.networks.build_supernet import build_supernet
from naopt.networks.supernet import Mixable, Supernet
from naopt.spaces import Architecture, create_space

CONV = Case("conv-cell:nodes=2,operations=enas-5,output=nodes", 1, 2, 4, 4)
EDGES = Case("nasbench201", 1, 2, 4, 4)
TINY = ["--space", CONV.space, "--filters", "2", "--size", "4", "--batch", "4", "--seconds", "0"]


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernet, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(supernet, "PATHS", 1)


def peaks(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    assert options["check"]
    value = {"path": "12.0\n", "child": "10.0\n"}[command[command.index("--peak") + 1]]
    assert command[command.index("--space") + 1] == CONV.space
    return subprocess.CompletedProcess(command, 0, value, "")


def test_results_as_json_and_as_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", peaks)
    main([*TINY, "--json"])
    result = json.loads(capsys.readouterr().out)
    rates = result["steps_per_second"]
    assert set(rates) == {"path", "rebuilt", "rebuilt, our modules", "masked"}
    for name, ratio in result["times_as_fast_as"].items():
        assert ratio == pytest.approx(rates["path"] / rates[name])
    assert result["memory"] == {"path_mb": 12.0, "child_mb": 10.0, "ratio": 1.2}
    main([*TINY, "--memory-only"])
    title, memory = capsys.readouterr().out.splitlines()
    assert title == CONV.name
    assert "1.20x (at most 1.3 wanted)" in memory
    assert "at least 1.5 wanted" in supernet.report(result)


def test_resident_memory_now_and_at_most() -> None:
    before, most = (supernet.resident_mb(which) for which in ("VmRSS", "VmHWM"))
    held = mmap.mmap(-1, 64 * 2**20)  # pages that no allocator has kept
    for page in range(0, len(held), 4096):
        held[page] = 1
    during = supernet.resident_mb("VmRSS")
    assert during - before == pytest.approx(64, abs=8)
    held.close()
    assert supernet.resident_mb("VmHWM") >= max(during, most) - 1


@pytest.mark.parametrize("kind", ["path", "child"])
def test_a_peak_is_that_of_steps_on_one_architecture(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []
    levels = {"VmRSS": 100.0, "VmHWM": 130.0}
    monkeypatch.setattr(supernet, "resident_mb", levels.__getitem__)
    monkeypatch.setattr(supernet, "path_step", lambda *_: lambda architecture: trained.append(("path", architecture)))
    monkeypatch.setattr(supernet, "child_step", lambda *_: lambda architecture: trained.append(("child", architecture)))
    assert peak_mb(CONV, kind, steps=2) == 30
    assert [name for name, _ in trained] == [kind, kind]
    assert trained[0] == trained[1]


@pytest.mark.parametrize("kind", ["path", "child"])
def test_a_process_says_its_peak(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*TINY, "--peak", kind])
    assert float(capsys.readouterr().out) >= 0


@pytest.mark.parametrize("case", [CONV, EDGES], ids=lambda case: case.space)
def test_all_take_the_same_step(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same weights, without momentum of an earlier step; where no two branches are equal."""
    made: list[Supernet] = []

    def recorded(*arguments: Any) -> Supernet:
        made.append(build_supernet(*arguments))
        return made[-1]

    monkeypatch.setattr(supernet, "build_supernet", recorded)
    # Building a child draws random numbers too.
    monkeypatch.setattr(torch, "randperm", lambda count, **_: torch.arange(count))
    case = Case(case.space, 1, 2, 8, 16)
    space = create_space(case.space)
    text = "normal:sep_conv3x3@0+identity@1,max_pool3x3@0+sep_conv5x5@2/reduction:sep_conv3x3@0+identity@1,"
    text += "avg_pool3x3@1+sep_conv3x3@2/output:nodes"
    edges = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"
    architecture = space.parse(edges if case.space == EDGES.space else text)
    for step in (
        path_step(case, space),
        rebuilt_step(case, space, plain=True),
        rebuilt_step(case, space, plain=False),
        masked_step(case, space),
    ):
        step(architecture)
    before = flat(supernet.supernet(case, space), architecture)
    ours, *others = (flat(network, architecture) - before for network in made[:-1])
    assert float(ours.norm()) > 0.01
    for other in others:  # in single precision, on small batches
        assert float((other - ours).norm()) < 0.02 * float(ours.norm())


def flat(network: Supernet, architecture: Architecture) -> torch.Tensor:
    """All shared weights of a child."""
    state = network.child_state(network.path(architecture))
    child = build_network(network.space, architecture, CONV.settings, 3, 10)
    return torch.cat([state[name].flatten() for name, _ in child.named_parameters()])


def test_masks_count_branches() -> None:
    space = create_space("conv-cell:nodes=1,operations=conv3x3+identity")
    architecture = space.parse("normal:identity@1+identity@1/reduction:conv3x3@0+identity@1")
    network = build_supernet(space, CONV.settings, 3, 10)
    assert isinstance(network, Mixable)
    normal, reduction = masks(space, architecture, network.mixing_shapes())
    assert normal.tolist() == [[0, 0, 0], [0, 2, 0]]
    assert reduction.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_a_race_gives_all_the_same_paths() -> None:
    space = create_space(EDGES.space)
    seen: dict[str, list[Any]] = {"a": [], "b": []}
    rates = race(space, {name: seen[name].append for name in seen}, 0.0, paths=3)
    assert seen["a"] == seen["b"]
    assert len(seen["a"]) == 6
    assert seen["a"][:3] == seen["a"][3:]
    assert all(np.isfinite(rate) and rate > 0 for rate in rates.values())


def test_spaces_without_plain_modules_are_rebuilt_with_ours() -> None:
    assert set(contenders(EDGES, create_space(EDGES.space))) == {"path", "rebuilt", "masked"}
