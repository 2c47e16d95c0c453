"""Trainings that start from the checkpoint of another one."""

import dataclasses

import pytest
import torch
from spikeplane.training.recipe.sources import StartRecipe
from spikeplane.training.run import train as training
from spikeplane.training.run.checkpoint import CheckpointError, load_checkpoint
from spikeplane.training.run.start import file_digest, start_table, take_over
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import layers, network, offer_sample, recipe


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    offer_sample(monkeypatch, sample_data)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        offer_sample(patch, sample_data)
        return train(recipe(epochs=2), tmp_path_factory.mktemp("source"), progress=False)


def starting(path, **changes):
    chosen = recipe(epochs=1)
    settings = dataclasses.replace(chosen.training, start=StartRecipe(checkpoint=str(path)))
    return dataclasses.replace(chosen, training=settings, **changes)


def test_what_fits_is_taken_over(source):
    first = load_checkpoint(source).network.state_dict()
    described = [dataclasses.replace(each, channels=7) if each.name == "last" else each for each in layers()]
    described[1] = dataclasses.replace(described[1], name="other")
    made = type(network())(network().form, described, recipe().neuron, 4)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    record = take_over(made, source)
    assert record["file"] == source.name and record["sha256"] == file_digest(source)
    after = made.state_dict()
    assert set(record["taken"]) | set(record["left"]) == after.keys() | first.keys()
    for name, value in after.items():
        assert torch.equal(value, first[name] if name in record["taken"] else before[name]), name
    assert record["left"]["layers.last.weight"] == "12x10x3x3 in the file, 7x10x3x3 here"
    assert record["left"]["layers.other.weight"] == "not in the file"
    assert record["left"]["layers.inner.weight"] == "not in this network"
    assert "layers.first.weight" in record["taken"] and "layers.classifier.bias" in record["taken"]
    head, *rows = start_table(record)
    assert head == f"started from {source.name}:"
    assert any("last" in row and "weight: 12x10x3x3 in the file, 7x10x3x3 here" in row for row in rows)
    assert {row.split()[0] for row in rows} == {"first", "inner", "other", "last", "classifier"}


@pytest.mark.parametrize("changes", [
    {"layers": layers(dynamics="memory_free", taps=2)}, {"layers": layers(inner="absmax", bits=4)},
    {"neuron": recipe().neuron.over(state_bits=2)},
], ids=["neurons", "quantizers", "bits"])
def test_a_training_starts_with_other_parts(tmp_path, source, monkeypatch, changes, capsys):
    begun = []
    batch = training._Training._batch

    def note(run, *arguments):
        begun.append(run.network.layers["inner"].weight.detach().clone())
        return batch(run, *arguments)

    monkeypatch.setattr(training._Training, "_batch", note)
    path = train(starting(source, **changes), tmp_path)
    assert torch.equal(begun[0], load_checkpoint(source).network.layers["inner"].weight)
    assert "started from checkpoint.safetensors:" in capsys.readouterr().err
    assert load_checkpoint(path).begun["sha256"] == file_digest(source)


def test_a_stopped_training_goes_on_without_the_file(tmp_path, source, monkeypatch):
    copy = tmp_path / "start.safetensors"
    copy.write_bytes(source.read_bytes())
    chosen = starting(copy)
    whole = train(chosen, tmp_path / "whole", progress=False)
    batch = training._Training._batch

    def fail(run, *arguments):
        if run.done == 3:
            raise InterruptedError
        return batch(run, *arguments)

    monkeypatch.setattr(training._Training, "_batch", fail)
    with pytest.raises(InterruptedError):
        train(chosen, tmp_path / "cut", progress=False, options=training.RunOptions(save_every=0))
    monkeypatch.setattr(training._Training, "_batch", batch)
    copy.unlink()
    assert train(chosen, tmp_path / "cut", progress=False).read_bytes() == whole.read_bytes()


def test_nothing_to_take_over_is_an_error(tmp_path, source):
    described = [dataclasses.replace(each, name=f"{each.name}2") for each in layers()]
    with pytest.raises(CheckpointError, match=r"training\.start\.checkpoint .*: no tensor fits .* layers first, inner"):
        train(starting(source, layers=described), tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"nothing\.safetensors: cannot be read: No such file"):
        train(starting(tmp_path / "nothing.safetensors"), tmp_path, progress=False)
