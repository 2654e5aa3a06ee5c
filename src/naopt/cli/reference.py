"""Writes the reference of all settings: ``python -m naopt.cli.reference > docs/reference/settings.md``.

Names, values, defaults and meanings are read from the settings' own classes; a test compares the page with them.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from naopt.cli.common import say

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from naopt.configuration import Settings

Columns = Mapping[str, Mapping[str, object]]
"""Further columns of a table: a heading, and the values that differ from the defaults."""

INTRODUCTION = """# Settings

This page is generated: `python -m naopt.cli.reference > docs/reference/settings.md`.

A setting is given as `--set KEY=VALUE`, or in a TOML file with `--config FILE`. `KEY` is a key of the run (`budget`),
an option with its section before it (`searcher.seeds`, `training.epochs`, `space.nodes`), or an option alone if only
one section has it. Values are written as in TOML (`true`, `0.1`, `[64, 64]`); a bare word is text. Flags win over the
file, `--set` wins over both. What a run uses, defaults included, stands in its `config.toml`.

In the tables an empty cell of a further column means that the default holds. "unset" cannot be written; leave the key
out.
"""

RUN = """## Run

Keys at the top; most have a flag of `naopt search`. Besides these there are `space` and `searcher`: a name, or a
section with a `name` and options. The default of `searcher` is `nao`, that of `space` the table's; with a task it is
`conv-cell` for images and `recurrent-cell` for text.
"""

TRAINING = """## Training

Section `training`, of searches with a task, and what `naopt train --set` changes. A task's recipe replaces some
defaults; a preset of `naopt train` is a set of its own.
"""

PROXIES = """## Proxies

Section `proxy`: what networks are shown for [zero-cost proxies](../how-to/zero-cost.md). These keys always need the
section before them: `--set proxy.batch_size=32`.
"""

FINAL = """## Final training

What `naopt train --preset NAME` starts from: the defaults above with the values of these tables. Without `--preset` it
is the task's name with `-final` if there is such a preset, else the task's recipe. `--preset recipe` takes the recipe
in any case.
"""

MEANINGS = {
    "preset": "Set of settings to start from; single settings win over it.",
    "embedding_size": "Numbers that stand for one token.",
    "hidden_size": "Width of encoder and decoder.",
    "dropout": "Probability that a number is dropped while the model is fitted.",
    "predictor_output": "What the predictor ends in.",
    "attention": "How the decoder weighs the encoder's states.",
    "epochs": "Passes over the measured architectures in one fit.",
    "min_steps": "Fewest steps of the optimiser in one fit, whatever the epochs say.",
    "batch_size": "Architectures a step.",
    "learning_rate": "Of Adam, at the first step.",
    "schedule": "How the learning rate goes on from there.",
    "weight_decay": "L2 coefficient.",
    "clip_norm": "Bound of the gradient's global norm.",
    "initial_share": "The same as a share of the budget.",
    "round_share": "The same as a share of the budget.",
    "seeds_share": "The same as a share of the budget.",
    "first_step": "The smallest step.",
    "step_growth": "By how much each further step is larger.",
    "steps": "How many steps are tried, each from the same embedding.",
    "device": "Where the latent model lives: `cpu`, `cuda`, `mps`.",
}
"""Meanings of fields whose classes leave it to the name."""

_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))


def settings_page() -> str:
    """The page, as Markdown."""
    from naopt.one_shot.kinds import searcher_names, searcher_settings
    from naopt.proxies import ProxySettings
    from naopt.run.config import SECTIONS, RunConfig

    sections = {*SECTIONS, "space_options", "searcher_settings"}
    top = [name for name in RunConfig.model_fields if name not in sections]
    parts = [
        INTRODUCTION,
        RUN,
        settings_table(RunConfig, {}, top),
        "## Space\n\nOptions of a space, in the section `space`; [spaces](spaces.md) says what they mean.\n",
        _space_options(),
    ]
    for name in searcher_names():
        settings = searcher_settings(name)
        if not settings.__module__.startswith("naopt."):
            continue
        parts.append(f"## Searcher {name}\n")
        presets = {key: values for key, values in getattr(settings, "presets", {}).items() if values}
        parts.append(settings_table(settings, presets) if settings.model_fields else "No settings.\n")
    parts += [TRAINING, *_training_tables(), PROXIES, settings_table(ProxySettings, {}), FINAL, *_preset_tables()]
    return "\n".join(parts)


def settings_table(settings: type[Settings], columns: Columns, names: Iterable[str] | None = None) -> str:
    """Fields of a class with values, defaults, further columns and meanings."""
    meanings = field_meanings(settings)
    rows = [
        [
            f"`{name}`",
            _values(field),
            _shown(field.default if field.default_factory is None else {}),
            *(_shown(values[name]) if name in values else "" for values in columns.values()),
            meanings.get(name) or MEANINGS.get(name, ""),
        ]
        for name, field in settings.model_fields.items()
        if names is None or name in names
    ]
    return _table(["key", "values", "default", *columns, "meaning"], rows)


def field_meanings(settings: type[Settings]) -> dict[str, str]:
    """What the classes say about their fields: a text below the field, or a line under ``Attributes:``."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if not kind.__module__.startswith("naopt."):
            continue
        found |= _attribute_lines(inspect.getdoc(kind) or "")
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                found[field.target.id] = _sentence(str(ast.literal_eval(text.value)))
    return found


