"""The serial port over USB against a simulated host, bit by bit on the bus, and on the pins of boards."""

import re
from dataclasses import replace

import pytest
from spikeplane.boards import BOARDS
from spikeplane_boards.board import Top
from spikeplane_boards.usb_pins import usb_port
from spikeplane_boards.usb_serial import PACKET, VENDOR_PRODUCT
from test_build import Echo
from usb_host import BusError, UsbHost, crc
from usb_simulation import ENDPOINT, begin, simulate

pytest.importorskip("luna", reason="LUNA has the device")


def test_bytes_come_back():
    """Packets that are full, with stuffed bits, and one that is not full come back whole, behind an empty answer."""
    found = {}

    async def use(host):
        found["descriptor"] = await begin(host)
        assert await host.take(ENDPOINT, 0) is None
        found["sent"] = sent = bytes(range(200, 256)) + b"\xff" * 8 + b"end"
        for number, first in enumerate(range(0, len(sent), PACKET)):
            while not await host.give(ENDPOINT, sent[first:first + PACKET], number % 2):
                pass
        received, toggle = b"", 0
        while len(received) < len(sent):
            part = await host.take(ENDPOINT, toggle)
            if part is not None:
                received, toggle = received + part, 1 - toggle
        found["received"] = received

    simulate(use)
    descriptor = found["descriptor"]
    assert len(descriptor) == 18
    numbers = int.from_bytes(descriptor[8:10], "little"), int.from_bytes(descriptor[10:12], "little")
    assert numbers == VENDOR_PRODUCT
    assert found["received"] == bytes(byte + 1 & 0xFF for byte in found["sent"])


def test_host_slows_down():
    """A host that gives more than is taken hears so, and nothing is lost when the device goes on."""
    found = {}

    async def use(host):
        await begin(host)
        given = 0
        while given < 8 and await host.give(ENDPOINT, bytes([given] * PACKET), given % 2):
            given += 1
        found["given"] = given
        received, toggle = b"", 0
        while len(received) < given * PACKET:
            part = await host.take(ENDPOINT, toggle)
            if part is not None:
                received, toggle = received + part, 1 - toggle
        found["received"] = received

    simulate(use)
    assert 2 <= found["given"] < 8
    assert found["received"] == b"".join(bytes([number + 1] * PACKET) for number in range(found["given"]))


def test_check_bits():
    """Behind any bits and their check bits is the residue that USB's specification gives, here inverted."""
    for number in (0, 0x715, 0x2AA, 0x7FF):
        bits = [number >> place & 1 for place in range(11)]
        assert crc(bits + crc(bits, 5, 0x05), 5, 0x05) == [not bit for bit in (0, 1, 1, 0, 0)]
        residue = [int(bit) for bit in "1000000000001101"]
        assert crc(bits + crc(bits, 16, 0x8005), 16, 0x8005) == [not bit for bit in residue]
    with pytest.raises(BusError, match=r"^the packet has no end$"):
        UsbHost.decode([(1, 0)] * 8)


@pytest.mark.parametrize("name", [name for name in BOARDS if name.startswith("ulx3s")])
def test_pins_and_clocks(name):
    """The clocks are in the ratio that LUNA's receiver needs, and near enough to those of the bus."""
    board = replace(BOARDS[name], usb=True)
    constraints = board.platform().prepare(Top(board, Echo()), "top").files["top.lpf"]
    assert {"D15", "E15", "B12"} == set(re.findall(r'COMP "usb_0__\w+__io" SITE "(\w+)"', constraints))
    clocks = {name: float(hertz) for name, hertz in re.findall(r'NET "(\w+)" ([\d.]+) HZ', constraints)}
    assert clocks["usb_io_clock"] == pytest.approx(4 * clocks["usb_clock"])
    assert clocks["usb_clock"] == pytest.approx(12e6, rel=0.0025)
    assert clocks["clock"] == board.clock


@pytest.mark.parametrize(("name", "message"), [
    ("icebreaker", r"^usb: ICEBreakerPlatform must have an ECP5, whose PLL makes both clocks of USB$"),
    ("icepi-zero", r"^usb: IcepiZero1_3Platform must have one pull-up, of D\+, not 2$"),
])
def test_boards_without_usb(name, message):
    with pytest.raises(ValueError, match=message):
        usb_port(None, BOARDS[name].platform(), None)
