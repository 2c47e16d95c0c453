import numpy as np
import pytest
from spikeplane.network.weights import WeightKind


@pytest.mark.parametrize(("kind", "bits", "limits"), [
    (WeightKind.ODD, 1, (-1, 1)), (WeightKind.ODD, 4, (-15, 15)),
    (WeightKind.TWOS, 4, (-8, 7)), (WeightKind.UNIT, 2, (0, 3)),
])
def test_codes_and_reference_give_the_weight_back(kind, bits, limits):
    assert kind.limits(bits) == limits
    weights = np.arange(limits[0], limits[1] + 1, 2 if kind is WeightKind.ODD else 1)
    codes = kind.codes(weights, bits)
    assert codes.tolist() == list(range(1 << bits))
    factor = 2 if kind is WeightKind.ODD else 1
    assert (factor * codes - kind.reference(bits)).tolist() == weights.tolist()
