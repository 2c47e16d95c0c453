"""Chromium without a screen, led through a pair of pipes: DevTools messages are JSON that ends with a zero byte."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["CHROMIUM", "WAIT", "Browser", "browser"]

CHROMIUM = shutil.which("chromium")
WAIT = 120.0
"""Seconds for an answer, on a machine that has much else to do."""
BEGIN = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); "
    "os.execv(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One page."""

    def __init__(self, commands: int, answers: int):
        self.commands, self.answers = commands, answers
        self.rest = b""
        self.number = 0
        self.session = {}

    def call(self, method: str, **parameters) -> dict[str, Any]:
        """Return what the browser answers."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters, **self.session}
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            if b"\0" not in self.rest:
                if select.select([self.answers], [], [], 1.0)[0]:
                    self.rest += os.read(self.answers, 1 << 16)
                continue
            text, _, self.rest = self.rest.partition(b"\0")
            found = json.loads(text)
            if found.get("id") == self.number:
                return found["result"]
        raise TimeoutError(f"{method}: the browser did not answer")

    def open(self, address: str) -> None:
        """Go to a page."""
        target = self.call("Target.createTarget", url=address)["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": found["sessionId"]}

    def value(self, expression: str) -> Any:
        """Return what an expression is worth in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write what the page looks like, as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Yield a browser whose files are in ``folder``."""
    ours, theirs = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN, str(ours[0]), str(theirs[1]), str(CHROMIUM), "--headless", "--no-sandbox",
         "--disable-gpu", "--disable-background-networking", f"--user-data-dir={folder}", "--window-size=1200,900",
         "--remote-debugging-pipe"],
        pass_fds=(ours[0], theirs[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        yield Browser(ours[1], theirs[0])
    finally:
        process.terminate()
        process.wait(WAIT)
        for end in (*ours, *theirs):
            os.close(end)
