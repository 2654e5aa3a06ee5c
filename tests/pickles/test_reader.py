import collections
import contextlib
import datetime
import io
import mmap
import os
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naopt.errors import InputError
from naopt.pickles import BENCHMARKS, UNSIGNED_BYTES, PickledArray, PlainReader, Unread

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.sets(st.integers() | st.text())
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


def read(data: bytes) -> Any:
    return PlainReader(data, "file", BENCHMARKS).read()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@settings(max_examples=30)
@given(value=PLAIN)
def test_plain_values_come_back(protocol: int, value: object) -> None:
    found = read(pickle.dumps(value, protocol))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("protocol", [0, 1])
@settings(max_examples=30)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False), st.lists))
def test_old_protocols(protocol: int, value: object) -> None:
    assert read(pickle.dumps({1: value, 2: [(value,)]}, protocol)) == {1: value, 2: [(value,)]}


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_benchmarks_hold_besides(protocol: int) -> None:
    shared = ["a", "b"]
    value = {
        "ordered": collections.OrderedDict([(3, shared), (1, shared)]),
        "numbers": [np.float64(0.1), np.float32(0.5), np.int64(-7), np.bool_(True), np.dtype(">f8").type(2)],
        "bytes": bytes(300),
        "long": 2**80,
        "many": list(range(70_000)),
    }
    found = read(pickle.dumps(value, protocol))
    assert list(found["ordered"].items()) == [(3, shared), (1, shared)]
    assert found["ordered"][3] is found["ordered"][1]
    assert found["numbers"] == [0.1, 0.5, -7, True, 2.0]
    assert (found["bytes"], found["long"], found["many"]) == (bytes(300), 2**80, list(range(70_000)))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "u1", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays(dtype: str, order: Any) -> None:
    array = np.asarray(np.arange(6).reshape(2, 3), dtype=dtype, order=order)
    found = read(pickle.dumps([array, array[:1]], 4))
    assert all(isinstance(item, PickledArray) for item in found)
    np.testing.assert_array_equal(found[0].values, array)
    np.testing.assert_array_equal(found[1].values, array[:1])
    assert found[0].values.dtype == array.dtype


def test_tensors_are_places_without_contents(tmp_path: Path) -> None:
    import torch

    weights = {"w": torch.ones(3, 4), "p": torch.nn.Parameter(torch.zeros(2)), "acc": 0.5}
    file = io.BytesIO()
    torch.save(weights, file, _use_new_zipfile_serialization=False)
    reader = PlainReader(file.getvalue(), "file", BENCHMARKS)
    reader.read(), reader.read(), reader.read()
    found = reader.read()
    assert isinstance(found["w"], Unread)
    assert isinstance(found["p"], Unread)
    assert found["acc"] == 0.5


def test_a_mapped_file_with_several_pickles(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"head" + pickle.dumps([1]) + pickle.dumps({"a": "b"}))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = PlainReader(data, "file", BENCHMARKS, start=4)
        assert [reader.read(), reader.read()] == [[1], {"a": "b"}]
        assert reader.position == len(data)


class Evil:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("call", "argument", "name"),
    [
        (os.system, "touch {}", "system"),
        (eval, "open({!r}, 'w')", "eval"),
        (exec, "open({!r}, 'w')", "exec"),
        (subprocess.Popen, "touch {}", "Popen"),
        (getattr, "x", "getattr"),
    ],
)
def test_nothing_else_is_called(call: Any, argument: str, name: str, protocol: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    data = pickle.dumps([1, Evil(call, argument.format(str(trace)))], protocol)
    with pytest.raises(InputError, match=f"names '[a-z_.]*{name}', which is not among") as error:
        read(data)
    assert "\n" not in str(error.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (datetime.date(2020, 1, 1), "datetime.date"),
        (collections.Counter("a"), "collections.Counter"),
        (collections.defaultdict(list), "collections.defaultdict"),
        (PurePosixPath("x"), "PurePosixPath"),
        (sys.getsizeof, "sys.getsizeof"),
        (complex(1, 2), "complex"),
    ],
)
def test_other_classes_are_named(value: object, name: str) -> None:
    for protocol in (2, 4):
        with pytest.raises(InputError, match=f"pickle 'file': names '[a-z_.]*{name}'"):
            read(pickle.dumps(value, protocol))


