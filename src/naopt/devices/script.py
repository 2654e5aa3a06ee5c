"""A program that times a sample on a machine on which there is PyTorch and no naopt."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from naopt.devices.setting import Setting

_END = """

def main():
    work = json.loads(WORK)
    result = {"setting": json.loads(SETTING), "work": work, "timed": time_sample(work)}
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump(result, file)
    print(f"written: {OUT}; read it with: naopt device calibrate --timings {OUT} --out device.json")


if __name__ == "__main__":
    main()
"""


def write_script(setting: Setting, work: Mapping[str, Any], out: str = "timings.json") -> str:
    """The program's text; it writes ``out``, which ``naopt device calibrate --timings`` reads."""
    from naopt.devices import timing

    constants = {"OUT": out, "SETTING": setting.model_dump_json(), "WORK": json.dumps(work)}
    source = inspect.getsource(timing).replace("import statistics", "import json\nimport statistics", 1)
    return source + "\n" + "".join(f"{name} = {value!r}\n" for name, value in constants.items()) + _END
