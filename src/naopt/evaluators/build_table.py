"""Trains random cells and writes what was measured as a table: ``python -m naopt.evaluators.build_table``.

This is how the table ``digits-nao11`` that comes with the package was made. Every result is appended to a JSON-lines
file beside the table at once, so a build that was killed goes on where it stopped, and a partial table can be written
at any time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from naopt.errors import InputError, NaoptError
from naopt.evaluators.training import TrainingEvaluator
from naopt.files import NotWrittenError, append_line, write_text
from naopt.measurement import MetricInfo
from naopt.spaces import Architecture, SearchSpace, create_space
from naopt.tables import Table, save_table

_INFOS = {
    "valid_acc": MetricInfo("max", "%"),
    "test_acc": MetricInfo("max", "%"),
    "params": MetricInfo("min"),
    "seconds": MetricInfo("min", "s"),
}

_PATIENCE = 1000
"""After how many draws in a row without a new architecture the space counts as exhausted."""

Job = tuple[int, int]
"""Row and repeat."""


def sample_distinct(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """``count`` distinct architectures, drawn uniformly one after the other: a longer list starts with a shorter one.

    Raises:
        InputError: the space is too small for that many.
    """
    if count > space.size:
        raise InputError("count", count, f"the space has only {space.size} token sequences")
    rng = np.random.default_rng(seed)
    found: dict[Architecture, None] = {}
    fruitless = 0
    while len(found) < count:
        before = len(found)
        found.setdefault(space.sample(rng))
        fruitless = fruitless + 1 if len(found) == before else 0
        if fruitless == _PATIENCE:
            raise InputError("count", count, f"only {before} distinct architectures found")
    return list(found)


def job_seed(seed: int, job: Job) -> int:
    """The seed of one training: a function of the build's seed, the row and the repeat."""
    return int(np.random.SeedSequence([seed, *job]).generate_state(1)[0])


class TableBuilder:
    """Builds one table; see the module.

    Args:
        evaluator: trains; must measure the test accuracy too.
        count: number of distinct architectures.
        repeats: trainings of each, with different seeds.
        seed: of the sample and of all trainings.
        out: the table's file; ``out`` with ``.jsonl`` appended holds the single results.
    """

    def __init__(self, evaluator: TrainingEvaluator, count: int, repeats: int, seed: int, out: Path) -> None:
        for name, value in (("count", count), ("repeats", repeats)):
            if value < 1:
                raise InputError(name, value, "must be at least 1")
        self.evaluator, self.repeats, self.seed, self.out = evaluator, repeats, seed, out
        self.architectures = sample_distinct(evaluator.space, count, seed)
        self.log = out.with_name(out.name + ".jsonl")
        self._header: dict[str, Any] = {
            "space": evaluator.space.name,
            "task": evaluator.task_spec,
            "seed": seed,
            "settings": evaluator.settings.model_dump(),
        }

    def run(self, workers: int = 1) -> None:
        """Trains what is missing, first repeats first, and writes the table.

        Raises:
            InputError: the log belongs to another build, or the table that is there does.
            NotWrittenError: a file cannot be written; the same call goes on.
        """
        if self.out.exists() and not self.log.exists():
            raise InputError("--out", str(self.out), "exists, and is not of this build; name another file")
        done = {(record["row"], record["repeat"]) for record in self._records()}
        jobs = [(row, repeat) for repeat in range(self.repeats) for row in range(len(self.architectures))]
        missing = [job for job in jobs if job not in done]
        if not self.log.exists() or not self.log.stat().st_size:
            append_line(self.log, json.dumps(self._header))
        for number, record in enumerate(self._measure(missing, workers), start=1):
            append_line(self.log, json.dumps(record))
            print(f"{len(done) + number}/{len(jobs)} {record}", file=sys.stderr, flush=True)  # noqa: T201
        self.write()

    def write(self) -> Table:
        """Writes the table of what was measured so far; NaN stands for what was not."""
        rows = len(self.architectures)
        values = {name: np.full((rows, self.repeats), np.nan) for name in _INFOS}
        for record in self._records():
            if record["row"] < rows and record["repeat"] < self.repeats:
                for name, value in record["metrics"].items():
                    values[name][record["row"], record["repeat"]] = value
        table = Table(
            name=self.out.stem,
            space=self.evaluator.space,
            tokens=np.array([architecture.tokens for architecture in self.architectures]),
            metrics={**values, "params": np.fmax.reduce(values["params"], axis=1)},
            infos=_INFOS,
            source=f"naopt: {rows} random cells trained on {self.evaluator.task_spec}, {self.repeats} repeats, "
            f"seed {self.seed}, {self.evaluator.settings.model_dump_json()}",
        )
        save_table(table, self.out)
        return table

    def _records(self) -> Iterator[dict[str, Any]]:
        if not self.log.exists():
            return
        text = self.log.read_text(encoding="utf-8")
        if not text.endswith("\n"):  # The last line was torn by a kill.
            text = text[: text.rfind("\n") + 1]
            write_text(self.log, text)
        lines = text.splitlines()
        header: dict[str, Any] = json.loads(lines[0]) if lines else self._header
        # Settings that came later have their defaults.
        if {**header, "settings": type(self.evaluator.settings).parse(header["settings"]).model_dump()} != self._header:
            raise InputError(
                "log", str(self.log), "belongs to a build with other settings; remove it or write elsewhere"
            )
        yield from map(json.loads, lines[1:])

    def _measure(self, jobs: Sequence[Job], workers: int) -> Iterator[dict[str, Any]]:
        work = [(job, self.architectures[job[0]], job_seed(self.seed, job)) for job in jobs]
        if workers == 1:
            _start(self.evaluator)
            yield from map(_train, work)
            return
        with ProcessPoolExecutor(workers, initializer=_start, initargs=(self.evaluator,)) as pool:
            yield from pool.map(_train, work)


_evaluator: TrainingEvaluator
"""Of this process; set by ``_start``."""


def _start(evaluator: TrainingEvaluator) -> None:
    global _evaluator
    _evaluator = evaluator
    evaluator.prepare()


def _train(work: tuple[Job, Architecture, int]) -> dict[str, Any]:
    (row, repeat), architecture, seed = work
    start = time.process_time()
    result = _evaluator.evaluate(architecture, seed)
    # On a CPU the time that was computed, whatever else ran on the machine: the same as wall time on an idle core.
    seconds = time.process_time() - start if _evaluator.device == "cpu" else result.seconds
    metrics = {name: value for name, value in result.metrics.items() if name in _INFOS}
    record = {"row": row, "repeat": repeat, "metrics": {**metrics, "seconds": round(seconds, 3)}}
    return record if result.ok else {**record, "status": result.status, "reason": result.reason}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 2 for bad input, 3 for a full disk, with one line on standard error."""
    parser = argparse.ArgumentParser(prog="naopt.evaluators.build_table", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the table's file (.npz)")
    parser.add_argument("--space", default="conv-cell")
    parser.add_argument("--task", default="digits")
    parser.add_argument("--count", type=int, default=600, help="number of distinct architectures")
    parser.add_argument("--repeats", type=int, default=2, help="trainings of each architecture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    try:
        evaluator = TrainingEvaluator(create_space(given.space), given.task, device=given.device, measure_test=True)
        TableBuilder(evaluator, given.count, given.repeats, given.seed, given.out).run(given.workers)
    except NaoptError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except NotWrittenError as error:
        print(f"{error.line}; the same command goes on", file=sys.stderr)  # noqa: T201
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
