"""``naopt.baseline``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.api.result import Result
from naopt.errors import InputError

if TYPE_CHECKING:
    from naopt.baselines import BaselineTable


def baseline(
    task: str | None = None,
    *,
    run: Result | str | Path | None = None,
    out: str | Path | None = None,
    networks: Sequence[str] | str = (),
    parameters: int | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seeds: int = 1,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 1,
    workers: int = 1,
) -> BaselineTable:
    """Trains networks that people would use instead of a searched one, of equal size and with equal care.

    Args:
        task: ``"digits"``, ``"cifar10:PATH"``, ``"ptb:PATH"`` ...; by default the search's.
        run: a search with a directory, or that directory: its pick is trained alike.
        out: a folder for trainings and table, from which the same call goes on; by default ``baselines`` in the
            search's directory.
        networks: names or patterns: ``["resnet-*", "darts-v2"]``.
        parameters: that each network has at most; by default those of the pick.
        preset: settings of final training; by default the task's.
        settings: single settings of training.
        seeds: trainings of each network.
        seed: of all trainings.
        device: where to train.
        threads: CPU threads of one training.
        workers: trainings at a time.

    Returns:
        ``rows``, the best on the validation data first, and a ``sentence`` on how the pick stands.

    Raises:
        InputError: no task, no folder, something unknown, or data that cannot be used.
        RunStoppedError: it was stopped; the same call goes on.
    """
    from naopt.baselines import baseline as compared

    directory = run.directory if isinstance(run, Result) else run
    if isinstance(run, Result) and directory is None:
        raise InputError("run", "a search in memory", "give run=DIR to a search that is compared with baselines")
    if out is None and directory is None:
        raise InputError("out", "", "give a folder for the trainings")
    return compared(
        task,
        out=Path(directory or "") / "baselines" if out is None else out,
        run=directory,
        networks=networks.split(",") if isinstance(networks, str) else networks,
        parameters=parameters,
        preset=preset,
        settings=settings,
        seeds=seeds,
        seed=seed,
        device=device,
        threads=threads,
        workers=workers,
    )
