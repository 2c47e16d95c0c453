"""A page that shows what a board does live, served on this machine alone by the standard library's server.

The board never waits for a browser: a step is left where it can be seen, and each browser takes the newest one when it
is ready for it. What came in between is not drawn, and counted.
"""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from spikeplane_hw.memory_map import Counter

from ..compiler.image import Image
from ..image_data import class_names
from .live import LiveStatistics, LiveStep

__all__ = ["HOST", "LivePage", "PageError"]

HOST = "127.0.0.1"
BETWEEN = 0.04
"""Seconds between two steps that a browser is sent, at least."""
SLOW = 5.0
"""Seconds that a browser may take no bytes before its connection is given up, and that steps may not come."""
SHOWN = 4000
"""Events of a step that are drawn at most, evenly chosen."""
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"
SERVING = "spikeplane live page"
"""The name of the thread that serves."""
HTML = Path(__file__).with_name("page.html")


class PageError(ValueError):
    """The page cannot be served; the message names the port."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """A step as it is left for browsers; nothing is worked out before one takes it."""

    number: int
    step: LiveStep
    spikes: np.ndarray
    layers: list[int]


class LivePage:
    """The page of a stream; a context manager. Port 0 takes one that is free."""

    def __init__(self, image: Image, statistics: LiveStatistics, every: float, port: int = 0):
        self.statistics = statistics
        self.drawn = 0
        """Steps that browsers were sent."""
        self.not_drawn = 0
        """Steps that browsers were not sent, since newer ones were there: of all browsers together."""
        self._facts = {
            "classes": list(class_names(image.metadata, len(image.logit_offset))), "every": every,
            "height": image.input.height, "width": image.input.width, "layers": [layer.name for layer in image.layers],
        }
        self._changed = threading.Condition()
        self._newest: _Shown | None = None
        self._before = np.zeros(len(image.layers), np.int64)
        self._ended = False
        self._port = port

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self._port}/"

    def __enter__(self) -> "LivePage":
        try:
            self._server = _server(self, self._port)
        except OSError as error:
            raise PageError(f"the page cannot be served on {HOST}:{self._port}: {error.strerror or error}") from error
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name=SERVING, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def end(self) -> None:
        """Tell browsers that nothing more comes; what they show stays."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def show(self, step: LiveStep, spikes: np.ndarray, counters: np.ndarray) -> None:
        """Leave a step for browsers: its ``spikes``, STEP_EVENT, and the device's ``counters`` since the first step."""
        layers: list[int] = []
        if len(counters):
            fired = counters[:, Counter.SPIKES.value]
            layers = ((fired - self._before) % (1 << 32)).tolist()  # Counters wrap.
            self._before = fired
        with self._changed:
            number = 1 if self._newest is None else self._newest.number + 1
            self._newest = _Shown(number=number, step=step, spikes=spikes, layers=layers)
            self._changed.notify_all()

    def _next(self, last: int) -> _Shown | None:
        """Return the newest step as soon as it is not ``last``; None at the end, or if none comes for SLOW seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or (self._newest is not None and self._newest.number != last), SLOW
            )
            newest = self._newest
            if newest is None or newest.number == last:
                return None
            self.not_drawn += newest.number - last - 1 if last else 0
            return newest

    def _count(self) -> None:
        with self._changed:
            self.drawn += 1

    def _message(self, shown: _Shown) -> dict[str, Any]:
        spikes = shown.spikes[:: -(-len(shown.spikes) // SHOWN) or 1]
        statistics = self.statistics
        return {
            **shown.step.to_dict(), "number": shown.number, "layers": shown.layers, "not_drawn": self.not_drawn,
            "picture": [spikes[name].tolist() for name in ("x", "y", "polarity")],
            "steps": statistics.steps, "dropped": statistics.dropped_bins, "seconds": statistics.seconds,
            "all_events": statistics.events, "quantiles": statistics.quantiles,
        }


def _server(page: LivePage, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = SLOW

        def do_GET(self) -> None:
            # Another page may have its own name lead to this machine: it is not to read what a camera sees.
            name = self.headers.get("Host", "").rpartition(":")[0]
            if name not in (HOST, "localhost"):
                self.send_error(403)
            elif self.path == "/":
                self._answer("text/html; charset=utf-8", HTML.read_bytes())
            elif self.path == "/facts":
                self._answer("application/json", json.dumps(page._facts).encode())
            elif self.path == "/steps":
                self._stream()
            else:
                self.send_error(404)

        def _answer(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(content)

        def _stream(self) -> None:
            """Send server-sent events until the stream ends, or the browser takes no more."""
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            last = 0
            try:
                while not page._ended:
                    found = page._next(last)
                    if found is None:
                        self.wfile.write(b": still here\n\n")
                        continue
                    self.wfile.write(f"data: {json.dumps(page._message(found))}\n\n".encode())
                    last = found.number
                    page._count()
                    time.sleep(BETWEEN)
                self.wfile.write(b"event: end\ndata: {}\n\n")
            except (ConnectionError, TimeoutError):
                pass  # The browser is closed, or too slow; the board does not notice.

        def log_message(self, format: str, *args) -> None:
            """Write nothing: standard output and error are the command's."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request, client_address) -> None:
            """Write nothing: a browser that goes away is no error of the command's."""

    return Server((HOST, port), Handler)
