"""A USB host at full speed for Amaranth's simulator, on the two lines of the bus: resets, transactions, packets."""

from dataclasses import dataclass

__all__ = ["ACK", "DATA", "IN", "NAK", "OUT", "SETUP", "BusError", "UsbHost"]

OUT, IN, SETUP = 0xE1, 0x69, 0x2D
DATA = 0xC3, 0x4B
ACK, NAK = 0xD2, 0x5A
SAMPLES = 4
"""Cycles of ``usb_io`` in a bit."""
GAP = 3
"""Bits between packets of the host."""
SILENCE = 40
"""Bits without an answer after which there is none."""
STUFFED = 6
"""Ones in a row, after which comes a zero that is not data."""


class BusError(Exception):
    """What the device sent is no packet; the message says why."""


def crc(bits: list[int], width: int, polynomial: int) -> list[int]:
    """Return the check bits of USB in the order in which they are sent: CRC5 of tokens, CRC16 of data."""
    state = (1 << width) - 1
    for bit in bits:
        top = state >> (width - 1) & 1
        state = state << 1 & (1 << width) - 1
        if top ^ bit:
            state ^= polynomial
    return [~state >> place & 1 for place in reversed(range(width))]


def bits_of(content: bytes) -> list[int]:
    """Return bits in the order in which they are sent."""
    return [byte >> place & 1 for byte in content for place in range(8)]


def bytes_of(bits: list[int]) -> bytes:
    """Return the bytes of bits in the order in which they are sent."""
    if len(bits) % 8:
        raise BusError(f"{len(bits)} bits are no whole bytes")
    parts = [bits[first:first + 8] for first in range(0, len(bits), 8)]
    return bytes(sum(bit << place for place, bit in enumerate(part)) for part in parts)


def data_check(content: bytes) -> bytes:
    """Return the check bytes behind data."""
    return bytes_of(crc(bits_of(content), 16, 0x8005))


@dataclass
class UsbHost:
    """A host in a testbench whose cycles are those of ``usb_io``."""

    context: object
    port: object
    """With the members of UsbSerial."""
    address: int = 0
    bits: int = 0
    """Bit times that have passed."""

    async def step(self, d_p: int, d_n: int, bits: int = 1) -> None:
        """Hold the lines for so many bits."""
        self.context.set(self.port.d_p_i, d_p)
        self.context.set(self.port.d_n_i, d_n)
        await self.context.tick("usb_io").repeat(SAMPLES * bits)
        self.bits += bits

    async def reset(self, bits: int) -> None:
        """Reset the device, which is then at address 0."""
        await self.step(0, 0, bits)
        await self.step(1, 0, 2 * GAP)
        self.address = 0

    async def send(self, content: bytes, extra: list[int] | None = None) -> None:
        """Send a packet: ``content`` and, of a token, bits behind it."""
        level, ones = 1, 0
        for bit in [*bits_of(b"\x80" + content), *(extra or [])]:
            if not bit:
                level ^= 1
            await self.step(level, 1 - level)
            ones = ones + 1 if bit else 0
            if ones == STUFFED:
                level, ones = level ^ 1, 0
                await self.step(level, 1 - level)
        await self.step(0, 0, 2)
        await self.step(1, 0, 1)

    async def token(self, kind: int, endpoint: int) -> None:
        """Send what begins a transaction."""
        fields = [self.address >> place & 1 for place in range(7)] + [endpoint >> place & 1 for place in range(4)]
        await self.send(bytes([kind]), [*fields, *crc(fields, 5, 0x05)])
        await self.step(1, 0, GAP)

    async def receive(self) -> bytes:
        """Return a packet of the device without its first byte, which synchronizes; empty if none comes."""
        levels = []
        waited = 0
        while not self.context.get(self.port.oe):
            if waited == SAMPLES * SILENCE:
                self.bits += SILENCE
                return b""
            await self.context.tick("usb_io")
            waited += 1
        self.bits += waited // SAMPLES
        await self.context.tick("usb_io").repeat(SAMPLES // 2)
        while self.context.get(self.port.oe):
            levels.append((self.context.get(self.port.d_p_o), self.context.get(self.port.d_n_o)))
            await self.context.tick("usb_io").repeat(SAMPLES)
            self.bits += 1
        await self.step(1, 0, GAP)
        return self.decode(levels)

    @staticmethod
    def decode(levels: list[tuple[int, int]]) -> bytes:
        """Return the packet that levels of (D+, D-) are."""
        if (0, 0) not in levels:
            raise BusError("the packet has no end")
        found, before, ones = [], 1, 0
        for d_p, d_n in levels[:levels.index((0, 0))]:
            if d_p == d_n:
                raise BusError("the lines have the same level in a packet")
            bit = int(d_p == before)
            before = d_p
            if ones == STUFFED:
                if bit:
                    raise BusError("seven ones in a row")
                ones = 0
                continue
            ones = ones + 1 if bit else 0
            found.append(bit)
        start = bytes_of(found[:8])
        if start != b"\x80":
            raise BusError(f"the packet begins with {start.hex()}")
        return bytes_of(found[8:])

    async def give(self, endpoint: int, content: bytes, toggle: int, kind: int = OUT) -> bool:
        """Send data in a transaction; return whether the device took them."""
        await self.token(kind, endpoint)
        await self.send(bytes([DATA[toggle]]) + content + data_check(content))
        answer = await self.receive()
        if answer not in (bytes([ACK]), bytes([NAK])):
            raise BusError(f"the answer to data is {answer.hex() or 'nothing'}")
        return answer == bytes([ACK])

    async def take(self, endpoint: int, toggle: int) -> bytes | None:
        """Ask for data; return them, or None if there are none yet."""
        await self.token(IN, endpoint)
        answer = await self.receive()
        if answer == bytes([NAK]):
            return None
        if not answer or answer[0] != DATA[toggle]:
            raise BusError(f"the answer to IN is {answer.hex() or 'nothing'}")
        content, check = answer[1:-2], answer[-2:]
        if check != data_check(content):
            raise BusError(f"the check is {check.hex()}")
        await self.send(bytes([ACK]))
        await self.step(1, 0, GAP)
        return content

    async def read_control(self, request: bytes, length: int) -> bytes:
        """Return what the device gives to a request."""
        await self.give(0, request, 0, kind=SETUP)
        found, toggle = b"", 1
        while len(found) < length:
            part = await self.take(0, toggle)
            if part is not None:
                found, toggle = found + part, 1 - toggle
                if len(part) < 64:
                    break
        while not await self.give(0, b"", 1):
            pass
        return found

    async def write_control(self, request: bytes) -> None:
        """Make a request without data."""
        await self.give(0, request, 0, kind=SETUP)
        while await self.take(0, 1) is None:
            pass
