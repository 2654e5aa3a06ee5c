"""Networks to export: small, with weights and statistics that are nobody's defaults."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from naopt.export import ImageFacts, InstanceFacts, LanguageFacts
from naopt.export.deployment import Deployment, deploy_classifier, deploy_language_model
from naopt.export.subjects import language_model
from naopt.networks.base import ChildNetwork
from naopt.networks.build import build_network
from naopt.networks.build_supernet import build_supernet
from naopt.networks.instance import ImageController, InstanceNetwork
from naopt.networks.language_model import LanguageModel
from naopt.networks.language_settings import LanguageNetworkSettings
from naopt.networks.settings import NetworkSettings
from naopt.networks.supernet_insta import InstaSupernet
from naopt.spaces import Architecture, InstaSpace, SearchSpace, parse_architecture

CELL = "normal:conv3x3@0+avg_pool3x3@1,identity@2+sep_conv3x3@1/reduction:identity@0+max_pool2x2@0,conv1x1@2+conv1x1@0"
EDGES = "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"


TREE = "recurrent:relu@0,sigmoid@0,identity@1,tanh@3,relu@1"


@dataclass(frozen=True, eq=False)
class ImageSubject:
    """A classifier; data are images."""

    network: ChildNetwork
    facts: ImageFacts
    data: Tensor

    def deploy(self) -> Deployment:
        return deploy_classifier(self.network, self.facts, self.data)


@dataclass(frozen=True, eq=False)
class LanguageSubject:
    """A language model; data are words."""

    network: LanguageModel
    facts: LanguageFacts
    data: Tensor

    def deploy(self) -> Deployment:
        return deploy_language_model(self.network, self.facts, self.data)


def subject(
    found: str | tuple[SearchSpace, Architecture],
    shape: tuple[int, int, int] = (2, 9, 7),
    classes: tuple[str, ...] = ("cat", "dog", "cow"),
    *,
    per_image: bool = False,
    task: str = "",
    test_accuracy: float | None = None,
    **settings: object,
) -> ImageSubject:
    """A network whose parameters and statistics are all random, with eight images of bytes."""
    space, architecture = parse_architecture(found) if isinstance(found, str) else found
    chosen = NetworkSettings.parse({"cells_per_stage": 1, "filters": 4, **settings})
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng([]):
        torch.manual_seed(2)
        network = build_network(space, architecture, chosen, shape[0], len(classes)).eval()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith(("running_var", "norm.weight")):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif tensor.ndim == 1:
                tensor.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
    images = torch.randint(0, 256, (8, *shape), dtype=torch.uint8, generator=generator)
    facts = ImageFacts(
        space=space,
        architecture=architecture,
        task=task,
        settings=chosen,
        classes=classes,
        input_shape=shape,
        mean=tuple(100.0 + channel for channel in range(shape[0])),
        deviation=tuple(60.5 + channel for channel in range(shape[0])),
        per_image=per_image,
        test_accuracy=test_accuracy,
    )
    return ImageSubject(network, facts, images)


def language(
    found: str | tuple[SearchSpace, Architecture],
    *,
    words: int = 12,
    task: str = "",
    test_perplexity: float | None = None,
    **settings: object,
) -> LanguageSubject:
    """A language model with large random weights, with five sequences of four words."""
    space, architecture = parse_architecture(found) if isinstance(found, str) else found
    chosen = LanguageNetworkSettings.parse({"hidden_size": 6, "init_range": 1.0, **settings})
    with torch.random.fork_rng([]):
        torch.manual_seed(5)
        network = language_model(space, architecture, chosen, words).eval()
        tokens = torch.randint(0, words, (5, 4))
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim == 1:
                    parameter.copy_(torch.randn(parameter.shape))
    facts = LanguageFacts(
        space=space,
        architecture=architecture,
        task=task,
        settings=chosen,
        words=tuple(f"w{index}" for index in range(words)),
        hidden_size=network.cell.size,
        test_perplexity=test_perplexity,
    )
    return LanguageSubject(network, facts, tokens)


def instance(
    *,
    shape: tuple[int, int, int] = (2, 9, 7),
    thrift: float = 0.4,
    stages: int = 2,
    per_image: bool = False,
    classifies: bool = True,
    fuses: bool = True,
) -> ImageSubject:
    """A network that decides for each of sixteen images what it computes."""
    space = InstaSpace(4, stages, "mb3e1+mb3e2+mb5e3")
    every = space.architecture([1] * len(space.positions))
    found = subject((space, every), shape, per_image=per_image)
    assert isinstance(found.facts, ImageFacts)
    supernet = build_supernet(space, found.facts.settings, shape[0], len(found.facts.classes))
    assert isinstance(supernet, InstaSupernet)
    supernet.load_state_dict(found.network.state_dict())
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        classes = len(found.facts.classes) if classifies else 0
        sizes = {"classes": classes, "width": 4, "layers": 2, "hidden": 6}
        controller = ImageController(shape[0], space.blocks, len(space.operations), **sizes).eval()
        images = torch.randint(0, 256, (16, *shape), dtype=torch.uint8)
    needed = tuple(None if skippable else 1 for skippable in space.skippable)
    network = InstanceNetwork(supernet, controller, needed, thrift, fuses=fuses).eval()
    points = ((0.0, 0.9, 97.25), (1.0, 0.31, 95.0))
    values = {name.name: getattr(found.facts, name.name) for name in fields(found.facts)}
    facts = InstanceFacts(
        **values,
        thrift=thrift,
        needed=needed,
        controller_width=4,
        controller_layers=2,
        controller_hidden=6,
        classifies=classifies,
        fuses=fuses and classifies,
        points=points,
    )
    made = ImageSubject(network, facts, images)
    with torch.no_grad():
        # Weights, slopes too, that are nobody's defaults. Each decision goes this way for half of the images.
        controller.slope.uniform_(0.5, 1.0, generator=torch.Generator().manual_seed(4))
        told = controller(inputs_of(made), torch.full((len(images),), thrift))[0].flatten(1)
        controller.logits.bias[: told.shape[1]].sub_(told.sort(0).values[7:9].mean(0))
    return made


def logits(found: ImageSubject) -> Tensor:
    """What the network says of its images, normalised with numbers in double precision."""
    with torch.no_grad():
        found_logits: Tensor = found.network(inputs_of(found))
    return found_logits


def inputs_of(found: ImageSubject) -> Tensor:
    """Its images as the network gets them, normalised in double precision."""
    pixels, facts = found.data.double(), found.facts
    if facts.per_image:
        flat = pixels.flatten(1)
        mean, deviation = flat.mean(1), flat.std(1, correction=0).clamp_min(flat.shape[1] ** -0.5)
        inputs = (pixels - mean.view(-1, 1, 1, 1)) / deviation.view(-1, 1, 1, 1)
    else:
        mean, deviation = torch.tensor(facts.mean), torch.tensor(facts.deviation)
        inputs = (pixels - mean.view(-1, 1, 1)) / deviation.view(-1, 1, 1)
    return inputs.float()


def import_file(path: Path) -> ModuleType:
    """A Python file as a module."""
    spec = importlib.util.spec_from_file_location("exported", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
