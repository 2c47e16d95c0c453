"""Recordings of every format: what damaged files do to the readers."""

import os
from pathlib import Path

import numpy as np
import pytest
from data.formats.damage import mutations, read_damaged
from recording_samples import (
    aedat_2_0,
    aedat_3_1,
    aedat_4_0,
    dat,
    event_stream,
    evt_2,
    evt_2_1,
    evt_3,
    nmnist_bin,
    random_events,
)
from spikeplane.data.formats.events import RecordingError
from spikeplane.data.formats.recordings import READERS, read_recording
from spikeplane.data.sets.bins import TimeBins

DATA = os.environ.get("SPIKEPLANE_DATA")
MUTATIONS = 300
WIDTH, HEIGHT = 34, 30
EVENTS = random_events(300, WIDTH, HEIGHT)


def write_npz(path):
    np.savez_compressed(path, t=EVENTS["t"], x=EVENTS["x"], y=EVENTS["y"], p=EVENTS["polarity"])


def write_mat(path):
    scipy_io = pytest.importorskip("scipy.io")
    columns = {"ts": EVENTS["t"], "x": EVENTS["x"], "y": EVENTS["y"], "p": EVENTS["polarity"]}
    scipy_io.savemat(path, {"TD": columns}, do_compression=True)


def write_lz4(path):
    lz4 = pytest.importorskip("lz4.frame")
    path.write_bytes(aedat_4_0(EVENTS, WIDTH, HEIGHT, 1, lz4.compress))


def write_zstd(path):
    zstandard = pytest.importorskip("zstandard")
    compress = zstandard.ZstdCompressor().compress
    path.write_bytes(aedat_4_0(EVENTS, WIDTH, HEIGHT, 3, compress))


WRITERS = {
    "sample.bin": lambda path: path.write_bytes(nmnist_bin(EVENTS)),
    "sample.dat": lambda path: path.write_bytes(dat(EVENTS)),
    "version2.aedat": lambda path: path.write_bytes(aedat_2_0(EVENTS)),
    "version3.aedat": lambda path: path.write_bytes(aedat_3_1(EVENTS)),
    "sample.aedat4": lambda path: path.write_bytes(aedat_4_0(EVENTS, WIDTH, HEIGHT)),
    "lz4.aedat4": write_lz4,
    "zstd.aedat4": write_zstd,
    "dvs.es": lambda path: path.write_bytes(event_stream(EVENTS, WIDTH, HEIGHT)),
    "atis.es": lambda path: path.write_bytes(event_stream(EVENTS, WIDTH, HEIGHT, "atis")),
    "evt2.raw": lambda path: path.write_bytes(evt_2(EVENTS, WIDTH, HEIGHT)),
    "evt21.raw": lambda path: path.write_bytes(evt_2_1(EVENTS, WIDTH, HEIGHT)),
    "legacy.raw": lambda path: path.write_bytes(evt_2_1(EVENTS, WIDTH, HEIGHT, "legacy")),
    "evt3.raw": lambda path: path.write_bytes(evt_3(EVENTS, WIDTH, HEIGHT)),
    "sample.npy": lambda path: np.save(path, EVENTS),
    "sample.npz": write_npz,
    "sample.mat": write_mat,
}
REAL = {
    "expelliarmus/evt3_sample.raw": (1280, 720, 219596), "faery/dvs.es": (320, 240, 473225),
    "tonic/sample.aedat4": (320, 240, 111954), "tonic/sample_ncars.dat": (120, 100, 2009),
    "tonic/sample_nmnist.bin": (34, 34, 4325), "tonic/sample_aedat_header.aedat": None,
}
"""Width, height and number of events; None where only a header is there."""
EXTRAS = {".es": "faery", ".aedat4": "lz4.frame", ".mat": "scipy.io"}


def write(folder, name):
    if name.startswith(("dvs", "atis")):
        pytest.importorskip("faery")
    path = folder / name
    WRITERS[name](path)
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_whole_files(tmp_path, name):
    path = write(tmp_path, name)
    recording = read_recording(path, 3, width=WIDTH, height=HEIGHT)
    assert recording.events.tolist() == EVENTS.tolist()
    assert (recording.width, recording.height, recording.label) == (WIDTH, HEIGHT, 3)


@pytest.mark.parametrize("name", WRITERS)
def test_names_in_capitals(tmp_path, name):
    path = write(tmp_path, name)
    path = path.rename(path.with_suffix(path.suffix.upper()))
    assert len(read_recording(path, width=WIDTH, height=HEIGHT).events) == len(EVENTS)


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_refused_or_read(tmp_path, name):
    path = write(tmp_path, name)
    outcomes = read_damaged(
        path, path.read_bytes(), count=MUTATIONS, seed=len(name), width=WIDTH, height=HEIGHT
    )
    assert outcomes.total() == MUTATIONS and min(outcomes.values()) > 0


