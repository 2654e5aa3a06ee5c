"""What the PyTorch files of all image classifiers have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from naopt.export.facts import ImageFacts
from naopt.export.source import NetworkSource, assignment, quote, write_class

if TYPE_CHECKING:
    from torch import Tensor, nn


def classifier_source(facts: ImageFacts, code: str, renamed: Mapping[str, str]) -> NetworkSource:
    """The source of a classifier.

    Args:
        facts: what it is.
        code: its classes.
        renamed: what a weight's name begins with in the original and in the file; the longest beginning counts.
    """
    return NetworkSource(
        summary="Image classifier",
        figure="" if facts.test_accuracy is None else f"Test accuracy: {facts.test_accuracy:.2f} %.",
        example=("name, probability = predict(network, image)",),
        constants=_constants(facts),
        code=code,
        usage=_usage(facts),
        convert=partial(renamed_weights, renamed),
    )


def renamed_weights(renamed: Mapping[str, str], network: nn.Module) -> dict[str, Tensor]:
    """A network's weights by other names, without the auxiliary head and the counters of batch normalisation."""
    begins = sorted(renamed, key=len, reverse=True)
    found = {}
    for name, tensor in network.state_dict().items():
        begin = next((begin for begin in begins if name.startswith(begin)), "")
        new = renamed.get(begin, "") + name.removeprefix(begin)
        if not new.startswith("auxiliary.") and not new.endswith(".num_batches_tracked"):
            found[new] = tensor
    return found


def write_network(facts: ImageFacts, doc: str, made: Sequence[str], done: Sequence[str], added: str = "") -> str:
    """The class ``Network``: normalisation, then ``done`` from inputs ``x`` to ``features``, then the classifier.

    ``added`` are logits of something else that are added to the classifier's.
    """
    shape = ", ".join(map(str, facts.input_shape))
    fields: tuple[str, ...] = ()
    buffers: list[str] = []
    if facts.per_image:
        normalised = [
            "x = images.float()",
            "deviation, mean = torch.std_mean(x, (1, 2, 3), correction=0, keepdim=True)",
            "x = (x - mean) / deviation.clamp_min(x[0].numel() ** -0.5)",
        ]
    else:
        fields = ("mean: Tensor", "deviation: Tensor")
        for name in ("mean", "deviation"):
            buffers += [
                f"{name} = torch.tensor({name.upper()}).view(-1, 1, 1)",
                f'self.register_buffer("{name}", {name}, persistent=False)',
            ]
        normalised = ["x = (images - self.mean) / self.deviation"]
    return write_class(
        "Network",
        doc,
        [],
        [*buffers, *made],
        ["images: Tensor"],
        [*normalised, *done, f"logits: Tensor = self.classifier(features){added and f' + {added}'}", "return logits"],
        f"Logits (n, {len(facts.classes)}) of images (n, {shape}), pixels as in the task.",
        fields,
    )


def _constants(facts: ImageFacts) -> tuple[str, ...]:
    lines = (
        assignment("CLASSES", [quote(name) for name in facts.classes]),
        assignment("INPUT_SHAPE", list(map(str, facts.input_shape)), "channels, height, width"),
    )
    if facts.per_image:
        return lines
    return (
        *lines,
        assignment("MEAN", list(map(repr, facts.mean)), "of the training images' pixels"),
        assignment("DEVIATION", list(map(repr, facts.deviation))),
    )


def _usage(facts: ImageFacts) -> str:
    shape = ", ".join(map(str, facts.input_shape))
    return f'''\
def predict(network: Network, image: Tensor) -> tuple[str, float]:
    """The most likely class of an image ({shape}), and its probability."""
    if tuple(image.shape) != INPUT_SHAPE:
        raise ValueError(f"the image is {{tuple(image.shape)}}, not {{INPUT_SHAPE}}")
    with torch.inference_mode():
        probability, index = network(torch.as_tensor(image)[None])[0].softmax(0).max(0)
    return CLASSES[int(index)], float(probability)'''
