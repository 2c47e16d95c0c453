"""A board whose core was built without statistics: everything but its counters is compared."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import ragged_networks
from narrow_core import CONFIG
from spikeplane.comparison_report import run_comparison
from spikeplane.compiler.compile import compile_network
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import DeviceError, Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import Space

UNCOUNTED = replace(CONFIG, name="uncounted", statistics=False)


@pytest.fixture(scope="module")
def transport():
    with SimulatedTransport(UNCOUNTED) as transport:
        yield transport


@pytest.fixture
def driver(transport):
    driver = Driver(transport, UNCOUNTED, timeout=0.01)
    driver.open()
    return driver


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_all_else_equals_the_integer_model(driver, schedule):
    for seed in (2, 4, 10):
        network = ragged_networks.network(seed)
        driver.load(compile_network(network, UNCOUNTED, schedule, keep_states=True))
        assert driver.self_test() > 0
        result = compare_with_model(driver, network, ragged_networks.samples(network, 2))
        assert result.total == 0 and result.cycles.shape == (2, 0)
        assert set(result.compared) == {"spikes", "states", "logits"}
        assert result.compared["spikes"] > 0 < result.compared["logits"]


def test_nothing_is_said_of_counters(driver):
    network = ragged_networks.network(10)
    driver.load(compile_network(network, UNCOUNTED))
    answer = driver.run(ragged_networks.samples(network, 1)[0])
    assert len(answer.counters) == 0
    with pytest.raises(DeviceError, match=r"^the core counts no cycles: it was built without statistics$"):
        _ = answer.cycles
    with pytest.raises(DeviceError, match=r"^the core has no COUNTERS: it was built without statistics$"):
        driver.read(Space.COUNTERS, 0, 1)
    with pytest.raises(DeviceError, match=r"^READ of 1 words from COUNTERS 0: .*the words lie beyond the space"):
        driver.session.read(Space.COUNTERS, 0, 4, 1)


def test_the_command_says_that_nothing_is_counted(driver, capsys, tmp_path):
    """The rest is there: which classes are taken for which, and what is predicted of each sample, in a file."""
    network = ragged_networks.network(10)
    inputs = ragged_networks.samples(network, 2)
    classes = len(network.logit_offset)
    names = [f"class, {number}" for number in range(classes)]
    ready = SimpleNamespace(
        image=compile_network(network, UNCOUNTED), network=network, inputs=inputs, labels=np.zeros(2, np.int64),
        indices=np.array([7, 3]), names=names,
    )
    run_comparison(driver, ready, confusion=True, predictions=tmp_path / "found.csv")
    lines = capsys.readouterr().out.splitlines()
    predicted = model.run(network, inputs, counters=False).predictions.tolist()
    with (tmp_path / "found.csv").open() as file:
        assert list(csv.reader(file)) == [
            ["sample", "class", "predicted"], *([str(index), names[0], names[found]] for index, found in
                                                zip((7, 3), predicted, strict=True)),
        ]
    (row,) = (line for line in lines if line.startswith(f"│ {names[0]} "))
    counts = [predicted.count(label) for label in range(classes)]
    assert [int(cell.strip() or 0) for cell in row.split("│")[2:-1]] == counts
    for what in ("cycles a sample", "counters: mismatches"):
        (line,) = (line for line in lines if what in line)
        assert "not counted: the core has no statistics" in line
