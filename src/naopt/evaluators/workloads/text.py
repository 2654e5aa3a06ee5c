"""Text whose next word is to be predicted, as training sees it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from naopt.errors import InputError
from naopt.evaluators.workloads.base import Loaded, Workload
from naopt.measurement import MetricInfo
from naopt.networks.costs import NetworkCosts
from naopt.networks.language_settings import LanguageSettings
from naopt.spaces import EnumeratedSpace, RecurrentBaselineSpace, RecurrentCellSpace
from naopt.tasks import Corpus, Limits, TextTask
from naopt.tasks.parts import Part

if TYPE_CHECKING:
    import torch
    from torch import nn

    from naopt.networks.language_model import LanguageModel
    from naopt.spaces import Architecture, SearchSpace
    from naopt.training.distributed import World
    from naopt.training.trainer import Trainer


class TextWorkload(Workload):
    """Language modelling. Searches go by validation perplexity; the vocabulary is always that of the whole text."""

    task: TextTask
    settings: LanguageSettings
    settings_type = LanguageSettings
    default_space = "recurrent-cell"
    default_metric = "valid_ppl"
    metrics: ClassVar[Mapping[str, MetricInfo]] = {"ppl": MetricInfo("min"), "loss": MetricInfo("min", "nat")}
    final_parts: ClassVar[tuple[Part, ...]] = ("valid", "test")

    def limits(self) -> tuple[int | None, int | None]:
        """See ``Workload.limits``; in words, from the beginning."""
        return self.settings.train_limit, self.settings.valid_limit

    def supports(self, space: SearchSpace) -> bool:
        """See ``Workload.supports``."""
        whole = space.whole if isinstance(space, EnumeratedSpace) else space
        return isinstance(whole, RecurrentCellSpace | RecurrentBaselineSpace)

    def costs(self, space: SearchSpace) -> NetworkCosts | None:
        """See ``Workload.costs``."""
        return NetworkCosts(space, self.settings, self._words) if self.supports(space) else None

    def shape_of(self, data: Corpus) -> int:
        """See ``Workload.shape_of``: the number of words."""
        return len(data.words)

    def _words(self) -> int:
        if self.known_shape is None:
            self.look(Limits(*self.limits(), 0))
        assert isinstance(self.known_shape, int)
        return self.known_shape

    def load(self, device: torch.device, *, test: bool, final: bool = False) -> Loaded:  # noqa: ARG002
        """See ``Workload.load``. The validation text stays one in final training."""
        corpus = self.task.load(Limits(*self.limits(), None if test else 0))
        return Loaded(corpus, {"words": list(corpus.words)}, device, corpus.remarks)

    def build(self, space: SearchSpace, architecture: Architecture, loaded: Loaded) -> LanguageModel:
        """See ``Workload.build``."""
        from naopt.networks.language_model import build_language_model

        what = space.cell(architecture) if isinstance(space, RecurrentBaselineSpace) else architecture
        return build_language_model(space, what, self.settings, len(loaded.facts["words"]))

    def identity(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The vocabulary, by its size and a digest."""
        digest = hashlib.sha256("\n".join(facts["words"]).encode()).hexdigest()[:12]
        return {"vocabulary": f"{len(facts['words']):,} words ({digest})"}

    def trainer(self, network: nn.Module, loaded: Loaded, world: World) -> Trainer:
        """See ``Workload.trainer``. Raises ``InputError`` if several processes are to share the text."""
        from naopt.networks.language_model import LanguageModel
        from naopt.training.language import LanguageTrainer

        if world.size > 1:
            raise InputError("torchrun", f"{world.size} processes", "language models train in one")
        assert isinstance(network, LanguageModel)
        return LanguageTrainer(network, loaded.parts, self.settings, loaded.device)
