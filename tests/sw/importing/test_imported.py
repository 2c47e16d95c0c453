"""From a trained network to integers and to a board's image: predictions stay, and commands know the result."""

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch
import torch
from library_spikes import snntorch_spikes
from nir_networks import SHAPE, affine, convolution, if_neurons, lif_neurons, write
from own_files import SIZE, recording_folder
from spikeplane import cli
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.interpreter import interpret
from spikeplane.data.sets.dataset import DataRecipe, Dataset
from spikeplane.importing.build import Settings
from spikeplane.importing.chain import run_stage
from spikeplane.importing.imported import float_predictions, import_modules, import_nir
from spikeplane.importing.nir_file import Meaning
from spikeplane.importing.widths import compare_widths
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.file import load_network, save_network
from spikeplane.network.input import InputFormat
from spikeplane.network.schedule import Schedule
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.evaluate import predict_integer
from spikeplane_hw.config import LARGE
from spikeplane_hw.neuron import Reset
from torch import nn

STEPS = 10
FORM = InputFormat(channels=SHAPE[0], height=SHAPE[1], width=SHAPE[2], steps=STEPS)


def data(count=60, seed=0, classes=4) -> Dataset:
    """Return noise with a bright quarter, whose place is the label."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, classes, count)
    rate = np.full((count, *SHAPE[1:]), 0.05)
    for index, label in enumerate(labels):
        rate[index, 4 * (label // 2) :, 4 * (label % 2) :][:4, :4] = 0.6
    inputs = random.random((count, STEPS, *SHAPE)) < rate[:, None, None]
    return Dataset(name="noise train", input=FORM, inputs=inputs.astype(np.uint8), labels=labels, classes=classes)


def pool(kind):
    return kind(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))


def flatten(*shape):
    return nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)


def quarters(scale: float = 0.05) -> nir.Affine:
    """Return weights of 6 channels of 4 x 4 pixels that tell quarters apart, after a pool."""
    weight = np.random.RandomState(5).normal(0, 0.02, (4, 6, 4, 4))
    for label in range(4):
        y, x = 2 * (label // 2), 2 * (label % 2)
        weight[label, :, y : y + 2, x : x + 2] += scale
    return nir.Affine(weight=weight.reshape(4, -1).astype(np.float32), bias=np.zeros(4, np.float32))


def leaky(*shape: int):
    """Return neurons whose input is as strong as that of others, at a quarter of their leak's rate."""
    return lif_neurons(*shape, tau=0.004, r=6.0)


def file(path: Path, neurons=if_neurons, last=True) -> Path:
    positive = convolution()
    positive.weight = np.abs(positive.weight) / 3
    nodes = [positive, neurons(6, 8, 8), pool(nir.AvgPool2d), flatten(6, 4, 4), quarters()]
    return write(path, *nodes, *([neurons(4)] if last else []))


@pytest.mark.parametrize(("neurons", "settings", "meaning"), [
    (if_neurons, Settings(), Meaning()),
    (if_neurons, Settings(), Meaning(strict=False, reset=Reset.SOFT)),
    (leaky, Settings(), Meaning(time_step=0.001)),
    (leaky, Settings(state_bits=8), Meaning(time_step=0.0009)),
])
@pytest.mark.parametrize("last", [True, False])
def test_integers_spike_as_the_network_did(tmp_path, neurons, settings, meaning, last):
    imported = import_nir(file(tmp_path / "a.nir", neurons, last), meaning, settings, data=data())
    test = data(seed=1)
    trained = float_predictions(imported, test.inputs)
    integer = predict_integer(imported.network, test.inputs)
    assert (trained == test.labels).mean() > 0.8
    assert (trained == integer).mean() > 0.95
    first = imported.layers[0]
    assert first.agreement is not None and first.agreement > 0.98 and first.saturated is not None
    expected = run_stage(imported.chain.stages[0], torch.from_numpy(test.inputs))
    found = model.run(imported.network, test.inputs, trace=True).spikes["0"]
    assert expected.float().mean() > 0.02
    assert (found == expected).float().mean() > 0.98


