"""The page on sweeps does what it says: its command and its program run, of few trials and short trainings."""

import json
import re
from pathlib import Path

from test_own_page import BLOCK, run_command

PAGE = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text(encoding="utf-8")
SHORTER = {"training.epochs=5": "training.epochs=1", "data.validation=300": "data.validation=1300"}


def shorter(text: str, trials: str) -> str:
    """Return an example with one epoch on few samples, and two trials; it must have what is replaced."""
    for long, short in (SHORTER | {trials: trials.replace("10", "2")}).items():
        assert long in text
        text = text.replace(long, short)
    return text


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    commands, programs = ([block["text"] for block in BLOCK.finditer(PAGE) if block["kind"] == kind]
                          for kind in ("sh", "python"))
    line = shorter(commands[0].strip().removeprefix(".venv/bin/"), "--trials 10")
    shown = run_command(line, monkeypatch, capsys)
    assert "digits: best of 2 trials, on 1,300 held-out samples" in shown
    files = re.findall(r"`([\w.]+)`[,;]", PAGE[PAGE.index("The folder `build/sweep`"):PAGE.index("<!-- table")])
    assert files == ["sweep.json", "sweep.png", "sweep.db"]
    assert all((tmp_path / "build/sweep" / name).exists() for name in [*files, "trials"])
    trials = json.loads((tmp_path / "build/sweep/sweep.json").read_text())["trials"]
    assert all(set(trial["values"]) >= {"bits.conv2", "width.conv1"} for trial in trials)
    (program,) = programs
    exec(compile(shorter(program, "trials=10"), "docs/sweeps.md", "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(r"^0\.\d+ \d+.* \{'bits\.conv2': [12], .*checkpoint\.safetensors$", printed, re.MULTILINE), printed
