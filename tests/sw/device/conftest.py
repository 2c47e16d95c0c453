"""The narrow core, simulated, and a driver of it."""

import pytest
from narrow_core import CONFIG
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport


@pytest.fixture(scope="module")
def transport():
    with SimulatedTransport(CONFIG) as transport:
        yield transport


@pytest.fixture
def driver(transport):
    driver = Driver(transport, CONFIG, timeout=0.01)
    driver.open()
    return driver
