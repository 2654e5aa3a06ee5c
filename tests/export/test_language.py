from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from naopt import zoo
from naopt.cli.app import run
from naopt.errors import InputError
from naopt.export import LanguageFacts, build_untrained, export, read_trained
from naopt.export.deployment import deploy_language_model
from naopt.export.graphs import read_onnx, read_torch_export
from naopt.export.pytorch import run_pytorch, write_pytorch
from naopt.networks.language_settings import LanguageSettings
from naopt.networks.recurrent_activations import activations
from naopt.spaces import EnumeratedSpace, RecurrentCellSpace, parse_architecture
from naopt.spaces.activations import activation_specs
from naopt.tasks import PythonDocsTask
from tests.export.examples import CELL, TREE, LanguageSubject, import_file, language, subject

ANY = [TREE, "baseline:lstm", "baseline:gru"]


def difference(found: LanguageSubject, path: Path) -> float:
    """Largest difference of a logit between a model and the file that is written of it, whole and in two parts."""
    deployment = found.deploy()
    write_pytorch(deployment, found.facts, path)
    exported = import_file(path).load()
    assert not exported.training
    with torch.no_grad():
        whole, last = exported(found.data, exported.begin(len(found.data)))
        first, state = exported(found.data[:, :1], exported.begin(len(found.data)))
        second, state = exported(found.data[:, 1:], state)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert torch.equal(state, last)
    return float((whole - deployment.expected).abs().max())


@given(seed=st.integers(0, 2**32 - 1), data=st.data())
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_cells(tmp_path: Path, seed: int, data: st.DataObject) -> None:
    space = RecurrentCellSpace(data.draw(st.integers(1, 12)))
    found = language(
        (space, space.sample(np.random.default_rng(seed))),
        equation=data.draw(st.sampled_from(["highway", "paper"])),
        output=data.draw(st.sampled_from(["all", "loose-ends"])),
    )
    expected = found.deploy().expected
    assert difference(found, tmp_path / "network.py") <= 1e-5 * max(1.0, float(expected.abs().max()))
    steps = found.deploy()
    stepped = steps.logits(lambda *inputs: steps.module(*inputs), len(expected))
    assert torch.allclose(stepped, expected, rtol=1e-4, atol=1e-5 * max(1.0, float(expected.abs().max())))


@pytest.mark.parametrize("architecture", ANY)
def test_files_and_steps_are_the_model(tmp_path: Path, architecture: str) -> None:
    found = language(architecture)
    assert difference(found, tmp_path / "network.py") < 1e-5
    deployment = found.deploy()
    for count in (1, 5):
        stepped = deployment.logits(lambda *inputs: deployment.module(*inputs), count)
        assert torch.allclose(stepped, deployment.expected[:count], atol=1e-5)
    assert deployment.expected.std() > 0.1


@pytest.mark.parametrize("equation", ["highway", "paper"])
@pytest.mark.parametrize("name", activation_specs.names())
def test_every_activation(tmp_path: Path, name: str, equation: str) -> None:
    found = language(f"recurrent:{name}@0,{name}@1", equation=equation)
    assert difference(found, tmp_path / "network.py") < 1e-5
    deployment = found.deploy()
    assert torch.allclose(deployment.logits(deployment.module, 5), deployment.expected, atol=1e-5)


def test_activations_of_other_packages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = language(TREE)
    monkeypatch.setitem(activation_specs._objects, "sine", activation_specs.get("tanh"))
    monkeypatch.setitem(activations._objects, "sine", activations.get("tanh"))
    space = RecurrentCellSpace(1, "sine")
    odd = language((space, space.parse("recurrent:sine@0")))
    for kind, suffix in (("pytorch", "py"), ("torch-export", "pt2")):
        with pytest.raises(InputError, match="activation 'sine': cannot be exported"):
            export(odd.network, kind, f"network.{suffix}", odd.facts, found.data)
    with pytest.raises(InputError, match="activation 'sine': cannot be exported"):
        write_pytorch(found.deploy(), odd.facts, Path("network.py"))


