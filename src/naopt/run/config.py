"""``config.toml``: everything that decides what a search does.

The same keys are accepted from a configuration file, from flags and from ``--set``. ``space``, ``searcher`` and
``training`` are sections with options of their own (``space = "conv-cell"`` is short for ``[space] name =
"conv-cell"``); all other keys stand at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field, PositiveInt, field_validator

from naopt.configuration import Settings, split_settings
from naopt.errors import InputError, UnknownNameError
from naopt.evaluators.table import Noise
from naopt.execution.failures import ALIKE
from naopt.files import at_home, is_there, write_bytes
from naopt.one_shot import one_shot
from naopt.texts import read_toml

SECTIONS = ("space", "searcher", "training", "proxy")
_UNLESS: dict[str, object] = {
    "max": {},
    "min": {},
    "known": (),
    "latency_batch": 1,
    "zero_cost": False,
    "prior_columns": (),
    "proxies": (),
    "finalists": 0,
    "fidelities": (),
    "fidelity_costs": (),
    "remeasure": 1,
}
"""Values that a file does not have, for they say nothing."""


class RunConfig(Settings):
    """One search.

    Attributes:
        space: name of the space; empty for the table's, or ``conv-cell`` with a task.
        space_options: options of the space.
        task: what networks are trained on (``digits``, ``cifar10:PATH``); either this, or ``table``, or ``supernet``.
        table: a file or a built-in name.
        supernet: directory of a weight-sharing run: architectures are measured with its trained shared weights.
        noise: what a query of a table with repeats returns: their ``mean``, or one ``repeat`` drawn at random.
        metric: what is optimised; several objectives are separated by commas; empty for the evaluator's default.
        max: most that metrics may be, by name.
        min: least that metrics have to be, by name.
        scalarise: how several objectives become one for a searcher that takes one: ``weights`` or ``chebyshev``, in
            directions that spread, or with weights (``weights=0.7,0.3``) in one.
        known: columns of a table that cost no query; empty for those that are called like a cost, ``none`` for none.
        prior_columns: columns of a table that the searcher may look at before a query, as prior knowledge.
        proxies: zero-cost proxies of untrained networks that the searcher may look at before a training; ``default``
            for those of the kind of task, ``none`` or empty for none.
        fidelities: columns of a table that are cheaper versions of the metric, the cheapest first, and the metric last;
            with a task what cheaper trainings change, ``epochs=4`` or ``image_size=16+filters=8``, the cheapest first.
        fidelity_costs: what these cost, in any unit, the full evaluation last; empty for the numbers in which columns'
            names differ, or for epochs times multiply-adds of trainings.
        remeasure: how often an architecture may be measured in all, with other seeds (of images: on others, too), where
            a searcher thinks that this tells more than a new one. Each costs a query. ``nao`` makes use of it.
        searcher: name of the searcher.
        searcher_settings: its settings; what is left out has its default.
        device_file: of ``naopt device calibrate``: latencies that it predicts are known without training.
        latency_batch: how many images at a time a measured ``latency_ms`` is for.
        training: settings of training; what is left out comes from the task's recipe.
        zero_cost: nothing is trained: zero-cost proxies are what is measured, the objective is one of them.
        proxy: what networks are shown for zero-cost proxies; what is left out has its default.
        budget: how many architectures are measured in all; with fidelities, in full evaluations.
        finalists: so many of the best are trained longer in the end, and the best of these is the pick; 0 for none.
        finalist_preset: settings of final training that finalists are trained with, ``recipe`` for the task's own of a
            search; empty for the search's with four times the epochs, and with just these where the search trains no
            network alone (shared weights, zero-cost proxies).
        seed: of all randomness.
        workers: processes that evaluate; changes nothing but the time.
        threads: CPU threads of one training; changes the last bits of a result.
        device: where networks are trained.
        engine: where evaluations happen: ``local`` (processes), ``ray``, ``threads``, or ``inline`` (the search's own
            process, one at a time).
        timeout: seconds that one evaluation may take; 0 for no limit.
        time: seconds that the whole search may take; 0 for no limit.
        search_schedule: ``rounds``: the searcher is told about a round when all of it is measured, and the archive
            depends on the seed alone; ``async``: a worker that is free gets the next architecture at once.
        search_batch: rounds that the searcher wants smaller are enlarged to so many, ``workers`` for the number of
            those.
        enqueue: texts of architectures to be measured first.
        history: runs, tables and CSV files whose measurements the searcher is told before it begins; with a metric
            (``SOURCE:METRIC``), and files of ``naopt prior save``, what it learns from as from another task.
        retries: how often an evaluation that failed is repeated, with other seeds.
        smaller_batch: halve the batch of a training whose memory runs out, and try again.
        stop_after: stop after so many failures in a row; 0 for never.
        stop_alike: stop after so many evaluations if every one has failed with the same reason; 0 for never.
        workers_per_device: how many processes may share a CUDA device.
        function: what measures, if that is a Python function: its name. Such a search goes on in Python only.
        elsewhere: measured elsewhere, with ``naopt ask`` and ``naopt tell``.
    """

    space: str = ""
    space_options: dict[str, Any] = Field(default_factory=dict)
    task: str = ""
    table: str = ""
    supernet: str = ""
    noise: Noise = "mean"
    metric: str = ""
    max: dict[str, float] = Field(default_factory=dict)
    min: dict[str, float] = Field(default_factory=dict)
    scalarise: str = ""
    device_file: str = ""
    latency_batch: int = Field(1, ge=1)
    known: tuple[str, ...] = ()
    prior_columns: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    fidelities: tuple[str, ...] = ()
    fidelity_costs: tuple[float, ...] = ()
    remeasure: int = Field(1, ge=1, le=1000)
    searcher: str = "nao"
    searcher_settings: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)
    zero_cost: bool = False
    proxy: dict[str, Any] = Field(default_factory=dict)
    budget: int = Field(100, ge=1)
    finalists: int = Field(0, ge=0)
    finalist_preset: str = ""
    seed: int = Field(0, ge=0)
    workers: int = Field(1, ge=1)
    threads: int = Field(1, ge=1)
    device: str = "cpu"
    engine: Literal["local", "ray", "threads", "inline"] = "local"
    timeout: float = Field(0.0, ge=0)
    time: float = Field(0.0, ge=0)
    search_schedule: Literal["rounds", "async"] = "rounds"
    search_batch: PositiveInt | Literal["workers"] = 1
    enqueue: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    retries: int = Field(0, ge=0)
    smaller_batch: bool = False
    stop_after: int = Field(0, ge=0)
    stop_alike: int = Field(ALIKE, ge=0)
    workers_per_device: int = Field(1, ge=1)
    function: str = ""
    elsewhere: bool = False

    @field_validator("search_batch", mode="before")
    @classmethod
    def _check_batch(cls, value: object) -> object:
        if value != "workers" and (type(value) is not int or value < 1):
            raise ValueError("must be a whole number of at least 1, or workers")
        return value

    @field_validator("prior_columns", "proxies", "fidelities", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        return tuple(filter(None, split_settings(value))) if isinstance(value, str) else value

    @field_validator("table", "supernet", "device_file", "history", mode="after")
    @classmethod
    def _find_home(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        return at_home(value) if isinstance(value, str) else tuple(map(at_home, value))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> RunConfig:
        """A configuration from the keys of a configuration file.

        Raises:
            InputError: an unknown key (with the nearest one) or a value that breaks a rule.
        """
        sections = {name: section_options(name, values.get(name, {})) for name in SECTIONS}
        top = {key: value for key, value in values.items() if key not in SECTIONS}
        for key in top:
            if key not in TOP:
                raise UnknownNameError("option", key, [*TOP, *SECTIONS])
        for name, options in (("space", "space_options"), ("searcher", "searcher_settings")):
            if "name" in sections[name]:
                top[name] = sections[name].pop("name")
            top[options] = sections[name]
        if "finalists" in top["searcher_settings"] and top.get("searcher") in one_shot.names():
            top.setdefault("finalists", top["searcher_settings"].pop("finalists"))  # where it was at first
        return cls.parse({**top, "training": sections["training"], "proxy": sections["proxy"]}, "option")

    def to_values(self) -> dict[str, Any]:
        """The keys of a configuration file; inverse of ``from_values``."""
        given = {key: getattr(self, key) for key in TOP}
        top = {key: value for key, value in given.items() if value != "" and value != _UNLESS.get(key)}
        return {
            **top,
            "space": {"name": self.space, **self.space_options},
            "searcher": {"name": self.searcher, **self.searcher_settings},
            **{name: options for name in ("training", "proxy") if (options := getattr(self, name))},
        }

    def write(self, path: Path) -> None:
        """Writes the configuration as TOML. Names of files that are no UTF-8 stand there as they are on the disk."""
        write_bytes(path, tomli_w.dumps(self.to_values()).encode(errors="surrogateescape"))

    @classmethod
    def read(cls, path: Path) -> RunConfig:
        """Reads a run's configuration. Raises ``InputError`` if there is none, or it is damaged."""
        if not is_there(path.parent) or not path.parent.is_dir():
            raise InputError("run", str(path.parent), "there is no such directory")
        if not is_there(path) or not path.is_file():
            raise InputError("run", str(path.parent), f"has no {path.name}; it is not a run's directory")
        return cls.from_values(read_values(path, errors="surrogateescape"))


TOP = tuple(key for key in RunConfig.model_fields if key not in (*SECTIONS, "space_options", "searcher_settings"))


def read_values(path: Path, errors: str = "strict") -> dict[str, Any]:
    """The keys of a configuration file. Raises ``InputError`` if it cannot be read or is not TOML.

    Args:
        path: of the file.
        errors: what is done about bytes that are no UTF-8, as for ``bytes.decode``.
    """
    return read_toml(path, "configuration file", errors)


def section_options(name: str, value: Any) -> dict[str, Any]:
    """The options of a configuration file's section. Raises ``InputError`` if it is none."""
    if isinstance(value, str) and name in ("space", "searcher"):
        return {"name": value}
    if not isinstance(value, dict):
        raise InputError(f"section {name}", value, "must be a table of options")
    return dict(value)
