"""The benchmark of convolutional networks, with tiny cases."""

import json

import pytest
import torch
from benchmarks import convolution
from benchmarks.convolution import Case, count_flops, main, networks, training_step


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "CASES", (Case(1, 4, 8, 6),))
    monkeypatch.setattr(convolution, "attainable", lambda *_: {"matrix_product": 100.0, "convolution": 50.0})
    monkeypatch.setattr(convolution, "keep_freed_memory", lambda: True)


def test_results_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--json", "--threads", "1", "--seconds", "0", "--cpu-time"])
    results = json.loads(capsys.readouterr().out)
    (case,) = results["cases"]
    rates, shares = case["images_per_second"], case["share_of_attainable"]
    assert results["clock"] == "cpu"
    assert case["ratio"] == pytest.approx(rates["ours"] / rates["reference"])
    for name in ("ours", "reference"):
        assert shares[name] == pytest.approx(case["gflop_per_step"][name] * rates[name] / 6 / 100.0)
        assert sum(case["share_of_time"][name].values()) == pytest.approx(1.0)
        assert case["share_of_time"][name]["convolution"] > 0
    assert "NAONet-A N=1 F=4, 8x8, batch 6" in convolution.report(case)


def test_results_as_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "shares_by_kind", lambda _: {"convolution": 0.5, "rest": 0.5})
    main(["--threads", "1", "--seconds", "0"])
    head, ratio, ours, reference = capsys.readouterr().out.splitlines()
    assert "1 threads, wall time, freed memory kept" in head
    assert "times the reference" in ratio
    assert "of attainable" in ours
    assert "of attainable" in reference


def test_cpu_time_is_of_one_thread(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--cpu-time", "--threads", "2"])
    assert "--threads 1" in capsys.readouterr().err


def test_both_networks_take_the_same_step() -> None:
    case, device = Case(1, 4, 8, 6), torch.device("cpu")
    torch.manual_seed(0)
    images, labels = torch.randn(6, 3, 8, 8), torch.randint(10, (6,))
    found = networks(case, device)
    flops = {}
    for name, network in found.items():
        step = training_step(network, images, labels, fused=name == "ours")
        step()
        flops[name] = count_flops(step)
    assert flops["ours"] == pytest.approx(flops["reference"], rel=0.02)
    ours, reference = (dict(network.named_parameters()) for network in found.values())
    for name, parameter in ours.items():
        assert torch.allclose(parameter, reference[name], atol=2e-3), name