def test_listed_rows_are_exported_as_their_space(tmp_path: Path) -> None:
    whole, architecture = parse_architecture(TREE)
    space = EnumeratedSpace(whole, np.array([architecture.tokens]))
    inner = language(TREE)
    found = replace(inner, facts=replace(inner.facts, space=space))
    assert difference(found, tmp_path / "network.py") < 1e-5


def test_a_stranger_predicts_words(tmp_path: Path) -> None:
    found = language(TREE, task="ptb", test_perplexity=61.234)
    path = tmp_path / "network.py"
    deployment = found.deploy()
    write_pytorch(deployment, found.facts, path)
    assert torch.allclose(run_pytorch(deployment, path), deployment.expected, atol=1e-5)
    assert "Test perplexity: 61.23." in path.read_text(encoding="utf-8")
    module = import_file(path)
    network = module.load()
    assert network.words == list(found.facts.words)
    network.words[1:3] = ["<unk>", "<eos>"]
    assert module.predict(network, "w3 Xyzzy") == module.predict(network, "w3 <unk>")
    assert module.predict(network, "") == module.predict(network, "<eos>")
    network.words[1:3] = ["w1", "w2"]
    likely = module.predict(network, "w3 w0 w7", count=4)
    with torch.no_grad():
        logits, _ = found.network(torch.tensor([[3], [0], [7]]), found.network.begin(1))
    shares = logits[-1, 0].softmax(0)
    assert [word for word, _ in likely] == [f"w{index}" for index in shares.argsort(descending=True)[:4].tolist()]
    assert [share for _, share in likely] == pytest.approx(shares.sort(descending=True).values[:4].tolist(), abs=1e-5)


@pytest.mark.parametrize("architecture", ANY)
def test_torch_export(tmp_path: Path, capfd: pytest.CaptureFixture[str], architecture: str) -> None:
    found = language(architecture)
    out = tmp_path / "network.pt2"
    result = export(found.network, "torch-export", out, found.facts, found.data)
    assert capfd.readouterr() == ("", "")
    assert result.max_difference < 1e-5
    assert result.count == found.data.numel()
    deployment = found.deploy()
    compute = read_torch_export(out)
    for count in (1, 3, 5):
        assert torch.allclose(deployment.logits(compute, count), deployment.expected[:count], atol=1e-5)