@pytest.mark.parametrize(("bits", "least"), [(8, 0.98), (4, 0.9), (2, 0.6)])
def test_fewer_bits_lose_more(tmp_path, bits, least):
    imported = import_nir(file(tmp_path / "a.nir"), settings=Settings(bits=bits), data=data())
    test = data(seed=1)
    assert (predict_integer(imported.network, test.inputs) == float_predictions(imported, test.inputs)).mean() >= least
    assert {term.weight_bits for node in imported.network.nodes[:2] for term in node.terms} == {bits}


def test_bits_of_one_node_and_of_none(tmp_path):
    imported = import_nir(file(tmp_path / "a.nir"), settings=Settings(bits=2, layer_bits={"0": 8}), data=data())
    assert [node.terms[0].weight_bits for node in imported.network.nodes] == [8, 2, 1]
    with pytest.raises(NetworkError, match=r"a.nir: no layer is named '9'; there are 0, 4"):
        import_nir(file(tmp_path / "a.nir"), settings=Settings(layer_bits={"9": 8}), data=data())
    with pytest.raises(NetworkError, match=r"a.nir: layer '0': bits must be one of 1, 2, 4, 8, not 3"):
        import_nir(file(tmp_path / "a.nir"), settings=Settings(bits=3), form=FORM)


@pytest.mark.parametrize("strict", [True, False])
def test_a_potential_that_meets_the_threshold(tmp_path, strict):
    weight = np.zeros((4, 128), np.float32)
    weight[:, 0] = 0.5
    nodes = [flatten(*SHAPE), nir.Affine(weight=weight, bias=np.zeros(4, np.float32)), if_neurons(4, threshold=0.5)]
    network = import_nir(write(tmp_path / "a.nir", *nodes), Meaning(strict=strict), form=FORM).network
    inputs = np.zeros((1, STEPS, *SHAPE), np.uint8)
    inputs[0, 3, 0, 0, 0] = 1
    assert bool(model.run(network, inputs, trace=True).spikes["1"].any()) == (not strict)


def test_potentials_below_get_room(tmp_path):
    """Potentials of neurons without a leak fall far below 0; thresholds of less than 1.0 leave room for that."""
    weight = np.zeros((4, 128), np.float32)
    weight[:, 0], weight[:, 1] = -3, 6
    nodes = [flatten(*SHAPE), nir.Affine(weight=weight, bias=np.zeros(4, np.float32)), if_neurons(4)]
    inputs = np.zeros((8, STEPS, *SHAPE), np.uint8)
    inputs[:, :6, 0, 0, 0] = inputs[:, 6:, 0, 0, 1] = 1
    samples = replace(data(8), inputs=inputs)
    path = write(tmp_path / "a.nir", *nodes)
    imported = import_nir(path, data=samples)
    assert imported.layers[0].agreement == 1.0 and imported.layers[0].saturated == 0.0
    assert imported.network.nodes[0].ending.neuron.fire_above < 1 << 12
    without = import_nir(path, form=FORM).network
    expected = run_stage(imported.chain.stages[0], torch.from_numpy(inputs))
    assert (model.run(imported.network, inputs, trace=True).spikes["1"] == expected).all()
    assert (model.run(without, inputs, trace=True).spikes["1"] != expected).any()


def test_a_leak_that_boards_do_not_have_is_refused(tmp_path):
    path = file(tmp_path / "a.nir", lif_neurons)
    meaning = Meaning(time_step=0.0003)
    with pytest.raises(NetworkError, match=r"layer '0': of its potentials 0.85 is left after a step, 16-bit potentials "
                                           r"keep 0.875: take --state-bits 8"):
        import_nir(path, meaning, form=FORM)
    rounded = import_nir(path, meaning, Settings(round_leak=True), form=FORM)
    assert rounded.network.nodes[0].ending.neuron.leak == pytest.approx(0.85)


