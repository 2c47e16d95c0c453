"""Tests of memory outside the chip find what a board can do wrong, and name where."""

from dataclasses import replace

import numpy as np
import pytest
from ragged_networks import CORES
from spikeplane.device.driver import DeviceError, Driver
from spikeplane.device.external_memory import PIECE, check_lines, check_memory
from spikeplane.device.simulated import SimulatedTransport
from spikeplane_hw.memory_map import Space
from spikeplane_hw.simulated_device import SimulatedDevice

CONFIG = replace(CORES[0], external_depth=1 << 12)


class Board:
    """A driver whose memory outside the chip is an array: ``place`` and ``pass_on`` are what its lines do."""

    def __init__(self, place=lambda address: address, pass_on=lambda bits: bits, config=CONFIG):
        self.open_config, self.image = config, None
        self.place, self.pass_on = place, pass_on
        self.words = np.zeros((config.external_depth, 16), np.uint8)

    def write(self, space, address, words):
        assert space is Space.EXTERNAL
        self.words[self.place(np.arange(address, address + len(words)))] = words

    def read(self, space, address, count):
        beats = self.words[self.place(np.arange(address, address + count))].view("<u2")
        return self.pass_on(beats.copy()).view(np.uint8)


def test_good_memory_passes():
    board = Board()
    check_lines(board)
    assert check_memory(board) == CONFIG.external_depth
    assert check_memory(board, 100) == 100


def test_nothing_there():
    message = "13 of 13 bursts .* at address 0: wrote [0-9a-f]{32}, read f{32}; is the memory there"
    with pytest.raises(DeviceError, match=message):
        check_lines(Board(pass_on=lambda beats: beats * 0 + 0xFFFF))


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_stuck_data_line(stuck):
    def pass_on(beats):
        return beats | 1 << 9 if stuck else beats & ~np.uint16(1 << 9)

    with pytest.raises(DeviceError, match=r"see data line 9$"):
        check_lines(Board(pass_on=pass_on))


def test_swapped_data_lines():
    def pass_on(beats):
        low, high = beats >> 3 & 1, beats >> 12 & 1
        return beats & ~np.uint16(1 << 3 | 1 << 12) | high << 3 | low << 12

    with pytest.raises(DeviceError, match=r"see data lines 3, 12$"):
        check_lines(Board(pass_on=pass_on))


@pytest.mark.parametrize("bit", [0, 7, 11])
def test_a_stuck_address_line(bit):
    with pytest.raises(DeviceError, match=r"at address 0: .*; see its address lines"):
        check_lines(Board(place=lambda address: address & ~(1 << bit)))


def test_swapped_address_lines_hold_all_that_is_written():
    """They are no fault: every address still has a place of its own."""
    def place(address):
        low, high = address >> 2 & 1, address >> 5 & 1
        return address & ~(1 << 2 | 1 << 5) | high << 2 | low << 5

    assert check_memory(Board(place=place)) == CONFIG.external_depth


@pytest.mark.parametrize("address", [3, PIECE - 2, CONFIG.external_depth - 3])
def test_a_weak_cell(address):
    class Weak(Board):
        def read(self, space, first, count):
            found = super().read(space, first, count)
            if first <= address < first + count:
                found[address - first, 5] |= 4
            return found

    check_lines(Weak())
    with pytest.raises(DeviceError, match=rf"1 of \d+ bursts .* at address {address}: .*; see data line 10$"):
        check_memory(Weak())


def test_a_core_without_such_memory():
    with pytest.raises(DeviceError, match="narrow has no memory outside the chip"):
        check_memory(Board(config=CORES[0]))


class Soldered(SimulatedDevice):
    """A board on which data line 4 of the memory touches ground."""

    def elaborate_pins(self, m, controller, chip):
        for name in ("command", "bank", "address", "write", "write_data"):
            m.d.comb += getattr(chip, name).eq(getattr(controller, name))
        m.d.comb += controller.read_data.eq(chip.read_data & ~(1 << 4))


def test_boards():
    with SimulatedTransport(CONFIG) as transport, Driver(transport, CONFIG) as driver:
        assert check_memory(driver, 64) == 64
    with (
        SimulatedTransport(CONFIG, device=Soldered(CONFIG)) as transport, Driver(transport, CONFIG) as driver,
        pytest.raises(DeviceError, match=r"see data line 4$"),
    ):
        check_lines(driver)
