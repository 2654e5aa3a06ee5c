import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import ConvCellSpace, GenericSpace, NASBench201Space, Position
from naopt.tables import Table, builtin_tables, files, load_table, save_table
from tests.tables.test_table import WHOLE, table

META: dict[str, Any] = {
    "format": "naopt-table",
    "version": 1,
    "name": "toy",
    "space": None,
    "positions": [{"name": "width", "choices": ["16", "32", "64"]}, {"name": "depth", "choices": ["1", "2"]}],
    "metrics": {"acc": {"goal": "max", "unit": "%"}},
    "source": "made up",
}


def write(path: Path, **members: Any) -> Path:
    arrays = {"meta": np.array(json.dumps(META)), "tokens": WHOLE, "metric/acc": np.arange(6.0)} | members
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def same(first: Table, second: Table) -> bool:
    assert first.metrics.keys() == second.metrics.keys()
    for name in first.metrics:
        np.testing.assert_array_equal(first.metrics[name], second.metrics[name])
    return (
        (first.name, first.source, first.infos) == (second.name, second.source, second.infos)
        and (first.space.name, first.space.positions) == (second.space.name, second.space.positions)
        and np.array_equal(first.tokens, second.tokens)
    )


def test_a_written_file_is_read(tmp_path: Path) -> None:
    toy = load_table(write(tmp_path / "toy.npz"))
    assert isinstance(toy.space, GenericSpace)
    assert toy.source == "made up"
    assert toy.info("acc") == MetricInfo("max", "%")
    assert toy.space.format(toy.architecture(3)) == "width=32,depth=2"


names = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=5)


@given(
    positions=st.lists(
        st.tuples(names, st.lists(names, min_size=1, max_size=3, unique=True)),
        min_size=1,
        max_size=3,
        unique_by=lambda p: p[0],
    ),
    metric=names,
    repeats=st.integers(0, 2),
    data=st.data(),
)
def test_saved_tables_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    positions: list[tuple[str, list[str]]],
    metric: str,
    repeats: int,
    data: st.DataObject,
) -> None:
    space = GenericSpace([Position(name, tuple(choices)) for name, choices in positions], "any")
    tokens = st.tuples(*(st.integers(0, len(choices) - 1) for _, choices in positions))
    rows = data.draw(st.lists(tokens, min_size=1, max_size=6, unique=True))
    shape = (len(rows), repeats) if repeats else (len(rows),)
    number = st.floats(allow_infinity=False, width=32)
    values = np.array(data.draw(st.lists(number, min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))))
    made = Table("any", space, np.array(rows), {metric: values.reshape(shape)}, {metric: MetricInfo("min", "s")}, "x")
    path = tmp_path_factory.mktemp("tables") / "any.npz"
    save_table(made, path)
    assert same(load_table(path), made)


