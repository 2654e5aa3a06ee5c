from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from naopt.cli.app import run
from naopt.networks.costs import NetworkCosts
from naopt.run import load_run
from naopt.spaces import create_space
from naopt.zoo import get, names
from tests.devices.test_device_file import NETWORK, calibrated, true_time
from tests.run.toys import write_table

CELL = "normal:conv1x1@1+conv3x3@0,identity@2+identity@2/reduction:conv3x3@0+conv1x1@1,max_pool3x3@0+conv3x3@0"


def test_an_architecture_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", CELL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("space:       conv-cell:nodes=2: 24 positions")
    assert lines[1] == f"text:        {CELL}"
    assert lines[2].startswith("tokens:      1 1 0 0 1 1 2 0 0 2 0 0")
    assert lines[4] == "symmetric:   8 sequences, this one included"
    assert "  2 = conv1x1(k-1) + conv3x3(k-2)" in lines
    assert "  k = join 3" in lines
    assert "  k = join 2, 3" in lines


def test_an_architecture_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", CELL, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["space"], found["architecture"], found["symmetric"]) == ("conv-cell:nodes=2", CELL, 8)
    assert len(found["tokens"]) == 24
    assert found["neighbours"] > 50
    assert {"part": "normal", "from": "k-1", "to": "2", "operation": "conv1x1"} in found["edges"]
    assert run(["show", found["canonical"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["canonical"] == found["canonical"]


def test_other_spaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"]) == 0
    assert "  out = join skip_connect(in)" in capsys.readouterr().out
    file = tmp_path / "mlp.toml"
    file.write_text('[[positions]]\nname = "width"\nchoices = [8, 16]\n[[positions]]\nname = "depth"\nchoices = [1, 2]')
    assert run(["show", "depth=2,width=8", "--space", f"generic:{file}"]) == 0
    out = capsys.readouterr().out
    assert "text:        width=8,depth=2" in out
    assert "  width = 8\n" in out


def test_drawings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    svg = tmp_path / "cell.svg"
    assert run(["show", CELL, "--svg", str(svg)]) == 0
    assert "<svg" in svg.read_text()
    assert run(["show", CELL, "--svg", str(tmp_path / "no" / "cell.svg")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/missing"], "run 'runs/missing': there is no such directory"),
        (["xyzzy"], "neither a directory nor the text form of an architecture nor a name in the zoo; see naopt"),
        (["naonet"], "the nearest there: naonet-b, naonet-a, naonet-ws"),
        (["naonet-b", "--space", "nasbench201"], "at position 0: expected '|"),
        (["normal:conv3x3@0+conv3x3@0/"], "at position"),
        (["x=1"], "not the text form of any space"),
        ([CELL, "--space", "conv-cell"], "at position"),
        ([CELL, "--space", "conv"], "space 'conv': unknown"),
    ],
)
def test_what_cannot_be_shown(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["show", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, directory = write_table(tmp_path / "toy.npz"), tmp_path / "run"
    search = ["search", "--table", str(table), "--searcher", "random", "--budget", "20", "--metric", "score"]
    assert run([*search, "--run", str(directory)]) == 0
    capsys.readouterr()
    assert run(["show", str(directory), "--svg", str(tmp_path / "best.svg")]) == 0
    out = capsys.readouterr().out
    assert "<svg" in (tmp_path / "best.svg").read_text()
    assert "trial  score  origin  architecture" in out
    assert out.count("fate=") == 11
    assert "  0: 20 proposed" in out
    assert run(["show", str(directory), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    scores = [trial["metrics"]["score"] for trial in found["top"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 10
    assert found["best"] == found["top"][0]
    assert found["rounds"] == [{}]


def test_the_front_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, directory = write_table(tmp_path / "toy.npz"), tmp_path / "run"
    search = ["search", "--table", str(table), "--searcher", "random", "--budget", "40", "--objective", "score,cost"]
    assert run([*search, "--run", str(directory)]) == 0
    capsys.readouterr()
    assert run(["show", str(directory), "--front", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    points = [(one["metrics"]["score"], -one["metrics"]["cost"]) for one in found["front"]]
    assert points == sorted(points, reverse=True)
    record = load_run(directory)
    measured = [record.problem.scores(t.measurement) for t in record.evaluated if t.measurement]
    for scores in measured:
        assert scores is None or any(p[0] >= scores[0] and p[1] >= scores[1] for p in points)
    assert [one["index"] for one in found["front"]] == found["front_trials"]
    assert [one["index"] for one in found["front"] if one["knee"]] == [found["knee"]]
    assert [one["metric"] for one in found["objectives"]] == ["score", "cost"]
    assert run(["show", str(directory), "--front"]) == 0
    out = capsys.readouterr().out
    assert "front of max score, min cost:\ntrial  score  cost " in out
    assert out.count("fate=") == 1 + len(points)
    assert "best:\n" not in out
    assert run(["show", str(directory)]) == 0
    assert "front of max score, min cost:" in capsys.readouterr().out


def test_rounds_of_a_run_measured_and_predicted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, directory = write_table(tmp_path / "toy.npz"), tmp_path / "run"
    search = ["search", "--table", str(table), "--searcher", "gp", "--set", "initial=6", "--set", "batch=4"]
    assert run([*search, "--budget", "14", "--metric", "score", "--run", str(directory)]) == 0
    capsys.readouterr()
    assert run(["show", str(directory), "--rounds", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["round_means"]
    first, second, third = found
    assert [line["architectures"] for line in found] == [6, 10, 14]
    assert (first["origins"], first["predicted_mean"]) == (["random"], None)
    trials = [trial for trial in load_run(directory).evaluated if trial.round == 1]
    measured = [trial.measurement.metrics["score"] for trial in trials if trial.measurement and trial.measurement.ok]
    predicted = [trial.predicted for trial in trials if trial.predicted is not None]
    assert second["measured_mean"] == pytest.approx(np.mean(measured))
    assert second["predicted_mean"] == pytest.approx(np.mean(predicted))
    assert run(["show", str(directory), "--rounds"]) == 0
    out = capsys.readouterr().out
    assert "score of each round:\nround  measured by then  origins" in out
    lines = out.splitlines()[-3:]
    assert lines[0].split()[:3] == ["0", "6", "random"]
    assert lines[0].split()[-1] == "-"
    assert float(lines[2].split()[-1]) == pytest.approx(third["predicted_mean"], abs=1e-3)
    assert "best:\n" not in out


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("spaces", "conv-cell"),
        ("searchers", "nao"),
        ("evaluators", "training"),
        ("tasks", "digits"),
        ("operations", "conv3x3"),
        ("activations", "tanh"),
    ],
)
def test_lists(capsys: pytest.CaptureFixture[str], kind: str, name: str) -> None:
    assert run(["list", kind]) == 0
    assert any(line.startswith(f"{name} ") for line in capsys.readouterr().out.splitlines())
    assert run(["list", kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[kind][name]


def test_the_list_of_tables_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    from naopt.tables import builtin_tables

    assert run(["list", "tables"]) == 0
    assert capsys.readouterr().out.split() == builtin_tables()


def test_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["zoo"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["name", *names()]
    assert run(["zoo", "list", "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["zoo"]] == names()
    assert run(["zoo", "show", "naonet-a"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("NAONet-A (naonet-a)\n")
    assert "note:" in out
    for name in names():
        assert run(["zoo", "show", name, "--json"]) == 0
        entry = json.loads(capsys.readouterr().out)
        assert run(["show", entry["text"]]) == 0
        capsys.readouterr()


@pytest.mark.parametrize("name", names())
def test_the_zoo_by_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry, one, other = get(name), tmp_path / "one.svg", tmp_path / "other.svg"
    assert run(["zoo", "show", name.upper(), "--svg", str(one)]) == 0
    out = capsys.readouterr().out
    assert all(f"{value:g}: {what}" in out for what, value in entry.figures.items())
    assert all(f"{key} = {value}" in out for key, value in entry.network.items())
    assert run(["show", name.title(), "--json", "--svg", str(other)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["space"], found["architecture"]) == (entry.space, entry.text)
    assert one.read_text() == other.read_text()
    assert one.read_text().startswith("<svg")


def test_a_zoo_entry_in_a_larger_space(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "nasnet-a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["space"] == "conv-cell:operations=pnas-8"
    space = "conv-cell:operations=sep_conv3x3+sep_conv5x5+sep_conv7x7+avg_pool3x3+max_pool3x3+identity"
    assert run(["show", "nasnet-a", "--space", space, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["space"] == space


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show"], "needs a NAME; known: amoebanet-a"),
        (["list", "--svg", "x.svg"], "write: naopt zoo show NAME --svg FILE"),
        (["show", "naonet-x"], "did you mean"),
        (["list", "naonet-a"], "write: naopt zoo show naonet-a"),
        (["sell"], "sell"),
    ],
)
def test_what_the_zoo_has_not(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["zoo", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_what_a_network_costs_on_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    words = ["show", cell, "--task", "digits", "--set", "filters=4", "--set", "training.cells_per_stage=1"]
    assert run([*words, "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)["costs"]
    model = calibrated()
    space, architecture = create_space("nasbench201"), create_space("nasbench201").parse(cell)
    known = NetworkCosts(space, NETWORK, lambda: ((1, 8, 8), 10)).of([architecture])
    assert costs == {name: values[0] for name, values in known.items()}
    assert set(costs) == {"params", "macs", "activations", "peak_memory_mb"}
    model.write(tmp_path / "device.json")
    assert run([*words, "--device-file", str(tmp_path / "device.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"params:      {costs['params']:,.0f}" in lines
    assert f"latency_ms:  {true_time(architecture):.4g}" in lines
    for wrong, line in (
        (["show", cell, "--device-file", "x"], "--device-file 'x': has a use only with --task"),
        (["show", cell, "--set", "filters=4"], "--set 'filters=4': has a use only with --task"),
        (["show", "depth=1", "--space", f"generic:{_choices(tmp_path)}", "--task", "digits"], "has no networks"),
    ):
        assert run(wrong) == 2
        said = capsys.readouterr().err
        assert line in said
        assert said.count("\n") == 1


def _choices(folder: Path) -> Path:
    path = folder / "choices.toml"
    path.write_text('[[positions]]\nname = "depth"\nchoices = [1, 2]\n', encoding="utf-8")
    return path
