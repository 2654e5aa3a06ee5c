"""``device.json``: a device's calibration, and the latencies that follow from it. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from naopt.configuration import Settings
from naopt.devices.predictor import MODELS, Key, Predictor
from naopt.devices.setting import LATENCY, STRUCTURE, Setting, structure
from naopt.errors import InputError
from naopt.files import write_text
from naopt.networks.costs import Layer, Shapes, describe
from naopt.networks.settings import NetworkSettings
from naopt.spaces import SearchSpace, create_space
from naopt.texts import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from naopt.spaces import Architecture

VERSION = 1

Triple = tuple[int, int, int]
Pair = tuple[int, int]
Row = tuple[str, tuple[int, ...], Triple, int, Pair, Pair, Pair, int, int, int, bool]


class OperationTime(Settings):
    """A single operation with the shapes it was measured at.

    Attributes:
        layer: the fields of ``naopt.networks.costs.Layer``.
        reads: shapes of what it reads.
        ms: median.
    """

    layer: Row
    reads: tuple[Triple, ...]
    ms: float = Field(gt=0)

    @property
    def key(self) -> Key:
        """As ``Predictor`` takes it."""
        return Layer(*self.layer), self.reads


class NetworkTime(Settings):
    """A whole network: its architecture, median, and spread; ``marked`` if that was too wide twice."""

    architecture: str
    ms: float = Field(gt=0)
    spread: float = Field(ge=0)
    marked: bool = False


class Calibration(Settings):
    """The file.

    Attributes:
        format: ``naopt-device``.
        version: of the format.
        naopt: release that fitted it.
        torch: release that was timed.
        setting: what it holds for.
        operations: single ones.
        networks: whole ones.
        model: chosen correction, in ``predictor.MODELS``.
        weights: of its parts.
        error: median relative error of what the other folds of a cross-validation predict.
        spearman: rank correlation of the same.
        sum_error: median relative error of the plain sum of single operations.
    """

    format: Literal["naopt-device"] = "naopt-device"
    version: Literal[1] = 1
    naopt: str
    torch: str
    setting: Setting
    operations: tuple[OperationTime, ...] = Field(min_length=1)
    networks: tuple[NetworkTime, ...] = Field(min_length=1)
    model: str
    weights: tuple[float, ...]
    error: float
    spearman: float
    sum_error: float


class DeviceModel:
    """Predicts latencies on a calibrated device."""

    def __init__(self, calibration: Calibration, source: str = "device") -> None:
        self.calibration, self.source = calibration, source

    @cached_property
    def predictor(self) -> Predictor:
        """Of networks that are lists of layers."""
        times = {operation.key: operation.ms for operation in self.calibration.operations}
        return Predictor(times, self.calibration.model, self.calibration.weights)

    @property
    def space(self) -> SearchSpace:
        """Whose networks it is for."""
        return create_space(self.calibration.setting.space)

    def predict(self, architectures: Sequence[Architecture], space: SearchSpace | None = None) -> NDArray[np.float64]:
        """Milliseconds of a batch, ``(n,)``."""
        if not architectures:
            return np.zeros(0)
        setting, of = self.calibration.setting, space or self.space
        layers = [describe(of, each, setting.network, setting.image, setting.classes) for each in architectures]
        return self.predictor.predict(layers)

    def costs(self, space: SearchSpace, settings: NetworkSettings, shapes: Shapes | None = None) -> DeviceCosts:
        """``latency_ms`` of a search's networks, known without training.

        Args:
            space: that is searched.
            settings: of its networks.
            shapes: of the task's data, compared when the first latency is asked for; ``None`` for no comparison.

        Raises:
            InputError: the calibration is for another space, or for networks with other settings.
        """
        setting = self.calibration.setting
        if space.name != setting.space:
            raise InputError("device file", self.source, f"is for space {setting.space}, not {space.name}")
        settings = structure(settings)
        for name in STRUCTURE:
            calibrated, here = getattr(setting.network, name), getattr(settings, name)
            if calibrated != here:
                raise InputError("device file", self.source, f"is for networks with {name} {calibrated}, not {here}")
        return DeviceCosts(self, space, shapes)

    def write(self, path: Path) -> None:
        """Writes the file. Raises ``NotWrittenError``."""
        write_text(path, self.calibration.model_dump_json() + "\n")


class DeviceCosts:
    """Latencies that are predicted from a calibration (``naopt.problem.Costs``)."""

    metrics: Collection[str] = (LATENCY,)

    def __init__(self, model: DeviceModel, space: SearchSpace, shapes: Shapes | None) -> None:
        self._model, self._space, self._shapes = model, space, shapes

    def of(self, architectures: Sequence[Architecture]) -> Mapping[str, NDArray[np.float64]]:
        """See ``naopt.problem.Costs``. Raises ``InputError`` if images or classes are others than the calibration's."""
        if self._shapes is not None:
            setting, found = self._model.calibration.setting, self._shapes()
            if found != (setting.image, setting.classes):
                rule = f"is for images {setting.image} of {setting.classes} classes, not {found}"
                raise InputError("device file", self._model.source, rule)
            self._shapes = None
        return {LATENCY: self._model.predict(architectures, self._space)}


def layer_row(layer: Layer) -> Row:
    """A layer as the file has it."""
    return (*layer,)


def read_device(path: str | Path) -> DeviceModel:
    """A calibration. Raises ``InputError`` for a file that is damaged, none, or of another version."""
    values = read_json(Path(path), "device file")
    if not isinstance(values, dict) or values.get("format") != "naopt-device":
        raise InputError("device file", str(path), "is none; write one with naopt device calibrate")
    if values.get("version") != VERSION:
        rule = f"has version {values.get('version')}; this naopt reads {VERSION}: calibrate again"
        raise InputError("device file", str(path), rule)
    found = Calibration.parse(values, f"device file {path},")
    if found.model not in MODELS or len(found.weights) != len(MODELS[found.model]):
        raise InputError("device file", str(path), f"is damaged: model {found.model} with {len(found.weights)} weights")
    return DeviceModel(found, str(path))
