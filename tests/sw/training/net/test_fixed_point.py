"""Gains and biases of a layer as the core's integers, and whole networks whose gains fit at no shift."""

import numpy as np
import pytest
import torch
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.input import InputFormat
from spikeplane.network.term import MULTIPLIER_LIMITS
from spikeplane.training.net.export import export_network
from spikeplane.training.net.fixed_point import Currents, fixed_point
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.run.evaluate import predict, predict_integer
from spikeplane_hw.neuron import FRACTION_BITS, SHIFTS

ONE = 1 << FRACTION_BITS
LOWEST, HIGHEST = MULTIPLIER_LIMITS
SPARSE = InputFormat(channels=2, height=34, width=34, steps=4)
CLASSES = 4


def currents(gain, bias=0.0, mean=0.0, deviation=1.0) -> Currents:
    gain = np.array(gain, np.float64)
    return Currents(gain=gain, **{
        name: np.broadcast_to(np.float64(value), gain.shape)
        for name, value in (("bias", bias), ("mean", mean), ("deviation", deviation))
    })


def error(found: Currents, shift: int) -> float:
    """Return the mean square error of the currents at a shift, by its definition."""
    unit = ONE * 2.0**shift
    total = 0.0
    for gain, deviation in zip(found.gain, found.deviation, strict=True):
        multiplier = min(max(round(gain * unit), LOWEST), HIGHEST)
        total += ((multiplier / unit - gain) * deviation) ** 2
    return total


