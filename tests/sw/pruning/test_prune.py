"""Pruning a checkpoint, what it leaves behind, and training on from there."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from spikeplane import cli
from spikeplane.network import model
from spikeplane.pruning.calibration import calibration_batches, renormalize
from spikeplane.pruning.costs import Budget, Meter, weight_bytes
from spikeplane.pruning.prune import prune
from spikeplane.pruning.removal import PruningError
from spikeplane.pruning.written import CHECKPOINT, RECIPE, write_pruned
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.recipe.pruning import PruningRecipe
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from spikeplane.training.run.evaluate import compare
from spikeplane.training.run.train import train
from spikeplane_hw.config import SMALL
from training_process import sample_data
from training_samples import EVENTS, layers, offer_sample, recipe
from transformer_training import described
from typer.testing import CliRunner

TOO_FEW_SLOTS = 150
"""Of a core's weight memory, for the sample's network as it is."""
SETTINGS = PruningRecipe(batches=2, batch_size=24)


def sample_recipe(**changes):
    chosen = dataclasses.replace(recipe(validation=24, epochs=3), layers=layers(inner="rescaled", bits=2))
    return dataclasses.replace(chosen, **changes)


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    offer_sample(monkeypatch, sample_data)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        offer_sample(patch, sample_data)
        return train(sample_recipe(), tmp_path_factory.mktemp("source"), progress=False)


def test_a_cycle_budget_is_met(tmp_path):
    """In a network wide enough that its channels decide how long it takes."""
    described = [dataclasses.replace(layer, channels=96) if layer.name == "last" else layer for layer in layers()]
    path = train(dataclasses.replace(recipe(epochs=1), layers=described), tmp_path, progress=False)
    pruned = prune(path, budget=Budget("cycles", 0.93, True), settings=SETTINGS, config=SMALL, shown=False)
    before, after = pruned.costs["cycles"]
    assert 0.8 * before < after <= 0.93 * before
    (last,) = (group for group in pruned.groups if group.name == "last")
    assert last.after < last.before


def test_until_it_fits_by_what_channels_save_in_operations(source):
    config = dataclasses.replace(SMALL, weight_depth=TOO_FEW_SLOTS)
    pruned = prune(source, budget=Budget("cycles", 1e9), settings=SETTINGS, config=config, shown=False)
    before, after = pruned.costs["cycles"]
    assert before == math.inf and after < 1e9
    assert pruned.searched is not None
    assert all(max(found.savings) > 0 for found in pruned.searched.values())


@pytest.mark.parametrize("kind", ["size", "operations"])
def test_a_budget_is_met(source, kind):
    whole = load_checkpoint(source)
    budget = Budget(kind, 0.5, True)
    pruned = prune(source, budget=budget, settings=SETTINGS, shown=False)
    before, after = pruned.costs[kind]
    assert after <= budget.value * before
    made = pruned.checkpoint
    assert sum(weight_bytes(made.network).values()) == pruned.costs["size"][1]
    exported = export_network(made.network)
    bits = sum(node.memory(exported.maps()).weights for node in exported.nodes)
    assert bits == 8 * pruned.costs["size"][1]
    assert sum(weight_bytes(whole.network).values()) == pruned.costs["size"][0]
    found = {group.name: (group.before, group.after) for group in pruned.groups}
    assert any(left < channels for channels, left in found.values())
    assert {name: left for name, (_, left) in found.items()} == {
        layer.name: layer.channels for layer in made.recipe.layers if layer.has_neurons
    }
    assert made.begun["pruned"]["channels"] == {name: list(counts) for name, counts in found.items()}


def test_the_integer_model_computes_what_the_pruned_network_does(source):
    pruned = prune(source, ratios={"inner": 0.35, "last": 0.6}, settings=SETTINGS, shown=False).checkpoint
    inputs = sample_data(pruned.recipe.data, None, "test").inputs
    integers = export_network(pruned.network)
    assert [maps.channels for maps in integers.maps().values()] == [2, 6, 6, 6, 4]
    agreement = compare(pruned.network, integers, inputs)
    assert all(share > 0.995 for share in agreement.spikes.values())
    assert any(0.02 < rate < 0.98 for rate in agreement.rates.values())
    assert model.run(integers, inputs).predictions.shape == (len(inputs),)


def test_channels_with_the_least_scores_go(source):
    for criterion in ("svs", "l1", "rate", "random"):
        settings = dataclasses.replace(SETTINGS, criterion=criterion)
        pruned = prune(source, ratios={"inner": 0.5}, settings=settings, shown=False)
        (inner,) = (group for group in pruned.groups if group.name == "inner")
        kept = [inner.scores[channel] for channel in inner.kept]
        gone = [score for channel, score in enumerate(inner.scores) if channel not in inner.kept]
        assert len(kept) == len(gone) == 5 and min(kept) >= max(gone), criterion


def test_ratios_are_those_of_the_recipe(tmp_path, source):
    loaded = load_checkpoint(source)
    settings = dataclasses.replace(SETTINGS, ratios={"last": 0.25})
    loaded.recipe = dataclasses.replace(loaded.recipe, pruning=settings)
    path = tmp_path / "own.safetensors"
    save_checkpoint(loaded, path)
    assert load_checkpoint(path).recipe.pruning == settings
    pruned = prune(path, shown=False)
    assert [group.after for group in pruned.groups] == [6, 10, 9]
    assert pruned.checkpoint.recipe.pruning is None


def test_training_goes_on_from_the_pruned_network(tmp_path, source, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pruned = prune(source, budget=Budget("size", 0.5, True), settings=SETTINGS, shown=False)
    write_pruned(pruned, tmp_path / "out")
    tuning = load_recipe(tmp_path / "out" / RECIPE)
    assert tuning.training.epochs == 2 and tuning.layers == pruned.checkpoint.recipe.layers
    tuned = load_checkpoint(train(tuning, tmp_path / "tuned", progress=False))
    assert tuned.begun["left"] == {} and tuned.begun["file"] == CHECKPOINT
    assert len(tuned.begun["taken"]) == len(tuned.network.state_dict())
    first, last = pruned.checkpoint.history[-1], tuned.history[-1]
    assert last["test_accuracy"] > 0.5 and last["loss"] < 2 * first["loss"]


def test_normalizations_are_those_of_the_calibration(source):
    loaded = load_checkpoint(source)
    train_data = sample_data(loaded.recipe.data, None, "train")
    batches = calibration_batches(loaded.recipe, train_data, 2, 16)
    assert [len(batch) for batch in batches] == [16, 16]
    again = calibration_batches(loaded.recipe, train_data, 2, 16)
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))
    network = loaded.network
    norm = network.layers["first"].norm
    momentum, seen = norm.momentum, []
    handle = norm.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    renormalize(network, batches)
    handle.remove()
    expected = torch.stack([sums.mean((0, 2, 3)) for sums in seen]).mean(0)
    torch.testing.assert_close(norm.running_mean, expected)
    assert norm.momentum == momentum and not network.training


def test_cycles_of_a_core_that_is_too_small_are_infinite():
    network = large_network()
    meter = Meter(inputs=np.zeros((1, *network.form.shape), np.uint8), config=SMALL)
    assert meter.measure("cycles", network) == math.inf


def large_network() -> SpikingNetwork:
    described = [
        LayerRecipe(name="first", kind="conv", channels=400, weights="absmax", weight_bits=8),
        LayerRecipe(name="next", kind="conv", channels=400), LayerRecipe(name="out", kind="classifier"),
    ]
    return SpikingNetwork(EVENTS, described, NeuronRecipe(), 4)


@pytest.mark.parametrize(("ratios", "message"), [
    ({"last": 1.0}, "layer 'last': no channel of 12 would be left; its ratio can be 0.9167 at most"),
    ({"lost": 0.5}, "ratio of layer 'lost': there is no such group of channels; there are first, inner, last"),
    ({"last": 1.5}, "ratio of layer 'last': must be a part, 0 to 1, not 1.5"),
    (None, "its recipe has no pruning.ratios: give a budget, or a ratio for a layer"),
])
def test_wrong_ratios_are_named(source, ratios, message):
    with pytest.raises(PruningError) as caught:
        prune(source, ratios=ratios, settings=SETTINGS, shown=False)
    assert message in str(caught.value)


def test_a_budget_out_of_reach_names_the_nearest(source):
    with pytest.raises(PruningError, match=r"budget size=10B cannot be met: .*it is size=\d+B, the nearest .*layer '"):
        prune(source, budget=Budget("size", 10.0), settings=SETTINGS, shown=False)


def test_unfinished_and_float_checkpoints_are_refused(tmp_path, source):
    loaded = load_checkpoint(source)
    loaded.recipe = dataclasses.replace(
        loaded.recipe, training=dataclasses.replace(loaded.recipe.training, epochs=9)
    )
    path = tmp_path / "unfinished.safetensors"
    save_checkpoint(loaded, path)
    with pytest.raises(PruningError, match=r"unfinished.safetensors: its training is not finished \(3 of 9 epochs\)"):
        prune(path, ratios={"last": 0.5}, shown=False)
    twin = train(sample_recipe().float32(), tmp_path / "float32", progress=False)
    with pytest.raises(PruningError, match="layer 'first' has float weights, which no core runs"):
        prune(twin, ratios={"last": 0.5}, shown=False)


def test_the_command_writes_everything_and_shows_what_went(source, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    out = tmp_path / "pruned"
    done = CliRunner().invoke(cli.app, ["prune", str(source), "--ratio", "inner=0.3", "--ratio", "last=0.5",
                                        "--criterion", "l1", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "channels by criterion l1" in done.output and "bytes of weights" in done.output
    found = json.loads((out / "pruning.json").read_text())
    assert [(group["before"], group["after"]) for group in found["groups"]] == [(6, 6), (10, 7), (12, 6)]
    assert found["costs"]["size"][0] > found["costs"]["size"][1]
    assert (out / "pruning.html").read_text().count("<img") == 1
    assert load_checkpoint(out / CHECKPOINT).recipe.name == "sample-pruned"


def test_a_pruning_replaces_an_earlier_one_and_never_its_source(source, tmp_path):
    def command(checkpoint, ratio):
        return CliRunner().invoke(cli.app, ["prune", str(checkpoint), "--ratio", f"last={ratio}", "--out",
                                            str(tmp_path)])

    for ratio, channels in ((0.25, 9), (0.5, 6)):
        done = command(source, ratio)
        assert done.exit_code == 0, done.output
        layers = load_checkpoint(tmp_path / CHECKPOINT).recipe.layers
        assert {layer.name: layer.channels for layer in layers}["last"] == channels
    before = (tmp_path / CHECKPOINT).read_bytes()
    done = command(tmp_path / CHECKPOINT, 0.5)
    assert f"{CHECKPOINT}: would replace {tmp_path / CHECKPOINT}, which is read" in str(done.exception)
    assert (tmp_path / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(("options", "message"), [
    (["--budget", "size=50%", "--ratio", "last=0.5"], "name one of --budget, for a search, and --ratio"),
    (["--ratio", "last"], "expected a layer and a part, as conv2=0.5"),
    (["--config", "vast"], "no configuration 'vast'"),
    (["--criterion", "l2", "--ratio", "last=0.5"], "criterion must be one of svs, l1, rate, random, not 'l2'"),
    (["--budget", "much"], "budget 'much': expected size, operations or cycles"),
])
def test_wrong_options_write_nothing(source, tmp_path, options, message):
    done = CliRunner().invoke(cli.app, ["prune", str(source), "--out", str(tmp_path / "out"), *options])
    assert done.exit_code != 0
    text = " ".join(f"{done.output} {done.exception}".replace("│", " ").split())
    assert message in text
    assert not (tmp_path / "out").exists()


def test_transformers_are_not_pruned(tmp_path):
    chosen = dataclasses.replace(sample_recipe(neuron=NeuronRecipe(state_bits=16)), layers=described(blocks=1))
    made = Checkpoint.start(chosen, EVENTS, 4)
    made.epoch = chosen.training.epochs
    made.history = [{"loss": 1.0, "accuracy": 0.5}] * made.epoch
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(made, path)
    with pytest.raises(PruningError, match="embedding, transformer, heads share the channels of one stream"):
        prune(path, ratios={"conv1": 0.5})
