"""The network of a finished InstaNAS run, which decides for each image what it computes, put together again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError
from naopt.evaluators.training import select_device
from naopt.files import at_home
from naopt.one_shot.assembly import assemble
from naopt.one_shot.evaluator import SharedWeightsEvaluator
from naopt.one_shot.instanas import InstaNASSearcher
from naopt.one_shot.kinds import decides_for_each
from naopt.run.config import RunConfig
from naopt.run.instances import Instances, read_instances
from naopt.run.names import CONFIG
from naopt.run.operating_points import OperatingPoint, default_point, thrift_for
from naopt.run.supernet import shared_evaluator
from naopt.spaces import InstaSpace

if TYPE_CHECKING:
    from naopt.networks.costs.insta import OperationCosts
    from naopt.networks.instance import InstanceNetwork
    from naopt.tasks.parts import Part
    from naopt.training.images import Images
    from naopt.training.settings import TrainingSettings

__all__ = [
    "InstanceAware",
    "Instances",
    "OperatingPoint",
    "default_point",
    "open_instance",
    "thrift_for",
]


@dataclass(frozen=True)
class InstanceAware:
    """A network that decides for each image, with all that belongs to it.

    Attributes:
        network: in evaluation mode, at thrift 0.
        facts: of the data, in JSON values: ``classes``, ``input_shape``, ``mean``, ``deviation``.
        parts: ``train`` and ``valid`` images, and ``test`` if they were asked for, on the network's device.
        costs: the table by which paths are judged.
        settings: of the training.
        space: of the meta-graph.
        points: what it reaches; empty before that was measured.
        conditioned: whether thrift makes a difference.
        tuned: at which thrift it was fine-tuned; ``None`` for all.
    """

    network: InstanceNetwork
    facts: Mapping[str, Any]
    parts: Mapping[Part, Images]
    costs: OperationCosts
    settings: TrainingSettings
    space: InstaSpace
    points: tuple[OperatingPoint, ...] = ()
    conditioned: bool = True
    tuned: float | None = None


def open_instance(directory: str | Path, *, device: str = "cpu", test: bool = False) -> InstanceAware:
    """The network of a run of ``instanas``.

    Args:
        directory: of the run.
        device: where everything shall be.
        test: the test images too.

    Raises:
        InputError: not a run, one of another searcher, one whose training is not finished, or data that changed.
    """
    directory = Path(at_home(directory))
    config = RunConfig.read(directory / CONFIG)
    if not decides_for_each(config.searcher):
        rule = f"searcher {config.searcher} finds networks that are the same for all images; instanas finds others"
        raise InputError("run", str(directory), rule)
    evaluator = shared_evaluator(directory, device=device)
    found = read_instances(directory)
    return assembled(evaluator, config, test=test, points=() if found is None else found.points)


def assembled(
    evaluator: SharedWeightsEvaluator,
    config: RunConfig,
    *,
    test: bool = False,
    points: tuple[OperatingPoint, ...] = (),
) -> InstanceAware:
    """See ``open_instance``.

    Args:
        evaluator: of a run whose supernet is trained.
        config: of the run.
        test: the test images too.
        points: what the network reaches.
    """
    from naopt.one_shot.images import SharedImages
    from naopt.training.checkpoint import load_checkpoint
    from naopt.training.reproducible import reproducible

    work, device = evaluator.work, select_device(evaluator.device)
    # The table of costs is read: nothing is timed for it again.
    settings = evaluator.settings.model_copy(update={"costs": "multiply-adds"})
    opened = SharedWeightsEvaluator(
        evaluator.space, work, settings, evaluator.weights, device=evaluator.device, threads=evaluator.threads
    )
    with reproducible(config.seed, device, config.threads):
        trainer, facts = assemble(opened, config.searcher, seed=config.seed)
        trainer.restore(load_checkpoint(evaluator.weights, work.identity(facts)))
        loaded = work.load(device, test=True).parts["test"] if test else None
    searcher, data = trainer.searcher, trainer.data
    assert isinstance(searcher, InstaNASSearcher)
    assert isinstance(data, SharedImages)
    assert isinstance(searcher.space, InstaSpace)
    parts: dict[Part, Images] = {"train": data.train, "valid": data.valid}
    if loaded is not None:
        parts["test"] = loaded
    network = searcher.deployed()
    network.eval()
    return InstanceAware(
        network,
        facts,
        parts,
        searcher.costs,
        data.training,
        searcher.space,
        points,
        searcher.options.conditioned,
        searcher.tuned,
    )
