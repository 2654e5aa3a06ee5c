"""Random crops and colours of single images, as ImageNet is trained with. Imports no torch.

The meanings are those of torchvision's ``RandomResizedCrop`` and ``ColorJitter`` on Pillow images, with randomness that
is handed in.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageEnhance

from naopt.tasks.decoding import Picture

Box = tuple[int, int, int, int]
"""Left, upper, right and lower edge, in pixels."""

Jitter = tuple[float, float, float, float]
"""Largest relative change of brightness, contrast and saturation, and largest change of hue in turns."""

SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
RESIZED = 256 / 224
"""How much longer than the crop the shorter side is when a network is measured."""
_TRIES = 10


def random_box(width: int, height: int, rng: np.random.Generator) -> Box:
    """A box of 8 to 100 % of the image's area and an aspect ratio of 3/4 to 4/3, log-uniform (Szegedy et al. 2015).

    After ten boxes that stick out: the largest one in the centre whose ratio is allowed.
    """
    for _ in range(_TRIES):
        area = width * height * (SCALE[0] + (SCALE[1] - SCALE[0]) * rng.random())
        low, high = map(math.log, RATIO)
        ratio = math.exp(low + (high - low) * rng.random())
        across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < across <= width and 0 < down <= height:
            left, upper = (int((room + 1) * rng.random()) for room in (width - across, height - down))
            return left, upper, left + across, upper + down
    across = max(1, min(width, round(height * RATIO[1])))
    down = max(1, min(height, round(width / RATIO[0])))
    left, upper = (width - across) // 2, (height - down) // 2
    return left, upper, left + across, upper + down


def training_image(image: Picture, size: int, *, flip: bool, jitter: Jitter, rng: np.random.Generator) -> Image.Image:
    """A random box of an image that is not decoded yet, resized, mirrored half of the time, with other colours.

    Of a JPEG that is much larger than needed only the lower frequencies are decoded (``Picture.draft``): several times
    faster, and the pixels differ a little from those of a full decoding.

    Returns:
        ``size x size``, mode ``RGB``.
    """
    width, height = image.size
    left, upper, right, lower = random_box(width, height, rng)
    image.draft(width * (size / (right - left)), height * (size / (lower - upper)))
    decoded = image.decode()
    across, down = decoded.width / width, decoded.height / height
    left, right = round(left * across), round(right * across)
    upper, lower = round(upper * down), round(lower * down)
    cropped = decoded.crop((left, upper, max(right, left + 1), max(lower, upper + 1)))
    resized = cropped.resize((size, size), Image.Resampling.BILINEAR)
    if flip and rng.random() < 0.5:
        resized = resized.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return colour_jitter(resized, jitter, rng) if any(jitter) else resized


def evaluation_image(image: Picture, size: int) -> Image.Image:
    """The centre of an image that is not decoded yet: the shorter side becomes 8/7 of ``size``, the rest is cut off.

    Returns:
        ``size x size``, mode ``RGB``.
    """
    width, height = image.size
    shorter = round(size * RESIZED)
    scale = shorter / min(width, height)
    image.draft(width * scale, height * scale)
    across, down = (max(shorter, int(shorter * side / min(width, height))) for side in (width, height))
    resized = image.decode().resize((across, down), Image.Resampling.BILINEAR)
    left, upper = round((across - size) / 2), round((down - size) / 2)
    return resized.crop((left, upper, left + size, upper + size))


def colour_jitter(image: Image.Image, jitter: Jitter, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue of an ``RGB`` image, each changed at random, in random order.

    Args:
        image: any size.
        jitter: factors are uniform in ``1 - x .. 1 + x`` (not below 0); the hue turns by up to ``x`` either way.
        rng: where the order and the amounts come from.
    """
    order = np.argsort([rng.random() for _ in jitter])
    amounts = [2 * rng.random() - 1 for _ in jitter]
    for change in map(int, order):
        amount = jitter[change] * amounts[change]
        if amount == 0:
            continue
        image = turn_hue(image, amount) if change == _HUE else _ENHANCE[change](image).enhance(max(0.0, 1 + amount))
    return image


def turn_hue(image: Image.Image, turns: float) -> Image.Image:
    """An ``RGB`` image whose hues are turned around the colour circle, to the nearest of 256 steps."""
    hue, saturation, value = image.convert("HSV").split()
    steps = round(turns * 256)
    hue = hue.point([(level + steps) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


_ENHANCE = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
_HUE = len(_ENHANCE)
