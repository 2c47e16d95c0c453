import random

import pytest
from spikeplane.device.frames import FrameReader, Reply, Request, decode_reply, decode_request, stuff, unstuff
from spikeplane_hw.frame import Command, Status
from spikeplane_hw.slip import END, ESC

REPLY = Reply(command=Command.READ, sequence=7, status=Status.OK, count=2, payload=b"\xc0\xdb\xdc\xdd")
REQUEST = Request(command=Command.WRITE, sequence=255, space=3, address=0xC0DBDC, count=1, payload=b"12")


def crc32(content):
    """CRC-32 bit by bit from its polynomial, reflected: neither zlib's nor Amaranth's code."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_bytes_of_a_request():
    request = Request(command=Command.WRITE, sequence=1, count=3, space=4, address=0x070605)
    content = bytes([1, Command.WRITE.value, 3, 4, 5, 6, 7])
    crc = crc32(content).to_bytes(4, "little")
    assert request.encode() == bytes([END]) + content + crc + bytes([END])


@pytest.mark.parametrize("content", [b"", b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd\xc0", bytes(range(256))])
def test_stuffing_is_undone(content):
    frame = stuff(content)
    assert frame[0] == frame[-1] == END
    assert END not in frame[1:-1]
    assert unstuff(frame[1:-1]) == content


def test_requests_and_replies_are_found_again():
    assert decode_request(unstuff(REQUEST.encode()[1:-1])) == REQUEST
    assert decode_reply(unstuff(REPLY.encode()[1:-1])) == REPLY


def test_a_field_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"^address is 16777216, limit 0\.\.16777215$"):
        Request(command=Command.READ, sequence=0, address=1 << 24).encode()


def test_reader_takes_any_pieces():
    stream = b"\x55\x66" + REPLY.encode() * 3 + bytes([END, END])
    for size in (1, 2, 3, 7, 100):
        reader = FrameReader()
        replies = []
        for start in range(0, len(stream), size):
            replies += reader.feed(stream[start : start + size])
        assert replies == [REPLY] * 3
        assert reader.damaged == 1


def test_every_damaged_byte_is_noticed():
    frame = REPLY.encode()
    draw = random.Random(1)
    for place in range(1, len(frame) - 1):
        for _ in range(20):
            damaged = bytearray(frame)
            damaged[place] ^= draw.randrange(1, 256)
            assert REPLY not in FrameReader().feed(bytes(damaged)) or damaged[place] in (ESC, END)


def test_noise_without_delimiters_is_dropped():
    reader = FrameReader()
    assert reader.feed(bytes(70000)) == []
    assert reader.rest == b""
    assert reader.feed(REPLY.encode()) == [REPLY]
