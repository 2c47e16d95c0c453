"""Bars are drawn on terminals only."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

SOURCES = Path(__file__).parents[2]
DRAW = """
from spikeplane.progress import counted, stages, steps
with steps(3, unit="thing", title="things") as bar:
    bar.update()
with steps(3, unit="thing", title="unseen", shown=False) as bar:
    bar.update()
with stages() as progress:
    progress.add_task("a [stage]:smile:", total=None)
with counted(70, unit="samples") as done:
    done(35)
"""
ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join(str(SOURCES / name) for name in ("sw", "hw", "boards")), "TERM": "xterm",
}


def test_a_pipe_gets_nothing():
    done = subprocess.run([sys.executable, "-c", DRAW], env=ENVIRONMENT, capture_output=True, check=True)
    assert done.stdout == b"" and done.stderr == b""


def test_a_terminal_gets_bars():
    mine, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", DRAW], env=ENVIRONMENT, stderr=theirs, check=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(mine, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(mine)
    assert b"things" in shown and b"a [stage]:smile:" in shown and b"35/70" in shown and b"unseen" not in shown


def test_bars_come_from_one_place():
    found = {
        path.name for path in (SOURCES / "sw").rglob("*.py")
        if re.search(r"tqdm\(|rich\.progress|Progress\(", path.read_text())
    }
    assert found == {"progress.py"}
