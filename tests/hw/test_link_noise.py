"""The real gateware, compiled, behind a line that harms ten thousand frames: nothing may go wrong."""

import pytest
from configs import NARROW, WIDE
from noisy_link import exchange

HARMS = 10_000


@pytest.mark.parametrize("config, harms, stall", [(NARROW, HARMS, 0.0), (WIDE, HARMS // 5, 0.4)],
                         ids=["narrow", "wide, stalled"])
def test_no_wrong_word_no_lost_or_doubled_event_no_hang(config, harms, stall):
    harmed, repeats = exchange(config, harms, stall=stall, seed=5)
    assert repeats > harms / 4
    assert len(harmed) == 12, "every kind of harm is drawn"
