"""Variants of ``nao`` on a small table: each differs in one part, and the table says what that is worth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks import nao_parts, nao_variants
from benchmarks.nao_parts import PARTS, chosen_parts, main

from naopt.errors import InputError
from naopt.latent.embedding_model import EmbeddingModel
from naopt.latent.embedding_settings import EmbeddingSettings
from naopt.measurement import MetricInfo
from naopt.searchers import nao_embedding
from naopt.searchers.nao_settings import NAOSettings
from naopt.spaces import NASBench201Space
from naopt.tables import save_table
from naopt.tables.delimited import import_csv

SPACE = NASBench201Space()
TINY = ["unlabelled=60", "pretraining_steps=2", "decoder_size=8", "starts=2", "steps=1", "neighbours=2", "initial=4"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["a,b,score,test", *(f"x{i},y{j},{i * j + 1},{10 * i + j}" for i in range(6) for j in range(6))]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    save_table(
        import_csv(tmp_path / "table.csv", {"score": MetricInfo(), "test": MetricInfo()}), tmp_path / "table.npz"
    )
    return tmp_path / "table.npz"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_jobs(function, jobs, workers, shared):  # type: ignore[no-untyped-def]
        for key, arguments in jobs.items():
            yield key, function(*shared, *arguments)

    monkeypatch.setattr(nao_parts, "run_jobs", run_jobs)


def command(table: Path, *more: str) -> list[str]:
    settings = [part for text in TINY for part in ("--set", text)]
    common = ["--metric", "score", "--report-metric", "test", "--budget", "9", "--trials", "2"]
    return ["--table", str(table), *common, *settings, *more]


def test_every_part_is_a_row_and_it_goes_on_where_it_stopped(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    main(command(table, "--json", "--out", str(out)))
    document = json.loads(capsys.readouterr().out)
    assert [row["part"] for row in document["rows"]] == list(PARTS)
    assert document["queries"] == [3, 6, 9]
    assert document["rows"][0]["minus_whole"] == [0, 0, 0]
    settings = {row["part"]: row["settings"] for row in document["rows"]}
    assert settings["ascent-only"]["neighbours"] == 0
    assert settings["untrained-decoder"]["pretraining_steps"] == 0
    assert {rows["starts"] for rows in settings.values()} == {2}
    origins = {part: _origins(out / part) for part in PARTS}
    assert "ascent" not in origins["neighbours-only"] | origins["mutants"] | origins["everything"]
    assert "neighbour" not in origins["ascent-only"]
    assert "scan" in origins["everything"]
    assert nao_embedding.EmbeddingRounds.__module__ == nao_embedding.__name__, "nothing stays replaced"

    # The last trial of one variant is lost, as if it had been stopped there; nothing else runs again.
    journal = out / "mean" / "trials.jsonl"
    journal.write_text(journal.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    main(command(table, "--out", str(out)))
    written = capsys.readouterr()
    assert written.err == "1/1 mean, trial 1\n"
    again = json.loads((out / "parts.json").read_text(encoding="utf-8"))
    assert [row["report_metric"] for row in again["rows"]] == [row["report_metric"] for row in document["rows"]]
    assert written.out == (out / "parts.md").read_text(encoding="utf-8")
    assert sum(line.startswith("| ascent |") for line in written.out.splitlines()) == 4


def _origins(folder: Path) -> set[str]:
    lines = (folder / "trials.jsonl").read_text(encoding="utf-8").splitlines()
    return {origin for line in lines for origin in json.loads(line)["origins"]}


def test_large_spaces_are_not_gone_through() -> None:
    assert set(PARTS) - set(chosen_parts(None, 10**6)) == {"nearest", "everything"}
    assert chosen_parts("mean,tokens", 10) == ["whole", "mean", "tokens"]
    with pytest.raises(InputError, match="goes through the space"):
        chosen_parts("nearest", 10**6)


def test_bad_input_is_one_line(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--parts", "decoders"], ["--at", "10"]):
        with pytest.raises(SystemExit, match="2"):
            main(command(table, *wrong))
        assert wrong[0] in capsys.readouterr().err


# Variants.


def fitted(kind: type[EmbeddingModel]) -> EmbeddingModel:
    rng = np.random.default_rng(0)
    cells = [SPACE.sample(rng) for _ in range(30)]
    model = kind(SPACE, EmbeddingSettings(unlabelled=80, pretraining_steps=0))
    model.fit(cells, np.array([float(sum(cell.tokens)) for cell in cells]))
    return model


@pytest.mark.parametrize(
    "kind", [nao_variants.SomeBlocks, nao_variants.OneKernel, nao_variants.Linear, nao_variants.MeanOnly]
)
def test_uphill_is_where_the_acquisition_grows(kind: type[EmbeddingModel]) -> None:
    model = fitted(kind)
    points = model.encode([SPACE.sample(np.random.default_rng(seed)) for seed in range(100, 106)])
    step = 1e-4 * model.uphill(points)
    assert (model.improvement(points + step) > model.improvement(points - step)).all()


def test_the_line_is_a_process_with_the_scalar_product_for_a_kernel() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 4)), rng.standard_normal(20)
    line = nao_variants.Line().fit([x[:, :1], x[:, 1:]], y)
    assert line.parameters is not None
    centred = x - x.mean(axis=0)
    prior = np.exp(line.parameters[0]) / np.mean((centred**2).sum(axis=1))
    covariance = prior * centred @ centred.T + np.eye(20)
    other = rng.standard_normal((3, 4)) - x.mean(axis=0)
    cross = prior * other @ centred.T
    mean, variance = line.predict([other[:, :1] + x.mean(axis=0)[:1], other[:, 1:] + x.mean(axis=0)[1:]])
    np.testing.assert_allclose(mean, cross @ np.linalg.solve(covariance, y))
    left = prior * (other**2).sum(axis=1) - (cross * np.linalg.solve(covariance, cross.T).T).sum(axis=1)
    np.testing.assert_allclose(variance, line.noise * left)
    without = nao_variants.Line().fit([x[1:]], y[1:], line.parameters)
    assert [column.shape for column in line.left_out()] == [(20,), (20,)]
    assert (line.left_out()[1] > line.noise).all()
    assert without.noise > 0


def test_directions_that_tokens_can_take_and_the_nearest_architecture() -> None:
    rounds = nao_variants.AsTokensCan(SPACE, NAOSettings(unlabelled=80, pretraining_steps=0), 2, 0)
    rng = np.random.default_rng(1)
    cells = [SPACE.sample(rng) for _ in range(20)]
    rounds.model.fit(cells, np.array([float(sum(cell.tokens)) for cell in cells]))
    points = rounds.model.encode(cells[:5])
    turned = rounds.direction(points, rng)
    assert np.linalg.matrix_rank(rounds.slopes) == rounds.slopes.shape[0]
    back = np.linalg.lstsq(rounds.slopes.T, turned.T, rcond=None)[0]
    np.testing.assert_allclose(back.T @ rounds.slopes, turned, atol=1e-9)
    assert ((turned * rounds.model.uphill(points)).sum(axis=1) > 0).all(), "still uphill"
    nearest = nao_variants.Nearest(SPACE, NAOSettings(unlabelled=80, pretraining_steps=0), 2, 0)
    near = nearest.decode(nearest.model.encode(cells) + 1e-6)
    assert [SPACE.canonical(tokens) for tokens in near] == [SPACE.canonical(cell.tokens) for cell in cells]
