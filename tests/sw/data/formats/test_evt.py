"""Prophesee's words, one by one."""

import numpy as np
import pytest
from recording_samples import evt_2, evt_2_1, evt_3, random_events
from spikeplane.data.formats import evt
from spikeplane.data.formats.evt import EVT2, EVT2_1, EVT3, EventWords


def decode(version: EventWords, *words: int):
    changes = version.decode(np.array(words, version.word))
    events = zip(changes.t, changes.x, changes.y, changes.polarity, strict=True)
    return [tuple(map(int, event)) for event in events], changes.left_out


def test_words_of_evt2():
    events, left_out = decode(
        EVT2, 1 << 28 | 9, 0x8 << 28 | 1, 1 << 28 | 36 << 22 | 5 << 11 | 7, 0xA << 28 | 3, 0x7FF << 11 | 0x7FF
    )
    assert events == [(100, 5, 7, 1), (64, 2047, 2047, 0)]
    assert left_out == {"words of type 0xA": 1, "events before the first time or address": 1}


def test_words_of_evt2_1():
    events, left_out = decode(
        EVT2_1, 0x8 << 60 | 1 << 32, 1 << 60 | 36 << 54 | 32 << 43 | 7 << 32 | 0x8000_0005, 0xE << 60,
        3 << 43 | 1 << 32 | 2,
    )
    assert events == [(100, 32, 7, 1), (100, 34, 7, 1), (100, 63, 7, 1), (64, 4, 1, 0)]
    assert left_out == {"words of type 0xE": 1}


def test_words_of_evt3():
    events, left_out = decode(
        EVT3, 0x2801, 0x8001, 0x6064, 0x2801, 0x0002, 0x4001, 0x2801, 0x3805, 0x4801, 0x5F81, 0x50FF, 0x3007, 0x4001,
        0xA001, 0x7123, 0xF123,
    )
    vectors = [(0x1064, x, 2, 1) for x in (5, 16, 17, 24, *range(25, 33))]
    assert events == [(0x1064, 1, 2, 1), *vectors, (0x1064, 7, 2, 0)]
    assert left_out == {
        "words of type 0x7": 1, "words of type 0xA": 1, "words of type 0xF": 1,
        "events before the first time or address": 3,
    }


def test_times_of_evt3_that_step_back():
    words = (0x8001, 0x6064, 2, 0x2801, 0x606F, 0x2802, 0x6064, 0x2803, 0x6069, 0x2804)
    assert [t - 0x1064 for t, *_ in decode(EVT3, *words)[0]] == [0, 11, 0, 5]


def test_an_upper_time_of_evt3_begins_at_a_lower_one_of_zero():
    words = (0x8001, 0x6064, 2, 0x2801, 0x8001, 0x2802, 0x8002, 0x2803, 0x6001, 0x2804)
    assert [t for t, *_ in decode(EVT3, *words)[0]] == [0x1064, 0x1064, 0x2000, 0x2001]


def test_all_bits_of_upper_times_count():
    highs = (1, 0x8000001, 0xFFFFFFF)
    words = [word for high in highs for word in (0x8 << 28 | high, 1 << 28)]
    assert [t for t, *_ in decode(EVT2, *words)[0]] == [high << 6 for high in highs]
    assert [t for t, *_ in decode(EVT2_1, *((word << 32) + 1 for word in words))[0]] == [high << 6 for high in highs]


@pytest.mark.parametrize(("version", "words", "times"), [
    (EVT2, (0x8FFFFFFF, 1 << 28, 0x80000000, 1 << 28 | 1 << 22), [0, 65]),
    (EVT2_1, (0x8FFFFFFF << 32, 1 << 60 | 1, 0x80000000 << 32, 1 << 60 | 1 << 54 | 1), [0, 65]),
    (EVT3, (0x8FFF, 0, 0x2801, 0x8000, 0x2801, 0x8FFF, 0x2801, 0x8001, 0x2801), [0, 4096, 0, 8192]),
])
def test_times_that_wrap(version, words, times):
    found = [t for t, *_ in decode(version, *words)[0]]
    assert [t - found[0] for t in found] == times


@pytest.mark.parametrize("part", [1, 2, 3, 7, 50])
@pytest.mark.parametrize(("version", "encode"), [(EVT2, evt_2), (EVT2_1, evt_2_1), (EVT3, evt_3)])
def test_words_in_parts(monkeypatch, version, encode, part):
    raw = encode(random_events(300, 34, 30), 34, 30, start=5_000).split(b"% end\n", 1)[1]
    words = [*np.frombuffer(raw, version.word).tolist(), *RANDOM[version].tolist()]
    whole = decode(version, *words)
    monkeypatch.setattr(evt, "PART", part)
    assert decode(version, *words) == whole and len(whole[0]) > 300


RANDOM = {
    version: np.random.RandomState(0).randint(0, 256, 400 * 8, np.uint8).view(version.word)[:400]
    for version in (EVT2, EVT2_1, EVT3)
}
"""Words of all types in any order."""


@pytest.mark.parametrize("version", [EVT2, EVT2_1, EVT3])
def test_no_words(version):
    assert decode(version) == ([], {})
