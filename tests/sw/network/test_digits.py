import numpy as np
import pytest
from ragged_networks import affine, weights
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.digits import weighted_stream
from spikeplane.network.endings import Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window

FORM = InputFormat(channels=3, height=2, width=3, steps=2)


def head(lowest: int, least: int | None = None, steps: int = 2) -> tuple[IntegerNetwork, np.ndarray]:
    """Return a network whose logits are weights over a stream that saturates now and then, and these weights."""
    random = np.random.default_rng(3)
    into = weights(random, 5, 3, (1, 1), 4, WeightKind.TWOS)
    weight = random.integers(-7, 8, (4, 5, 1, 1))
    if least is not None:
        weight[0, 0] = least
    stream = Layer(name="stream", terms=(Window(source=INPUT, **into, **affine(random, 5, 0.1, 1)),),
                   ending=Store(fraction_bits=9))
    on_stream = weighted_stream("head", "stream", fraction_bits=9, weight=weight, weight_bits=4,
                                weight_kind=WeightKind.TWOS, lowest=lowest)
    return IntegerNetwork(input=FORM, nodes=[stream, *on_stream], logit_offset=np.zeros(4, np.int64)), weight


@pytest.mark.parametrize("lowest", [0, 9, 15])
def test_digits_add_up_to_the_weighted_stream(lowest):
    network, weight = head(lowest)
    network.verify()
    inputs = np.random.default_rng(4).integers(0, 2, (6, *FORM.shape))
    result = model.run(network, inputs, trace=True)
    stream = result.streams["stream"].numpy().astype(np.int64)
    assert (np.abs(stream) >= 32767).any() and (stream < 0).any() and (stream > 0).any()
    expected = np.einsum("kc,ntcyx->nk", weight[:, :, 0, 0], stream >> lowest)
    assert (result.sums.numpy() == expected).all()


def test_what_digits_cannot_do_is_said():
    with pytest.raises(NetworkError, match=r"head: lowest is 16, must be in 0\.\.15"):
        head(16)
    with pytest.raises(NetworkError, match="head: the least weight is -8: negated it has no 4-bit code"):
        head(12, least=-8)
    weight = np.eye(2, 5, dtype=np.int64)[:, :, None, None]
    counts = {"weight": weight, "weight_bits": 1, "weight_kind": WeightKind.UNIT}
    with pytest.raises(NetworkError, match="head: the greatest weight is 1: negated it has no 1-bit code"):
        weighted_stream("head", "stream", fraction_bits=9, **counts)
