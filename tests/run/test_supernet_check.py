"""What is looked at before a weight-sharing run begins."""

from __future__ import annotations

from pathlib import Path

import torch

from naopt.run.phases import SupernetTraining
from naopt.run.search_state import SearchState
from tests.run.test_one_shot_run import config


def test_checking_leaves_generators_and_threads_alone() -> None:
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    SupernetTraining(SearchState(Path(), config("darts"))).check()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
