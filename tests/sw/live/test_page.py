"""The page of a live run: its server without a browser, and drawn by one that has no screen."""

import http.client
import json
import re
import socket
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from browser import CHROMIUM, WAIT, browser
from spikeplane.data.sets.bins import STEP_EVENT
from spikeplane.live import page as module
from spikeplane.live.live import LiveStatistics, LiveStep
from spikeplane.live.page import HOST, LivePage, PageError
from spikeplane_hw.memory_map import Counter

SIDE = 12


def image():
    return SimpleNamespace(
        metadata={"class_names": ["stands", "lies"]}, logit_offset=np.zeros(2),
        input=SimpleNamespace(height=SIDE, width=SIDE),
        layers=[SimpleNamespace(name="first"), SimpleNamespace(name="second")],
    )


def step(index: int) -> tuple[LiveStep, np.ndarray, np.ndarray]:
    """Return a step, its spikes and counters: a bar that moves, and layers that spike twice and once a step."""
    spikes = np.zeros(SIDE, STEP_EVENT)
    spikes["x"], spikes["y"], spikes["polarity"] = np.arange(SIDE), index % SIDE, index % 2
    counters = np.zeros((2, len(Counter)), np.int64)
    counters[:, Counter.SPIKES.value] = [2 * (index + 1), index + 1]
    made = LiveStep(index=index, label=index % 2, name=("stands", "lies")[index % 2], events=SIDE, spikes=SIDE,
                    logits=[float(np.sin(index / 9)), float(np.cos(index / 9))], latency=0.001 * (2 + index % 3))
    return made, spikes, counters


@pytest.fixture
def page():
    statistics = LiveStatistics(steps=1, events=SIDE, seconds=1.0, latencies=[0.002, 0.004])
    with LivePage(image(), statistics, 0.01) as page:
        yield page


def connect(page: LivePage) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(HOST, int(page.address.rsplit(":", 1)[1].strip("/")), timeout=10)


def get(page: LivePage, path: str, host: str | None = None) -> tuple[int, bytes]:
    connection = connect(page)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def lines(answer):
    """Yield the steps of a stream of server-sent events."""
    while line := answer.readline():
        if line.startswith(b"data: {\"index\""):
            yield json.loads(line[6:])


def test_the_page_needs_nothing_from_elsewhere(page):
    status, content = get(page, "/")
    assert status == 200 and b"Spikeplane live" in content
    assert not re.search(rb"https?://|src=|@import|url\(", content)
    facts = json.loads(get(page, "/facts")[1])
    assert facts["classes"] == ["stands", "lies"] and facts["layers"] == ["first", "second"]
    assert (facts["height"], facts["width"], facts["every"]) == (SIDE, SIDE, 0.01)


@pytest.mark.parametrize(("path", "host", "expected"), [
    ("/absent", None, 404), ("/../page.py", None, 404), ("/", "elsewhere.example", 403),
    ("/", "elsewhere.example:80", 403), ("/", "localhost:1", 200),
])
def test_what_is_not_the_page_is_refused(page, path, host, expected):
    assert get(page, path, host)[0] == expected


def test_steps_come_as_they_are_and_end(page):
    connection = connect(page)
    connection.request("GET", "/steps")
    answer = connection.getresponse()
    found = lines(answer)
    for index in range(3):
        given, spikes, counters = step(index)
        page.show(given, spikes, counters)
        shown = next(found)
        assert {name: shown[name] for name in given.to_dict()} == given.to_dict()
        assert shown["picture"] == [spikes[name].tolist() for name in ("x", "y", "polarity")]
        assert shown["layers"] == [2, 1] and shown["number"] == index + 1 and shown["not_drawn"] == 0
        assert shown["quantiles"] == {"50 %": 0.002, "90 %": 0.004, "99 %": 0.004, "greatest": 0.004}
    page.__exit__()
    assert b"event: end" in answer.read()
    connection.close()


