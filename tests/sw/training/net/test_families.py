"""Families of networks: the sizes that the papers' networks have."""

from pathlib import Path

import pytest
import torch
from spikeplane.network.input import InputFormat
from spikeplane.training.net.families import FAMILIES, NetworkRecipe
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.net.quantizers import BinaryWeight

IMAGE = InputFormat(channels=3, height=32, width=32, steps=2, bits=8, direct=True)
EVENTS = InputFormat(channels=2, height=48, width=48, steps=2)
PAGE = (Path(__file__).parents[4] / "docs/training.md").read_text()


def create(form: InputFormat, classes: int = 10, **options) -> SpikingNetwork:
    return SpikingNetwork(form, NetworkRecipe(**options).layers(), NeuronRecipe(), classes)


@pytest.mark.parametrize(("family", "form", "weights", "neurons"), [
    # In millions where a paper or its code gives the number; see docs/training.md.
    ("bestformer", IMAGE, 9.28, 1_556_480),
    ("resnet19", IMAGE, 12.559, 1_441_792),
    ("resnet20", IMAGE, 17.04, 1_441_792),
    ("vgg16", IMAGE, 14.72, 276_480),
    ("vggsnn", EVENTS, 9.26, 921_600),
    ("vgg11", IMAGE, 9.22, 151_552),
    ("vgg9", IMAGE, 5.94, 246_784),
])
def test_sizes(family, form, weights, neurons):
    network = create(form, family=family)
    digits = len(str(weights).partition(".")[2])
    assert round(network.weight_count / 1e6, digits) == weights
    assert network.neuron_count == neurons


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_has_the_sizes(family):
    network = create(EVENTS if family == "vggsnn" else IMAGE, family=family)
    (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{family}` |"))
    _, _, _, width, weights, neurons, *_ = (cell.strip() for cell in row.split("|"))
    first, *_ = network.neuron_shapes.values()
    assert int(width) == first[0]
    assert weights == f"{network.weight_count:,}" and neurons == f"{network.neuron_count:,}"


@pytest.mark.parametrize("family", FAMILIES)
def test_edges_have_8_bits_and_the_rest_is_binary(family):
    first, *inner, last = NetworkRecipe(family=family).layers()
    assert (first.kind, last.kind) == ("conv", "heads" if family == "bestformer" else "classifier")
    assert {(layer.weights, layer.weight_bits) for layer in (first, last)} == {("absmax", 8)}
    weighted = [layer for layer in inner if layer.kind != "pool"]
    assert {(layer.weights, layer.weight_bits) for layer in weighted} == {("binary", 1)}
    changed = NetworkRecipe(family=family, weights="odd", weight_bits=2, edge_bits=4).layers()
    assert {layer.weight_bits for layer in changed if layer.kind != "pool"} == {2, 4}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_width_scales_all_channels_and_maps_stay_binary(family):
    whole, narrow = NetworkRecipe(family=family).layers(), NetworkRecipe(family=family, width=2).layers()
    share = whole[0].channels // 2
    assert [layer.channels for layer in whole] == [share * layer.channels for layer in narrow]
    network = create(IMAGE, family=family, width=2)
    logits, spikes = network(torch.randint(0, 256, (4, 3, 32, 32)))
    assert logits.shape == (2, 4, 10)
    assert all(set(maps.unique().tolist()) <= {0.0, 1.0} for maps in spikes.values())
    assert {name for name in spikes if not name.startswith("pool")} == set(network.neuron_shapes)


def test_shortcuts_are_the_familys_own_unless_given():
    kinds = {
        family: {layer.shortcut for layer in NetworkRecipe(family=family).layers() if layer.kind == "block"}
        for family in ("resnet19", "resnet20")
    }
    assert kinds == {"resnet19": {"conv"}, "resnet20": {"pad"}}
    padded = create(IMAGE, family="resnet19", shortcut="pad")
    assert create(IMAGE, family="resnet19").weight_count - padded.weight_count == 128 * 256 + 256 * 512


@pytest.mark.parametrize(("options", "message"), [
    ({"family": "lenet"}, "network.family must be one of bestformer, .* not 'lenet'"),
    ({"family": "vgg9", "width": 0}, "network.width must be positive, not 0"),
    ({"family": "vgg9", "shortcut": "pad"}, "network.shortcut is 'pad', but vgg9 has no blocks"),
])
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        NetworkRecipe(**options)


def test_the_transformer_has_the_published_parameters():
    """As counted in the authors' log: 9,314,884, of which 9,275,904 are binary weights."""
    form = InputFormat(channels=3, height=32, width=32, steps=4, bits=8, direct=True)
    network = create(form, family="bestformer", transformer={"scales": "step"})
    assert sum(value.numel() for value in network.parameters()) == 9_314_884
    binary = [
        module for module in network.modules() if isinstance(getattr(module, "quantizer", None), BinaryWeight)
    ]
    assert sum(module.weight.numel() for module in binary) == 9_275_904


@pytest.mark.parametrize(("options", "message"), [
    ({"depth": 0}, "depth must be positive, not 0"),
    ({"tokenizer": "1 P"}, "tokenizer must be widths, as 1 and 2s, and P, a width first and last, not '1 P'"),
    ({"tokenizer": "1 x 2"}, "tokenizer must be widths"),
    ({"heads": 7}, "layer 'block1': 7 heads do not divide 384 channels"),
    ({"tokens": 7}, r"unknown key network\.transformer\.tokens; known are heads"),
])
def test_bad_transformers_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        create(IMAGE, family="bestformer", transformer=options)
    with pytest.raises(ValueError, match=r"network\.transformer is set, but vgg9 has no transformer blocks"):
        NetworkRecipe(family="vgg9", transformer=options)
