"""What a network takes of a core."""

from dataclasses import replace

import pytest
import ragged_networks
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.footprint import footprint, footprints
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.place import place
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CONFIGS, SMALL
from spikeplane_hw.memory_map import Space, memory_map


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("schedule", Schedule)
def test_words_are_those_of_the_image(seed, schedule):
    network = ragged_networks.network(seed, direct=seed % 2 == 0, taps=seed % 4 > 1)
    config = ragged_networks.CORES[seed % len(ragged_networks.CORES)]
    found = footprint(network, config, schedule)
    image = compile_network(network, config, schedule, keep_maps=False)
    for space, (address, words) in image.contents.items():
        assert found.words[space] == address + len(words), space
    assert found.words[Space.LOGITS] == len(network.logit_offset)
    for space, memory in memory_map(config).items():
        if space in found.words:
            assert found.words[space] <= memory.depth
            assert found.bits[space] == found.words[space] * memory.width
    # The last potential of the last layer that stores one lies in the last words of its memory.
    stored = [layer for layer in place(network, config, schedule, keep_maps=False).layers if layer.stored]
    if stored:
        count = stored[-1].output_height * stored[-1].output_width * stored[-1].groups
        size = count * config.lanes >> stored[-1].state_pack
        assert found.words[Space.STATES] == stored[-1].state_base * config.updates + size
    contents = sum(words.nbytes for _, words in image.contents.values())
    assert contents < found.image_bytes
    assert found.cycles == {}


def test_a_core_one_word_smaller_is_too_small():
    network = ragged_networks.network(5)
    found = footprint(network, SMALL, Schedule.STORED)
    exact = replace(SMALL, spike_depth=found.words[Space.SPIKES])
    again = footprint(network, exact, Schedule.STORED)
    assert again.words[Space.SPIKES] == found.words[Space.SPIKES]
    with pytest.raises(CompileError, match="spike memory words"):
        footprint(network, replace(exact, spike_depth=exact.spike_depth - 1), Schedule.STORED)


def test_maps_that_are_read_no_more_are_overwritten():
    config = ragged_networks.CORES[0]
    kept, taken = [], []
    for seed in range(12):
        network = ragged_networks.network(seed)
        kept.append(place(network, config).occupied_words()[Space.SPIKES])
        taken.append(footprint(network, config).words[Space.SPIKES])
    assert all(least <= most for least, most in zip(taken, kept, strict=True))
    assert taken != kept


def test_every_configuration_is_tried():
    network = ragged_networks.network(3, taps=True)
    inputs = ragged_networks.samples(network, 2)
    fitting, reasons = footprints(network, inputs)
    tried = {(found.config, found.schedule) for found in fitting} | set(reasons)
    assert tried == {(name, schedule) for name in CONFIGS for schedule in Schedule}
    assert fitting
    for found in fitting:
        assert list(found.cycles) == network.names
        assert found.total_cycles > 0
    for reason in reasons.values():
        assert "limit" in reason
