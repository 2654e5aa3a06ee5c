"""Images to classify, as training sees them. Imports torch only to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from naopt.evaluators.workloads.base import Figures, Loaded, Workload
from naopt.measurement import MetricInfo
from naopt.networks.costs import Map, NetworkCosts, describes, sized
from naopt.tasks import Dataset, ImageTask, Limits
from naopt.training.settings import TrainingSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

    from naopt.networks.base import ChildNetwork
    from naopt.spaces import Architecture, SearchSpace
    from naopt.training.distributed import World
    from naopt.training.trainer import Trainer


class ImageWorkload(Workload):
    """Images to classify."""

    task: ImageTask
    settings: TrainingSettings
    settings_type = TrainingSettings
    default_space = "conv-cell"
    default_metric = "valid_acc"
    metrics: ClassVar[Mapping[str, MetricInfo]] = {"acc": MetricInfo("max", "%"), "loss": MetricInfo("min", "nat")}

    def __init__(self, task: ImageTask, settings: TrainingSettings) -> None:
        super().__init__(task.with_options(settings.image_options), settings)

    def limits(self) -> tuple[int | None, int | None]:
        """See ``Workload.limits``."""
        return self.settings.train_limit, self.settings.valid_limit

    def look(self, limits: Limits) -> tuple[str, ...]:
        """See ``Workload.look``. Images that are streamed are only listed: there may be millions."""
        if not self.settings.stream:
            return super().look(limits)
        splits = self.task.files(limits)
        self.known_shape = self._streamed(len(splits.classes))
        return splits.remarks

    def shape_of(self, data: Dataset) -> tuple[Map, int]:
        """See ``Workload.shape_of``."""
        channels, height, width = data.train.images.shape[1:]
        side = self.settings.image_size
        return (channels, side or height, side or width), len(data.classes)

    def _streamed(self, classes: int) -> tuple[Map, int]:
        side = self.settings.image_size
        assert side is not None
        return (3, side, side), classes

    def supports(self, space: SearchSpace) -> bool:
        """See ``Workload.supports``."""
        from naopt.networks.build import has_image_network

        return has_image_network(space)

    def shapes(self) -> tuple[Map, int]:
        """Shape of an image as networks get it, and the number of classes; reads the data if nobody has yet."""
        if self.known_shape is None:
            self.look(Limits(*self.limits(), 0))
        assert isinstance(self.known_shape, tuple)
        return self.known_shape

    def costs(self, space: SearchSpace) -> NetworkCosts | None:
        """See ``Workload.costs``."""
        return NetworkCosts(space, self.settings, self.shapes) if describes(space) else None

    def load(self, device: torch.device, *, test: bool, final: bool = False) -> Loaded:
        """See ``Workload.load``. Final training takes training and validation images together."""
        from naopt.training.image_data import load_images

        parts, facts, remarks = load_images(self.task, self.settings, device, test=test, final=final)
        return Loaded(parts, facts, device, remarks)

    @property
    def folds(self) -> int:
        """See ``Workload.folds``."""
        return self.settings.folds

    def fold(self, loaded: Loaded, index: int) -> Loaded:
        """See ``Workload.fold``."""
        from naopt.training.folds import fold_of

        return replace(loaded, parts=fold_of(loaded.parts, index, self.folds)) if self.folds > 1 else loaded

    @property
    def repeatable(self) -> bool:
        """See ``Workload``: images in memory, not all of which are held out anyway."""
        return not self.settings.stream and self.folds == 1

    def split_anew(self, loaded: Loaded, repeat: int) -> Loaded:
        """See ``Workload.split_anew``, and ``naopt.training.folds.exchanged``."""
        from naopt.training.folds import exchanged

        return replace(loaded, parts=exchanged(loaded.parts, repeat))

    def together(self, found: Sequence[tuple[Loaded, Figures]]) -> Figures:
        """See ``Workload.together``: all held-out images count alike; on the test images the folds' mean."""
        from naopt.training.folds import averaged, pooled

        if len(found) == 1:
            return found[0][1]
        sizes = [len(loaded.parts["valid"]) for loaded, _ in found]
        apart = {part: [figures[part] for _, figures in found] for part in found[0][1]}
        return {part: pooled(each, sizes) if part == "valid" else averaged(each) for part, each in apart.items()}

    def build(self, space: SearchSpace, architecture: Architecture, loaded: Loaded) -> ChildNetwork:
        """See ``Workload.build``."""
        from naopt.networks.build import build_network

        channels, classes = loaded.facts["input_shape"][0], len(loaded.facts["classes"])
        settings = sized(space, architecture, self.settings, channels, classes)
        return build_network(space, architecture, settings, channels, classes)

    def identity(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Classes, the shape of images, and their statistics, which tell one set of images from another."""
        return dict(facts)

    def trainer(self, network: nn.Module, loaded: Loaded, world: World) -> Trainer:
        """See ``Workload.trainer``."""
        from naopt.networks.base import ChildNetwork
        from naopt.training.image_trainer import ImageTrainer

        assert isinstance(network, ChildNetwork)
        return ImageTrainer(network, loaded.parts, self.settings, loaded.device, world)
