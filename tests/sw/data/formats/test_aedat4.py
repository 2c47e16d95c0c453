"""AEDAT files of version 4."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from recording_samples import aedat_4_0, random_events, table
from spikeplane.data.formats import aedat4
from spikeplane.data.formats.aedat4 import read_aedat4
from spikeplane.data.formats.events import RecordingError, RecordingWarning

DATA = os.environ.get("SPIKEPLANE_DATA")
EVENTS = random_events(250, 70, 50)


def closed(raw: bytes) -> bytes:
    """Return the file with the position of its table of packets, which is behind the last one."""
    position = struct.pack("<q", -1)
    assert raw.count(position) == 1
    return raw.replace(position, struct.pack("<q", len(raw)))


@pytest.mark.parametrize("compression", range(5))
def test_events(tmp_path, compression):
    compress = bytes
    if compression in (1, 2):
        compress = pytest.importorskip("lz4.frame").compress
    elif compression:
        compress = pytest.importorskip("zstandard").ZstdCompressor().compress
    path = tmp_path / "sample.aedat4"
    path.write_bytes(aedat_4_0(EVENTS, 70, 50, compression, compress))
    recording = read_aedat4(path, 3)
    faery = pytest.importorskip("faery")
    other = np.concatenate(list(faery.events_stream_from_file(path)))
    np.testing.assert_array_equal(other["t"] - other["t"][0], EVENTS["t"])
    assert recording.events.tolist() == EVENTS.tolist() and recording.label == 3
    assert (recording.width, recording.height) == (70, 50)


@pytest.mark.parametrize(("raw", "message"), [
    (b"#!AER-DAT3.1", "expected a file that begins with"),
    (b"#!AER-DAT4.0\r\n", "the header is damaged"),
    (aedat_4_0(EVENTS, 70, 50)[:200], "the header is damaged"),
    (aedat_4_0(EVENTS, 70, 50, kind="FRME"), "the header is damaged: no stream is of type EVTS"),
    (aedat_4_0(EVENTS, 70, 0), "the stream of events has 70 x 0 pixels"),
    (aedat_4_0(EVENTS, 70, 50, 5), "compression 5, limit 4"),
    (aedat_4_0(EVENTS[:0], 70, 50), "the recording has no events"),
    (closed(aedat_4_0(EVENTS, 70, 50))[:-1], r"cut: its packets end at byte \d+, the file has \d+"),
    (closed(aedat_4_0(EVENTS, 70, 50) + b"123"), r"a packet of 8 bytes is cut to 3"),
    (aedat_4_0(EVENTS, 70, 50) + aedat_4_0(EVENTS, 70, 50).split(b"</dv>")[1],
     r"event 250 at \d+ us comes after one at \d+ us, limit 10000 us back: its times start again"),
    (aedat_4_0(EVENTS, 70, 50, compress=lambda content: content[:-1]), "a packet is damaged"),
    (aedat_4_0(EVENTS, 60, 50), r"event \d+ has x = 6\d, which must be below 60"),
])
def test_wrong_files_are_refused(tmp_path, raw, message):
    path = tmp_path / "sample.aedat4"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match=message):
        read_aedat4(path)


def test_a_packet_without_its_vector_is_empty(tmp_path):
    path = tmp_path / "sample.aedat4"
    empty = table(b"EVTS")
    path.write_bytes(aedat_4_0(EVENTS, 70, 50) + struct.pack("<ii", 1, len(empty)) + empty)
    assert read_aedat4(path).events.tolist() == EVENTS.tolist()


def test_another_size_is_refused(tmp_path):
    path = tmp_path / "sample.aedat4"
    path.write_bytes(aedat_4_0(EVENTS, 70, 50))
    with pytest.raises(RecordingError, match="the file's height is 50, not 60"):
        read_aedat4(path, None, 70, 60)


def test_files_that_faery_refuses(tmp_path):
    faery = pytest.importorskip("faery")
    path = tmp_path / "sample.aedat4"
    empty = struct.pack("<ii", 1, len(table(b"EVTS"))) + table(b"EVTS")
    for raw, message in (
        (aedat_4_0(EVENTS, 70, 50, other="BBOX"), "unknown type identifier"),
        (aedat_4_0(EVENTS, 70, 50) + empty, "empty events packet"),
    ):
        path.write_bytes(raw)
        assert read_aedat4(path).events.tolist() == EVENTS.tolist()
        with pytest.raises(Exception, match=message):
            list(faery.events_stream_from_file(path))


def test_a_closed_file(tmp_path):
    path = tmp_path / "sample.aedat4"
    path.write_bytes(closed(aedat_4_0(EVENTS, 70, 50)) + b"the table of packets")
    assert read_aedat4(path).events.tolist() == EVENTS.tolist()


@pytest.mark.parametrize(("left", "count"), [(-1, 200), (-1630, 100)])
def test_a_writer_that_crashed_leaves_whole_packets(tmp_path, left, count):
    path = tmp_path / "sample.aedat4"
    path.write_bytes(aedat_4_0(EVENTS, 70, 50)[:left])
    with pytest.warns(RecordingWarning, match=r"a packet of \d+ bytes is cut to \d+: its writer ended .* are used$"):
        assert read_aedat4(path).events.tolist() == EVENTS[:count].tolist()
    path.write_bytes(aedat_4_0(EVENTS, 70, 50) + b"123")
    with pytest.warns(RecordingWarning, match="a packet of 8 bytes is cut to 3"):
        assert read_aedat4(path).events.tolist() == EVENTS.tolist()


@pytest.mark.parametrize("compression", [1, 3])
def test_a_packet_that_makes_too_much_is_refused(tmp_path, monkeypatch, compression):
    limit = 1 << 16
    monkeypatch.setattr(aedat4, "PACKET_LIMIT", limit)
    content = bytes(limit + 1)
    if compression == 1:
        packed = pytest.importorskip("lz4.frame").compress(content)
    else:
        packed = pytest.importorskip("zstandard").ZstdCompressor().compress(content)
    path = tmp_path / "sample.aedat4"
    path.write_bytes(aedat_4_0(EVENTS[:1], 70, 50, compression, compress=lambda _: packed))
    with pytest.raises(RecordingError, match=f"a packet is damaged: .* more than {limit} bytes"):
        read_aedat4(path)


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_a_real_file_as_another_decoder_reads_it():
    faery = pytest.importorskip("faery")
    pytest.importorskip("lz4.frame")
    path = Path(DATA) / "event_formats" / "tonic" / "sample.aedat4"
    found = read_aedat4(path).events
    expected = np.concatenate(list(faery.events_stream_from_file(path)))
    assert len(found) == 111954
    for name, other in (("x", "x"), ("y", "y"), ("polarity", "on")):
        np.testing.assert_array_equal(found[name], expected[other])
    np.testing.assert_array_equal(found["t"], expected["t"] - expected["t"][0])
