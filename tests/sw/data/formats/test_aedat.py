"""AEDAT files of versions 2.0 and 3.1."""

import numpy as np
import pytest
from recording_samples import AEDAT_2_0, AEDAT_3_1, aedat_2_0, aedat_3_1, packet, random_events
from spikeplane.data.formats.aedat import read_aedat
from spikeplane.data.formats.events import RecordingError

EVENTS = random_events(250, 128, 128)


def words_2_0(*words: tuple[int, int]) -> bytes:
    """Return a file of addresses and times."""
    return AEDAT_2_0 + np.array(words, ">u4").tobytes()


@pytest.mark.parametrize("encode", [aedat_2_0, aedat_3_1])
def test_events(tmp_path, encode):
    path = tmp_path / "sample.aedat"
    path.write_bytes(encode(EVENTS))
    recording = read_aedat(path, 4)
    assert recording.events.tolist() == EVENTS.tolist() and recording.label == 4
    assert (recording.width, recording.height) == (128, 128)


def test_addresses_of_a_dvs128(tmp_path):
    path = tmp_path / "sample.aedat"
    path.write_bytes(AEDAT_2_0 + bytes.fromhex("00000102 00000005 00007e01 00000006"))
    assert read_aedat(path).events.tolist() == [(5, 126, 126, 1), (6, 1, 127, 0)]


def test_sync_pulses_are_left_out_and_counted(tmp_path):
    path = tmp_path / "sample.aedat"
    path.write_bytes(words_2_0((0x0C0B, 100), (0x8000, 150), (0x0C0B, 200)))
    recording = read_aedat(path)
    assert recording.events.tolist() == [(100, 115, 122, 0), (200, 115, 122, 0)]
    assert recording.left_out == {"sync pulses": 1}
    path.write_bytes(aedat_3_1(EVENTS))
    assert read_aedat(path).left_out == {"invalid events": 3}


def test_times_of_version_2_0_that_wrap(tmp_path):
    path = tmp_path / "sample.aedat"
    start = 2**32 - 100
    path.write_bytes(words_2_0(*((0x0C0B, (start + t) % 2**32) for t in (0, 50, 150, 99, 200))))
    assert (read_aedat(path).events["t"] - start).tolist() == [0, 50, 150, 99, 200]


def test_the_size_of_other_cameras_is_the_callers(tmp_path):
    path = tmp_path / "sample.aedat"
    path.write_bytes(aedat_3_1(EVENTS).replace(b"DVS128", b"DAVIS240C"))
    recording = read_aedat(path, width=240, height=180)
    assert (recording.width, recording.height) == (240, 180)


def test_time_overflows_of_version_3_1(tmp_path):
    path = tmp_path / "sample.aedat"
    path.write_bytes(aedat_3_1(EVENTS[:1], overflow=1, start=3))
    assert read_aedat(path).events["t"].tolist() == [2**31 + 3]


@pytest.mark.parametrize(("raw", "message"), [
    (b"", r"expected a file that begins with #!AER-DAT2\.0 or #!AER-DAT3\.1"),
    (b"#!AER-DAT1.0\r\n12345678", "expected a file that begins with"),
    (AEDAT_2_0, "the recording has no events"),
    (AEDAT_2_0 + b"1234567", "cut: expected a multiple of 8 bytes of events, found 7"),
    (AEDAT_2_0 + b"# AEChip: eu.seebetter.ini.chips.davis.Davis346red\r\n", r"names a eu\..*Davis346red; export it"),
    (AEDAT_2_0 + b"# AEChip: ch.unizh.ini.jaer.chip.cochlea.CochleaAMS1c\r\n", r"names a ch\..*CochleaAMS1c; export"),
    (words_2_0((0x0C0B, 1), (0x80000000, 2)), r"event 1 has address 0x80000000, a DVS128's are below 0x10000: the"),
    (words_2_0((0x0C0B, 90_000_000), (0x0C0B, 5)),
     "event 1 at 5 us comes after one at 90000000 us, limit 10000 us back: its times start again; split"),
    (words_2_0((0x8000, 1)), "the recording has no events"),
    (AEDAT_3_1[:-16], "the header has no line #!END-HEADER"),
    (AEDAT_3_1, "no packet holds changes of brightness"),
    (AEDAT_3_1 + packet(1, 1, bytes(8)), "the recording has no events"),
    (AEDAT_3_1 + packet(1, 1, bytes(8))[:20], "cut within the header of the packet at byte 61"),
    (AEDAT_3_1 + packet(1, 2, bytes(16))[:-1], "claims 2 of 2 events of 8 bytes, the file has 15"),
    (AEDAT_3_1 + packet(1, 2, bytes(16), capacity=1), "claims 2 of 1 events"),
    (AEDAT_3_1 + packet(1, 1, bytes(12)), "expected events of 8 bytes, found 12"),
    (AEDAT_3_1 + packet(1, 1, bytes(7) + b"\x80").replace(bytes(7) + b"\x80", b"\1" + bytes(6) + b"\x80"),
     "the packet at byte 61 has a time of 2147483648 us, limit 2147483647"),
    (aedat_3_1(EVENTS, start=50_000_000) + aedat_3_1(EVENTS)[len(AEDAT_3_1) :],
     r"event 250 at 0 us comes after one at \d+ us, limit 10000 us back: its times start again; split"),
    (aedat_3_1(EVENTS).replace(b"DVS128", b"DAVIS240C"), "the file names no width; give width and height"),
])
def test_wrong_files_are_refused(tmp_path, raw, message):
    path = tmp_path / "sample.aedat"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match=message):
        read_aedat(path)
