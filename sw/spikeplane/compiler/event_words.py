"""Events to the words that travel on the link."""

from collections.abc import Mapping

import numpy as np
from spikeplane_hw.descriptor import event_layout

__all__ = ["pack_events"]


def pack_events(fields: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return uint32 (events,) words of event_layout, in the order of the events.

    ``fields`` are integer arrays (events,) by the names of event_layout: step, x, y and polarity. Values must
    fit their fields; the callers check that.
    """
    words = np.zeros(len(fields["step"]), np.uint32)
    for name, member in event_layout():
        words |= fields[name].astype(np.uint32) << np.uint32(member.offset)
    return words
