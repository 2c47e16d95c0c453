"""The pages on data, events and networks of one's own do what they say: programs, files, commands in their order."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from spikeplane import cli

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("own.md", "events.md", "nir.md", "snntorch.md")
"""The first one makes what the others begin with."""
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def run_command(line: str, monkeypatch, capsys) -> str:
    """Run a command of the page and return what it printed."""
    name, *arguments = shlex.split(line, comments=True)
    assert name == "spikeplane"
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    shown = capsys.readouterr()
    assert stopped.value.code in (0, None), f"{line}: {shown.err}"
    return shown.out


def test_the_pages_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPIKEPLANE_DATA", raising=False)
    shown, program = [], {}
    blocks = [(page, block) for page in PAGES for block in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8"))]
    for page, block in blocks:
        if block["kind"] == "python":
            program = {} if "The same program goes on" not in block["before"] else program
            exec(compile(block["text"], f"docs/{page}", "exec"), program)
        elif block["kind"] == "toml":
            (name,) = re.findall(r"`([\w.]+\.toml)`", block["before"])
            Path(name).write_text(block["text"])
        elif block["kind"] == "sh":
            shown += [run_command(line, monkeypatch, capsys) for line in block["text"].splitlines()]
    text = "".join(shown)
    assert "tiny: fits" in text and "report: run/report.html" in text
    assert "accuracy on the device" in text
    assert "recordings test, 16 samples: 100.00% as trained, 100.00% in integers" in text
    assert "0.000 s: " in text and "latency, 99 %" in text and "0 steps with 0 events" in text
    assert "bars/stands/3.npz: stands (logit " in text
    assert "bars/lies/0.npz: lies (logit " in text and '"name": "stands"' in text
