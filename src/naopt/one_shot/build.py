"""From a task and a space to shared weights, the data they are trained on, and their training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from naopt.errors import InputError
from naopt.evaluators.training import select_device
from naopt.evaluators.workloads import ImageWorkload, TextWorkload, Workload

if TYPE_CHECKING:
    import torch

    from naopt.one_shot.base import OneShotSearcher
    from naopt.one_shot.data import SharedData
    from naopt.one_shot.settings import OneShotSettings
    from naopt.one_shot.trainer import SharedTrainer
    from naopt.spaces import SearchSpace


def check_sharing(space: SearchSpace, work: Workload) -> None:
    """Raises ``InputError`` if there is no supernet of the space for the task."""
    work.check_space(space)
    if isinstance(work, ImageWorkload):
        from naopt.networks.build_supernet import has_supernet

        if not has_supernet(space):
            raise InputError("space", space.name, "has no supernet; those of conv-cell, insta and nasbench201 have one")
        if work.settings.parameters is not None:
            rule = "has no use with shared weights, which have one width for all; give filters"
            raise InputError("parameters", work.settings.parameters, rule)
        if work.folds > 1:
            raise InputError(
                "training setting folds", work.folds, "has no use with shared weights, trained once for all"
            )
    if isinstance(work, TextWorkload):
        from naopt.networks.supernet_recurrent import recurrent_space

        recurrent_space(space)


def shared_data(
    space: SearchSpace, work: Workload, settings: OneShotSettings, device: str
) -> tuple[SharedData, Mapping[str, Any]]:
    """A task's training and validation data, bound to a new supernet on the same device.

    The supernet is initialised by torch's default generator.

    Args:
        space: whose architectures share weights.
        work: the task, and how children are built and trained.
        settings: of weight sharing.
        device: where.

    Returns:
        The data, and the facts that one has to know to use a network that was trained on it.

    Raises:
        InputError: no supernet of the space for the task, or data or a device that cannot be used.
    """
    check_sharing(space, work)
    loaded = work.load(select_device(device), test=False)
    if isinstance(work, ImageWorkload):
        from naopt.networks.build_supernet import build_supernet
        from naopt.networks.cell_norms import CellNorms
        from naopt.one_shot.images import SharedImages

        channels, classes = loaded.facts["input_shape"][0], len(loaded.facts["classes"])
        norms = CellNorms(settings.affine, settings.normalise_pools)
        network = build_supernet(space, work.settings, channels, classes, settings.weights, norms).to(loaded.device)
        network.numbering = settings.numbering
        return SharedImages(network, loaded.parts, work.settings, settings), loaded.facts
    if isinstance(work, TextWorkload):
        from naopt.networks.supernet_recurrent import build_shared_language_model
        from naopt.one_shot.text import SharedText

        words, normalises = len(loaded.facts["words"]), settings.normalise_states
        least = min(work.settings.batch_size, work.settings.valid_batch_size)
        if normalises and least < 2:
            raise InputError("batch size", least, "must be at least 2 where states are normalised (normalise_states)")
        language = build_shared_language_model(space, work.settings, words, settings.weights, normalises=normalises).to(
            loaded.device
        )
        language.numbering = settings.numbering
        return SharedText(language, loaded.parts, work.settings), loaded.facts
    raise InputError("task", work.task.kind, "has no supernet")


def shared_trainer(data: SharedData, searcher: OneShotSearcher, work: Workload, device: torch.device) -> SharedTrainer:
    """The training of shared weights, with the optimiser that the task's settings say.

    Raises:
        InputError: a supernet that does not serve the searcher.
    """
    from naopt.one_shot.trainer import SharedTrainer

    training, rate = work.settings, searcher.settings.learning_rate
    options: dict[str, Any] = {}
    if isinstance(work, ImageWorkload):
        options = {name: getattr(training, name) for name in ("min_learning_rate", "momentum", "nesterov")}
    assert isinstance(work, ImageWorkload | TextWorkload)
    return SharedTrainer(
        data,
        searcher,
        learning_rate=work.settings.learning_rate if rate is None else rate,
        weight_decay=work.settings.weight_decay,
        clip_norm=work.settings.clip_norm,
        device=device,
        **options,
    )
