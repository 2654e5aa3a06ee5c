"""Parts of ``instance_aware`` for one seed; what a part found is a line of ``parts.jsonl``, and is not found again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.instance_pricing import COST, PricedEvaluator
from benchmarks.instance_training import Trainings
from benchmarks.output import note
from naopt.api import search
from naopt.devices.timing import timed_together
from naopt.evaluators.workloads import ImageWorkload
from naopt.files import write_text
from naopt.networks.costs.insta import OperationCosts, count_operations
from naopt.run.run import SearchRun
from naopt.training.reproducible import reproducible

if TYPE_CHECKING:
    from torch import Tensor, nn

    from naopt.networks.base import ChildNetwork
    from naopt.networks.instance import InstanceNetwork
    from naopt.networks.supernet_insta import InstaSupernet
    from naopt.one_shot.instanas import InstaNASSearcher
    from naopt.spaces import Architecture
    from naopt.training.images import Images

Figures = dict[str, Any]
"""Of a part, in JSON values. Accuracies are in percent, costs relative to the whole meta-graph's."""

BATCH = 500
"""Images at a time when accuracies are measured."""
NEVER = 2.0
"""A threshold that no probability reaches."""
LARGE = 64
"""The large batch that is timed; the small one is of a single image."""
FORWARDS = 40_000
"""Images that a random policy is measured on, about, over all its draws of one operating point."""