def test_other_classes_and_missing_steps_are_named(tmp_path):
    with pytest.raises(NetworkError, match=r"a.nir: it tells 4 classes, noise train has 3"):
        import_nir(file(tmp_path / "a.nir"), data=data(classes=3))
    with pytest.raises(NetworkError, match=r"a.nir: the number of time steps is not known"):
        import_nir(file(tmp_path / "a.nir"))


def test_an_image_input_is_scaled(tmp_path):
    form = InputFormat(channels=2, height=8, width=8, steps=STEPS, bits=8, direct=True)
    inputs = np.random.RandomState(0).randint(0, 256, (20, *SHAPE)).astype(np.uint8)
    images = Dataset(name="images", input=form, inputs=inputs, labels=np.arange(20) % 4, classes=4)
    imported = import_nir(file(tmp_path / "a.nir"), data=images)
    assert imported.layers[0].agreement is not None and imported.layers[0].agreement > 0.99
    assert (predict_integer(imported.network, inputs) == float_predictions(imported, inputs)).mean() > 0.9


def test_the_file_is_one_that_compile_takes(tmp_path):
    recipe = DataRecipe(name="recordings", steps=STEPS)
    named = replace(data(), class_names=tuple("abcd"))
    imported = import_nir(file(tmp_path / "a.nir"), settings=Settings(bits=4), data=named, recipe=recipe)
    save_network(imported.network, tmp_path / "a.network")
    loaded = load_network(tmp_path / "a.network")
    assert loaded.metadata["data"]["steps"] == STEPS and loaded.metadata["class_names"] == list("abcd")
    assert loaded.metadata["imported"]["nodes"][0] == ["0", "Conv2d 6 x 2 x 3 x 3", "weights"]
    inputs = data(3).inputs
    image = compile_network(loaded, LARGE, Schedule.REGISTERS)
    expected = model.run(loaded, inputs)
    for sample, sums in zip(inputs, expected.sums.numpy(), strict=True):
        np.testing.assert_array_equal(interpret(image, sample).sums, sums)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Return what runs the command in a folder with recordings and returns its status, output and errors."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("SPIKEPLANE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    recording_folder(tmp_path / "bars", 10)
    Path("bars.toml").write_text(
        f'[data]\nname = "recordings"\nsteps = 4\nfiles = {{ train = "bars", width = {SIZE}, height = {SIZE} }}\n'
    )
    nodes = [flatten(2, SIZE, SIZE), affine(2, 2 * SIZE * SIZE), if_neurons(2)]
    write(tmp_path / "bars.nir", *nodes, source=(2, SIZE, SIZE))
    write(tmp_path / "leaky.nir", *nodes[:2], lif_neurons(2), source=(2, SIZE, SIZE))

    def invoke(*arguments):
        monkeypatch.setattr(sys, "argv", ["spikeplane", "import", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    return invoke


def test_the_command_prints_what_became_of_each_node(command):
    status, shown, errors = command("bars.nir", "bars.network", "--recipe", "bars.toml", "--test", "4", "--bits", "4")
    assert status == 0, errors
    for text in ("Affine 2 x 288", "v > threshold", "to 0", "NIR's definition", "4-bit weights 2 x 2 x 12 x 12 (twos)",
                 "recordings test, 4 samples:", "same predictions", "integer network: bars.network"):
        assert text in shown
    network = load_network("bars.network")
    assert network.metadata["class_names"] == ["lies", "stands"]
    assert json.dumps(network.metadata["data"]["files"])


def test_the_command_compares_widths(command):
    status, shown, errors = command("bars.nir", "bars.network", "--recipe", "bars.toml", "--samples", "4", "--bits",
                                    "4", "--sweep", "8,2")
    assert status == 0, errors
    (eight,), (two,) = ([line.split("│")[1:-1] for line in shown.splitlines() if re.match(rf"│ +{bits} │", line)]
                        for bits in (8, 2))
    # 2 x 288 weights, and the 2 x 2 of the layer that counts spikes; 16 training samples, 4 of them fitted to.
    assert [each.strip() for each in eight[1:3]] == ["576", "12"] and two[1].strip() == "144"
    assert {term.weight_bits for term in load_network("bars.network").nodes[0].terms} == {4}


def test_no_samples_are_left_to_compare(tmp_path):
    few = data(10)
    with pytest.raises(ValueError, match="noise train has 10 samples, and 32 are what weights are fitted to"):
        compare_widths(
            lambda settings: import_nir(file(tmp_path / "a.nir"), settings=settings, data=few), Settings(), [8], few
        )


def test_the_command_without_data(command):
    status, shown, errors = command("bars.nir", "bars.network", "--steps", "4", "--fires", "at", "--reset", "subtract")
    assert status == 0, errors
    assert "v >= threshold" in shown and "by subtracting the threshold" in shown and "chosen, other than NIR's" in shown
    assert load_network("bars.network").input.shape == (4, 2, SIZE, SIZE)


@pytest.mark.parametrize(("arguments", "message"), [
    (["bars.nir", "x.network"], "name --recipe, whose data it is fitted to, or --steps"),
    (["bars.nir", "x.network", "--recipe", "bars.toml", "--steps", "3"], "--steps and --input are those of the recipe"),
    (["bars.nir", "x.network", "--steps", "3", "--input", "2x3"], "--input 2x3: expected channels, height and width"),
    (["bars.nir", "x.network", "--steps", "3", "--sweep", "8"], "or --steps without --test, --sweep and --fine-tune"),
    (["bars.nir", "x.network", "--recipe", "bars.toml", "--sweep", "8;4"], "--sweep 8;4: expected widths, as 8,4,2"),
    (["bars.nir", "x.network", "--steps", "3", "--layer-bits", "1"], "--layer-bits 1: expected NODE=BITS"),
    (["bars.nir", "x.network", "--steps", "3", "--input", "2x3x3"], "its input is (2, 12, 12), that of the data (2, 3"),
    (["absent.nir", "x.network", "--steps", "3"], "absent.nir: no such file"),
    (["leaky.nir", "x.network", "--steps", "3"], "node '2' (LIF): its leak depends on the time step"),
    (["bars.nir", "bars", "--steps", "3"], "bars: is a folder; name a file"),
    (["bars.nir", "x.network", "--recipe", "absent.toml"], "absent.toml"),
])
def test_bad_arguments_are_named(command, arguments, message):
    status, _, errors = command(*arguments)
    assert status in (1, 2)
    assert message in " ".join(errors.replace("│", " ").split())
    assert not Path("x.network").exists()


def test_a_missing_library_is_named(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    status, _, errors = command("bars.nir", "x.network", "--steps", "3")
    assert status == 1 and "nir is needed: install Spikeplane with its extra, as spikeplane[import]" in errors


def test_a_network_that_others_trained(monkeypatch):
    root = os.environ.get("SPIKEPLANE_DATA")
    path = Path(root or "") / "nir" / "cnn_sinabs.nir"
    if root is None or not path.is_file():
        pytest.skip("no data")
    form = InputFormat(channels=2, height=34, width=34, steps=2)
    imported = import_nir(path, form=form)
    shapes = [node.terms[0].weight.shape for node in imported.network.nodes]
    assert shapes == [(16, 2, 5, 5), (16, 16, 3, 3), (8, 16, 6, 6), (256, 8, 8, 8), (10, 256, 1, 1), (10, 10, 1, 1)]


def exact_modules(reset: str) -> list[nn.Module]:
    """Return snnTorch modules whose sums and leaks are exact in floating point and on boards."""
    random = np.random.RandomState(3)
    network = [nn.Conv2d(2, 6, 3, padding=1), snntorch.Leaky(beta=0.5, reset_mechanism=reset), nn.MaxPool2d(2),
               nn.Flatten(), nn.Linear(96, 4), snntorch.Leaky(beta=0.75, reset_mechanism=reset)]
    with torch.no_grad():
        for module, largest, mean in ((network[0], 90, 20), (network[4], 20, 1)):
            integers = random.randint(mean - largest, mean + largest, module.weight.shape)
            integers.reshape(len(integers), -1)[:, 0] = 127  # The greatest of 8 bits: the scale is 1/128.
            module.weight.copy_(torch.from_numpy(integers) / 128.0)
            module.bias.zero_()
    return network


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_modules_spike_the_same_on_a_board(reset):
    """The delayed subtraction too is exact: nothing is lost where weights and leaks are those of boards."""
    network = exact_modules(reset)
    inputs = data(6, seed=2).inputs
    imported = import_modules(network, form=FORM, name="mine")
    expected = snntorch_spikes(network, torch.from_numpy(inputs))
    assert 0.1 < expected.mean() < 0.9
    ran = model.run(imported.network, inputs, trace=True)
    assert (ran.spikes["4"].flatten(2) == expected).all()
    image = compile_network(imported.network, LARGE, Schedule.REGISTERS)
    for sample, counts in zip(inputs, expected.sum(1), strict=True):
        np.testing.assert_array_equal(interpret(image, sample).sums, counts.numpy())
    assert imported.network.metadata["imported"]["file"].startswith("mine (snntorch ")
    assert load_rows(imported)["1"].startswith("leak 0.5 a step, v > threshold, reset ")


def load_rows(imported) -> dict[str, str]:
    return {name: becomes for name, _, becomes in imported.rows}


@pytest.mark.parametrize("state_bits", [4, 8])
def test_few_bits_of_modules_keep_predictions(state_bits):
    network = [nn.Conv2d(2, 6, 3, padding=1), snntorch.Leaky(beta=0.5), nn.AvgPool2d(2), nn.Flatten(),
               nn.Linear(96, 4), snntorch.Leaky(beta=0.5)]
    with torch.no_grad():
        network[0].weight.abs_()
        network[4].weight.copy_(torch.from_numpy(quarters(0.2).weight))
    imported = import_modules(network, Settings(bits=4, state_bits=state_bits), data=data())
    test = data(seed=1)
    expected = snntorch_spikes(network, torch.from_numpy(test.inputs)).sum(1).argmax(1).numpy()
    assert (expected == test.labels).mean() > 0.8
    assert (predict_integer(imported.network, test.inputs) == expected).mean() > 0.9


def test_a_subtraction_that_hardly_anything_is_left_of_is_refused():
    network = [nn.Flatten(), nn.Linear(128, 4), snntorch.Leaky(beta=0.0)]
    with pytest.raises(NetworkError, match=r"mine: layer '1': 0 is left after a step, and the threshold is subtracted"):
        import_modules(network, form=FORM, name="mine")


def test_the_command_writes_what_a_training_begins_with(command):
    status, shown, errors = command("bars.nir", "bars.network", "--recipe", "bars.toml", "--bits", "2", "--layer-bits",
                                    "1=4", "--state-bits", "4", "--fine-tune", "tuning")
    assert status == 0, errors
    assert "trained: 100.00% same predictions on 16 training samples\n" in shown
    assert f"recipe of the fine-tuning: {Path('tuning', 'recipe.toml')}" in shown
    recipe = load_recipe("tuning/recipe.toml")
    assert [layer.weight_bits for layer in recipe.layers] == [4, 2] and recipe.name == "bars"
    assert recipe.layers[0].neuron["state_bits"] == 4 and recipe.layers[0].neuron["leak"] == 1.0
    status, _, errors = command("bars.nir", "bars.network", "--steps", "4", "--fine-tune", "tuning")
    assert status != 0 and "name --recipe, whose data it is fitted to" in errors
