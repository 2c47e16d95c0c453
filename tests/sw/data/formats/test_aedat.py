"""AEDAT files of versions 2.0 and 3.1."""

import pytest
from recording_samples import AEDAT_2_0, AEDAT_3_1, aedat_2_0, aedat_3_1, packet, random_events
from spikeplane.data.formats.aedat import read_aedat
from spikeplane.data.formats.events import RecordingError

EVENTS = random_events(250, 128, 128)


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


def test_time_overflows_of_version_3_1(tmp_path):
    path = tmp_path / "sample.aedat"
    path.write_bytes(aedat_3_1(EVENTS[:1], overflow=1, start=3))
    assert read_aedat(path).events["t"].tolist() == [2**31 + 3]


@pytest.mark.parametrize(("raw", "message"), [
    (b"", r"expected a file that begins with #!AER-DAT2\.0 or #!AER-DAT3\.1"),
    (b"#!AER-DAT1.0\r\n12345678", "expected a file that begins with"),
    (AEDAT_2_0, "the recording has no events"),
    (AEDAT_2_0 + b"1234567", "expected a multiple of 8 bytes of events, found 7"),
    (AEDAT_2_0 + b"# AEChip: eu.seebetter.ini.chips.davis.Davis346red\r\n", "names a DAVIS"),
    (AEDAT_3_1[:-16], "the header has no line #!END-HEADER"),
    (AEDAT_3_1, "no packet holds changes of brightness"),
    (AEDAT_3_1 + packet(1, 1, bytes(8)), "the recording has no events"),
    (AEDAT_3_1 + packet(1, 1, bytes(8))[:20], "cut within the header of the packet at byte 61"),
    (AEDAT_3_1 + packet(1, 2, bytes(16))[:-1], "claims 2 of 2 events of 8 bytes, the file has 15"),
    (AEDAT_3_1 + packet(1, 2, bytes(16), capacity=1), "claims 2 of 1 events"),
    (AEDAT_3_1 + packet(1, 1, bytes(12)), "expected events of 8 bytes, found 12"),
])
def test_wrong_files_are_refused(tmp_path, raw, message):
    path = tmp_path / "sample.aedat"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match=message):
        read_aedat(path)
