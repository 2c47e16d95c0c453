"""What fires and what saturates, counted batch by batch."""

import torch
from spikeplane.training.run.activity import ActivityCounter


def test_batches_add_up():
    first, second = torch.zeros(2, 3, 4, 2, 2), torch.zeros(1, 3, 4, 2, 2)
    first[1, 2, 0, 1, 0] = first[0, 0, 2] = 1
    second[0, 1, 3] = 1
    counter = ActivityCounter()
    for maps, clipped in ((first.to(torch.uint8), [3, 0]), (second, [6])):
        counter.add({"a": maps, "pool": torch.ones_like(maps)}, {"a": torch.tensor(clipped)})
    found = counter.result()
    assert found.samples == 3
    assert found.rates == {"a": 9 / 144, "pool": 1.0}
    assert found.channels == {"a": (1, 4), "pool": (0, 4)}
    assert found.saturated == {"a": 9 / 144}
