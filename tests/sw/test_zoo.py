"""The zoo's networks give what they gave when they were trained, bit for bit.

The spikes, states and logits in zoo_digests.json are those of the program of 2026-11, whose networks were chains of
layers. Images, and what the first layer of an image counts, are those of the core that runs jobs.
"""

import json
from pathlib import Path

import pytest
from spikeplane.compiler.compile import compile_network
from spikeplane.network.file import load_network
from spikeplane.network.schedule import Schedule
from spikeplane.zoo import zoo_networks
from spikeplane_hw.config import LARGE
from spikeplane_hw.memory_map import Register
from zoo_digests import CORES, digests

EXPECTED = json.loads(Path(__file__).with_name("zoo_digests.json").read_text())


@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
@pytest.mark.parametrize("name", CORES)
def test_spikes_states_logits_counters_and_images_are_as_before(name, schedule):
    found, expected = digests(name, schedule), EXPECTED[name][schedule.value]
    assert found == expected


@pytest.mark.parametrize("name", zoo_networks())
def test_networks_that_come_in_integers_are_compiled_for_large(name):
    """Their weights stream in: those that fit the chip come as checkpoints."""
    image = compile_network(load_network(zoo_networks()[name]), LARGE, keep_maps=False)
    assert image.registers[Register.STREAM_SLOTS] > LARGE.weight_depth
