"""Damaged frames by the ten thousand, between the driver's session and the compiled gateware."""

import sys
from collections import Counter
from pathlib import Path

from figures import Figure
from spikeplane.device.session import NoAnswerError

__all__ = ["measure"]

HARMS = 5_000
"""Damaged frames of one exchange."""
EXCHANGES = 8
STALL = 0.4
"""Share of the cycles in which every other exchange stalls the byte streams."""
TESTS = Path(__file__).resolve().parents[1] / "tests" / "hw"
sys.path[:0] = [str(TESTS)]


def measure() -> list[Figure]:
    """Return how many frames were damaged, and after how many exchanges something was wrong or hung."""
    from configs import NARROW, WIDE
    from noisy_link import exchange

    harmed: Counter[str] = Counter()
    repeats, faults = 0, []
    for number in range(EXCHANGES):
        config, stall = ((NARROW, 0.0), (WIDE, STALL))[number % 2]
        try:
            kinds, repeated = exchange(config, HARMS, stall=stall, seed=100 + number)
        except (AssertionError, NoAnswerError) as error:
            faults.append(f"exchange {number}, {config.name}: {error}")
            continue
        harmed.update(kinds)
        repeats += repeated
        print(f"exchange {number}, {config.name}: {sum(kinds.values())} frames damaged, {repeated} requests repeated")
    print("\n".join(faults))
    return [
        Figure.at_least("damaged frames, of 12 kinds, in both directions", harmed.total(), "frames", 40_000),
        Figure("requests repeated because of them", repeats, "requests"),
        Figure.at_most("exchanges of these with a wrong word, a lost or doubled event, or a hang", len(faults), "", 0),
    ]
