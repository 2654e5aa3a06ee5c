"""How image files are read, where that can be chosen. Imports no Pillow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Alpha = Literal["white", "black", "grey", "ignore"]


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How a task's image files are read.

    Attributes:
        side: of the images, in pixels, to which they are resized as they are decoded; ``None`` for the size that most
            have.
        alpha: what transparent images are put on; ``ignore`` leaves the colours as they are stored.
        parts: which folders are parts: empty to tell by their names, ``none`` if every folder is a class, else
            ``train:FOLDER,valid:FOLDER,test:FOLDER``, of which all but ``train`` may be left out.
    """

    side: int | None = None
    alpha: Alpha = "white"
    parts: str = ""
