"""Measures an architecture by training the network it stands for. Imports torch only when it trains."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt._version import __version__
from naopt.configuration import Settings
from naopt.devices.setting import LATENCY, SPREAD
from naopt.errors import InputError
from naopt.evaluators.base import Evaluator, evaluators
from naopt.evaluators.endings import failure_status
from naopt.evaluators.kept_training import KeptTraining
from naopt.evaluators.known_costs import known_costs
from naopt.evaluators.proxy_costs import ProxyCosts
from naopt.evaluators.proxy_meter import proxy_info
from naopt.evaluators.seeds import fold_seed
from naopt.evaluators.training_levels import TrainingLevel, training_fidelity, training_levels
from naopt.evaluators.workloads import create_workload
from naopt.evaluators.workloads.images import ImageWorkload
from naopt.measurement import Measurement, MetricInfo
from naopt.tasks import Limits
from naopt.traces import trace

if TYPE_CHECKING:
    import torch
    from torch import nn

    from naopt.evaluators.workloads import Loaded
    from naopt.problem import Costs
    from naopt.spaces import Architecture, SearchSpace
    from naopt.tasks.parts import Part
    from naopt.training.trainer import Trainer


def select_device(name: str) -> torch.device:
    """The device of that name (``cpu``, ``cuda``, ``cuda:1``, ``mps``). Raises ``InputError`` if it is not there."""
    import torch

    kind, _, index = name.partition(":")
    if kind == "cpu" and not index:
        return torch.device("cpu")
    if kind == "cuda" and (not index or index.isdecimal()):
        if int(index or 0) < torch.cuda.device_count():
            return torch.device("cuda", int(index or 0))
        raise InputError("device", name, f"not there: torch sees {torch.cuda.device_count()} CUDA devices")
    if kind == "mps" and not index:
        if torch.backends.mps.is_available():
            return torch.device("mps")
        raise InputError("device", name, "not there: torch sees no Apple GPU")
    raise InputError("device", name, "must be cpu, cuda, cuda:INDEX or mps")


@evaluators.register("training")
class TrainingEvaluator(Evaluator):
    """Trains every architecture from scratch on the task's training data and measures it on the validation data.

    The test data is not even loaded unless ``measure_test`` is set, which no search does. On a CPU equal
    architecture, seed and settings give the same bits, whatever was trained before; on a GPU nearly so.

    Metrics are ``valid_acc`` and ``valid_loss`` of images, ``valid_ppl`` and ``valid_loss`` of text, all with their
    standard errors (``valid_acc_se``), and ``params``.

    Args:
        space: of the architectures.
        task: its name and source, ``digits`` or ``cifar10:PATH``.
        settings: overrides of the task's recipe, or complete settings.
        device: where to train.
        threads: CPU threads; part of what fixes the bits of a result.
        measure_test: adds the metrics of the test data.
        latency_batch: measure ``latency_ms`` of batches of so many images after each training, with its ``spread``; 0
            for not. What is measured depends on the machine and on what else it does.
        device_file: a calibration of ``naopt device calibrate``, by which ``latency_ms`` is known without training.
        proxies: zero-cost proxies that are known without training too.

    What networks cost in parameters, multiply-adds, activations and memory is known in closed form (``costs``), where
    the operations of the space are.

    Raises:
        InputError: an unknown task, setting or device, a space that has no networks for the task, a device file that is
            not for such networks, or latencies of what are no images.
    """

    thread_safe = False  # the random state of torch is the process's

    def __init__(
        self,
        space: SearchSpace,
        task: str,
        settings: Settings | Mapping[str, Any] | None = None,
        *,
        device: str = "cpu",
        threads: int = 1,
        measure_test: bool = False,
        latency_batch: int = 0,
        device_file: str = "",
        proxies: ProxyCosts | None = None,
    ) -> None:
        if threads < 1:
            raise InputError("threads", threads, "must be at least 1")
        self.space, self.task_spec, self.threads, self.measure_test = space, task, threads, measure_test
        self.workload = create_workload(task, settings)
        self.default_metric = self.workload.default_metric
        select_device(device)
        self.device, self.batch = device, getattr(self.settings, "batch_size", None)
        parts = ("valid", "test") if measure_test else ("valid",)
        self.metrics = {
            "params": MetricInfo("min"),
            **{f"{part}_{name}": info for part in parts for name, info in self.workload.figures.items()},
        }
        self.latency_batch = latency_batch
        if latency_batch:
            if not isinstance(self.workload, ImageWorkload):
                raise InputError(LATENCY, task, "is measured of networks on images only")
            self.metrics |= {LATENCY: MetricInfo("min", "ms"), SPREAD: MetricInfo("min")}
        self._costs = known_costs(self.workload, space, device_file, proxies)
        if proxies is not None:
            self.metrics |= {name: proxy_info(name) for name in proxies.metrics}
        self._loaded: Loaded | None = None
        self._level: TrainingLevel | None = None
        self._lower: tuple[TrainingEvaluator, ...] = ()
        self._folder: Path | None = None
        self.repeatable, self._repeat = self.workload.repeatable, 0

    def with_levels(
        self, names: Sequence[str], costs: Sequence[float] = (), *, metric: str = "", folder: Path | None = None
    ) -> TrainingEvaluator:
        """The same evaluator with cheaper versions of itself.

        Args:
            names: of the levels below the full training, the cheapest first: settings that they change, ``epochs=4`` or
                ``image_size=16+filters=8``. See ``training_levels``.
            costs: see ``training_fidelity``.
            metric: that is searched by; empty for the default one.
            folder: where trainings that are stopped early are kept; without one they begin again when they go on.

        Raises:
            InputError: as ``training_levels`` and ``training_fidelity``, or a metric that is not measured on the
                validation data.
        """
        metric = metric or self.default_metric
        if metric not in (own := [f"valid_{name}" for name in self.workload.metrics]):
            raise InputError("fidelities", metric, f"is not what training gives; search by {' or '.join(own)}")
        levels = training_levels(self.workload, names)
        found = copy.copy(self)
        found.fidelity = training_fidelity(self.workload, self.space, metric, levels, costs)
        found._folder = folder
        found._lower = tuple(found._at(level) for level in levels)
        lower = {name: info for each in found._lower for name, info in each.metrics.items()}
        found.metrics = {**self.metrics, **lower}
        return found

    def _at(self, level: TrainingLevel) -> TrainingEvaluator:
        lower = copy.copy(self)
        lower.workload, lower._level, lower.fidelity = level.workload, level, None
        lower.batch, lower.latency_batch, lower.measure_test = getattr(lower.settings, "batch_size", None), 0, False
        lower.default_metric = level.metric(self.default_metric)
        lower.metrics = {level.metric(f"valid_{name}"): info for name, info in self.workload.figures.items()}
        return lower

    def at(self, level: int | None) -> TrainingEvaluator:
        """See ``Evaluator``. What is stopped early uses the data of the full training."""
        lower = self if level is None else self._lower[level]
        if lower.workload is self.workload:
            lower._loaded = self._loaded
        return lower

    def again(self, repeat: int) -> TrainingEvaluator:
        """See ``Evaluator``: with other data to validate on (``Workload.split_anew``)."""
        if repeat == self._repeat:
            return self
        other = copy.copy(self)
        other._repeat, other._loaded = repeat, self._loaded
        return other

    def costs(self) -> Costs | None:
        """Closed forms, and what a device file predicts."""
        return self._costs

    @property
    def settings(self) -> Settings:
        """What every architecture is trained with."""
        return self.workload.settings

    def smaller(self, halvings: int) -> TrainingEvaluator | None:
        """See ``Evaluator.smaller``; only training takes smaller batches, what is measured stays the same."""
        batch = (self.batch or 0) >> halvings
        if batch < 1:
            return None
        try:
            settings = type(self.settings).parse({**self.settings.model_dump(), "batch_size": batch})
        except InputError:
            return None
        other = copy.copy(self)
        other.workload, other.batch = type(self.workload)(self.workload.task, settings), batch
        other._loaded = self._loaded
        return other

    def __getstate__(self) -> dict[str, Any]:
        # Copies have no data either.
        return {**self.__dict__, "_loaded": None}

    def prepare(self) -> None:
        """Loads the data and puts it on the device."""
        if self._loaded is None:
            self._loaded = self.workload.load(select_device(self.device), test=self.measure_test)

    def check(self) -> None:
        """Reads all data, that of the test too: the search must not end with a network that cannot be tested."""
        self.workload.check_space(self.space)
        self.remarks = self.workload.check()
        self.check_folds()
        for lower in self._lower:
            if lower.workload is not self.workload:
                lower.workload.look(Limits(*lower.workload.limits(), 0))
                lower.check_folds()

    def check_folds(self) -> None:
        """Raises ``InputError`` for data that cannot be split as often as the settings say."""
        if self.workload.folds > 1:
            self.prepare()
            assert self._loaded is not None
            self.workload.fold(self._loaded, 0)

    def evaluate(self, architecture: Architecture, seed: int) -> Measurement:
        """Builds, trains and measures; whatever happens to the child becomes the measurement's status and reason."""
        self.prepare()
        start = time.perf_counter()
        metrics: dict[str, float] = {}
        try:
            note = self._train(architecture, seed, metrics)
        except (RuntimeError, MemoryError, ArithmeticError, ValueError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            seconds, status = time.perf_counter() - start, failure_status(error)
            return Measurement(metrics, seconds, status, reason, "" if status == "diverged" else trace(error))
        return Measurement(metrics, time.perf_counter() - start, reason=note)

    def _train(self, architecture: Architecture, seed: int, metrics: dict[str, float]) -> str:
        from naopt.networks.base import count_parameters
        from naopt.training.distributed import ALONE
        from naopt.training.reproducible import reproducible

        assert self._loaded is not None
        device, note = self._loaded.device, ""
        found: list[tuple[Loaded, dict[Part, dict[str, float]]]] = []
        for fold in range(self.workload.folds):
            data = self.workload.split_anew(self._loaded, self._repeat) if self._repeat else self._loaded
            loaded, own_seed = self.workload.fold(data, fold), fold_seed(seed, fold)
            with reproducible(own_seed, device, self.threads):
                network = self.workload.build(self.space, architecture, loaded).to(device)
                if self._level is None:
                    metrics["params"] = float(count_parameters(network))
                trainer = self.workload.trainer(network, loaded, ALONE)
                self._run(trainer, architecture, own_seed)
                if self.latency_batch and not fold:
                    note = self._time(network, metrics)
                parts: tuple[Part, ...] = ("valid", "test") if self.measure_test else ("valid",)
                found.append((loaded, {part: trainer.measure(part) for part in parts}))
        for part, figures in self.workload.together(found).items():
            metrics.update({self._called(f"{part}_{name}"): value for name, value in figures.items()})
        return note

    def _run(self, trainer: Trainer, architecture: Architecture, seed: int) -> None:
        """Trains to the level's end, from where a cheaper one was stopped."""
        until = None if self._level is None else self._level.until
        if self._folder is None or (until is None and self._level is not None):
            trainer.run(**({} if until is None else {"until": until}))  # type: ignore[arg-type]
            return
        about = {"naopt": __version__, "architecture": self.space.format(architecture), "seed": seed}
        where = {"task": self.task_spec, "device": self.device, "threads": self.threads}
        settings = self.settings.model_dump(mode="json")
        kept = KeptTraining(self._folder, {**about, **where, "settings": settings})
        kept.run(trainer, until or trainer.epochs)

    def _called(self, name: str) -> str:
        return name if self._level is None else self._level.metric(name)

    def _time(self, network: nn.Module, metrics: dict[str, float]) -> str:
        """Adds the latency of a network to its metrics; a note on it."""
        from naopt.devices.measured import measured_latency

        assert self._loaded is not None
        assert isinstance(self.workload, ImageWorkload)
        image, _ = self.workload.shapes()
        found, note = measured_latency(network, image, self.latency_batch, self._loaded.device)
        metrics |= found
        return note
