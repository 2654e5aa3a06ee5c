from __future__ import annotations

import pytest

from naopt.errors import InputError
from naopt.execution.devices import visible_devices, worker_environments
from tests.run.toys import ToyEvaluator


class OnDevice(ToyEvaluator):
    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device


@pytest.fixture
def three_devices(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return monkeypatch


def seen(device: str, workers: int, per_device: int = 1) -> list[str | None]:
    environments = worker_environments(OnDevice(device), workers, per_device)
    return [environment.get("CUDA_VISIBLE_DEVICES") for environment in environments]


def test_each_worker_sees_one_device_in_turn(three_devices: pytest.MonkeyPatch) -> None:
    assert seen("cuda", 3) == ["0", "1", "2"]
    assert seen("cuda", 5, 2) == ["0", "1", "2", "0", "1"]


def test_devices_are_those_that_the_process_sees(three_devices: pytest.MonkeyPatch) -> None:
    three_devices.setenv("CUDA_VISIBLE_DEVICES", "4, GPU-7,5")
    assert seen("cuda", 2) == ["4", "GPU-7"]
    three_devices.setenv("CUDA_VISIBLE_DEVICES", "4")
    three_devices.setattr("torch.cuda.device_count", lambda: 1)
    assert visible_devices() == ["4"]


def test_a_device_with_a_number_is_left(three_devices: pytest.MonkeyPatch) -> None:
    assert seen("cuda:1", 1) == [None]
    assert seen("cuda:1", 3, 3) == [None] * 3


def test_other_devices_are_no_matter() -> None:
    assert seen("cpu", 2) == [None, None]
    assert worker_environments(ToyEvaluator(), 1) == [{}]


@pytest.mark.parametrize(
    ("device", "workers", "message"),
    [
        ("cuda", 4, "workers '4': too many for 3 CUDA devices with 1 worker each; see --workers-per-device"),
        ("cuda:0", 2, "workers '2': too many for 1 CUDA device with 1 worker each"),
    ],
)
def test_more_workers_than_devices(three_devices: pytest.MonkeyPatch, device: str, workers: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        seen(device, workers)


def test_workers_per_device_is_checked() -> None:
    with pytest.raises(InputError, match="workers-per-device '0'"):
        seen("cpu", 1, 0)
