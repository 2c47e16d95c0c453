"""Words of events."""

import numpy as np
from spikeplane.compiler.event_words import pack_events
from spikeplane_hw.descriptor import event_layout


def test_every_field_comes_back_at_its_limits():
    layout = event_layout()
    highest = {name: (1 << member.width) - 1 for name, member in layout}
    fields = {name: np.array([0, limit, limit // 3], np.int64) for name, limit in highest.items()}
    words = pack_events(fields)
    assert words.dtype == np.uint32
    for name, member in layout:
        assert (words >> np.uint32(member.offset) & np.uint32(highest[name])).tolist() == fields[name].tolist()
    assert pack_events({name: np.zeros(0, np.int64) for name in fields}).shape == (0,)
