"""N-CARS and its .dat files."""

import os
from pathlib import Path

import numpy as np
import pytest
from spikeplane.data.formats.dat import read_dat
from spikeplane.data.formats.events import RecordingError
from spikeplane.data.formats.files import DataError
from spikeplane.data.sets import ncars
from spikeplane.data.sets.ncars import load_ncars

DATA = os.environ.get("SPIKEPLANE_DATA")
TEXT = b"% Data file\n% Version 2\n"
FULL = [(7, 119, 99, 1), (2**32 - 1, 0, 0, 0)]


def encode(events, text=TEXT, kind=0) -> bytes:
    words = [(t, x | y << 14 | polarity << 28) for t, x, y, polarity in events]
    return text + bytes([kind, 8]) + np.array(words, "<u4").tobytes()


@pytest.mark.parametrize("kind", [0, 12])
def test_a_dat_file(tmp_path, kind):
    path = tmp_path / "obj.dat"
    path.write_bytes(encode(FULL, kind=kind))
    recording = read_dat(path, 1, 120, 100)
    assert recording.events.tolist() == FULL and recording.label == 1
    path.write_bytes(encode(FULL, TEXT + b"% Height 240\n% Width 304 \n"))
    recording = read_dat(path)
    assert (recording.width, recording.height) == (304, 240) and recording.events.tolist() == FULL


@pytest.mark.parametrize(("raw", "message"), [
    (b"", r"expected lines of % .* found 0 bytes of text, type 255, 255 bytes"),
    (encode(FULL, b""), "found 0 bytes of text, type 0, 8 bytes"),
    (encode(FULL, kind=1), "found 24 bytes of text, type 1, 8 bytes"),
    (TEXT, "found 24 bytes of text, type 255"),
    (encode([]), "expected a positive multiple of 8 bytes of events, found 0"),
    (encode(FULL)[:-1], "expected a positive multiple of 8 bytes of events, found 15"),
    (encode([(0, 120, 0, 1)]), "event 0 has x = 120, which must be below 120"),
    (encode([(9, 0, 0, 1), (7, 0, 0, 1)]), "event 1 at 7 us comes before event 0"),
])
def test_wrong_dat_files_are_refused(tmp_path, raw, message):
    path = tmp_path / "obj.dat"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match=message):
        read_dat(path, None, 120, 100)


def test_official_recordings(tmp_path, monkeypatch):
    monkeypatch.setitem(ncars.COUNTS, "train", {"background": 1, "cars": 2})
    for label, name in enumerate(("background", "cars")):
        folder = tmp_path / "ncars" / "n-cars_train" / name
        folder.mkdir(parents=True)
        for index in range(label + 1):
            (folder / f"obj_{index}.dat").write_bytes(encode([(index, label, 0, 1)]))
    found = list(load_ncars(tmp_path, "train"))
    assert [recording.label for recording in found] == [0, 1, 1]
    assert [recording.events.tolist()[0][:2] for recording in found] == [(0, 0), (0, 1), (1, 1)]
    (folder / "._obj_0.dat").write_bytes(bytes(64))
    with pytest.raises(DataError, match=r"2 recordings \*\.dat, found 3, 1 of them \._\* of macOS; delete these$"):
        list(load_ncars(tmp_path, "train"))
    (folder / "._obj_0.dat").unlink()
    (folder / "obj_0.dat").unlink()
    with pytest.raises(DataError, match=r"cars: expected 2 recordings \*\.dat, found 1"):
        list(load_ncars(tmp_path, "train"))


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(DataError, match=r"^n-cars_train is missing: expected the published folder .*/ncars/n-"):
        list(load_ncars(tmp_path, "train"))
    with pytest.raises(DataError, match="name the root folder of the data sets"):
        list(load_ncars(None, "train"))


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
def test_a_real_file():
    sample = read_dat(Path(DATA) / "event_formats" / "tonic" / "sample_ncars.dat", 0, 120, 100)
    assert len(sample.events) == 2009 and sample.events[0].tolist() == (0, 25, 8, 0)
