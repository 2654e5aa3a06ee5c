"""The controller that a weight-sharing run saved with its supernet is probed as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from naopt.errors import InputError
from naopt.one_shot import ENASSearcher
from naopt.probes import probe_run, subject_of
from naopt.run import load_run
from naopt.run.setup import prepare
from naopt.training.checkpoint import load_checkpoint
from tests.ranking.toys import sharing_run

ENAS: dict[str, Any] = {"name": "enas", "epochs": 2, "hidden_size": 6, "controller_steps": 2, "buffer": 5}


def test_states_are_those_of_the_trained_controller(tmp_path: Path) -> None:
    record = sharing_run(tmp_path / "run", searcher=ENAS, budget=26)
    subject = subject_of(record, prepare(record.config, record.directory))
    assert subject.title == "controller of enas (anchors) with a memory of 5, after 2 of 2 epochs"
    weights = load_checkpoint(record.directory / "supernet.safetensors").below("own.searcher.parameter")
    architectures = [trial.architecture for trial in record.trials]
    states = subject.states(architectures)
    assert states.shape == (26, 12)
    fresh = ENASSearcher(record.space, ENASSearcher.settings_type.parse({"hidden_size": 6}), seed=record.config.seed)
    parameters = list(fresh.controller.parameters())
    assert len(parameters) == len(weights)
    for index, parameter in enumerate(parameters):
        parameter.data = weights[str(index)]
    tokens = np.array([a.tokens for a in architectures], dtype=np.int64)
    expected = np.concatenate([part[0].detach().numpy() for part in fresh.controller.encode(tokens)], axis=1)
    np.testing.assert_allclose(states, expected, rtol=1e-6)
    distinct = {record.space.canonical(architecture.tokens) for architecture in architectures}
    found = probe_run(record.directory, architectures=len(distinct) + 2, permutations=9)
    assert found["predictivity"]["shared_loss"]["architectures"] == len(distinct)
    assert found["searcher"] == "enas"
    assert [part["after"] for part in found["completions"]] == [None, 2, 3, 4]


def test_a_run_without_a_saved_state_cannot_be_probed(tmp_path: Path) -> None:
    record = sharing_run(tmp_path / "run", searcher={**ENAS, "buffer": 0})
    assert "without a memory" in subject_of(record, prepare(record.config, record.directory)).title
    (record.directory / "supernet.safetensors").unlink()
    with pytest.raises(InputError, match="has no trained controller yet"):
        subject_of(load_run(record.directory), prepare(record.config, record.directory))