def test_the_greatest_shift_at_which_all_channels_fit():
    for gain, shift in ((0.0009, 13), (0.0011, 9), (0.016, 5), (0.3, 1)):
        found, multiplier, offset = fixed_point("conv", currents([gain, 0.0], bias=[0.5, -1]))
        assert found == shift
        assert multiplier.tolist() == [round(gain * ONE * 2**shift), 0]
        half = 1 << (shift - 1)
        assert offset.tolist() == [(ONE // 2 << shift) + half, (-ONE << shift) + half]


def test_a_gain_that_fits_at_no_shift_is_clipped_and_keeps_the_current_at_the_mean():
    shift, multiplier, offset = fixed_point("conv", currents([0.3, 316.0, -316.0], bias=-20.0, mean=0.125))
    assert shift == min(SHIFTS)
    assert multiplier.tolist() == [round(0.3 * ONE * 2**shift), HIGHEST, LOWEST]
    at_mean = (0.125 * multiplier + offset - (1 << (shift - 1))) / (ONE << shift)
    assert at_mean == pytest.approx([0.3 * 0.125 - 20, 316 * 0.125 - 20, -316 * 0.125 - 20], abs=1 / ONE)


@pytest.mark.parametrize(("gain", "varied", "shift"), [
    (0.0157, True, 9),  # Clipped by 0.5 %; with shift 5 each of the others would lose 0.2 %.
    (0.0230, True, 5),  # Clipped by a third: worse than the others' rounding.
    (0.0230, False, 9),  # Its sums never varied: nothing is lost by clipping.
])
def test_one_clipped_channel_against_the_rounding_of_all(gain, varied, shift):
    gains = np.array([gain, *[0.0012] * 15])
    deviation = 1 / gains
    deviation[0] *= varied
    chosen = currents(gains, deviation=deviation)
    found, multiplier, _ = fixed_point("conv", chosen)
    assert found == shift
    assert (multiplier[0] == HIGHEST) == (shift == 9)
    assert error(chosen, found) == min(error(chosen, each) for each in SHIFTS)


def test_equal_errors_take_the_greatest_shift():
    assert fixed_point("conv", currents([0.0, 0.0]))[0] == max(SHIFTS)
    assert fixed_point("conv", currents([2.0**-12]))[0] == max(SHIFTS)
    assert fixed_point("conv", currents([400.0], deviation=0.0))[0] == max(SHIFTS)


def test_a_shift_at_which_a_bias_does_not_fit_is_not_taken():
    # 2**31 over 2**(12 + shift): 64 thresholds at 13, 1024 at 9.
    assert fixed_point("conv", currents([0.0005], bias=63.0))[0] == 13
    assert fixed_point("conv", currents([0.0005], bias=-65.0))[0] == 9


def test_a_bias_that_fits_at_no_shift_is_refused():
    with pytest.raises(NetworkError) as caught:
        fixed_point("conv", currents([0.1, 0.1], bias=[0.0, 3e5]))
    assert str(caught.value) == (
        "layer 'conv': B of channel 1 is 2457600001 at the least shift 1, limit 2147483647: at the sum 0 its "
        "current is 3e+05 thresholds; train it again with a lower training.learning_rate"
    )


def sparse_samples(density: float, count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return events, and labels: the quarter of the frame with five times the events of the others."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=draw)
    rate = torch.full((count, 34, 34), density / 2)
    for index, label in enumerate(labels.tolist()):
        y, x = 17 * (label // 2), 17 * (label % 2)
        rate[index, y:y + 17, x:x + 17] = 5 * density / 2
    return (torch.rand(count, *SPARSE.shape, generator=draw) < rate[:, None, None]).byte(), labels


def trained(density: float, kind: str, bits: int) -> SpikingNetwork:
    """Return a network of two convolutions after some batches."""
    torch.manual_seed(0)
    inner = {"weights": kind, "weight_bits": bits}
    net = SpikingNetwork(SPARSE, [
        LayerRecipe(name="a", kind="conv", channels=8, **inner),
        LayerRecipe(name="b", kind="conv", channels=8, stride=2, **inner),
        LayerRecipe(name="o", kind="classifier", weights="absmax", weight_bits=8, pooled=False),
    ], NeuronRecipe(state_bits=4), CLASSES).train()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for batch in range(40):
        inputs, labels = sparse_samples(density, 16, batch)
        loss = torch.nn.functional.cross_entropy(net(inputs)[0].mean(0), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@pytest.mark.parametrize(("density", "kind", "bits", "dead", "clipped"), [
    (0.2, "binary", 1, True, 1), (0.2, "absmax", 8, True, 1), (0.002, "binary", 1, False, 8),
], ids=["dead-1-bit", "dead-8-bit", "sparse"])
def test_networks_with_gains_that_do_not_fit_predict_as_trained(density, kind, bits, dead, clipped):
    net = trained(density, kind, bits)
    if dead:
        with torch.no_grad():
            net.layers["a"].norm.get_buffer("running_var")[3] = 0
    integers = export_network(net)
    assert integers.nodes[0].clipped == (clipped, 8)
    assert integers.nodes[-1].clipped == (0, 0)
    inputs, labels = (each.numpy() for each in sparse_samples(density, 500, 1000))
    as_trained, found = predict(net, inputs), predict_integer(integers, inputs)
    assert (as_trained == labels).mean() > 0.9
    assert (as_trained == found).mean() >= 0.998 or abs(
        (as_trained == labels).mean() - (found == labels).mean()
    ) <= 0.002


def test_the_chosen_shift_gives_the_spikes_of_the_network():
    """One channel's gain is raised beyond the limit of the shift that all others take."""
    net = trained(0.2, "absmax", 8)
    inputs = sparse_samples(0.2, 40, 1000)[0]
    norm = net.layers["a"].norm
    shifts = {}
    for factor in (1.0, 40.0):
        with torch.no_grad():
            norm.weight[3] *= factor
            spikes = net(inputs)[1]["a"].transpose(0, 1)
        integers = export_network(net)
        shifts[factor] = integers.nodes[0].terms[0].shift
        same = model.run(integers, inputs, counters=False, trace=True).spikes["a"] == spikes
        assert same.double().mean() > 0.997
    assert shifts[40.0] < shifts[1.0]
