"""Where live events come from: what real senders send arrives, in bins, and what is wrong is named."""

import gc
import os
import socket
import threading
import time
import warnings
from fractions import Fraction

import faery
import numpy as np
import pytest
from own_files import SIZE, bar_events
from packet_senders import encode
from spikeplane.data.formats.events import Recording
from spikeplane.data.sets.bins import TimeBins
from spikeplane.live.packets import PacketReader
from spikeplane.live.sources import FileSource, SourceError, StandardInput, TcpSource, UdpSource, open_source

EVENTS = bar_events(0, 1)
EVERY = 0.01


def address(bound: socket.socket) -> tuple[str, int]:
    return bound.getsockname()[:2]


def sorted_places(bins) -> list[tuple[int, int, int]]:
    every = np.concatenate([each.events for each in bins])
    return sorted(zip(every["x"].tolist(), every["y"].tolist(), every["polarity"].tolist(), strict=True))


PLACES = sorted(zip(EVENTS["x"].tolist(), EVENTS["y"].tolist(), EVENTS["polarity"].tolist(), strict=True))


def recording() -> Recording:
    return Recording(name="bar", events=EVENTS, width=SIZE, height=SIZE)


def test_a_file_is_binned_by_its_times():
    bins = list(FileSource(name="bar", recording=recording(), patient=True).bins(0.001, threading.Event()))
    assert [each.index for each in bins] == list(range(len(bins)))
    for each in bins:
        assert ((EVENTS["t"] // 1000 == each.index) == np.isin(EVENTS["t"], each.events["t"])).all()
        assert (each.arrived is None) == (not len(each.events))
    assert sorted_places(bins) == PLACES


@pytest.mark.parametrize("duration, steps", [(90_000, 10), (130_000, 10), (300_000, 18), (100_000, 24)])
@pytest.mark.parametrize("exact", [True, False])
def test_a_file_has_the_steps_of_the_training(duration, steps, exact):
    """Events at the edges are in the step that training puts them in: no float decides it."""
    edges = [-(-step * duration // steps) for step in range(steps)]
    times = sorted({time for edge in edges for time in (max(0, edge - 1), edge, edge + 1)})
    events = np.zeros(len(times), EVENTS.dtype)
    events["t"] = times
    events["x"] = np.arange(len(times))
    moving = Recording(name="edges", events=events, width=len(times), height=1)
    every = Fraction(duration, steps * 1_000_000)
    source = FileSource(name="edges", recording=moving, patient=True)
    found = list(source.bins(every if exact else float(every), threading.Event()))
    trained = TimeBins(steps=steps, duration=duration).spikes(moving)
    assert [each.events["x"].tolist() for each in found] == [np.flatnonzero(step[0, 0]).tolist() for step in trained]


def test_a_file_goes_at_its_own_speed():
    begun = time.monotonic()
    bins = [(time.monotonic() - begun, each) for each in
            FileSource(name="bar", recording=recording()).bins(0.001, threading.Event())]
    for seconds, each in bins:  # Never early; how late is the machine's.
        assert seconds >= 0.001 * (each.index + 1) - 1e-4
        assert each.arrived is None or each.arrived <= begun + seconds + 0.001


def collect(source, enough: int, stopping: threading.Event):
    """Return bins of ``source`` until there are so many events, or none comes any more."""
    found, count = [], 0
    for each in source.bins(EVERY, stopping):
        found.append(each)
        count += len(each.events)
        if count >= enough or len(found) == 500:  # 5 s: what has not come by then does not come.
            stopping.set()
    return found


@pytest.mark.parametrize("packets", ["t64_x16_y16_on8", "t32_x16_y15_on1"])
def test_faery_sends_over_udp(packets):
    source = open_source("udp://127.0.0.1:0", packets)
    assert isinstance(source, UdpSource)
    sent = np.zeros(len(EVENTS), faery.EVENTS_DTYPE)
    for name, ours in (("t", "t"), ("x", "x"), ("y", "y"), ("on", "polarity")):
        sent[name] = EVENTS[ours]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # faery leaves its socket to the garbage collection.
            stream = faery.events_stream_from_array(sent, (SIZE, SIZE))
            stream.to_udp(address(source.socket), events_per_packet=5, format=packets)
            gc.collect()
        bins = collect(source, len(EVENTS), threading.Event())
    finally:
        source.close()
    assert sorted_places(bins) == PLACES and source.bytes_left == 0


@pytest.mark.parametrize("timed", [False, True])
def test_spif_over_udp(timed):
    source = open_source("udp://127.0.0.1:0")
    assert isinstance(source, UdpSource)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(encode("spif", EVENTS[:9], timed) + b"xy", address(source.socket))
        sender.sendto(encode("spif", EVENTS[9:], timed), address(source.socket))
        bins = collect(source, len(EVENTS), threading.Event())
    source.close()
    assert sorted_places(bins) == PLACES
    assert source.bytes_left == 2  # Of a packet that was cut, and of no other one.


def test_tcp_up_to_its_end():
    content = encode("spif", EVENTS) + b"abc"
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = address(server)
        source = open_source(f"tcp://{host}:{port}")
        connection, _ = server.accept()
        with connection:
            for at in range(0, len(content), 7):
                connection.sendall(content[at : at + 7])
        bins = list(source.bins(EVERY, threading.Event()))
    source.close()
    assert isinstance(source, TcpSource) and sorted_places(bins) == PLACES and source.bytes_left == 3
    assert all((each.arrived is None) == (not len(each.events)) for each in bins)


def test_a_connection_that_breaks_off_is_named():
    ours, other = socket.socketpair()
    source = TcpSource(name="tcp://board:1", reader=PacketReader("spif"), socket=ours)
    other.close()
    ours.close()
    with pytest.raises((SourceError, OSError)):
        list(source.bins(EVERY, threading.Event()))


def test_standard_input_up_to_its_end():
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(encode("spif", EVENTS))
    with os.fdopen(reading, "rb") as pipe:
        source = StandardInput(name="standard input", reader=PacketReader("spif"), file=pipe)
        bins = list(source.bins(EVERY, threading.Event()))
    assert sorted_places(bins) == PLACES


def test_nothing_comes_and_steps_go_on():
    source = open_source("udp://127.0.0.1:0")
    stopping = threading.Event()
    bins = []
    for each in source.bins(EVERY, stopping):
        bins.append(each)
        if len(bins) == 3:
            stopping.set()
    source.close()
    assert [(each.index, len(each.events), each.arrived) for each in bins] == [(index, 0, None) for index in range(3)]


@pytest.mark.parametrize(("text", "message"), [
    ("http://x:1", r"http://x:1: expected a file, udp://HOST:PORT, tcp://HOST:PORT or stdin"),
    ("udp://127.0.0.1", r"udp://127.0.0.1: expected a host and a port, as udp://127.0.0.1:3333"),
    ("udp://127.0.0.1:99999", r"udp://127.0.0.1:99999: expected a host and a port"),
    ("tcp://127.0.0.1:1/x", r"tcp://127.0.0.1:1/x: expected a host and a port"),
    ("tcp://127.0.0.1:1", r"tcp://127.0.0.1:1: Connection refused"),
])
def test_sources_that_are_none_are_named(text, message):
    with pytest.raises(SourceError, match=message):
        open_source(text)


def test_a_port_that_is_taken_and_a_socket_that_cannot_wait():
    source = open_source("udp://127.0.0.1:0")
    assert isinstance(source, UdpSource)
    host, port = address(source.socket)
    with pytest.raises(SourceError, match=rf"udp://{host}:{port}: Address already in use"):
        open_source(f"udp://{host}:{port}")
    source.close()
    with pytest.raises(SourceError, match="only a file can go as fast as the board"):
        open_source("udp://127.0.0.1:0", fast=True)
    with pytest.raises(ValueError, match="packets 'x', must be one of"):
        open_source("stdin", "x")


def test_a_file_that_is_damaged_is_named():
    with pytest.raises(ValueError, match="the recording has no events"):
        open_source("bar.npz", read=lambda path: Recording(name=str(path), events=EVENTS[:0], width=1, height=1))
