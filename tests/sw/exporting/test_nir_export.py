"""Networks in NIR: our importer and snnTorch read what was written, and predict the same."""

import sys
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch
import torch
from snntorch.import_nir import import_from_nir
from spikeplane import cli
from spikeplane.data.sets.datasets import load_dataset
from spikeplane.exporting.nir_export import TIME_STEP, export_nir, nir_graph
from spikeplane.importing.chain import predict_chain
from spikeplane.importing.nir_file import Meaning, read_nir
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.endings import Fire, Logits
from spikeplane.network.file import save_network
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.pool import OrPool, Pooling
from spikeplane.network.shortcut import Shortcut
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict_integer
from spikeplane_hw.neuron import Neuron, Reset

ZOO = Path(__file__).parents[3] / "zoo"
MEANING = Meaning(time_step=TIME_STEP)
STEPS = 6


def window(source: str, out: int, inputs: int, kernel: int, seed: int, largest=4, **options) -> Window:
    random = np.random.RandomState(seed)
    settings = {
        "multiplier": random.randint(9000, 20000, out), "offset": random.randint(-20000, 20000, out), "shift": 5,
    } if options.pop("scaled", True) else {}
    return Window(
        source=source, weight=random.randint(-largest, largest + 1, (out, inputs // options.get("groups", 1), kernel,
                                                                     kernel)),
        weight_bits=4, weight_kind=WeightKind.TWOS, **settings, **options,
    )


def fire(leak=0.5, **options) -> Fire:
    pooling = options.pop("pooling", None)
    return Fire(neuron=Neuron(leak=leak, state_bits=options.pop("state_bits", 16), **options), pooling=pooling)


def samples(form: InputFormat, count=60) -> np.ndarray:
    random = np.random.RandomState(4)
    if form.direct:
        return random.randint(0, 1 << form.bits, (count, form.channels, form.height, form.width)).astype(np.uint8)
    return (random.random((count, *form.shape)) < 0.3).astype(np.uint8)


def network(*nodes, bits=1, direct=False) -> IntegerNetwork:
    """Return a network whose classes are all predicted: its offsets are the means of the logits."""
    form = InputFormat(channels=2, height=8, width=8, steps=STEPS, bits=bits, direct=direct)
    made = IntegerNetwork(input=form, nodes=nodes, logit_offset=np.zeros(4, np.int64), logit_scale=0.1)
    sums = model.run(made, samples(form)).sums.numpy()
    return replace(made, logit_offset=-sums.mean(0).astype(np.int64))


def head(source: str, inputs: int, kernel: int, **options) -> Layer:
    return Layer(name="head", terms=(window(source, 4, inputs, kernel, 9, scaled=False, **options),), ending=Logits())


POOL = Pooling(kernel=(2, 2), stride=2)
NETWORKS = {
    "convolutions, pooled head": network(
        Layer(name="a", terms=(window(INPUT, 8, 2, 3, 1, padding=1),), ending=fire()),
        Layer(name="b", terms=(window("a", 8, 8, 3, 2, stride=2, padding=1, groups=2),), ending=fire(0.75)),
        head("b", 8, 1),
    ),
    "pools, dense": network(
        Layer(name="a", terms=(window(INPUT, 6, 2, 3, 1, padding=1),), ending=fire(pooling=POOL)),
        OrPool(name="p", source="a", pooling=POOL),
        Layer(name="b", terms=(window("p", 5, 6, 2, 2),), ending=fire(1.0, fire_above=4095)), head("b", 5, 1),
    ),
    "image, head with windows": network(
        Layer(name="a", terms=(window(INPUT, 6, 2, 3, 1, largest=1, stride=2, padding=1),), ending=fire(0.0)),
        head("a", 6, 3, stride=2, padding=1), bits=4, direct=True,
    ),
}


@torch.no_grad()
def snntorch_predictions(graph, inputs: np.ndarray, form: InputFormat) -> np.ndarray:
    """Return what snnTorch's own reader of NIR makes of a graph. Samples have no dimension of a batch, as NIR's."""
    module = import_from_nir(graph)
    labels = []
    for sample in torch.from_numpy(inputs).float() / ((1 << form.bits) - 1):
        for each in module.modules():
            if isinstance(each, snntorch.Leaky):
                each.reset_mem()
        steps = [sample] * form.steps if form.direct else list(sample)
        answers = [module(step) for step in steps]
        labels.append(int(sum(each[0] if isinstance(each, tuple) else each for each in answers).argmax()))
    return np.array(labels)


