"""``naopt.baseline``: trains what people would use instead, and a search's pick beside it, all alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt._version import __version__
from naopt.baselines.networks import PICK, SIZED_BY, Candidate, candidates
from naopt.baselines.table import BaselineRow, BaselineTable
from naopt.baselines.training import HELD_OUT, AlikeEvaluator, figure, held_out_sizes
from naopt.errors import InputError
from naopt.evaluators.final import default_preset, final_workload
from naopt.evaluators.seeds import training_seed
from naopt.execution import Job, create_engine
from naopt.execution.counted import Progress, quiet, to_be_continued
from naopt.execution.interrupt import stop_on_signal
from naopt.files import at_home
from naopt.run.run import SearchRun, open_run
from naopt.store.training_cache import TrainingCache
from naopt.tasks import located
from naopt.values import plain
from naopt.zoo import get

if TYPE_CHECKING:
    from naopt.evaluators.workloads import Workload
    from naopt.measurement import Measurement
    from naopt.tasks.parts import Part

TRAININGS = "trainings"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be trained.

    Attributes:
        task: its name and source.
        preset: of the settings.
        work: the task with its settings, the size included.
        networks: what is trained, the pick first if there is one.
        run: the search that the pick is of.
    """

    task: str
    preset: str
    work: Workload
    networks: Sequence[Candidate]
    run: SearchRun | None

    @property
    def parameters(self) -> int:
        """That each network has at most."""
        return int(getattr(self.work.settings, "parameters"))  # noqa: B009 - of every kind of settings


