"""Recordings of every format: what damaged files do to the readers."""

import os
from pathlib import Path

import numpy as np
import pytest
from recording_samples import (
    aedat_2_0,
    aedat_3_1,
    aedat_4_0,
    dat,
    nmnist_bin,
    random_events,
)
from spikeplane.data.formats.events import Recording, RecordingError
from spikeplane.data.formats.recordings import READERS, read_recording

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
EXTRAS = {".raw": "faery", ".es": "faery", ".aedat4": "lz4.frame"}


def mutations(raw: bytes, seed: int):
    """Yield truncated, bit-flipped and overwritten copies; headers are hit as often as events."""
    random = np.random.RandomState(seed)
    for index in range(MUTATIONS):
        damaged = bytearray(raw)
        reach = len(raw) if index % 2 else min(len(raw), 400)
        kind = index % 3
        if kind == 0:
            del damaged[random.randint(reach) :]
        elif kind == 1:
            for place in random.randint(0, reach, random.choice([1, 4, 20])):
                damaged[place] ^= 1 << random.randint(8)
        else:
            place = random.randint(reach)
            value = random.choice([0x00, 0xFF, 0x7F, 0x80])
            damaged[place : place + random.choice([1, 2, 4, 8])] = bytes([value] * 4)
        yield bytes(damaged)


def read_damaged(path: Path, raw: bytes, limit: int, width: int, height: int) -> tuple[int, int]:
    """Return how many mutations were read and how many refused; anything else is an error."""
    read = refused = 0
    for damaged in mutations(raw, len(path.name)):
        path.write_bytes(damaged)
        try:
            recording = read_recording(path, width=width, height=height)
        except RecordingError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            recording.verify()
            assert isinstance(recording, Recording) and len(recording.events) <= limit
            read += 1
    return read, refused


@pytest.mark.parametrize("name", WRITERS)
def test_whole_files(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    recording = read_recording(path, 3, width=WIDTH, height=HEIGHT)
    assert recording.events.tolist() == EVENTS.tolist()
    assert (recording.width, recording.height, recording.label) == (WIDTH, HEIGHT, 3)


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_files_are_refused_or_read(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    read, refused = read_damaged(path, path.read_bytes(), 2 * len(EVENTS), WIDTH, HEIGHT)
    assert refused > MUTATIONS // 4 and read + refused == MUTATIONS


@pytest.mark.skipif(DATA is None, reason="SPIKEPLANE_DATA names no folder of data sets")
@pytest.mark.parametrize("name", REAL)
def test_real_files_whole_and_damaged(tmp_path, name):
    source = Path(DATA) / "event_formats" / name
    if source.suffix in EXTRAS:
        pytest.importorskip(EXTRAS[source.suffix])
    if REAL[name] is None:
        with pytest.raises(RecordingError, match="the header names a DAVIS"):
            read_recording(source)
        return
    width, height, count = REAL[name]
    whole = read_recording(source, width=width, height=height)
    whole.verify()
    assert len(whole.events) == count
    raw = source.read_bytes()
    # A bit of an EVT3 word may turn it into a vector of many events.
    read, refused = read_damaged(tmp_path / source.name, raw[:20000], len(raw), width, height)
    assert read + refused == MUTATIONS


def test_every_format_is_tried():
    assert {Path(name).suffix for name in [*WRITERS, *REAL]} == set(READERS)


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(RecordingError, match=r"sample\.csv: expected a name that ends in one of \.bin"):
        read_recording(tmp_path / "sample.csv")
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "absent.dat", width=1, height=1)