@pytest.mark.parametrize("name", NETWORKS)
def test_others_predict_the_same(tmp_path, name):
    """Roundings to 1/4096 of the threshold, which NIR has not, are all that may differ."""
    ours = NETWORKS[name]
    inputs = samples(ours.input)
    expected = predict_integer(ours, inputs)
    assert len(set(expected.tolist())) == 4
    export_nir(ours, tmp_path / "a.nir")
    form = ours.input
    chain = read_nir(tmp_path / "a.nir", MEANING, (form.channels, form.height, form.width))
    given = np.repeat(inputs[:, None], STEPS, 1) if form.direct else inputs
    again = np.concatenate(list(predict_chain(chain, given, 1 / ((1 << form.bits) - 1))))
    assert (again == expected).mean() > 0.95
    if name != "pools, dense":  # snnTorch takes neurons without a leak for leaky ones.
        theirs = snntorch_predictions(nir.read(tmp_path / "a.nir"), inputs, form)
        assert (theirs == expected).mean() > 0.95


def test_a_trained_network(tmp_path):
    checkpoint = load_checkpoint(ZOO / "digits" / "checkpoint.safetensors")
    trained = export_network(checkpoint.network, checkpoint.metadata)
    with pytest.raises(NetworkError, match=r"its potentials have \d bits, and NIR has none of few bits: --quantized"):
        nir_graph(trained)
    exact = replace(trained, nodes=[
        replace(node, ending=replace(node.ending, neuron=replace(node.ending.neuron, state_bits=16)))
        if isinstance(node, Layer) and isinstance(node.ending, Fire) else node for node in trained.nodes
    ])
    part = load_dataset(load_recipe("digits").data, "test")
    inputs = part.inputs[:100]
    expected = predict_integer(exact, inputs)
    assert (expected == part.labels[:100]).mean() > 0.8
    theirs = snntorch_predictions(nir_graph(exact), inputs, exact.input)
    assert (theirs == expected).mean() > 0.97
    kept = snntorch_predictions(nir_graph(trained, quantized=True), inputs, exact.input)
    assert (kept == predict_integer(trained, inputs)).mean() > 0.8


BASE = NETWORKS["convolutions, pooled head"]


@pytest.mark.parametrize(("node", "message"), [
    (Layer(name="b", terms=(window("a", 8, 8, 3, 2, padding=1), window("a", 8, 8, 1, 2)), ending=fire()),
     "layer 'b': NIR has one window of weights for a layer"),
    (Layer(name="b", terms=(window("a", 8, 8, 1, 2), Shortcut(source="a")), ending=fire()),
     "layer 'b': NIR has one window of weights for a layer"),
    (Layer(name="b", terms=(window("a", 8, 8, 3, 2, padding=1),), ending=fire(reset=Reset.SOFT)),
     "layer 'b': its reset is SOFT"),
])
def test_what_nir_has_not_is_named(node, message):
    with pytest.raises(NetworkError, match=message):
        nir_graph(replace(BASE, nodes=[BASE.nodes[0], node, head("b", 8, 1)]))


@pytest.fixture
def command(monkeypatch, capsys):
    def invoke(*arguments):
        monkeypatch.setattr(sys, "argv", ["spikeplane", "export", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    return invoke


def test_a_branch_is_named():
    branch = Layer(name="b", terms=(window(INPUT, 8, 2, 3, 2, padding=1),), ending=fire())
    both = Layer(name="c", terms=(window("a", 8, 8, 1, 2), window("b", 8, 8, 1, 3)), ending=fire())
    with pytest.raises(NetworkError, match="layer 'b': it reads input, not what is before it"):
        nir_graph(replace(BASE, nodes=[BASE.nodes[0], branch, both, head("c", 8, 1)]))


def test_the_command(tmp_path, command):
    checkpoint = ZOO / "digits" / "checkpoint.safetensors"
    status, _, errors = command(checkpoint, tmp_path / "a.nir", "--nir")
    assert status == 1 and "--quantized writes them as if they were exact" in errors
    assert not (tmp_path / "a.nir").exists()
    status, shown, errors = command(checkpoint, tmp_path / "a.nir", "--nir", "--quantized")
    assert status == 0, errors
    assert "NIR: " in shown and read_nir(tmp_path / "a.nir", MEANING).classes == 10
    save_network(BASE, tmp_path / "a.network")
    assert command(tmp_path / "a.network", tmp_path / "b.nir", "--nir")[0] == 0
    assert read_nir(tmp_path / "b.nir", MEANING).classes == 4
    status, _, errors = command(checkpoint, tmp_path / "c", "--quantized")
    assert status == 2 and "--quantized is of --nir" in errors


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(NetworkError, match=r"nir is needed: install Spikeplane with its extra, as spikeplane"):
        export_nir(BASE, tmp_path / "a.nir")
