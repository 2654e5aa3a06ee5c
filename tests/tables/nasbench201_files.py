"""Writes tiny files in the official layouts of NAS-Bench-201, NATS-Bench and HW-NAS-Bench."""

import bz2
import io
import pickle
import tarfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from naopt.spaces import NASBench201Space

SETS = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}


def names(count: int) -> list[str]:
    """The first architectures by a fixed shuffle."""
    space = NASBench201Space()
    rng = np.random.default_rng(7)
    found = dict.fromkeys(space.format(space.sample(rng)) for _ in range(3 * count))
    return list(found)[:count]


def accuracy(index: int, epochs: int, dataset: str, seed: int, name: str, epoch: int) -> float:
    """A figure that depends on everything that it belongs to."""
    return round(epoch / epochs * 50 + 10 * list(SETS).index(dataset) + len(name) + index / 100 + seed / 1e6, 8)


def trial(index: int, epochs: int, dataset: str, seed: int, torch_weights: Any = None) -> dict[str, Any]:
    """What ``ResultsCount.state_dict`` of the authors' programs holds."""
    at = range(epochs)
    figures = {
        f"{name}@{epoch}": accuracy(index, epochs, dataset, seed, name, epoch) for name in SETS[dataset] for epoch in at
    }
    return {
        "name": dataset,
        "net_state_dict": torch_weights,
        "train_acc1es": OrderedDict((epoch, accuracy(index, epochs, dataset, seed, "train", epoch)) for epoch in at),
        "train_acc5es": dict.fromkeys(at, 99.0),
        "train_losses": dict.fromkeys(at, 0.1),
        "train_times": OrderedDict((epoch, 2.0 + seed / 1000) for epoch in at),
        "arch_config": {"channel": 16, "num_cells": 5, "arch_str": "", "class_num": 10},
        "params": np.float64(1.5 + index / 1000 + (dataset == "cifar100")),
        "flop": 100.0 + index,
        "seed": seed,
        "epochs": epochs,
        "latency": [0.01, 0.03] if dataset == "cifar100" else None,
        "eval_names": list(SETS[dataset]),
        "eval_acc1es": figures,
        "eval_times": dict.fromkeys(figures, 0.5),
        "eval_losses": dict.fromkeys(figures, 1.0),
    }


def seeds(index: int, dataset: str, epochs: int) -> tuple[int, ...]:
    """Three seeds for every other architecture, one for the others; after 12 epochs one, two where it validates."""
    if epochs == 12:
        return (777, 888) if dataset == "cifar10-valid" else (777,)
    return (777, 888, 999) if index % 2 else (888,)


def result(index: int, epochs: int, text: str, weights: Any = None) -> dict[str, Any]:
    """What ``ArchResults.state_dict`` holds."""
    runs = {(d, s): trial(index, epochs, d, s, weights) for d in SETS for s in seeds(index, d, epochs)}
    found: dict[str, list[int]] = {}
    for dataset, seed in runs:
        found.setdefault(dataset, []).append(seed)
    return {"arch_index": index, "arch_str": text, "all_results": runs, "dataset_seed": found, "clear_net_done": True}


def whole(count: int, hidden: int = 0, weights: Any = None) -> dict[str, Any]:
    """The one dictionary of NAS-Bench-201, the last ``hidden`` architectures without results."""
    texts = names(count)
    return {
        "meta_archs": texts,
        "arch2infos": {
            index: {"less": result(index, 12, texts[index]), "full": result(index, 200, texts[index], weights)}
            for index in range(count - hidden)
        },
        "evaluated_indexes": set(range(count - hidden)),
    }


def write_parts(folder: Path, count: int) -> Path:
    """A folder of NATS-Bench topology, ``-simple``."""
    folder.mkdir()
    texts = names(count)
    parts: dict[str, Any] = {"meta": {"meta_archs": texts, "archive": {}}}
    for index, text in enumerate(texts):
        parts[f"{index:06d}"] = {"12": result(index, 12, text), "200": result(index, 200, text)}
    for name, content in parts.items():
        (folder / f"{name}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(content, 4)))
    return folder


def write_tar(folder: Path, path: Path, extra: dict[str, bytes] | None = None) -> Path:
    """The folder as NATS-Bench is offered for download, with the meta file last."""
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, f"{folder.name}/{file.name}")
        for name, content in (extra or {}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def hardware(count: int) -> dict[str, Any]:
    """The one dictionary of HW-NAS-Bench."""
    texts = names(count)
    rows = np.arange(count)
    return {
        "nasbench201": {
            dataset: {
                "config": [
                    {"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10} for text in texts
                ],
                "edgegpu_latency": [5.0 + row + at for row in range(count)],
                "edgegpu_energy": rows * 2.0 + at,
                "edgetpu_latency": [np.float64(row / 10) for row in rows],
                "eyeriss_arithmetic_intensity": [1.0] * count,
            }
            for at, dataset in enumerate(("cifar10", "cifar100", "ImageNet16-120"))
        },
        "fbnet": {"edgegpu_latency": {"ConvNorm_H32": 0.1}},
    }
