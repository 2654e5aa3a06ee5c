"""Writes a network as a Python file that needs only torch, as a person would write it.

A writer for one kind of network gives its classes as text, and how the weights are called there; this module adds what
all have in common: what the file is, the blocks that are used, and ``load``.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from naopt._version import __version__
from naopt.export import blocks
from naopt.export.facts import NetworkFacts

if TYPE_CHECKING:
    from torch import Tensor, nn

WIDTH = 88
"""Longest line: the default of the common formatters."""


@dataclass(frozen=True)
class NetworkSource:
    """What a file says of one network.

    Attributes:
        summary: what it is, in two words.
        figure: a sentence on how well it does; empty if nobody knows.
        example: lines that use ``network``.
        constants: lines.
        code: the network's classes, the last of them ``Network``.
        usage: functions that use ``Network``.
        convert: from the original to the weights of ``Network``, by name.
        header: text that the file with the weights holds besides.
        loaded: further lines of ``load``.
    """

    summary: str
    figure: str
    example: tuple[str, ...]
    constants: tuple[str, ...]
    code: str
    usage: str
    convert: Callable[[nn.Module], dict[str, Tensor]]
    header: Mapping[str, str] = field(default_factory=dict)
    loaded: tuple[str, ...] = ()


def write_file(source: NetworkSource, facts: NetworkFacts, weights: str) -> str:
    """The text of the file.

    Args:
        source: the network.
        facts: what it was built from.
        weights: name of the file with the weights, which lies beside it.
    """
    own = [source.code.strip(), _loader(source, weights), source.usage.strip()]
    body = "\n\n\n".join([*_used_blocks("\n".join(own)), *own])
    constants = "\n".join([*_weights(weights), *source.constants])
    return "\n\n".join([_docstring(source, facts, weights), _imports(body), constants]) + f"\n\n\n{body}\n"


def _docstring(source: NetworkSource, facts: NetworkFacts, weights: str) -> str:
    trained = f", trained on the task {facts.task}" if facts.task else ", not trained"
    lines = [f'"""{source.summary}, found by naopt{trained}.', "", "Space:", ""]
    lines += [f"    {line}" for line in fold(facts.space.name, "+")]
    lines += ["", "Architecture:", "", *(f"    {line}" for line in fold(facts.text))]
    if source.figure:
        lines += ["", source.figure]
    lines += ["", f"Its weights are in {weights}, beside this file; only torch is needed:", ""]
    lines += ["    network = load()", *(f"    {line}" for line in source.example), ""]
    return "\n".join([*lines, f"Written by naopt {__version__}.", '"""'])


def _weights(name: str) -> list[str]:
    """The weights keep their name where the file is renamed, or are renamed with it."""
    return [
        'WEIGHTS = Path(__file__).with_suffix(".safetensors")',
        "if not WEIGHTS.exists():",
        f"    WEIGHTS = Path(__file__).with_name({quote(name)})",
    ]


def _loader(source: NetworkSource, weights: str) -> str:
    lines = [
        "def load(path: Path = WEIGHTS) -> Network:",
        '    """The network with its weights, in evaluation mode."""',
        "    if not path.exists():",
        f"        hint = {quote(f'its weights were written as {weights}: load(PATH)')}",
        '        raise FileNotFoundError(f"{path} is not there; {hint}")',
        "    network = Network()",
        "    network.load_state_dict(read_safetensors(path))",
        *(f"    {line}" for line in source.loaded),
        "    return network.eval()",
    ]
    return "\n".join(lines)


def _names(code: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def _used_blocks(code: str) -> list[str]:
    """Source of the blocks that are used, directly or by others, in the order in which they are defined."""
    known = {
        name: inspect.getsource(block)
        for name, block in vars(blocks).items()
        if getattr(block, "__module__", None) == blocks.__name__
    }
    needed: set[str] = set()
    wanted = _names(code) & known.keys()
    while wanted:
        needed |= wanted
        wanted = set().union(*(_names(known[name]) for name in needed)) & known.keys() - needed
    return [text.strip() for name, text in known.items() if name in needed]


def _imports(body: str) -> str:
    names = _names(body)
    lines = [
        "from __future__ import annotations",
        "",
        "import json",
        *(["from collections.abc import Callable"] if "Callable" in names else []),
        "from pathlib import Path",
        "",
        "import torch",
        *(["import torch.nn.functional as F"] if "F" in names else []),
        "from torch import Tensor, nn",
    ]
    return "\n".join(lines)


def assignment(name: str, values: list[str], comment: str = "") -> str:
    """A constant tuple, on one line if it fits."""
    joined = ", ".join(values) + ("," if len(values) == 1 else "")
    line = f"{name} = ({joined})" + (f"  # {comment}" if comment else "")
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = (" + (f"  # {comment}" if comment else ""), *(f"    {v}," for v in values), ")"])


def fold(text: str, signs: str = ",/") -> list[str]:
    """A text without spaces in lines that together are the text; they end in one of the signs, or in ``|+``."""
    lines = [""]
    for piece in re.split(rf"(?<=[{signs}])|(?<=\|\+)", text):
        if lines[-1] and len(lines[-1] + piece) > WIDTH - 4:
            lines.append("")
        lines[-1] += piece
    return lines


def quote(text: str) -> str:
    """A string literal in double quotes, unless that would take more backslashes."""
    # A leading double quote makes repr choose single quotes and escape those.
    single = repr('"' + text)[2:-1]
    if text.count('"') > text.count("'"):
        return f"'{single}'"
    double = single.replace("\\'", "'").replace('"', '\\"')
    return f'"{double}"'


def write_class(
    name: str,
    doc: str,
    parameters: Sequence[str],
    made: Sequence[str],
    arguments: Sequence[str],
    done: Sequence[str],
    forward_doc: str = "",
    fields: Sequence[str] = (),
    result: str = "Tensor",
) -> str:
    """A module's class.

    Args:
        name: of the class.
        doc: one line about it.
        parameters: of ``__init__``.
        made: lines that define its parts.
        arguments: of ``forward``.
        done: lines that compute its result.
        forward_doc: one line about ``forward``.
        fields: names with their types.
        result: type of ``forward``.
    """
    lines = [
        f"class {name}(nn.Module):",
        f'    """{doc}"""',
        "",
        *([*(f"    {line}" for line in fields), ""] if fields else []),
        *_signature("__init__", parameters, "None"),
        "        super().__init__()",
        *(f"        {line}" for line in made),
        "",
        *_signature("forward", arguments, result),
        *([f'        """{forward_doc}"""'] if forward_doc else []),
        *(f"        {line}" for line in done),
    ]
    return "\n".join(lines)


def concatenation(names: Sequence[str]) -> list[str]:
    """Lines that return tensors joined along their channels."""
    if len(names) == 1:
        return [f"return {names[0]}"]
    line = f"return torch.cat(({', '.join(names)}), 1)"
    if len(line) + 8 <= WIDTH:
        return [line]
    return ["return torch.cat(", "    (", *(f"        {name}," for name in names), "    ),", "    1,", ")"]


def _signature(name: str, parameters: Sequence[str], result: str) -> list[str]:
    line = f"    def {name}({', '.join(['self', *parameters])}) -> {result}:"
    if len(line) <= WIDTH:
        return [line]
    return [f"    def {name}(", *(f"        {each}," for each in ["self", *parameters]), f"    ) -> {result}:"]