def _attribute_lines(doc: str) -> dict[str, str]:
    _, _, section = doc.partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: _sentence(text) for name, text in entries}


def _sentence(text: str) -> str:
    words = re.sub(r"\bnull\b", "unset", " ".join(text.split()).replace("``", "`"))
    return words[:1].upper() + words[1:]


def _values(field: FieldInfo) -> str:
    bounds = [text for item in field.metadata for text in _bounds(item)]
    optional = type(None) in get_args(field.annotation)
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] if optional else [field.annotation]
    return " ".join([*map(_type, kinds), *bounds]) + ", or unset" * optional


def _bounds(item: object) -> list[str]:
    return [f"{sign} {getattr(item, key):g}" for key, sign in _BOUNDS if hasattr(item, key)]


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is Annotated:
        bounds = [text for item in arguments[1:] for text in _bounds(item)]
        return " ".join([_type(arguments[0]), *bounds])
    if origin in (Union, UnionType):
        return " or ".join(map(_type, arguments))
    if origin is tuple:
        return f"list of {_type(arguments[0])}s"
    if origin is dict:
        return f"{_type(arguments[1]).removesuffix('s')}s by name"
    return {int: "whole number", float: "number", str: "text", bool: "`true`, `false`"}[annotation]


def _shown(value: object) -> str:
    if value is None:
        return "unset"
    if value == "":
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:.4g}`"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def _space_options() -> str:
    from naopt.spaces import spaces

    rows = [
        [f"`{name}`", f"`{option}`", _shown(parameter.default)]
        for name in spaces.names()
        if _is_own(spaces.get(name))
        for option, parameter in inspect.signature(spaces.get(name)).parameters.items()
        if parameter.default not in (inspect.Parameter.empty, None)
    ]
    return _table(["space", "key", "default"], rows)


def _training_tables() -> list[str]:
    """A table of settings for each kind of task; tasks with equal recipes share a column."""
    from naopt.evaluators.workloads import WORKLOADS
    from naopt.tasks import tasks

    parts = []
    for kind, workload in WORKLOADS.items():
        recipes: dict[str, Mapping[str, object]] = {}
        for name in tasks.names():
            task = tasks.get(name)
            if task.kind == kind and _is_own(task) and task.recipe:
                recipes[name] = task.recipe
        columns: dict[str, Mapping[str, object]] = {}
        for recipe in recipes.values():
            columns[", ".join(name for name, other in recipes.items() if other == recipe)] = recipe
        parts += [f"### Training on {kind}\n", settings_table(workload.settings_type, columns)]
    return parts


def _preset_tables() -> list[str]:
    from naopt.evaluators.presets import PRESETS
    from naopt.evaluators.workloads import WORKLOADS

    parts = []
    for kind, workload in WORKLOADS.items():
        presets = {name: preset for name, preset in PRESETS.items() if preset.kind == kind}
        sources = [[f"`{name}`", preset.source] for name, preset in presets.items()]
        values = {name: preset.values for name, preset in presets.items()}
        parts += [
            f"### Presets for {kind}\n",
            _table(["preset", "source"], sources),
            _preset_table(workload.settings_type, values),
        ]
    return parts


def _preset_table(settings: type[Settings], presets: Columns) -> str:
    names = [name for name in settings.model_fields if any(name in values for values in presets.values())]
    rows = [[f"`{n}`", *(_shown(v[n]) if n in v else "" for v in presets.values())] for n in names]
    return _table(["key", *presets], rows)


def _is_own(kind: type) -> bool:
    return kind.__module__.startswith("naopt.")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Prints the page."""
    say(settings_page().rstrip("\n"))


if __name__ == "__main__":
    main()