def test_mutations_are_damage_and_repeat():
    raw = bytes(range(256)) * 4
    first = list(mutations(raw, 3, 120))
    assert first == list(mutations(raw, 3, 120)) and len(first) == 120
    assert sum(damaged == raw for damaged in first) < 5
    assert len({len(damaged) for damaged in first}) > 40


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
@pytest.mark.parametrize("name", REAL)
def test_real_files_whole_and_damaged(tmp_path, name):
    source = Path(DATA) / "event_formats" / name
    if source.suffix in EXTRAS:
        pytest.importorskip(EXTRAS[source.suffix])
    if REAL[name] is None:
        with pytest.raises(RecordingError, match=r"the header names a .*Davis346red; export it as"):
            read_recording(source)
        return
    width, height, count = REAL[name]
    whole = read_recording(source, width=width, height=height)
    assert len(whole.events) == count and whole.events["t"][0] == 0
    raw = source.read_bytes()[:20000]
    outcomes = read_damaged(
        tmp_path / source.name, raw, count=MUTATIONS // 3, seed=1, width=width, height=height
    )
    assert outcomes.total() == MUTATIONS // 3


def test_every_format_is_tried():
    assert {Path(name).suffix for name in WRITERS} == set(READERS)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"sample\.csv: expected a name that ends in one of \.bin"):
        read_recording(tmp_path / "sample.csv")
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "absent.dat", width=1, height=1)


def test_what_macos_leaves_is_named(tmp_path):
    path = tmp_path / "._sample.dat"
    path.write_bytes(b"\x00\x05\x16\x07" + bytes(60))
    with pytest.raises(RecordingError, match=r"_sample\.dat: no recording but what macOS keeps beside one; delete it$"):
        read_recording(path, width=1, height=1)


ORIGINS = {
    "sample.bin": (lambda start: nmnist_bin(shifted(start)), 5_000_000),
    "sample.dat": (lambda start: dat(shifted(start)), 4_000_000_000),
    "version2.aedat": (lambda start: aedat_2_0(EVENTS, start), 4_000_000_000),
    "version3.aedat": (lambda start: aedat_3_1(EVENTS, start=start, overflow=start // 10**6), 2_000_000_000),
    "sample.aedat4": (lambda start: aedat_4_0(shifted(start), WIDTH, HEIGHT), 10**15),
    "dvs.es": (lambda start: event_stream(shifted(start), WIDTH, HEIGHT), 5_000_000),
    "evt2.raw": (lambda start: evt_2(EVENTS, WIDTH, HEIGHT, start), (1 << 34) - 70_000),
    "evt21.raw": (lambda start: evt_2_1(EVENTS, WIDTH, HEIGHT, "little", start), (1 << 34) - 70_000),
    "evt3.raw": (lambda start: evt_3(EVENTS, WIDTH, HEIGHT, start), (1 << 24) - 70_000),
}
"""Files of formats with times of their own by the time of their start, and a late one."""


def shifted(start):
    events = EVENTS.copy()
    events["t"] += start
    return events


@pytest.mark.parametrize("name", ORIGINS)
def test_the_time_of_the_start_changes_no_spike(tmp_path, name):
    if name == "dvs.es":
        pytest.importorskip("faery")
    encode, late = ORIGINS[name]
    path = tmp_path / name
    spikes = []
    for start in (0, 12_345, late):
        path.write_bytes(encode(start))
        recording = read_recording(path, width=WIDTH, height=HEIGHT)
        spikes.append(TimeBins(steps=5).spikes(recording))
    np.testing.assert_array_equal(spikes[0], spikes[1])
    np.testing.assert_array_equal(spikes[0], spikes[2])


def test_a_unit_is_of_arrays_only(tmp_path):
    path = tmp_path / "sample.dat"
    path.write_bytes(dat(EVENTS))
    with pytest.raises(RecordingError, match=r"times of \.dat files have a unit of their own; give no unit$"):
        read_recording(path, width=WIDTH, height=HEIGHT, unit="ns")
    path = tmp_path / "sample.npz"
    np.savez(path, t=[5_000_999, 5_001_998], x=[0, 1], y=[0, 0], p=[1, 1])
    assert read_recording(path, width=2, height=1, unit="ns").events["t"].tolist() == [0, 0]
    assert read_recording(path, width=2, height=1, unit="ms").events["t"].tolist() == [0, 999_000]
