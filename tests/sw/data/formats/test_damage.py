"""What damaged files are read with notices what a reader must not do."""

import time

import numpy as np
import pytest
from data.formats import damage
from spikeplane.data.formats.events import EVENT, Recording, RecordingError

RAW = bytes(200)


def recording(path, x=0, width=4, count=1):
    events = np.zeros(count, EVENT)
    events["x"] = x
    return Recording(name=str(path), events=events, width=width, height=3)


def read(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(damage, "read_recording", lambda path, width, height: reader(path))
    return damage.read_damaged(tmp_path / "sample.dat", RAW, count=6, seed=0, width=4, height=3)


def refuse(text):
    def reader(path):
        raise RecordingError(text.format(path))
    return reader


def fill(path):
    return recording(path, count=len(np.empty(1 << 24)) >> 24)


def wait(path):
    time.sleep(0.02)
    return recording(path)


def test_recordings_and_errors_are_counted(tmp_path, monkeypatch):
    assert read(tmp_path, monkeypatch, recording) == {"read": 6, "refused": 0}
    assert read(tmp_path, monkeypatch, refuse("{}: cut")) == {"read": 0, "refused": 6}


@pytest.mark.parametrize(("reader", "error", "message"), [
    (lambda path: {}["absent"], AssertionError, r"sample\.dat: mutation 0 of seed 0: KeyError: 'absent'"),
    (refuse("cut"), AssertionError, "mutation 0 of seed 0: cut"),
    (refuse("{}: cut\nhere"), AssertionError, "mutation 0 of seed 0: .*cut"),
    (lambda path: recording(path, x=4), RecordingError, "event 0 has x = 4, which must be below 4"),
    (lambda path: recording(path, width=5), AssertionError, "mutation 0 of seed 0"),
    (lambda path: recording(path, count=4000), AssertionError, "mutation 0 of seed 0"),
    (wait, AssertionError, "mutation 0 of seed 0: took 0.0 s"),
    (fill, AssertionError, r"mutation 0 of seed 0: 1342\d+ bytes"),
])
def test_what_a_reader_must_not_do_is_noticed(tmp_path, monkeypatch, reader, error, message):
    monkeypatch.setattr(damage, "SECONDS", 0.01 if reader is wait else 10)
    monkeypatch.setattr(damage, "MEMORY", 1 << 20)
    with pytest.raises(error, match=message):
        read(tmp_path, monkeypatch, reader)