def test_counters_that_wrap_and_a_core_without_any(page):
    given, spikes, counters = step(0)
    counters[0, Counter.SPIKES.value] = (1 << 32) - 1
    page.show(given, spikes, counters)
    counters = counters.copy()
    counters[0, Counter.SPIKES.value] = 3
    page.show(given, spikes, counters)
    assert page._newest.layers == [4, 0]
    page.show(given, spikes, np.zeros((0, len(Counter)), np.int64))
    assert page._newest.layers == []


def test_a_browser_that_reads_nothing_holds_nobody_up(monkeypatch):
    """Its buffers fill up, and its thread waits there; steps go on, and another browser sees the newest ones."""
    monkeypatch.setattr(module, "BETWEEN", 0.0)
    monkeypatch.setattr(module, "SHOWN", 100_000)
    with LivePage(image(), LiveStatistics(), 0.01) as page:
        port = int(page.address.rsplit(":", 1)[1].strip("/"))
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect((HOST, port))
            slow.sendall(f"GET /steps HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode())
            given, spikes, counters = step(0)
            many = np.resize(spikes, 100_000)  # More than a socket's buffers hold.
            for index in range(200):
                page.show(replace(given, index=index), many, counters)
                time.sleep(0.001)
            connection = connect(page)
            connection.request("GET", "/steps")
            assert next(lines(connection.getresponse()))["index"] == 199
            connection.close()
        page.show(replace(given, index=200), spikes, counters)
        assert page._newest.number == 201


def test_steps_that_are_not_drawn_are_counted(page):
    connection = connect(page)
    connection.request("GET", "/steps")
    found = lines(connection.getresponse())
    page.show(*step(0))
    assert next(found)["not_drawn"] == 0
    for index in range(1, 6):  # While the browser is given time to draw.
        page.show(*step(index))
    shown = next(found)
    while shown["index"] < 5:
        shown = next(found)
    assert 0 < shown["not_drawn"] == page.not_drawn <= 4
    connection.close()


def test_a_port_that_is_taken_is_named(page):
    port = int(page.address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(PageError, match=rf"^the page cannot be served on 127\.0\.0\.1:{port}: "), \
            LivePage(image(), LiveStatistics(), 0.01, port):
        pass


def test_nothing_serves_when_it_is_over():
    with LivePage(image(), LiveStatistics(), 0.01) as page:
        assert page.address.startswith(f"http://{HOST}:")
    with pytest.raises(ConnectionError):
        get(page, "/")
    assert not [thread for thread in threading.enumerate() if thread.name == module.SERVING]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_draws_it(page, tmp_path):
    """What Chromium makes of it: the class, the picture, a bar for each layer, figures, and that it is over."""
    stop = threading.Event()

    def go_on():
        index = 0
        while not stop.wait(0.02):
            page.show(*step(index))
            index += 1
        page.end()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        with browser(tmp_path / "browser") as found:
            found.open(page.address)
            drawn = wait_for(lambda: found.value("seen.length > 30 && document.body.innerText"))
            assert drawn.splitlines()[1].split()[0] in ("stands", "lies")
            assert "first" in drawn and "second" in drawn and "4.00 ms" in drawn
            assert found.value("[...document.querySelectorAll('.bar')].map(bar => bar.style.width)") == ["100%", "50%"]
            assert found.value("[at('picture').width, at('picture').height]") == [SIDE, SIDE]
            bright = found.value("at('picture').getContext('2d').getImageData(0, 0, 12, 12).data.filter(v => v > 200)"
                                 ".length")
            assert bright > SIDE * SIDE, "only alpha is bright where no event is"
            found.picture(tmp_path / "page.png")
            stop.set()
            assert wait_for(lambda: found.value("at('state').textContent.endsWith('ended')"))
        assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    finally:
        stop.set()
        thread.join()


def wait_for(look):
    """Return what ``look`` gives once it is something."""
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise TimeoutError("the page did not get there")