@pytest.mark.parametrize(
    "space", [NASBench201Space(), ConvCellSpace(), ConvCellSpace(2, "enas-5")], ids=lambda space: space.name
)
def test_tables_of_named_spaces_come_back(space: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = list({space.sample(rng): None for _ in range(9)})
    made = table(
        space=space, tokens=np.array([a.tokens for a in rows]), metrics={"acc": rng.normal(size=(len(rows), 2))}
    )
    save_table(made, tmp_path / "t.npz")
    found = load_table(tmp_path / "t.npz")
    assert type(found.space) is type(space)
    assert same(found, made)


def test_files_do_not_depend_on_when_they_were_written(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_table(table(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def bad_members() -> Iterator[tuple[dict[str, Any], str]]:
    named = META | {"space": "nasbench201"}
    six = [{"name": p.name, "choices": list(p.choices)} for p in NASBench201Space.positions]
    yield {"meta": None}, "has no 'meta'"
    yield {"tokens": None}, "has no 'tokens'"
    yield {"extra": np.zeros(1)}, "unknown member 'extra'"
    yield {"tokens": np.array([[None]])}, "pickled objects, which are never loaded"
    yield {"meta": np.array([json.dumps(META)])}, "must be one text"
    yield {"meta": np.array(b"x")}, "must be one text"
    yield {"meta": np.array("{")}, "is not JSON"
    yield {"meta": np.array("[1]")}, "format .* must be 'naopt-table'"
    yield {"meta": np.array("{}")}, "format 'None': must be 'naopt-table'"
    yield {"meta": np.array(json.dumps(META | {"version": 2}))}, "version '2': this program reads version 1"
    yield {"meta": np.array(json.dumps(META | {"metrisc": {}}))}, "did you mean 'metrics'"
    yield {"meta": np.array(json.dumps(META | {"metrics": {"acc": {"goal": "up"}}}))}, "metrics.acc.goal 'up'"
    yield {"meta": np.array(json.dumps(META | {"positions": [{"name": "a", "choices": [1]}]}))}, "positions.0.choices.0"
    yield {"meta": np.array(json.dumps(META | {"positions": []}))}, "at least one position"
    yield {"meta": np.array(json.dumps(META | {"space": "nasbench301"}))}, "did you mean 'nasbench201'"
    yield {"meta": np.array(json.dumps(named))}, "positions '2': space nasbench201 has 6"
    wrong = [*six[:5], {"name": "2->3", "choices": ["none"]}]
    yield {"meta": np.array(json.dumps(named | {"positions": wrong}))}, "position 2->3 'none': space nasbench201 has"
    yield {"metric/loss": np.zeros(6)}, "metric 'loss': is not declared"


@pytest.mark.parametrize(("members", "rule"), list(bad_members()), ids=str)
def test_malformed_files_are_refused_in_one_line(members: dict[str, Any], rule: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.npz", **members)
    with pytest.raises(InputError, match=rule) as error:
        load_table(path)
    assert "\n" not in str(error.value)


def contents() -> Iterator[tuple[str, bytes, str]]:
    stream = io.BytesIO()
    members: dict[str, Any] = {"meta": np.array(json.dumps(META)), "tokens": WHOLE, "metric/acc": np.arange(6.0)}
    np.savez_compressed(stream, **members)
    whole = stream.getvalue()
    yield "text", b"width,depth\n16,1\n", "is not an npz file"
    yield "empty", b"", "is not an npz file"
    yield "cut", whole[:300], "is not an npz file, or cut off"
    yield "flipped", whole[:200] + bytes([whole[200] ^ 255]) + whole[201:], "is damaged"
    stream = io.BytesIO()
    np.save(stream, WHOLE)
    yield "array", stream.getvalue(), "is not an npz file"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "hello")
    yield "zip", stream.getvalue(), "member 'readme.txt' is not an array"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("tokens.npy", b"\x93NUMPY\x01\x00\x05\x00{'a':")
    yield "header", stream.getvalue(), "is damaged"


@pytest.mark.parametrize(("content", "rule"), [c[1:] for c in contents()], ids=[c[0] for c in contents()])
def test_files_that_are_no_tables_are_refused(content: bytes, rule: str, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(InputError, match=rule):
        load_table(tmp_path / "bad.npz")


def test_missing_and_unwritable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; built-in tables"):
        load_table(tmp_path / "none.npz")
    with pytest.raises(InputError, match="directory"):
        load_table(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        save_table(table(), tmp_path / "none" / "t.npz")


def test_builtin_tables_go_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "files", lambda _: tmp_path)
    assert builtin_tables() == []
    (tmp_path / "data").mkdir()
    save_table(table(name="mlp"), tmp_path / "data" / "tiny.npz")
    assert builtin_tables() == ["tiny"]
    assert same(load_table("tiny"), table(name="mlp"))
    with pytest.raises(InputError, match="built-in tables: tiny"):
        load_table("tine")


def test_every_builtin_table_opens() -> None:
    for name in builtin_tables():
        assert load_table(name).name == name
