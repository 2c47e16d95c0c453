"""Bytes of AEStream and of faery become the events that were sent, whatever pieces they come in."""

import numpy as np
import pytest
from packet_senders import encode
from spikeplane.data.formats.events import EVENT
from spikeplane.live.packets import PACKETS, PacketReader


def events(count=50, seed=0) -> np.ndarray:
    random = np.random.RandomState(seed)
    made = np.zeros(count, EVENT)
    made["x"], made["y"], made["polarity"] = (random.randint(limit, size=count) for limit in (1 << 15, 1 << 15, 2))
    return made


@pytest.mark.parametrize(("name", "timed"), [("spif", False), ("spif", True), *((each, True) for each in PACKETS)])
@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_events_come_back(name, timed, piece):
    content = encode(name, events(), timed)
    reader = PacketReader(name)
    found = np.concatenate([reader.read(content[at : at + piece]) for at in range(0, len(content), piece)])
    np.testing.assert_array_equal(found, events())
    assert reader.take_left() == 0


def test_bytes_that_are_no_whole_event_are_counted():
    reader = PacketReader("spif")
    assert len(reader.read(encode("spif", events(2)) + b"abc")) == 2
    assert reader.take_left() == 3 and reader.take_left() == 0
    assert len(reader.read(encode("spif", events(1), timed=True)[:4])) == 0
    assert reader.take_left() == 4


@pytest.mark.parametrize("piece", [1, 4, 7, 4096])
def test_words_with_and_without_times_may_mix(piece):
    sent = events(30)
    parts = [encode("spif", sent[at : at + 3], timed=at % 2 == 0) for at in range(0, 30, 3)]
    content, reader = b"".join(parts), PacketReader("spif")
    found = np.concatenate([reader.read(content[at : at + piece]) for at in range(0, len(content), piece)])
    np.testing.assert_array_equal(found, sent)


def test_unknown_packets_are_named():
    with pytest.raises(ValueError, match="packets 'x', must be one of spif, t64_x16_y16_on8, t32_x16_y15_on1"):
        PacketReader("x")
