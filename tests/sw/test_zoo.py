"""The zoo's networks give what they gave when they were trained, bit for bit.

The spikes, states and logits in zoo_digests.json are those of the program of 2026-11, whose networks were chains of
layers. Images, and what the first layer of an image counts, are those of the core that runs jobs.
"""

import json
from pathlib import Path

import pytest
from spikeplane.network.schedule import Schedule
from zoo_digests import CORES, digests

EXPECTED = json.loads(Path(__file__).with_name("zoo_digests.json").read_text())


@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
@pytest.mark.parametrize("name", CORES)
def test_spikes_states_logits_counters_and_images_are_as_before(name, schedule):
    found, expected = digests(name, schedule), EXPECTED[name][schedule.value]
    assert found == expected