@pytest.mark.parametrize(
    "array", [np.array([{}, []], dtype=object), np.array(["a"]), np.array(["2020"], dtype="datetime64[Y]")]
)
def test_arrays_of_other_things_are_refused(array: Any) -> None:
    with pytest.raises(InputError, match="not of numbers"):
        read(pickle.dumps(array, 4))


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "is damaged or cut off at byte 0"),
        (b"\x80\x04]", "is damaged or cut off"),
        (b"\x80\x04X\xff\xff\xff\x7fabc.", "is damaged or cut off"),
        (b"\x80\x04K", "is damaged or cut off"),
        (b"\x80\x02Ifour\n.", "byte 8: invalid literal"),
        (b"\x80\x02I4", "is damaged or cut off"),
        (b"\x80\x02h\x05.", "is damaged or cut off"),
        (b"\x80\x02e.", "is damaged or cut off"),
        (b"\x80\x02K\x01\x86.", "is damaged or cut off"),
        (b"\x80\x02K\x01K\x02R.", "a call of what is no function"),
        (b"\x80\x02K\x01K\x02b.", "a state for int"),
        (b"\x80\x02K\x01K\x02K\x03s.", "entries of int"),
        (b"\x80\x02K\x01K\x02a.", "items of int"),
        (b"\x80\x02K\x01(K\x02\x90.", "members of int"),
        (b"\x80\x02}(]K\x01u.", "unhashable"),
        (b"\x80\x02}(K\x01u.", "byte 7: zip"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "bytes in 'hex'"),
        (b"\x80\x02\x82\x01.", "instruction EXT1 at byte 2"),
        (b"(icollections\nOrderedDict\n.", "instruction INST at byte 1"),
        (b"Pfile\n.", "instruction PERSID"),
        (b"\xff.", "instruction 0xff at byte 0, which data do not need, or no pickle at all"),
    ],
)
def test_damage_is_named(data: bytes, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as error:
        read(data)
    assert "\n" not in str(error.value)


@given(value=PLAIN, data=st.data())
def test_damage_never_raises_anything_else(value: object, data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps(value, data.draw(st.sampled_from([1, 2, 4]))))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        read(bytes(whole[: data.draw(st.integers(1, len(whole)))]))


def test_less_common_instructions() -> None:
    assert read(b"(dK\x01K\x02s.") == {1: 2}
    assert read(b"(K\x01K\x02d.") == {1: 2}
    assert read(b"(K\x01K\x02l.") == [1, 2]
    assert read(b"K\x0120.") == 1
    assert read(b"K\x07(K\x01K\x021.") == 7
    assert read(b"U\x02abq\x05h\x050h\x05.") == "ab"
    assert read(b"T\x02\x00\x00\x00ab.") == "ab"
    assert read(b"I01\n.") is True
    assert read(b"L12L\n.") == 12
    assert read(b"\x8b\x01\x00\x00\x00\xff.") == -1
    assert read(b"\x8d\x01\x00\x00\x00\x00\x00\x00\x00a.") == "a"
    assert read(b"\x96\x01\x00\x00\x00\x00\x00\x00\x00a.") == b"a"
    assert read(b"X\x01\x00\x00\x00aq\x00K\x01q\x000h\x00.") == 1  # a slot may be used again
    assert read(b"K\x05r\xff\xff\xff\xff0j\xff\xff\xff\xff.") == 5


def test_dictionaries_are_simplified_while_they_are_read() -> None:
    count = 60

    def simplify(entries: dict[Any, Any]) -> None:
        if "course" in entries:
            last = max(entries["course"].items(), default=(None, None))
            entries["course"].clear()
            entries["last"] = last
            del entries["course"]

    course = {f"valid@{epoch}": float(epoch) for epoch in range(500)}
    data = pickle.dumps({i: {"course": {k: v + i for k, v in course.items()}, "seed": i} for i in range(count)}, 4)
    peaks = {}
    for name, how in (("kept", lambda _: None), ("simplified", simplify)):
        tracemalloc.start()
        found = PlainReader(data, "file", BENCHMARKS, how).read()
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found[7] == {"seed": 7, "last": ("valid@99", 106.0)}
    assert peaks["simplified"] < peaks["kept"] / 8


def test_each_list_of_names_refuses_what_the_other_allows() -> None:
    scalar, ordered = pickle.dumps(np.float64(1)), pickle.dumps(collections.OrderedDict())
    assert read(scalar) == 1
    assert read(ordered) == {}
    for data, name in ((scalar, "scalar"), (ordered, "OrderedDict"), (pickle.dumps({1}, 2), "set")):
        with pytest.raises(InputError, match=f"{name}', which is not among what it may be made of"):
            PlainReader(data, "file", UNSIGNED_BYTES).read()
    array = np.arange(3, dtype=np.uint8)
    assert PlainReader(pickle.dumps(array), "file", UNSIGNED_BYTES).read().values.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="'i8', not unsigned bytes"):
        PlainReader(pickle.dumps(array.astype(np.int64)), "file", UNSIGNED_BYTES).read()
