"""Damaged networks, images and checkpoints: a few hundred here, thousands in bench/robustness.py."""

import fuzz_files
import pytest


@pytest.mark.parametrize("kind", fuzz_files.KINDS)
def test_only_our_errors_come_out(kind, tmp_path):
    outcome = fuzz_files.fuzz(kind, 200, 1, tmp_path)
    assert outcome.faults == []
    assert outcome.refused > 150
    # Sound files do load: else all would be refused.
    tools = fuzz_files.KINDS[kind]
    for number in range(8):
        tools.write(number, tmp_path / "sound")
        tools.load(tmp_path / "sound")


@pytest.mark.parametrize("kind", fuzz_files.KINDS)
def test_a_fault_would_be_seen(kind, tmp_path, monkeypatch):
    def load(path):
        raise KeyError("kind")

    tools = fuzz_files.KINDS[kind]
    monkeypatch.setitem(fuzz_files.KINDS, kind, fuzz_files.Kind(**vars(tools) | {"load": load}))
    assert fuzz_files.fuzz(kind, 4, 1, tmp_path).faults[0].endswith("KeyError('kind')")