def test_onnx(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    found = language(TREE, test_perplexity=61.5)
    out = tmp_path / "network.onnx"
    result = export(found.network, "onnx", out, found.facts, found.data)
    assert capfd.readouterr() == ("", "")
    assert result.max_difference < 1e-5
    deployment = found.deploy()
    assert torch.allclose(deployment.logits(read_onnx(out), 2), deployment.expected[:2], atol=1e-5)
    model = onnx.load(out)
    assert [value.name for value in model.graph.input] == ["tokens", "state"]
    assert [value.name for value in model.graph.output] == ["logits", "next_state"]
    shapes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert shapes == [["batch", 1], ["batch", 6], ["batch", 1, 12], ["batch", 6]]
    held = {prop.key: prop.value for prop in model.metadata_props}
    assert held == found.facts.metadata()
    assert json.loads(held["words"]) == list(found.facts.words)
    assert json.loads(held["test_perplexity"]) == 61.5


@pytest.mark.parametrize(
    "tokens", [torch.zeros(3, dtype=torch.long), torch.zeros(0, 4), torch.full((2, 3), 12), torch.full((2, 3), -1)]
)
def test_words_must_be_known(tokens: torch.Tensor) -> None:
    found = language(TREE)
    with pytest.raises(InputError, match=r"must be sequences \(n, t\) of words 0 ... 11"):
        deploy_language_model(found.network, found.facts, tokens)


def test_facts_must_fit(tmp_path: Path) -> None:
    found, other = language(TREE), subject(CELL)
    with pytest.raises(InputError, match="facts 'ImageFacts': are not those of a LanguageModel"):
        export(found.network, "pytorch", tmp_path / "network.py", other.facts, found.data)
    with pytest.raises(InputError, match="facts 'LanguageFacts': are not those of a ConvolutionalNetwork"):
        export(other.network, "pytorch", tmp_path / "network.py", found.facts, other.data)


# Trained and untrained models.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training on the text of Python's own documentation leaves."""
    folder = tmp_path_factory.mktemp("trained")
    words = PythonDocsTask().load().words
    found = language(TREE, words=len(words), hidden_size=8)
    save_file(
        {name: tensor.contiguous() for name, tensor in found.network.state_dict().items()}, folder / "final.safetensors"
    )
    (folder / "vocabulary.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    document = {
        "space": found.facts.space.name,
        "architecture": found.facts.text,
        "task": "python-docs",
        "settings": LanguageSettings(hidden_size=8, init_range=1.0).model_dump(mode="json"),
        "words": len(words),
        "test_perplexity": 321.0,
    }
    (folder / "final.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def test_a_training_is_read_as_it_was(trained: Path) -> None:
    found = read_trained(trained)
    assert isinstance(found.facts, LanguageFacts)
    corpus = PythonDocsTask().load()
    assert found.facts.words == corpus.words
    assert (found.facts.hidden_size, found.facts.test_perplexity, found.facts.task) == (8, 321.0, "python-docs")
    assert found.data.tolist() == corpus.test[:64].reshape(8, 8).tolist()
    assert not found.network.training


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("vocabulary.txt", "one\ntwo\n", "has 2 words; the network was trained with"),
        ("vocabulary.txt", None, "No such file"),
        ("final.safetensors", "", "cannot be read"),
    ],
)
def test_damaged_trainings(trained: Path, tmp_path: Path, name: str, text: str | None, message: str) -> None:
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_trained(tmp_path)
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_another_text_has_another_vocabulary(trained: Path, tmp_path: Path) -> None:
    lines = "".join(f"the {index} of {index % 7} and so on\n" for index in range(400))
    (tmp_path / "text.txt").write_text(lines, encoding="utf-8")
    with pytest.raises(InputError, match="has another vocabulary than the network"):
        read_trained(trained, f"text:{tmp_path}/text.txt")
    with pytest.raises(InputError, match="images"):
        read_trained(trained, "digits")


def test_tasks_without_test_words(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = replace(PythonDocsTask().load(), test=np.zeros(0, np.int32))
    monkeypatch.setattr(PythonDocsTask, "load", lambda self, limits: corpus)
    with pytest.raises(InputError, match="has no test words"):
        read_trained(trained)


def test_short_texts_make_short_sequences(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PythonDocsTask().load()
    for count, shape in ((5, (1, 5)), (19, (2, 8))):
        corpus = replace(whole, test=whole.test[:count])
        monkeypatch.setattr(PythonDocsTask, "load", lambda self, limits, corpus=corpus: corpus)
        assert tuple(read_trained(trained).data.shape) == shape


@pytest.mark.parametrize(
    ("options", "words", "random"), [({"classes": 20}, 20, True), ({"task": "python-docs"}, 1657, False)]
)
def test_untrained_models(options: dict[str, Any], words: int, random: bool) -> None:
    space, architecture = parse_architecture(zoo.get("naonet-recurrent").text)
    found = build_untrained(space, architecture, {"hidden_size": 9}, **options)
    assert isinstance(found.facts, LanguageFacts)
    assert (len(found.facts.words), found.facts.hidden_size, found.random) == (words, 9, random)
    assert tuple(found.data.shape) == (8, 8)


@pytest.mark.parametrize(
    "options", [{}, {"input_shape": (1, 2, 3), "classes": 3}, {"task": "python-docs", "classes": 3}]
)
def test_untrained_models_need_words(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="needs --task, or --classes for the number of words"):
        build_untrained(*parse_architecture(TREE), **options)


def test_the_command(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["export", str(trained), "--to", "torch-export", "--out", "model.pt2"]) == 0
    assert "(logits of 64 test words)" in capsys.readouterr().out
    small = ["--classes", "30", "--set", "hidden_size=5"]
    assert run(["export", "baseline:gru", "--untrained", "--to", "torch-export", "--out", "gru.pt2", *small]) == 0
    assert "(logits of 64 random words)" in capsys.readouterr().out