def baseline(
    task: str | None = None,
    *,
    out: str | Path,
    run: str | Path | None = None,
    networks: Sequence[str] = (),
    parameters: int | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    seeds: int = 1,
    seed: int = 0,
    device: str = "cpu",
    threads: int = 1,
    workers: int = 1,
    progress: Progress = quiet,
) -> BaselineTable:
    """Trains networks that people would use instead of a searched one, all alike and of equal size.

    Each is trained as ``naopt train`` does, by the preset of final training, but on the training data alone, so that
    there is a metric on the validation data to choose by; then it is measured on the test data, too. So is the pick of
    a search, if one is given. What was trained once, in ``out``, is not trained again, so a call that was stopped goes
    on; the table is written there, and into the search's directory.

    Args:
        task: ``digits``, ``cifar10:PATH``, ``ptb:PATH`` ...; by default the search's.
        out: a folder for trainings and table.
        run: directory of a search. If it holds a final training on the task, that one's settings are all networks', and
            what it gave stands in the table, too.
        networks: names or shell patterns: ``resnet-8``, ``mobilenet-*``, ``darts-v2``; by default ResNets, MobileNets
            and the zoo's cells on images, LSTM and GRU on text.
        parameters: that each network has at most: its width is the largest that keeps them. By default those of the
            search's pick, else of a published cell by the preset.
        preset: of final training; by default the task's.
        settings: single settings of training.
        seeds: trainings of each network.
        seed: all seeds of trainings are spawned from it.
        device: where to train.
        threads: CPU threads of one training.
        workers: trainings at a time; they change nothing but the time.
        progress: is told how it goes.

    Raises:
        InputError: no task, an unknown network, preset or setting, data that cannot be used, or a folder of other
            trainings.
        RunStoppedError: a signal, an interrupted training or a full disk stopped it; the same call goes on.
    """
    for name, number, least in (("seeds", seeds, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if number < least:
            raise InputError(name, number, f"must be at least {least}")
    plan = _plan(task, run, networks, parameters, preset, settings)
    folder = Path(at_home(out))
    spaces = list({each.space.name: each.space for each in plan.networks}.values())
    evaluator = AlikeEvaluator(spaces, plan.task, plan.work, device=device, threads=threads)
    known = {each.name: _costs(plan.work, each) for each in plan.networks}
    fitting = [each for each in plan.networks if not isinstance(known[each.name], str)]
    trained = {
        each.name: [(each.text, training_seed(seed, repeat, each.architecture)) for repeat in range(seeds)]
        for each in fitting
    }
    about = {"naopt": __version__, "task": plan.task, "training": plain(plan.work.settings.model_dump())}
    cache = TrainingCache(folder / TRAININGS, {**about, "threads": threads})
    with cache.open(), to_be_continued(), stop_on_signal():
        evaluator.check()
        wanted = {key: each for each in fitting for key in trained[each.name] if cache.get(key) is None}
        keys = list(wanted)
        jobs = [Job(at, wanted[key].architecture, key[1]) for at, key in enumerate(keys)]
        total = len({key for own in trained.values() for key in own})
        engine = create_engine("local", evaluator, workers)
        with progress("trainings", total, total - len(jobs)) as advance, engine:
            for at, found in engine.evaluate(jobs):
                if found.status == "interrupted":
                    raise KeyboardInterrupt
                cache.add(keys[at], found)
                advance()
        sizes = held_out_sizes(plan.work)
        rows = []
        for each in plan.networks:
            gave = [kept for key in trained.get(each.name, ()) if (kept := cache.get(key)) is not None]
            rows.append(_row(plan, each, known[each.name], gave, sizes))
        table = _table(plan, rows, seed, sizes)
        table.write(folder)
        if plan.run is not None:
            table.write(plan.run.directory)
    return table


def _plan(
    task: str | None,
    run: str | Path | None,
    networks: Sequence[str],
    parameters: int | None,
    preset: str | None,
    settings: Mapping[str, Any] | None,
) -> _Plan:
    search = None if run is None else _search(run)
    suggested: Mapping[str, Any] = {}
    if search is not None and search.suggested_task and task in (None, search.suggested_task):
        task, suggested = search.suggested_task, search.suggested_settings
    if not task:
        raise InputError("task", "", "give --task")
    task = located(task)
    full = None if search is None or search.training is None else search.training.request
    values = dict(settings or {})
    if full is not None and full.task == task and preset in (None, full.preset):
        preset, values = full.preset or "recipe", {**full.settings, **values}
    preset = preset or default_preset(task)
    work = final_workload(task, preset, values, suggested)
    chosen = candidates(work, networks)
    if search is not None:
        space, architecture = search.subject if full is None else full.subject()
        work.check_space(space)
        chosen = [Candidate(PICK, space, architecture), *chosen]
    size = parameters or getattr(work.settings, "parameters", None)
    if size is None:
        sizing = chosen[0] if search is not None else Candidate("", *get(SIZED_BY[work.task.kind]).architecture())
        found = _costs(work, sizing)
        if found is None or isinstance(found, str):
            raise InputError("parameters", "", found or f"give --parameters: those of {sizing.text} are not known")
        size = found[0]
    sized = final_workload(task, preset, {**values, "parameters": size}, suggested)
    return _Plan(task, preset, sized, chosen, search)


def _search(run: str | Path) -> SearchRun:
    found = open_run(run)
    if not isinstance(found, SearchRun):
        raise InputError("run", str(run), "holds a training, and no search")
    return found


def _costs(work: Workload, candidate: Candidate) -> tuple[int, int] | str | None:
    """Parameters and multiply-adds; why the network cannot be that small; or ``None`` for what is not known."""
    costs = work.costs(candidate.space)
    if costs is None:
        return None
    try:
        found = costs.totals(candidate.architecture)
    except InputError as error:
        if error.what != "parameters":
            raise
        return error.rule
    return found.params, found.macs


def _row(
    plan: _Plan,
    candidate: Candidate,
    known: tuple[int, int] | str | None,
    trainings: Sequence[Measurement],
    sizes: Mapping[Part, int],
) -> BaselineRow:
    if isinstance(known, str):
        return BaselineRow(candidate.name, candidate.text, None, None, None, None, 0, None, known)
    good = [found for found in trainings if found.ok]
    bad = dict.fromkeys(f"{found.status}: {found.reason}" for found in trainings if not found.ok)
    name = plan.work.default_metric.removeprefix("valid_")
    parts = {
        part: figure([found.metrics[f"{part}_{name}"] for found in good], sizes.get(part) if name == "acc" else None)
        for part in HELD_OUT
    }
    counted = int(good[0].metrics["params"]) if good else None
    return BaselineRow(
        candidate.name,
        candidate.text,
        counted if known is None else known[0],
        None if known is None else known[1],
        parts["valid"],
        parts["test"],
        len(good),
        sum(found.seconds for found in good) / len(good) if good else None,
        "; ".join(bad),
    )


def _in_full(plan: _Plan, sizes: Mapping[Part, int]) -> BaselineRow | None:
    """What the search's final training gave, if it is complete and on this task."""
    training = None if plan.run is None else plan.run.training
    if training is None or not training.done or training.request.task != plan.task:
        return None
    document, short = training.document, plan.work.default_metric.removeprefix("valid_")
    name = plan.work.long_names[short]
    parts = {
        part: figure([document[f"{part}_{name}"]], sizes.get(part) if short == "acc" else None)
        for part in HELD_OUT
        if f"{part}_{name}" in document
    }
    space, architecture = training.request.subject()
    known = _costs(training.request.work(), Candidate(PICK, space, architecture))
    return BaselineRow(
        f"{PICK}, in full",
        training.request.architecture,
        int(document["parameters"]),
        known[1] if isinstance(known, tuple) else None,
        parts.get("valid"),
        parts.get("test"),
        1,
        float(document["seconds"]),
    )


def _table(plan: _Plan, rows: Sequence[BaselineRow], seed: int, sizes: Mapping[Part, int]) -> BaselineTable:
    work = plan.work
    info = work.metrics[work.default_metric.removeprefix("valid_")]
    sign = -1 if info.goal == "max" else 1
    order = sorted(rows, key=lambda row: (row.valid is None, 0.0 if row.valid is None else sign * row.valid.value))
    full = _in_full(plan, sizes)
    return BaselineTable(
        naopt=__version__,
        task=plan.task,
        run="" if plan.run is None else str(plan.run.directory),
        preset=plan.preset,
        epochs=int(getattr(work.settings, "epochs")),  # noqa: B009 - of every kind of settings
        parameters=plan.parameters,
        metric=work.default_metric.removeprefix("valid_"),
        goal=info.goal,
        unit=info.unit,
        seed=seed,
        rows=(*order, *([full] if full is not None else [])),
    )
