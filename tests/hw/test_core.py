from dataclasses import replace

import numpy as np
import pytest
from configs import NARROW, WIDE
from core_bench import run_image
from random_networks import random_network, random_samples
from spikeplane.compiler import compile_network
from spikeplane.model import run
from spikeplane.network import Schedule
from spikeplane_hw.memory_map import Counter

DEEP = {
    "spike_depth": 1024, "weight_depth": 2048, "state_depth": 2048, "parameter_depth": 64,
    "pass_count": 128, "row_flag_count": 256, "logit_count": 32,
}
CONFIGS = [replace(config, **DEEP) for config in (NARROW, WIDE)]
EXACT = [counter for counter in Counter if counter is not Counter.CYCLES]


def check(network, config, schedule, samples):
    image = compile_network(network, config, schedule=schedule, keep_states=True)
    expected = run(network, samples, schedule=schedule, config=config, trace=True)
    for index, result in enumerate(run_image(image, samples)):
        for layer, spikes in result["spikes"].items():
            reference = expected.spikes[layer][index].numpy()
            if schedule is Schedule.STORED:
                reference = reference[-1:]
            np.testing.assert_array_equal(spikes, reference, err_msg=image.layers[layer].name)
        np.testing.assert_array_equal(result["logits"], expected.logits[index].numpy())
        for layer, states in result["states"].items():
            np.testing.assert_array_equal(
                states, expected.states[layer][index].numpy(), err_msg=image.layers[layer].name
            )
        for layer, counters in enumerate(expected.counters):
            for counter in EXACT:
                assert result["counters"][layer, counter.value] == counters[counter][index], (
                    image.layers[layer].name, counter,
                )


@pytest.mark.parametrize("direct", [False, True], ids=["events", "direct"])
@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.name)
def test_core_equals_the_integer_model(config, seed, schedule, direct):
    network = random_network(seed, channels=config.lanes + 3, direct=direct)
    check(network, config, schedule, random_samples(network, 2, seed))
