"""Work in a process of its own."""

import multiprocessing
import signal
from pathlib import Path

import pytest
from spikeplane.beside import beside


def test_the_work_is_done_behind_the_body(tmp_path):
    with beside(Path.write_text, tmp_path / "done", "a"):
        pass
    assert (tmp_path / "done").read_text() == "a"


def test_errors_are_left_to_the_same_call(tmp_path, capfd):
    with beside(Path.read_text, tmp_path / "absent"):
        pass
    assert capfd.readouterr() == ("", "")


def test_a_body_that_fails_stops_it():
    with pytest.raises(ZeroDivisionError), beside(signal.pause):
        _ = 1 / 0
    assert multiprocessing.active_children() == []
