"""Files of Prophesee's cameras: what their headers name."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from recording_samples import evt_2, evt_2_1, evt_3, evt_header, random_events
from spikeplane.data.formats.events import RecordingError
from spikeplane.data.formats.raw import read_raw

DATA = os.environ.get("SPIKEPLANE_DATA")
EVENTS = random_events(250, 70, 50)
GEN3 = b"% evt 2.0\n% plugin_name hal_plugin_gen3_fx3\n% system_ID 21\n"
EVENT = struct.pack("<II", 0x80000001, 1 << 28 | 5 << 11 | 7)


def write(folder, raw):
    path = folder / "sample.raw"
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("encode", [
    evt_2, evt_2_1, lambda events, width, height: evt_2_1(events, width, height, "legacy"), evt_3,
])
def test_events(tmp_path, encode):
    recording = read_raw(write(tmp_path, encode(EVENTS, 70, 50)), 3)
    assert recording.events.tolist() == EVENTS.tolist()
    assert (recording.width, recording.height, recording.label) == (70, 50, 3)


def test_the_size_is_the_files_or_the_callers(tmp_path):
    path = write(tmp_path, GEN3 + EVENT)
    with pytest.raises(RecordingError, match=r"sample\.raw: the file names no width; give width and height$"):
        read_raw(path)
    with pytest.raises(RecordingError, match="the file names no height; give width and height"):
        read_raw(path, width=640)
    recording = read_raw(path, width=640, height=480)
    assert (recording.width, recording.height) == (640, 480) and recording.events.tolist() == [(0, 5, 7, 1)]
    path = write(tmp_path, GEN3 + b"% geometry 640x480\n" + EVENT)
    assert read_raw(path, width=640).height == 480
    with pytest.raises(RecordingError, match="the file's height is 480, not 720"):
        read_raw(path, height=720)


@pytest.mark.parametrize("order", ["little", "legacy"])
def test_an_order_of_bytes_that_no_header_names(tmp_path, order):
    raw = evt_2_1(EVENTS, 70, 50, order).replace(f";endianness={order}".encode(), b"")
    assert read_raw(write(tmp_path, raw)).events.tolist() == EVENTS.tolist()


def test_words_that_fit_either_order(tmp_path):
    word = struct.pack("<Q", 0x8 << 60 | 0x8 << 28)
    path = write(tmp_path, evt_header("EVT21", 70, 50) + word)
    with pytest.raises(RecordingError, match="names no endianness and the words fit little and legacy; add it as in"):
        read_raw(path)


def test_binary_words_are_no_line_of_the_header(tmp_path):
    words = np.array([0x8025, 0x6020, 0x000A, 0x2801], "<u2").tobytes()
    recording = read_raw(write(tmp_path, b"% evt 3.0\n% geometry 70x50\n" + words))
    assert recording.events.tolist() == [(0, 1, 10, 1)]
    recording = read_raw(write(tmp_path, evt_header("EVT2", 70, 50) + b"% a\n" + EVENT))
    assert recording.left_out == {"events before the first time or address": 1}


@pytest.mark.parametrize(("raw", "message"), [
    (b"", "expected lines of % with a line `evt` of 2.0, 2.1 or 3.0, .* found none"),
    (GEN3.replace(b"2.0", b"4.0"), "found 4.0"),
    (evt_header("HISTO3D", 70, 50), "found HISTO3D"),
    (evt_2(EVENTS, 70, 50)[:-1], "cut: expected a multiple of 4 bytes of events, found"),
    (evt_2_1(EVENTS, 70, 50)[:-4], "cut: expected a multiple of 8 bytes of events, found"),
    (evt_3(EVENTS, 70, 50)[:-1], "cut: expected a multiple of 2 bytes of events, found"),
    (evt_2_1(EVENTS, 70, 50, "big"), "endianness 'big', must be one of little, legacy"),
    (evt_header("EVT2", 70, 50), "the recording has no events"),
    (evt_header("EVT2", 70, 50) + EVENT[4:], "the recording has no events"),
    (GEN3 + b"% geometry 640\n" + EVENT, "the header's size is damaged"),
    (evt_header("EVT2", 70, 50).replace(b"70x", b"90x") + EVENT, "the header names two sizes, "),
    (evt_2(EVENTS, 60, 50), r"event \d+ has x = 6\d, which must be below 60"),
    (evt_2(EVENTS, 70, 50, 1 << 30) + evt_2(EVENTS, 70, 50).split(b"% end\n")[1],
     r"event 250 at 0 us comes after one at \d+ us, limit 10000 us back: its times start again; split"),
])
def test_wrong_files_are_refused(tmp_path, raw, message):
    path = write(tmp_path, raw)
    with pytest.raises(RecordingError, match=f"^{path}: .*{message}" if "found" in message else message):
        read_raw(path)


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_a_real_file_as_another_decoder_reads_it():
    faery = pytest.importorskip("faery")
    path = Path(DATA) / "event_formats" / "expelliarmus" / "evt3_sample.raw"
    recording = read_raw(path, None, 1280, 720)
    found, expected = recording.events, np.concatenate(list(faery.events_stream_from_file(path)))
    assert len(found) == 219_596 and recording.left_out == {}
    for name, other in (("x", "x"), ("y", "y"), ("polarity", "on")):
        np.testing.assert_array_equal(found[name], expected[other])
    # Where words of time step back, Faery holds the time.
    held = expected["t"].astype(np.int64) - expected["t"][0].astype(np.int64) - found["t"]
    assert (held >= 0).all() and (held > 0).sum() == 1455 and held.max() == 11
