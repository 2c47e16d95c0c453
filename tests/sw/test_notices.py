"""Warnings as the command shows them."""

import sys
import warnings

import pytest
from recording_samples import aedat_4_0, random_events
from spikeplane import cli
from spikeplane.data.formats.events import RecordingWarning
from spikeplane.data.formats.recordings import read_recording
from spikeplane.notices import noticed


def test_the_command_shows_a_lost_part_once(tmp_path, monkeypatch, capsys):
    path = tmp_path / "sample.aedat4"
    path.write_bytes(aedat_4_0(random_events(250, 70, 50), 70, 50)[:-1])
    monkeypatch.setattr(sys, "argv", ["spikeplane"])
    monkeypatch.setattr(cli, "app", lambda: [read_recording(path) for _ in range(3)])
    cli.main()
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 1
    assert shown[0].startswith(f"spikeplane: warning: {path}: a packet of ") and shown[0].endswith("are used")


def test_other_warnings_go_their_own_way():
    shown: list[str] = []
    with noticed(shown.append), pytest.warns(UserWarning, match="^another$"):
        warnings.warn("another", UserWarning, stacklevel=1)
    with noticed(shown.append):
        for text in ("first", "second", "first"):
            warnings.warn(text, RecordingWarning, stacklevel=1)
    assert shown == ["first", "second"]
    with pytest.warns(RecordingWarning, match="third"):
        warnings.warn("third", RecordingWarning, stacklevel=1)
