"""Equal bits whatever a process did before, under several kernels of BLAS and torch and with one thread or four.

For each pair of kernels a first process searches from the start, with an empty cache. A second one, with the cache that
the first has left and another number of threads, knows what the first had measured early on, as a search that was
killed and resumed does, and goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

KERNELS = {"Haswell": "default", "SkylakeX": "avx2", "Zen": "default"}
"""Of OpenBLAS, each with one of torch."""
_AVX2 = {"avx2", "fma"}
NEEDED = {"Haswell": _AVX2, "Zen": _AVX2, "SkylakeX": {"avx512f", "avx512dq", "avx512bw", "avx512vl"}}
BUDGET = 18
SETTINGS: dict[str, dict[str, Any]] = {
    "nao": {"unlabelled": 100, "pretraining_steps": 5, "decoder_size": 16, "initial": 8, "new_per_round": 5},
    "gp": {"initial": 8, "candidates": "local"},
    "bananas": {"initial": 8, "batch": 5, "epochs": 5},
    "reinforce": {"batch": 4},
}
KILLED = {"nao": 8, "gp": 11, "bananas": 8, "reinforce": 8}
"""After so many measurements, at the end of a round."""
CODE = """
import json, sys
import numpy as np
from naopt.latent.gaussian_process import GaussianProcess
from naopt.searchers import Objective, searchers
from naopt.measurement import Measurement
from naopt.spaces import NASBench201Space

def measure(architecture):
    return Measurement({"score": float(np.sin(np.array([1, 3, -2, 0.5, 2, -1]) * architecture.tokens).sum())})

budget, settings, known = json.loads(sys.argv[1])
space, answers = NASBench201Space(), {}
for name, given in settings.items():
    kind = searchers.get(name)
    search = kind(space, Objective("score", "max"), kind.settings_type.parse(given), seed=0, budget=budget)
    found = []
    for tokens in known[name]:
        architecture = space.architecture(tokens)
        search.tell(architecture, measure(architecture))
    while len(search.history) < budget:
        for proposal in search.ask(budget - len(search.history)):
            found.append([proposal.architecture.tokens, proposal.predicted and proposal.predicted.hex()])
            search.tell(proposal.architecture, measure(proposal.architecture))
    answers[name] = found
rng = np.random.default_rng(0)
rows, others = ([rng.standard_normal((count, 40)), rng.standard_normal((count, 90))] for count in (150, 500))
process = GaussianProcess(steps=5).fit(rows, rng.standard_normal(150))
answers["process"] = [array.tobytes().hex() for array in (process.parameters, *process.predict(others))]
print(json.dumps(answers))
"""


def missing(core: str) -> set[str] | None:
    """What this processor lacks for a kernel; ``None`` if that cannot be told."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)
    return None if flags is None else NEEDED[core].difference(flags)


def begin(core: str, threads: int, cache: Path, known: dict[str, Any]) -> subprocess.Popen[str]:
    kernels = {"OPENBLAS_CORETYPE": core, "ATEN_CPU_CAPABILITY": KERNELS[core], "NAOPT_CACHE": str(cache)}
    count = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, "-c", CODE, json.dumps([BUDGET, SETTINGS, known])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | kernels | count)


def answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What the first and the second process answer under each pair of kernels; the pairs run side by side."""
    cores = [core for core in KERNELS if missing(core) == set()]
    caches = {core: tmp_path_factory.mktemp(core) for core in cores}
    nothing: dict[str, Any] = dict.fromkeys(SETTINGS, ())
    begun = {core: begin(core, 1, caches[core], nothing) for core in cores}
    first = {core: answer(process) for core, process in begun.items()}
    known = {core: {name: [row[0] for row in first[core][name][: KILLED[name]]] for name in SETTINGS} for core in cores}
    begun = {core: begin(core, 4, caches[core], known[core]) for core in cores}
    return {core: (first[core], answer(process)) for core, process in begun.items()}


@pytest.mark.parametrize("part", [*SETTINGS, "process"])
@pytest.mark.parametrize("core", KERNELS)
def test_a_resumed_search_has_the_same_bits(core: str, part: str, answers: Any) -> None:
    lacking = missing(core)
    if lacking is None:
        pytest.skip("the instructions of this processor cannot be told")
    if lacking:
        pytest.skip(f"kernels for {core} need {', '.join(sorted(lacking))}, which this processor lacks")
    whole, resumed = answers[core]
    assert resumed[part] == whole[part][KILLED.get(part, 0) :]
    assert len(whole[part]) == (BUDGET if part in SETTINGS else 3)
