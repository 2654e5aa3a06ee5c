"""Trainings of ``instance_aware``: all with one optimiser, on one kind of supernet and of data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from naopt.errors import InputError
from naopt.evaluators.training import select_device
from naopt.evaluators.workloads import ImageWorkload
from naopt.one_shot.base import OneShotSearcher
from naopt.one_shot.instanas import InstaNASSearcher
from naopt.one_shot.instanas_settings import InstaNASSettings
from naopt.run.names import SUPERNET, SUPERNET_CURVE
from naopt.run.phases import SupernetTraining
from naopt.run.run import SearchRun
from naopt.run.setup import Setup
from naopt.searchers.base import Proposal
from naopt.spaces import Architecture, InstaSpace

if TYPE_CHECKING:
    from benchmarks.early_exit import ExitSupernet
    from naopt.networks.supernet_insta import InstaSupernet
    from naopt.one_shot.path_trainer import PathTrainer
    from naopt.one_shot.trainer import SharedTrainer
    from naopt.training.settings import TrainingSettings
    from naopt.training.state import TrainingState

EVERY = 30.0
"""Seconds between two times that the state of pretraining is saved."""


class FixedPath(OneShotSearcher):
    """Trains one path, and no other.

    Args:
        space: of the path.
        settings: of InstaNAS.
        architecture: of the path.
        seed: non-negative.
        stages: the learning rate moves as in InstaNAS' three stages, for a training that goes on from the first;
            otherwise by one cosine.
    """

    settings_type = InstaNASSettings

    def __init__(
        self, space: InstaSpace, settings: InstaNASSettings, architecture: Architecture, *, seed: int, stages: bool
    ) -> None:
        super().__init__(space, settings, seed=seed)
        self.architecture = architecture
        self._stages = InstaNASSearcher(space, settings, seed=seed) if stages else None

    def rate(self, done: float) -> float:
        """See ``OneShotSearcher``."""
        return super().rate(done) if self._stages is None else self._stages.rate(done)

    def sample(self) -> Architecture:
        """The path's."""
        return self.architecture

    def candidates(self, count: int, trainer: PathTrainer) -> Sequence[Proposal]:  # noqa: ARG002
        """The path's."""
        return [Proposal(self.architecture, "fixed")][:count]


class FixedPathWithExits(FixedPath):
    """Likewise, of an ``ExitSupernet``: the sum of the losses of all classifiers is descended."""

    def step(self, trainer: PathTrainer) -> float:
        """See ``OneShotSearcher``."""
        from benchmarks.early_exit import ExitSupernet
        from naopt.one_shot.images import SharedImages
        from naopt.training.image_trainer import classification_loss

        network, data = trainer.network, trainer.data
        assert isinstance(network, ExitSupernet)
        assert isinstance(data, SharedImages)
        network.choose(trainer.path(self.architecture))
        inputs, labels = data.next_train()
        losses = [classification_loss(logits, None, labels, data.training) for logits in network.every(inputs)]
        loss = sum(losses[1:], losses[0])
        loss.backward()  # type: ignore[no-untyped-call]
        trainer.apply(network.path_parameters())
        return float(loss.detach())


