"""The queue between events and board: order, what is dropped, the end, errors."""

import threading

import numpy as np
import pytest
from spikeplane.data.formats.events import EVENT
from spikeplane.live.bin_queue import BinQueue, EventBin


def made(index: int, count: int = 1) -> EventBin:
    return EventBin(index=index, events=np.zeros(count, EVENT), arrived=0.0)


def indices(queue: BinQueue) -> list[int]:
    found = []
    while (each := queue.take()) is not None:
        found.append(each.index)
    return found


def test_the_oldest_is_dropped_and_counted():
    queue = BinQueue(2)
    assert all(queue.put(made(index, 10 + index)) for index in range(5))
    assert len(queue) == 2
    queue.end()
    assert not queue.put(made(5))
    assert indices(queue) == [3, 4]
    assert (queue.dropped_bins, queue.dropped_events) == (3, 10 + 11 + 12)


def test_who_waits_loses_nothing():
    queue = BinQueue(2)

    def put():
        for index in range(20):
            queue.put(made(index), wait=True)
        queue.end()

    thread = threading.Thread(target=put)
    thread.start()
    assert indices(queue) == list(range(20))
    thread.join()
    assert queue.dropped_bins == 0


def test_an_error_comes_behind_the_bins():
    queue = BinQueue(4)
    queue.put(made(0))
    queue.end(ValueError("broke off"))
    queue.end()
    assert queue.take() is not None
    with pytest.raises(ValueError, match="broke off"):
        queue.take()


def test_a_queue_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a queue of 0 bins, must be 1 or more"):
        BinQueue(0)