class Parts:
    """The parts of one seed.

    Args:
        directory: of what is kept.
        run: the instance-aware search; its directory is there.
        points: operating points.
        static: members of the static front that are trained on.
        static_budget: evaluations of the static search.
        widths: filters of networks that are trained from scratch, as parts of the search's.
        repeats: how often each network is timed.
        timed: images on which it is timed.
    """

    def __init__(
        self,
        directory: Path,
        run: SearchRun,
        *,
        points: int,
        static: int,
        static_budget: int,
        widths: Sequence[float],
        repeats: int,
        timed: int,
    ) -> None:
        self.directory, self.trainings = directory, Trainings(run)
        self.static, self.static_budget, self.repeats, self.timed = static, static_budget, repeats, timed
        self.widths = widths
        conditioned = self.trainings.options.conditioned
        self.thrifts = [float(thrift) for thrift in np.linspace(0, 1, points)] if conditioned else [0.0]
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "parts.jsonl"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []
        self.found: dict[str, Figures] = {line["part"]: line["found"] for line in map(json.loads, lines)}

    def carry_out(self) -> dict[str, Figures]:
        """All parts that are missing; gives the figures of all, by the part's name."""
        self._part("instance", self._instance)
        picks = self._part("front", self._front)["picks"]
        for index, text in enumerate(picks):
            self._part(f"static-{index}", partial(self._static, text, index))
        members = [self.found[f"static-{index}"] for index in range(len(picks))]
        middle = picks[len(picks) // 2]
        for place, text in enumerate(dict.fromkeys((middle, max(members, key=_valid)["architecture"]))):
            for filters in self._filters():
                name = f"width-{place}-{filters}"
                self._part(name, partial(self._width, text, filters, name))
        for place, text in enumerate(dict.fromkeys((middle, picks[-1]))):
            self._part(f"exit-{place}", partial(self._exit, text, f"exit-{place}"))
        self._part("times", self._times)
        return self.found

    def _part(self, name: str, find: Callable[[], Figures]) -> Figures:
        if name not in self.found:
            config = self.trainings.run.state.config
            with reproducible(config.seed, self.trainings.device, config.threads):
                self.found[name] = find()
            lines = [json.dumps({"part": part, "found": found}) for part, found in self.found.items()]
            write_text(self._path, "\n".join(lines) + "\n")
            note(f"{self.directory.name}: {name}")
        return self.found[name]

    # The instance-aware network, and random policies.

    def _instance(self) -> Figures:
        self.trainings.pretrained(self._pretrained)
        self.trainings.run.carry_out()
        searcher, points = self._searcher, []
        for thrift in self.thrifts:
            network = searcher.deployed(thrift).eval()
            valid, _ = _measured(network, self._parts["valid"])
            accuracy, masks = _measured(network, self._parts["test"])
            shares = np.unique(masks.flatten(1).numpy(), axis=0, return_counts=True)[1] / len(masks)
            points.append(
                {
                    "thrift": thrift,
                    "valid_accuracy": valid,
                    "accuracy": accuracy,
                    "cost": self._cost(masks, controller=True),
                    "children": len(shares),
                    "largest": float(shares.max()),
                    **self._random(network, masks),
                }
            )
        return {"points": points, "unit": self._costs.unit, "controller": self._costs.controller / self._costs.whole}

    def _random(self, network: InstanceNetwork, masks: Tensor) -> Figures:
        """The same use of operations, without a look at the image.

        A random policy needs no controller, unless what the controller believes is added to what paths say.
        """
        import torch

        from naopt.networks.instance import repaired
        from naopt.one_shot.instance_measures import outcome

        generator, test = torch.Generator().manual_seed(0), self._parts["test"]
        marginal = masks.float().mean(0).expand(masks.shape)
        found: dict[str, list[tuple[float, float]]] = {"permuted": [], "independent": []}
        for _ in range(max(3, min(20, FORWARDS // len(masks)))):
            permuted = masks[torch.randperm(len(masks), generator=generator)]
            drawn = repaired(torch.bernoulli(marginal, generator=generator) > 0, network.needed)
            for name, given in (("permuted", permuted), ("independent", drawn)):
                accuracy = 100 * float(outcome(network, test, given).correct.float().mean())
                found[name].append((accuracy, self._cost(given, controller=network.fuses)))
        means = {name: np.mean(pairs, 0).tolist() for name, pairs in found.items()}
        return {name: {"accuracy": accuracy, "cost": cost} for name, (accuracy, cost) in means.items()}

    def _cost(self, masks: Tensor, *, controller: bool) -> float:
        from naopt.one_shot.instance_policy import relative_costs

        own = 0.0 if controller else self._costs.controller / self._costs.whole
        return float(relative_costs(masks.cpu(), self._costs).double().mean()) - own

    # Static children.

    def _front(self) -> Figures:
        """Searched for two objectives on the state that the search's pretraining left; picked by validation."""
        trainings = self.trainings
        config = trainings.run.state.config
        evaluator = PricedEvaluator(
            trainings.space, trainings.work, trainings.options, self._pretrained,
            device=config.device, threads=config.threads,
        )  # fmt: skip
        evaluator.price = self._static_cost
        loss = evaluator.default_metric
        found = search(
            None, evaluator, objective=[loss, f"min:{COST}"], searcher="nao", budget=self.static_budget,
            seed=config.seed, run=self.directory / "static",
        )  # fmt: skip
        front = sorted((trial.metrics[COST], trial.text) for trial in found.front)
        costs = np.array([cost for cost, _ in front])
        targets = np.geomspace(costs[0], costs[-1], self.static)
        places = {int(np.abs(np.log(costs / target)).argmin()) for target in targets}
        return {"picks": [front[place][1] for place in sorted(places)], "front": len(front), "costs": costs.tolist()}

    def _static(self, text: str, index: int) -> Figures:
        from naopt.training.checkpoint import load_checkpoint

        architecture = self.trainings.space.parse(text)
        network = self.trainings.tuned(architecture, load_checkpoint(self._pretrained))
        return self._child(network, architecture, self.trainings.work, f"static-{index}") | {
            "cost": self._static_cost(architecture)
        }

    def _width(self, text: str, filters: int, name: str) -> Figures:
        trainings, architecture = self.trainings, self.trainings.space.parse(text)
        network = trainings.from_scratch(architecture, filters)
        macs = self._macs(architecture, filters) / self._counted(trainings.training.filters).whole
        return self._child(network, architecture, self._of_width(filters), name) | {"cost": macs, "filters": filters}

    def _child(self, network: InstaSupernet, architecture: Architecture, work: ImageWorkload, name: str) -> Figures:
        """Figures of a path's network, whose weights are kept."""
        child = work.build(self.trainings.space, architecture, self._loaded)
        child.load_state_dict(network.child_state(network.path(architecture)))
        child = child.to(self.trainings.device).eval()
        self._keep(child, name)
        text = self.trainings.space.format(architecture)
        return {
            "architecture": text,
            "valid_accuracy": self._accuracy(child, "valid"),
            "accuracy": self._accuracy(child, "test"),
        }

    # Early exits.

    def _exit(self, text: str, name: str) -> Figures:
        import torch

        from benchmarks.early_exit import EarlyExit, exit_costs

        trainings, architecture = self.trainings, self.trainings.space.parse(text)
        network = trainings.with_exits(architecture).eval()
        self._keep(network, name)
        with torch.inference_mode():
            batches = [network.every(inputs)[:-1] for inputs, _ in self._parts["valid"].batches(BATCH)]
        sure = torch.cat([torch.ones(1), *(logits.softmax(1).amax(1).cpu() for every in batches for logits in every)])
        quantiles = torch.quantile(sure, torch.linspace(0, 1, len(self.thrifts))).tolist()
        thresholds = [*quantiles, NEVER]
        image, classes = self._image, len(self._loaded.facts["classes"])
        costs = exit_costs(trainings.space, architecture.tokens, self._costs, trainings.training, image, classes)
        points = []
        for threshold in thresholds:
            deployed = EarlyExit(network, threshold).eval()
            point = {"threshold": threshold}
            for part, prefix in (("valid", "valid_"), ("test", "")):
                hits, paid, images = 0, 0.0, 0
                for inputs, labels in self._parts[part].batches(BATCH):
                    with torch.inference_mode():
                        hits += int((deployed(inputs).argmax(1) == labels).sum())
                    paid += sum(costs[stage] for stage in deployed.exited.tolist())
                    images += len(labels)
                point |= {f"{prefix}accuracy": 100 * hits / images, f"{prefix}cost": paid / images}
            points.append(point)
        return {"architecture": text, "points": points}

    # Times.

    def _times(self) -> Figures:
        """Milliseconds for an image, of all networks turn by turn."""
        import torch

        test, timed = self._parts["test"], self.timed
        rows = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:timed].to(test.labels.device)
        inputs = test.normalize(test.pixels[rows])
        found: dict[str, dict[str, float]] = {}
        for key, size, images in (("ms64", LARGE, inputs), ("ms1", 1, inputs[: max(1, timed // 4)])):
            batches = torch.split(images, min(size, len(images)))
            calls = {name: _call(network, batches) for name, network in self._networks().items()}
            times = timed_together(
                calls, repeats=self.repeats, warm_up=1, spread=0.1, device=str(self.trainings.device)
            )
            for name, summary in times.items():
                found.setdefault(name, {})[key] = summary["median_ms"] / len(images)
        return found

    def _networks(self) -> dict[str, nn.Module]:
        """All that were measured, from what was kept."""
        from benchmarks.early_exit import EarlyExit

        trainings, searcher = self.trainings, self._searcher
        networks: dict[str, nn.Module] = {}
        for index, thrift in enumerate(self.thrifts):
            networks[f"instance-{index}"] = searcher.deployed(thrift).eval()
        for name, figures in self.found.items():
            if name.startswith(("static-", "width-")):
                architecture = trainings.space.parse(figures["architecture"])
                work = self._of_width(figures.get("filters", trainings.training.filters))
                networks[name] = self._kept(work.build(trainings.space, architecture, self._loaded), name)
            elif name.startswith("exit-"):
                network = trainings.exits(self._loaded.facts)
                self._kept(network, name)
                network.choose(network.path(trainings.space.parse(figures["architecture"])))
                for index, point in enumerate(figures["points"]):
                    networks[f"{name}-{index}"] = EarlyExit(network, point["threshold"]).eval()
        return networks

    def _keep(self, network: nn.Module, name: str) -> None:
        from naopt.training.checkpoint import write_tensors

        write_tensors(
            self._weights(name), {key: value.cpu().contiguous() for key, value in network.state_dict().items()}
        )

    def _kept(self, network: nn.Module, name: str) -> nn.Module:
        from safetensors.torch import load_file

        network.load_state_dict(load_file(self._weights(name)))
        return network.to(self.trainings.device).eval()

    # What all need.

    @property
    def _pretrained(self) -> Path:
        return self.directory / "pretrained.safetensors"

    def _weights(self, name: str) -> Path:
        return self.directory / f"{name}.safetensors"

    @cached_property
    def _searcher(self) -> InstaNASSearcher:
        return self.trainings.searched()

    @property
    def _costs(self) -> OperationCosts:
        return self._searcher.costs

    @cached_property
    def _loaded(self) -> Any:
        """With test images: searches and trainings load data of their own, without."""
        return self.trainings.work.load(self.trainings.device, test=True)

    @property
    def _parts(self) -> Mapping[str, Images]:
        parts: Mapping[str, Images] = self._loaded.parts
        return parts

    @property
    def _image(self) -> tuple[int, int, int]:
        channels, height, width = self._parts["test"].pixels.shape[1:]
        return int(channels), int(height), int(width)

    def _filters(self) -> list[int]:
        own = self.trainings.training.filters
        return sorted({max(1, round(own * width)) for width in self.widths})

    def _of_width(self, filters: int) -> ImageWorkload:
        work = self.trainings.work
        return ImageWorkload(work.task, work.settings.model_copy(update={"filters": filters}))

    def _counted(self, filters: int) -> OperationCosts:
        settings = self._of_width(filters).settings
        return count_operations(self.trainings.space, settings, self._image, len(self._loaded.facts["classes"]), 0.0)

    def _macs(self, architecture: Architecture, filters: int) -> float:
        return self._counted(filters).of(architecture.tokens)

    def _static_cost(self, architecture: Architecture) -> float:
        return self._costs.of(architecture.tokens) / self._costs.whole

    def _accuracy(self, network: ChildNetwork, part: str) -> float:
        return _accuracy(network, self._parts[part])


def _valid(figures: Figures) -> float:
    return float(figures["valid_accuracy"])


def _accuracy(network: ChildNetwork, images: Images) -> float:
    import torch

    with torch.inference_mode():
        hits = sum(int((network(inputs).argmax(1) == labels).sum()) for inputs, labels in images.batches(BATCH))
    return 100 * hits / len(images)


def _measured(network: InstanceNetwork, images: Images) -> tuple[float, Tensor]:
    """Accuracy, and the paths ``(n, blocks, operations)`` of the images, on the CPU."""
    import torch

    hits, masks = 0, []
    with torch.inference_mode():
        for inputs, labels in images.batches(BATCH):
            hits += int((network(inputs).argmax(1) == labels).sum())
            masks.append(network.masks.cpu())
    return 100 * hits / len(images), torch.cat(masks)


def _call(network: nn.Module, batches: tuple[Tensor, ...]) -> Callable[[], object]:
    return lambda: [network(batch) for batch in batches]