class Trainings:
    """What is trained for one seed.

    Args:
        run: the instance-aware search, which is there.

    Raises:
        InputError: the task has no images, or the space no meta-graph.
    """

    def __init__(self, run: SearchRun) -> None:
        self.run = run
        setup: Setup = run.state.setup
        space, work = setup.space, setup.evaluator.work  # type: ignore[attr-defined]
        if not isinstance(space, InstaSpace):
            raise InputError("space", space.name, "must be insta")
        if not isinstance(work, ImageWorkload):
            raise InputError("task", setup.config.task, "has no images")
        assert isinstance(setup.settings, InstaNASSettings)
        self.space, self.work, self.options = space, work, setup.settings
        self.seed, self.device = setup.config.seed, select_device(setup.config.device)

    @property
    def training(self) -> TrainingSettings:
        """Settings of the training, those of the meta-graph's widths too."""
        return self.work.settings

    def pretrained(self, path: Path) -> None:
        """Carries out the search's first stage, unless that is done, and keeps a copy of where it stands then."""
        from naopt.one_shot.watch import SupernetWatch
        from naopt.training.checkpoint import load_checkpoint, save_checkpoint

        if path.is_file():
            return
        directory = self.run.directory
        trainer, about = self._search()
        if (directory / SUPERNET).is_file():
            trainer.restore(load_checkpoint(directory / SUPERNET, about))
        watch = SupernetWatch(directory / SUPERNET, directory / SUPERNET_CURVE, trainer, about, EVERY)
        trainer.run(on_epoch=watch.epoch_done, until=self.options.begins[0])
        save_checkpoint(path, trainer.state(), about)
        watch.save()

    def searched(self) -> InstaNASSearcher:
        """The searcher at the end of its run, with controller and meta-graph."""
        from naopt.training.checkpoint import load_checkpoint

        trainer, about = self._search()
        trainer.restore(load_checkpoint(self.run.directory / SUPERNET, about))
        assert isinstance(trainer.searcher, InstaNASSearcher)
        return trainer.searcher

    def _search(self) -> tuple[SharedTrainer, dict[str, object]]:
        phase = self.run.phases[0]
        assert isinstance(phase, SupernetTraining)
        return phase.assembled()

    def tuned(self, architecture: Architecture, pretrained: TrainingState) -> InstaSupernet:
        """A supernet in which one path was trained on, as long as the search's latter two stages took."""
        return self._trained(architecture, self.work, pretrained)

    def from_scratch(self, architecture: Architecture, filters: int) -> InstaSupernet:
        """One in which nothing but the path was trained, as long as the whole search took, with F of its own."""
        settings = self.training.model_copy(update={"filters": filters})
        return self._trained(architecture, ImageWorkload(self.work.task, settings), None)

    def _trained(
        self, architecture: Architecture, work: ImageWorkload, pretrained: TrainingState | None
    ) -> InstaSupernet:
        from naopt.networks.supernet_insta import InstaSupernet
        from naopt.one_shot.build import shared_data, shared_trainer

        data, _ = shared_data(self.space, work, self.options, str(self.device))
        stages = pretrained is not None
        searcher = FixedPath(self.space, self.options, architecture, seed=self.seed, stages=stages)
        trainer = shared_trainer(data, searcher, work, self.device)
        if pretrained is not None:
            trainer.restore(pretrained)
        trainer.run()
        assert isinstance(trainer.network, InstaSupernet)
        return trainer.network

    def with_exits(self, architecture: Architecture) -> ExitSupernet:
        """A network with exits, trained from scratch as long as the whole search took; its path is chosen."""
        from naopt.one_shot.build import shared_trainer
        from naopt.one_shot.images import SharedImages

        loaded = self.work.load(self.device, test=False)
        network = self.exits(loaded.facts)
        data = SharedImages(network, loaded.parts, self.training, self.options)
        searcher = FixedPathWithExits(self.space, self.options, architecture, seed=self.seed, stages=False)
        shared_trainer(data, searcher, self.work, self.device).run()
        network.choose(network.path(architecture))
        return network

    def exits(self, facts: object) -> ExitSupernet:
        """A network with exits before its first step, for data of these facts."""
        from benchmarks.early_exit import ExitSupernet
        from naopt.networks.cell_norms import CellNorms

        assert isinstance(facts, dict)
        channels, classes = facts["input_shape"][0], len(facts["classes"])
        norms = CellNorms(self.options.affine, self.options.normalise_pools)
        network = ExitSupernet(self.space, self.training, channels, classes, norms).to(self.device)
        network.numbering = self.options.numbering
        return network
