"""What ``naopt device`` does not take: one line, and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from naopt.cli.app import run
from tests.devices.test_device_file import SETTING, calibrated

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return calibrated().calibration.model_dump(mode="json")


def files(document: dict[str, Any]) -> None:
    """Device files and timings, each with something wrong."""
    timings = {"setting": SETTING.model_dump(mode="json"), "work": {"operations": [], "networks": {}}}
    for name, text in {
        "good.json": json.dumps(document),
        "newer.json": json.dumps({**document, "version": 9}),
        "other.json": json.dumps({"format": "naopt-table"}),
        "lacking.json": json.dumps({key: value for key, value in document.items() if key != "operations"}),
        "text.json": "nor json",
        "empty.json": "",
        "list.json": "[1]",
        "untimed.json": json.dumps(timings),
        "unset.json": json.dumps({**timings, "setting": {"space": 3}, "timed": {}}),
    }.items():
        Path(name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("predict CELL --device-file gone.json", "device file 'gone.json': "),
        ("predict CELL --device-file newer.json", "'newer.json': has version 9; this naopt reads"),
        ("predict CELL --device-file other.json", "'other.json': is none; write one with naopt device calibrate"),
        ("predict CELL --device-file list.json", "'list.json': is none; write one with naopt device calibrate"),
        ("predict CELL --device-file lacking.json", "device file lacking.json, operations"),
        ("predict CELL --device-file text.json", "text.json"),
        ("predict naonet-a --device-file good.json", "'good.json': is for space nasbench201, not conv-cell"),
        ("predict nonsense --device-file good.json", "'nonsense': neither a directory nor"),
        ("check gone.json", "device file 'gone.json': "),
        ("check empty.json", "empty.json"),
        ("check newer.json", "'newer.json': has version 9"),
        ("calibrate --out new.json", "task '': give --task"),
        (
            "calibrate --out new.json --task digits --space nasbench201 --samples 19",
            "--samples '19': must be at least 20",
        ),
        ("calibrate --out new.json --task digits --space nasbench --samples 20", "did you mean 'nasbench201'"),
        ("calibrate --out new.json --task digits --repeats 2", "repeats"),
        ("calibrate --out new.json --task digits --device tpu", "tpu"),
        ("calibrate --out new.json --timings gone.json", "timings 'gone.json': "),
        ("calibrate --out new.json --timings text.json", "text.json"),
        ("calibrate --out new.json --timings untimed.json", "are none; write them with the script"),
        ("calibrate --out new.json --timings unset.json", "setting of timings"),
        ("calibrate --out new.json --timings unset.json --task digits", "say space and task themselves"),
        ("calibrate --out good.json --task digits", "good.json"),
        ("script --out new.py", "task '': give --task"),
        ("script --out new.py --task digits --space nasbench201 --samples 3", "--samples '3': must be at least 20"),
        ("script --out good.json --task digits", "good.json"),
    ],
)
def test_one_line(
    document: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    files(document)
    assert run(["device", *(CELL if word == "CELL" else word for word in words.split())]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert message in err
    assert not Path("new.json").exists()
    assert not Path("new.py").exists()
