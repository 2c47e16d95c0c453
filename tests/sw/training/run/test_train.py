"""Training and checkpoints."""

import math
from importlib import metadata

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sealed_files import change_checkpoint
from spikeplane.data.sets import datasets
from spikeplane.network.file import save_network
from spikeplane.training.net.export import export_network
from spikeplane.training.run import train as training
from spikeplane.training.run.checkpoint import (
    CheckpointError,
    load_checkpoint,
    save_checkpoint,
)
from spikeplane.training.run.evaluate import evaluate, predict
from spikeplane.training.run.optimizer import create_optimizer
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import CHECKPOINT, train
from training_process import sample_data
from training_samples import network, offer_sample, recipe, samples


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    offer_sample(monkeypatch, sample_data)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("optimizer", "rate"), [("adamw", 0.01), ("sgd", 0.1)])
def test_training_learns_and_is_reproducible(tmp_path, optimizer, rate):
    chosen = recipe(epochs=12, optimizer=optimizer, learning_rate=rate, augmentations={})
    paths = [train(chosen, tmp_path / name, progress=False) for name in "ab"]
    assert paths[0] == tmp_path / "a" / CHECKPOINT
    assert paths[0].read_bytes() == paths[1].read_bytes()
    result = evaluate(paths[0])
    assert result.trained > 0.8 and result.integer is not None and result.integer > 0.8
    assert result.samples == 96 and len(result.wrong) == round(96 * (1 - result.integer))
    history = load_checkpoint(paths[0]).history
    assert len(history) == 12 and history[-1]["loss"] < history[0]["loss"]


