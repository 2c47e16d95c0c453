"""The digits in front of the event camera."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from spikeplane.compiler.place import place
from spikeplane.data.sets.bins import TimeBins
from spikeplane.data.sets.datasets import DataRecipe, load_dataset
from spikeplane.data.sets.digits import PATH, TEST_COUNT, TRAIN_COUNT, digit_recordings
from spikeplane.training.net.export import export_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.checkpoint import Checkpoint
from spikeplane_hw.config import SMALL, TINY


def test_parts_are_disjoint_and_complete():
    parts = [digit_recordings(part) for part in ("train", "test")]
    assert [len(part) for part in parts] == [TRAIN_COUNT, TEST_COUNT]
    indices = [int(recording.name.split()[1]) for part in parts for recording in part]
    assert sorted(indices) == list(range(TRAIN_COUNT + TEST_COUNT))
    target = load_digits().target
    assert [r.label for part in parts for r in part] == target[indices].tolist()
    for recording in parts[1]:
        recording.verify()


def test_dataset_holds_the_binned_recordings():
    dataset = load_dataset(DataRecipe(name="digits", steps=4), "test")
    recording = digit_recordings("test")[7]
    np.testing.assert_array_equal(dataset.inputs[7], TimeBins(steps=4, duration=PATH.total).spikes(recording))
    assert dataset.input.shape == dataset.inputs.shape[1:] == (4, 2, 16, 16)
    assert 0.08 < dataset.inputs.mean() < 0.25
    again = load_dataset(DataRecipe(name="digits", steps=4), "test")
    assert dataset.checksum == again.checksum
    again.labels[0] += 1
    assert dataset.checksum != again.checksum


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match='part must be "train" or "test", not \'all\''):
        digit_recordings("all")
    with pytest.raises(ValueError, match=r"data\.name must be one of .*, not 'letters'"):
        load_dataset(DataRecipe(name="letters", steps=1), "test")


def test_the_recipe_is_mixed_and_fits_the_small_cores():
    dataset = load_dataset(load_recipe("digits").data, "test")
    untrained = Checkpoint.start(load_recipe("digits"), dataset.input, dataset.classes).network
    network = export_network(untrained)
    weighted = [node.terms[0] for node in network.nodes if node.kind == "layer"]
    first, *inner, classifier = weighted
    assert (first.weight_bits, classifier.weight_bits) == (8, 8)
    assert {layer.weight_bits for layer in inner} == {1}
    needs = [node.memory(network.maps()) for node in network.nodes]
    assert {need.potential_bits for need in needs if need.potential_bits} == {2, 4}
    assert network.maps()["conv4"].shape[1:] != (1, 1)  # pooled: logits of several pixels add up
    place(network, SMALL, keep_states=True)
    place(network, TINY)
