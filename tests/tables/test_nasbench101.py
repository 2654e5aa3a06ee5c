"""The official TFRecord of NAS-Bench-101, written here byte by byte, and arrays of cells."""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naopt.cli.app import run
from naopt.errors import InputError
from naopt.measurement import MetricInfo
from naopt.spaces import Architecture, EnumeratedSpace, NASBench101Space
from naopt.tables import import_nasbench101, load_table, nasbench101_rows, save_table, tfrecord
from naopt.tables.tfrecord import masked_crcs, read_fields, read_records

SPACE = NASBench101Space()
CELLS = [
    SPACE.parse(f"nasbench101:{text}")
    for text in (
        "output@0",
        "conv1x1@0,maxpool3x3@0+1,output@1+2",
        "maxpool3x3@0,conv3x3@1,conv1x1@1,conv3x3@2,conv1x1@3,output@4+5",
    )
]


def crc32c(data: bytes) -> int:
    """Bit by bit, from the definition: reflected polynomial 0x1EDC6F41."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def evaluation(epoch: float, seconds: float, train: float, valid: float, test: float) -> bytes:
    values = enumerate((epoch, seconds, train, valid, test), 1)
    path = b"model.ckpt-1"
    inner = b"".join(varint(number << 3 | 1) + struct.pack("<d", value) for number, value in values)
    inner += varint(6 << 3 | 2) + varint(len(path)) + path
    return varint(1 << 3 | 2) + varint(len(inner)) + inner


def message(epochs: int, final: Sequence[float], parameters: int = 2_694_282) -> bytes:
    stages = [(0.0, 0.0, 0.1, 0.1, 0.1), (epochs / 2, 10.0, 0.5, 0.5, 0.5), (float(epochs), *final)]
    total = varint(3 << 3 | 1) + struct.pack("<d", 99.5)
    return b"".join(evaluation(*stage) for stage in stages) + varint(2 << 3) + varint(parameters) + total


def record(cell: Architecture, epochs: int, final: Sequence[float], /, **changes: Any) -> bytes:
    matrix, operations = SPACE.matrix(cell)
    values = {
        "hash": SPACE.module_hash(cell),
        "epochs": epochs,
        "adjacency": "".join(map(str, matrix.ravel().tolist())),
        "operations": ",".join(operations),
        "metrics": base64.b64encode(message(epochs, final)).decode(),
    }
    return json.dumps(list((values | changes).values())).encode()


def write(path: Path, records: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(map(framed, records)))
    return path


def test_checksums() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    rng = np.random.default_rng(0)
    data = [rng.bytes(size) for size in (9, 0, 3, 40, 40, 1, 200)]
    assert masked_crcs(data).tolist() == [masked(one) for one in data]
    assert masked_crcs([]).tolist() == []


@settings(max_examples=40)
@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(1, 100))
def test_records_are_read_back(tmp_path_factory: pytest.TempPathFactory, records: list[bytes], together: int) -> None:
    path = write(tmp_path_factory.mktemp("records") / "r", records)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfrecord, "_TOGETHER", together)
        assert list(read_records(path)) == records


def damaged() -> dict[str, tuple[bytes, str]]:
    whole = framed(b"first") + framed(b"second")

    def flip(at: int) -> bytes:
        changed = bytearray(whole)
        changed[at] ^= 1
        return bytes(changed)

    return {
        "head": (whole[:30], "record 1 of .*: is cut off"),
        "tail": (whole[:-2], "record 1 of .*: is cut off"),
        "data": (flip(12), "record 0 of .*: the checksum of its data does not match"),
        "second": (flip(-5), "record 1 of .*: the checksum of its data does not match"),
        "length": (flip(9), "record 0 of .*: the checksum of its length does not match"),
        "text": (b"a text, not a record file", "record 0 of .*: would hold [0-9]+ bytes, 1048576 is the limit"),
    }


@pytest.mark.parametrize("what", damaged())
def test_damaged_records_are_refused(what: str, tmp_path: Path) -> None:
    content, rule = damaged()[what]
    (tmp_path / "r").write_bytes(content)
    with pytest.raises(InputError, match=rule) as error:
        list(read_records(tmp_path / "r"))
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        import_nasbench101(tmp_path / "none.tfrecord", {})


def test_fields() -> None:
    text = varint(1 << 3) + varint(300) + varint(2 << 3 | 5) + b"abcd" + varint(3 << 3 | 2) + varint(2) + b"xy"
    assert list(read_fields(text)) == [(1, 300), (2, b"abcd"), (3, b"xy")]
    for broken in (b"\x08", b"\x09abc", b"\x0d\x00", b"\x0a\x05ab", b"\x80"):
        with pytest.raises(ValueError, match="cut off"):
            list(read_fields(broken))
    with pytest.raises(ValueError, match="wire type 3 is unknown"):
        list(read_fields(b"\x0b"))


def test_trainings_become_repeats(tmp_path: Path) -> None:
    first, second, third = CELLS
    path = write(
        tmp_path / "nasbench_full.tfrecord",
        [
            record(first, 108, (1000.5, 0.99, 0.94, 0.93)),
            record(second, 108, (2000.0, 0.98, 0.92, 0.91)),
            record(first, 108, (1001.5, 1.0, 0.9411, 0.9322)),
            record(first, 4, (40.0, 0.5, 0.4, 0.3)),
            record(third, 108, (3000.0, 0.97, 0.95, 0.94)),
            record(first, 108, (1002.5, 0.99, 0.9405, 0.9301)),
            record(third, 108, (3001.0, 0.97, 0.9, 0.89)),
        ],
    )
    table = import_nasbench101(path, {})
    assert [table.architecture(row) for row in range(3)] == CELLS
    assert all(tuple(row) == SPACE.canonical(row) for row in table.tokens.tolist())
    nan = np.nan
    expected = {
        "valid_acc/108": [[94.0, 94.11, 94.05], [92.0, nan, nan], [95.0, 90.0, nan]],
        "test_acc/108": [[93.0, 93.22, 93.01], [91.0, nan, nan], [94.0, 89.0, nan]],
        "train_acc/108": [[99.0, 100.0, 99.0], [98.0, nan, nan], [97.0, 97.0, nan]],
        "train_time/108": [[1000.5, 1001.5, 1002.5], [2000.0, nan, nan], [3000.0, 3001.0, nan]],
        "valid_acc/4": [40.0, nan, nan],
        "test_acc/4": [30.0, nan, nan],
        "train_acc/4": [50.0, nan, nan],
        "train_time/4": [40.0, nan, nan],
        "params": [2_694_282.0] * 3,
    }
    assert table.metrics.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(table.metrics[name], np.array(values))
    assert table.info("valid_acc/108") == MetricInfo("max", "%")
    assert table.info("train_time/4") == MetricInfo("min", "s")
    assert table.info("params") == MetricInfo("min", "")
    assert table.source == "imported from nasbench_full.tfrecord"
    save_table(table, tmp_path / "t.npz")
    assert isinstance(load_table(tmp_path / "t.npz").space, NASBench101Space)


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"adjacency": "01"}, "adjacency '01' does not fit 2 operations"),
        ({"adjacency": "0200"}, "does not fit"),
        ({"operations": "input,conv5x5"}, "conv5x5"),
        ({"operations": None}, "none of NAS-Bench-101"),
        ({"epochs": "108"}, "must be a whole number"),
        ({"hash": []}, "none of NAS-Bench-101"),
        ({"more": 1}, "too many values"),
        ({"metrics": "?"}, "none of NAS-Bench-101"),
        ({"metrics": encoded(message(36, (1.0, 0.9, 0.9, 0.9)))}, "is of epoch 36, not 108"),
        ({"metrics": encoded(message(108, (1.0, float("nan"), 0.9, 0.9)))}, "lacks a figure"),
        ({"metrics": encoded(evaluation(108, 1, 1, 1, 1))}, "no parameters"),
        ({"metrics": encoded(varint(1 << 3 | 2) + b"\0" + varint(2 << 3) + b"\7")}, "lacks a figure"),
    ],
)
def test_strange_records_are_refused(changes: dict[str, Any], rule: str, tmp_path: Path) -> None:
    good, bad = (record(CELLS[0], 108, (1.0, 0.9, 0.9, 0.9), **more) for more in ({}, changes))
    with pytest.raises(InputError, match=r"record 1 of .*") as error:
        import_nasbench101(write(tmp_path / "r", [good, bad.replace(SPACE.module_hash(CELLS[0]).encode(), b"x")]), {})
    assert rule in str(error.value)
    assert "\n" not in str(error.value)


def test_records_without_a_cell_of_the_space(tmp_path: Path) -> None:
    good = (1.0, 0.9, 0.9, 0.9)
    with pytest.raises(InputError, match=r"row 0 .*\[\[0, 0\], \[0, 0\]\] \[-1, -2\]': is not a pruned cell"):
        import_nasbench101(write(tmp_path / "r", [record(CELLS[0], 108, good, adjacency="0000")]), {})
    with pytest.raises(InputError, match=r"row 1 .* is the same architecture as row 0"):
        import_nasbench101(write(tmp_path / "r", [record(CELLS[0], 4, good, hash=name) for name in "ab"]), {})
    with pytest.raises(InputError, match="holds none"):
        import_nasbench101(write(tmp_path / "r", []), {})
    with pytest.raises(InputError, match="--metric 'acc': files of kind nasbench101 name their metrics themselves"):
        import_nasbench101(write(tmp_path / "r", []), {"acc": MetricInfo()})


def arrays(cells: Sequence[Architecture]) -> dict[str, Any]:
    adjacency = np.zeros((len(cells), 7, 7), dtype=np.uint8)
    labels = np.full((len(cells), 7), -3, dtype=np.int8)
    for row, cell in enumerate(cells):
        matrix, operations = SPACE.matrix(cell)
        adjacency[row, : len(matrix), : len(matrix)] = matrix
        names = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
        labels[row, : len(matrix)] = [-1, *map(names.index, operations[1:-1]), -2]
    return {"adjacency": adjacency, "ops": labels}


def test_arrays_become_a_table(tmp_path: Path) -> None:
    accuracies = np.array([[0.1, 0.9], [0.2, np.nan], [0.3, 0.9491]], dtype=np.float32)
    np.savez(
        tmp_path / "a.npz",
        **arrays(CELLS),
        valid_acc=accuracies,
        epochs=np.array([4, 108]),
        train_time=np.array([1.5, 2.5, 3.5]),
        params=np.array([1, 2, 3]),
        unrelated=np.array("x"),
    )
    table = import_nasbench101(tmp_path / "a.npz", {})
    assert [table.architecture(row) for row in range(3)] == CELLS
    assert list(table.metrics) == ["valid_acc/4", "valid_acc/108", "params", "train_time"]
    np.testing.assert_allclose(table.values("valid_acc/108"), [90, np.nan, 94.91], rtol=1e-6)
    assert table.info("train_time") == MetricInfo("min", "s")
    assert table.values("params").tolist() == [1, 2, 3]


def changed(name: str, value: Any) -> dict[str, Any]:
    return arrays(CELLS) | {name: np.asarray(value)}


def altered(name: str, at: tuple[int, ...], value: int) -> dict[str, Any]:
    members = arrays(CELLS)
    members[name][at] = value
    return members


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        ({"ops": np.zeros(1)}, "needs the members 'adjacency', 'ops' or 'edge_bits', 'n_vertices', 'op_code'"),
        (changed("ops", np.zeros((3, 6), dtype=int)), r"ops 'int64 \(3, 6\)': must be integers \(n, 7\)"),
        (changed("adjacency", np.zeros((3, 7, 7))), r"adjacency 'float64 \(3, 7, 7\)': must be integers \(n, 7, 7\)"),
        (changed("adjacency", 1), "adjacency 'int64 ()'"),
        (altered("adjacency", (1, 2, 1), 1), "row 1 .* is not a pruned cell"),
        (altered("adjacency", (0, 0, 5), 1), "row 0 .* is not a pruned cell"),
        (altered("adjacency", (2, 0, 1), 2), "row 2 .* is not a pruned cell"),
        (altered("adjacency", (2, 0, 1), 0), "row 2 .* is not a pruned cell"),
        (altered("ops", (1, 0), 0), "row 1 .* is not a pruned cell"),
        (altered("ops", (1, 1), 3), "row 1 .* is not a pruned cell"),
        (altered("ops", (0, 1), -3), "row 0 .* is not a pruned cell"),
        (altered("ops", (0, 6), 0), "row 0 .* is not a pruned cell"),
        (changed("valid_acc", np.zeros(3)), r"valid_acc '\(3,\), epochs \(0,\)': must be fractions \(n, e\), and"),
        (changed("valid_acc", np.full((3, 1), 94.0)) | {"epochs": np.array([4])}, "must be fractions from 0 to 1"),
        (changed("valid_acc", np.zeros((2, 1))) | {"epochs": np.array([4])}, r"shape '\(2,\)': must be \(3,\)"),
        (arrays(CELLS), "metrics 'none': needs at least one"),
    ],
)
def test_wrong_arrays_are_refused(members: dict[str, Any], rule: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **members)
    with pytest.raises(InputError, match=rule.replace("()", r"\(\)")) as error:
        import_nasbench101(tmp_path / "a.npz", {})
    assert "\n" not in str(error.value)


def test_both_forms_of_cells_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cells = CELLS + [SPACE.sample(rng) for _ in range(300)]
    members = arrays(cells)
    np.savez(tmp_path / "a.npz", **members)
    vertices, edges, codes = [], [], []
    for cell in cells:
        matrix, operations = SPACE.matrix(cell)
        bits, code = 0, 0
        for u, v in np.argwhere(matrix).tolist():
            bits |= 1 << v * (v - 1) // 2 + u
        for name in operations[1:-1]:
            code = 3 * code + ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3").index(name)
        vertices.append(len(matrix))
        edges.append(bits)
        codes.append(code)
    np.savez(tmp_path / "b.npz", n_vertices=vertices, edge_bits=edges, op_code=codes)
    expected = [list(cell.identity) for cell in cells]
    assert nasbench101_rows(tmp_path / "a.npz").tolist() == expected
    assert nasbench101_rows(str(tmp_path / "b.npz")).tolist() == expected


def test_import_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "nasbench.tfrecord", [record(cell, 108, (1.0, 0.9, 0.9, 0.9)) for cell in CELLS])
    out = tmp_path / "t.npz"
    assert run(["table", "import", "nasbench101", str(source), str(out)]) == 0
    assert "3 architectures, 27 positions, valid_acc/108, test_acc/108" in capsys.readouterr().out
    assert run(["table", "info", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["space"] == "nasbench101"


def data() -> Path:
    folder = os.environ.get("NAOPT_DATA")
    if folder is None:
        pytest.skip("NAOPT_DATA is not set: no folder with benchmark tables")
    return Path(folder)


def test_the_labelled_part(tmp_path: Path) -> None:
    table = import_nasbench101(data() / "nasbench101_labelled.npz", {})
    assert len(table) == 30_001
    assert table.values("valid_acc/108").max() == pytest.approx(94.91, abs=0.005)
    save_table(table, tmp_path / "t.npz")
    space = load_table(tmp_path / "t.npz").search_space()
    assert isinstance(space, EnumeratedSpace)
    assert space.size == 30_001
    with np.load(data() / "nasbench101_labelled.npz") as archive:
        hashes, where = archive["md5"], archive["space_index"]
    for row in range(0, 30_001, 600):
        assert SPACE.module_hash(table.architecture(row)) == hashes[row].tobytes().hex()
    rows = nasbench101_rows(data() / "nasbench101_space.npz")
    assert len(rows) == 423_624
    np.testing.assert_array_equal(rows[where], table.tokens)