@pytest.mark.parametrize("warmup", [0, 1])
def test_schedules_of_rate_and_steepness(tmp_path, monkeypatch, warmup):
    epochs, batches = 3, 6
    found = []
    batch = training._Training._batch

    def recording(self, *arguments):
        result = batch(self, *arguments)
        rates = {group["lr"] for group in self.optimizer.param_groups}
        found.append((rates, self.network.layers["inner"].quantizer.steepness))
        return result

    monkeypatch.setattr(training._Training, "_batch", recording)
    train(recipe(epochs=epochs, warmup_epochs=warmup), tmp_path, progress=False)
    rising = [0.01 * (i + 1) / 6 for i in range(warmup * batches)]
    falling = (epochs - warmup) * batches
    expected = rising + [0.01 * (1 + math.cos(math.pi * i / falling)) / 2 for i in range(falling)]
    assert [len(rates) for rates, _ in found] == [1] * len(expected)
    assert [rates.pop() for rates, _ in found] == pytest.approx(expected)
    steepness = [0.1 * 100 ** (i // batches / epochs) for i in range(epochs * batches)]
    assert [value for _, value in found] == pytest.approx(steepness)


def test_spike_regulation_moves_inner_rates_to_its_target(tmp_path):
    rates = []
    for weight in (0.0, 20.0):
        chosen = recipe(epochs=6, regularizers={"spike_regulation": {"weight": weight, "target": 0.6}})
        history = load_checkpoint(train(chosen, tmp_path / str(weight), progress=False)).history
        rates.append(history[-1]["rates"]["inner"])
    assert 1.5 * rates[0] < rates[1] < 0.6


def test_only_weights_decay():
    chosen = recipe(weight_decay=0.3)
    sample = network()
    groups = create_optimizer(chosen, sample).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in sample.named_parameters():
        assert decays[id(parameter)] == (0.3 if name.endswith("weight") and parameter.ndim > 1 else 0.0), name
    assert set(decays.values()) == {0.0, 0.3}


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("save_every", [0, 60])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    tmp_path, monkeypatch, optimizer, save_every
):
    chosen = recipe(validation=16, optimizer=optimizer)
    options = RunOptions(save_every=save_every, validate_every=2)
    whole = train(chosen, tmp_path / "whole", progress=False, options=options)
    batches = 5
    calls = []
    batch = training._Training._batch

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 2 * batches + 4:
            raise Interrupt
        return batch(*arguments)

    monkeypatch.setattr(training._Training, "_batch", failing)
    with pytest.raises(Interrupt):
        train(chosen, tmp_path / "cut", progress=False, options=options)
    path = tmp_path / "cut" / CHECKPOINT
    checkpoint = load_checkpoint(path)
    assert (checkpoint.epoch, checkpoint.batch) == (2, 0 if save_every else 3)
    assert checkpoint.sums.samples == 16 * checkpoint.batch
    torch.manual_seed(99)
    assert train(chosen, tmp_path / "cut", progress=False, options=options) == path
    assert path.read_bytes() == whole.read_bytes()
    assert len(calls) == 4 * batches + 1 + (3 if save_every else 0)


def test_what_a_batch_draws_does_not_depend_on_those_before(tmp_path, monkeypatch):
    drawn = {}

    def keep(name):
        def augment(samples, draw):
            drawn.setdefault(name, []).append(draw.randint(1 << 30, size=3).tolist())
            return samples
        return lambda _: [augment]

    monkeypatch.setattr(training, "create_augmentations", keep("whole"))
    train(recipe(epochs=2), tmp_path / "whole", progress=False)
    monkeypatch.setattr(training, "create_augmentations", keep("cut"))
    monkeypatch.setattr(training._Training, "_save", lambda self: None)
    monkeypatch.setattr(training._Training, "epoch", one_batch_of_the_second_epoch)
    train(recipe(epochs=2), tmp_path / "cut", progress=False)
    assert len({tuple(values) for values in drawn["whole"]}) == len(drawn["whole"]) == 12
    assert drawn["cut"] == [drawn["whole"][10]]


def one_batch_of_the_second_epoch(self, signals):
    self.network.train()
    self.checkpoint.epoch, self.checkpoint.batch = 1, 4
    self._batch(np.arange(16), 0)
    self.checkpoint.epoch = 2
    return iter(())


def test_history(tmp_path):
    options = RunOptions(validate_every=2)
    chosen = recipe(validation=30, epochs=5)
    path = train(chosen, tmp_path, progress=False, options=options)
    checkpoint = load_checkpoint(path)
    taken = [{part for part in ("validation", "test") if f"{part}_accuracy" in e} for e in checkpoint.history]
    # The test data are looked at once.
    assert taken == [set(), {"validation"}, set(), {"validation"}, {"validation", "test"}]
    assert checkpoint.history[-1]["test_accuracy"] == evaluate(checkpoint).trained
    held = datasets.load_dataset(chosen.data, "validation")
    assert checkpoint.history[-1]["validation_accuracy"] == evaluate(checkpoint, held).trained
    assert checkpoint.checksums == {"train": datasets.load_dataset(chosen.data, "train").checksum}
    for entry in checkpoint.history:
        assert list(entry["rates"]) == ["first", "inner", "last"]
        assert all(0 < rate < 1 for rate in entry["rates"].values())
    # All quantizers and norms at their end: rates of the whole data in training mode are near.
    network = checkpoint.network.train()
    _, spikes = network(torch.from_numpy(samples().inputs))
    for name, rate in checkpoint.history[-1]["rates"].items():
        assert rate == pytest.approx(spikes[name].mean().item(), abs=0.05)


def test_a_recipe_without_a_validation_part_has_none_to_measure(tmp_path):
    with pytest.raises(ValueError, match=r"recipe sample has no validation part to measure every 2 epochs: set "
                                         r"data\.validation to how many training samples"):
        train(recipe(), tmp_path, progress=False, options=RunOptions(validate_every=2))


def test_options_are_checked():
    for options, message in (
        ({"amp": "int8"}, "amp must be one of bfloat16, float16, not 'int8'"),
        ({"save_every": -1.0}, "save_every must be 0 minutes or more, not -1.0"),
        ({"validate_every": -1}, "validate_every must be 0 epochs or more, not -1"),
    ):
        with pytest.raises(ValueError, match=message):
            RunOptions(**options)


def test_a_finished_training_is_left_alone(tmp_path):
    path = train(recipe(epochs=1), tmp_path, progress=False)
    stamp = path.stat().st_mtime_ns
    assert train(recipe(epochs=1), tmp_path, progress=False) == path
    assert path.stat().st_mtime_ns == stamp
    with pytest.raises(CheckpointError, match="the checkpoint is of another recipe"):
        train(recipe(epochs=2), tmp_path, progress=False)


def test_other_data_are_refused(tmp_path, monkeypatch):
    train(recipe(epochs=1), tmp_path, progress=False)
    offer_sample(monkeypatch, lambda *_: samples(seed=5))
    with pytest.raises(CheckpointError, match="trained on other data"):
        train(recipe(epochs=1), tmp_path, progress=False)


def test_a_diverging_training_stops(tmp_path):
    chosen = recipe(optimizer="sgd", learning_rate=1e30)
    with pytest.raises(ValueError, match=r"training\.learning_rate 1e\+30 may be too high"):
        train(chosen, tmp_path, progress=False)


def test_float32_twin(tmp_path):
    result = evaluate(train(recipe(epochs=12, augmentations={}).float32(), tmp_path, progress=False))
    assert result.trained > 0.8 and result.integer is None


def test_checkpoints_return_what_was_saved(tmp_path):
    path = train(recipe(epochs=2), tmp_path, progress=False)
    first = load_checkpoint(path)
    save_checkpoint(first, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert first.recipe == recipe(epochs=2) and first.finished and not first.optimizer
    assert first.checksums == {"train": samples().checksum}
    save_network(export_network(first.network), tmp_path / "network.safetensors")


@pytest.mark.parametrize(("kind", "edit", "message"), [
    ("header", lambda h: h.update(format="other-1"), "checkpoint format .other-1.; this program reads"),
    ("header", lambda h: h.pop("epoch"), "the metadata has no 'epoch'"),
    ("header", lambda h: h["recipe"].update(speed=3), "unknown key speed"),
    ("header", lambda h: h["input"].update(depth=3), "depth"),
    ("header", lambda h: h.update(epoch=math.inf), "the metadata are wrong: epoch must be int, not inf"),
    ("header", lambda h: h.update(epoch=2), "the history has 1 epochs, epoch is 2"),
    ("header", lambda h: h.update(history=["x"]), "the metadata are wrong"),
    ("header", lambda h: h["history"][0].update(loss="x"), r"history: epoch 1\.loss must be a number, not 'x'"),
    ("tensors", lambda t: t.pop("network.layers.inner.weight"),
     "tensor layers.inner.weight is missing"),
    ("tensors", lambda t: t.update({"network.layers.x": torch.zeros(2)}),
     "tensor layers.x belongs to no layer of the recipe"),
    ("tensors", lambda t: t.update({"network.layers.inner.weight": torch.zeros(2)}),
     r"tensor layers.inner.weight has shape \(2,\), the recipe's is \(10, 6, 3, 3\)"),
])
def test_altered_checkpoints_are_refused(tmp_path, kind, edit, message):
    path = train(recipe(epochs=1), tmp_path, progress=False)
    change_checkpoint(path, **{kind: edit})
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(("edit", "message"), [
    (lambda h: h["unfinished"].update(batch=6), "6 batches are done of an epoch of 6"),
    (lambda h: h["unfinished"].update(batch=-1), "unfinished.batch must be 0 or more, not -1"),
    (lambda h: h["unfinished"]["sums"].update(loss="x"), r"unfinished\.sums\.loss must be a number, not 'x'"),
    (lambda h: h["unfinished"]["sums"].update(rates=None), "the metadata are wrong"),
    (lambda h: h["unfinished"].pop("sums"), "the metadata has no 'sums'"),
])
def test_altered_unfinished_checkpoints_are_refused(tmp_path, edit, message):
    path = train(recipe(epochs=1), tmp_path, progress=False)
    checkpoint = load_checkpoint(path)
    checkpoint.epoch, checkpoint.history, checkpoint.batch = 0, [], 5
    save_checkpoint(checkpoint, path)
    change_checkpoint(path, edit)
    with pytest.raises(CheckpointError, match=message):
        train(recipe(epochs=1), tmp_path, progress=False)


def test_altered_optimizers_are_refused(tmp_path):
    path = train(recipe(epochs=1), tmp_path, progress=False)
    checkpoint = load_checkpoint(path)
    checkpoint.epoch, checkpoint.history, checkpoint.batch = 0, [], 5
    checkpoint.optimizer = {"layers.inner.weight/exp_avg": torch.zeros(2)}
    save_checkpoint(checkpoint, path)
    with pytest.raises(CheckpointError, match=r"inner\.weight/exp_avg has shape \(2,\), its parameter \(10, 6, 3, 3\)"):
        train(recipe(epochs=1), tmp_path, progress=False)


def test_damaged_files_are_refused(tmp_path):
    path = train(recipe(epochs=1), tmp_path, progress=False)
    raw = bytearray(path.read_bytes())
    raw[-7] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="damaged or altered: the content does not match its hash"):
        load_checkpoint(path)


def test_changed_versions_are_noted(tmp_path, monkeypatch, capsys):
    path = train(recipe(epochs=1), tmp_path, progress=False)
    checkpoint = load_checkpoint(path)
    checkpoint.epoch, checkpoint.history, checkpoint.batch = 0, [], 5
    checkpoint.versions["torch"] = "1.0"
    save_checkpoint(checkpoint, path)
    train(recipe(epochs=1), tmp_path, progress=False)
    # The version of the package: that of PyTorch's CUDA build from PyPI has no suffix there.
    found = metadata.version("torch")
    assert f"begun with torch 1.0, goes on with {found}" in capsys.readouterr().err
    assert load_checkpoint(path).versions["torch"] == f"1.0, then {found}"


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "file.safetensors"
    with pytest.raises(CheckpointError, match=r"file\.safetensors: no such file"):
        load_checkpoint(path)
    path.write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not written by Spikeplane"):
        load_checkpoint(path)


def test_augmentations_change_training_samples_only(tmp_path):
    data = samples()
    before = data.inputs.copy()
    wild = {"cutout": {"size": 3}, "flip": {}, "shift": {"pixels": 4, "wrap": True}}
    paths = {
        name: train(recipe(epochs=1, augmentations=chosen), tmp_path / name, progress=False)
        for name, chosen in (("none", {}), ("wild", wild), ("again", wild))
    }
    assert paths["wild"].read_bytes() == paths["again"].read_bytes()
    weights = {name: load_checkpoint(path).network.state_dict() for name, path in paths.items()}
    assert any(not torch.equal(weights["none"][name], value) for name, value in weights["wild"].items())
    checkpoint = load_checkpoint(paths["wild"])
    np.testing.assert_array_equal(data.inputs, before)
    expected = (predict(checkpoint.network, before) == data.labels).mean()
    assert evaluate(checkpoint, data).trained == expected
