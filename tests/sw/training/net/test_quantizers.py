"""Weight and potential quantizers."""

import numpy as np
import pytest
import torch
from spikeplane.network.weights import WeightKind
from spikeplane.training.net.quantizers import (
    AbsMaxWeight,
    BinaryWeight,
    OddWeight,
    PotentialQuantizer,
    RescaledWeight,
    straight_through,
)
from spikeplane_hw.neuron import (
    FRACTION_BITS,
    STATE_WIDTH,
    TABLE_INDEX_SHIFT,
    Levels,
    Neuron,
    Reset,
)

QUANTIZERS = [
    BinaryWeight(), BinaryWeight(regulate=False), OddWeight(2), OddWeight(4), AbsMaxWeight(8),
    AbsMaxWeight(4), RescaledWeight(2), RescaledWeight(4), RescaledWeight(8), RescaledWeight(2, "max"),
    RescaledWeight(2, "quantile"), RescaledWeight(2, "none"),
]


def weights(seed: int = 0) -> torch.Tensor:
    return torch.randn(7, 5, 3, 3, generator=torch.Generator().manual_seed(seed))


def test_straight_through_is_exact():
    smooth = torch.tensor([1e8, 0.1], requires_grad=True)
    exact = torch.tensor([7.0, 0.3])
    result = straight_through(smooth, exact)
    assert torch.equal(result, exact)
    result.sum().backward()
    assert smooth.grad is not None and smooth.grad.tolist() == [1, 1]


@pytest.mark.parametrize("quantizer", QUANTIZERS, ids=lambda q: f"{type(q).__name__}{q.bits}")
def test_forward_is_integers_times_scale(quantizer):
    weight = weights()
    integers, scale = quantizer.integers(weight)
    expected = integers * scale[:, None, None, None]
    torch.testing.assert_close(quantizer(weight), expected.float(), rtol=1e-6, atol=0)
    low, high = quantizer.kind.limits(quantizer.bits)
    assert low <= integers.min() and integers.max() <= high
    if quantizer.kind is WeightKind.ODD:
        assert (integers % 2 == 1).all()


def test_binary_weights_are_regulated_signs():
    weight = weights() + 5
    integers, scale = BinaryWeight().integers(weight)
    centered = weight - weight.mean((1, 2, 3), keepdim=True)
    assert torch.equal(integers, torch.where(centered >= 0, 1, -1))
    assert (BinaryWeight(regulate=False).integers(weight)[0] == 1).all()
    assert set(scale.tolist()) <= {0.5, 1.0}


def test_zero_has_the_sign_plus_one():
    assert BinaryWeight(regulate=False).integers(torch.zeros(2, 3, 1, 1))[0].eq(1).all()
    assert BinaryWeight()(torch.zeros(2, 3, 1, 1)).gt(0).all()


@pytest.mark.parametrize(("progress", "steepness"), [(0.0, 0.1), (0.5, 1.0), (1.0, 10.0)])
def test_gradient_of_signs_follows_the_schedule(progress, steepness):
    quantizer = BinaryWeight(regulate=False)
    quantizer.set_progress(progress)
    weight = torch.linspace(-2, 2, 41).view(1, 41).requires_grad_()
    scale = quantizer.integers(weight)[1].item()
    quantizer(weight).sum().backward()
    k = max(1 / steepness, 1)
    expected = scale * k * steepness * (1 - torch.tanh(steepness * weight.detach()) ** 2)
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, expected, rtol=1e-4, atol=1e-6)


def test_absmax_uses_the_greatest_absolute_weight():
    integers, scale = AbsMaxWeight(8).integers(torch.tensor([[-2.54, 1.0], [0.02, 0.0]]))
    assert integers.tolist() == [[-127, 50], [1, 0]]
    assert scale.tolist() == pytest.approx([0.02, 0.02])


GAMMAS = {
    "mean": lambda w: np.abs(w).mean(1),
    "max": lambda w: np.abs(w).max(1),
    "quantile": lambda w: np.maximum(np.abs(np.quantile(w, 0.9, axis=1)), np.abs(np.quantile(w, 0.1, axis=1))),
    "none": lambda w: np.ones(len(w)),
}


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("rescaling", GAMMAS)
def test_rescaled_weights_are_those_of_the_papers_equations(rescaling, bits):
    weight = weights() * torch.linspace(0.02, 2, 7).view(-1, 1, 1, 1) + 0.03
    quantizer = RescaledWeight(bits, rescaling, quantile=0.9)
    flat = weight.flatten(1).double().numpy()
    gamma = GAMMAS[rescaling](flat)[:, None]
    s = 2**bits - 1
    expected = gamma * (2 / s * np.round(s / 2 * (np.clip(flat / gamma, -1, 1) + 1)) - 1)
    # Weights within float32's error of the middle between two levels may go either way.
    place = s / 2 * (np.clip(flat / gamma, -1, 1) + 1) % 1
    clear = np.abs(place - 0.5) > 1e-4
    assert clear.mean() > 0.99
    np.testing.assert_allclose(quantizer(weight).flatten(1).numpy()[clear], expected[clear], rtol=1e-5)
    codes = quantizer.kind.codes(quantizer.integers(weight)[0].numpy(), bits)
    assert codes.min() >= 0 and codes.max() <= s
    if rescaling != "none":  # Every level is used: a channel's size does not matter.
        assert bits == 8 or len(np.unique(codes)) == s + 1


def test_rescaled_two_bit_weights_have_four_levels():
    integers, scale = RescaledWeight(2, "max").integers(torch.tensor([[-3.0, -0.9, 0.5, 2.5], [0, 0, 0, 0.0]]))
    assert integers[0].tolist() == [-3, -1, 1, 3]
    assert scale[0].item() == 1
    assert integers[1].abs().eq(1).all() and scale.isfinite().all()


def test_gradient_of_rescaled_weights():
    values = torch.tensor([[-3.0, -0.5, 0.5, 4.0], [-0.3, -0.05, 0.05, 0.4]])
    gamma = values.abs().mean(1, keepdim=True)
    for gradient, expected in (
        ("coded", (1 / gamma).expand_as(values)), ("clipped", (values.abs() <= gamma).float()),
    ):
        weight = values.clone().requires_grad_()
        (RescaledWeight(2, gradient=gradient)(weight) * 3).sum().backward()
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, 3 * expected)


@pytest.mark.parametrize("options", [
    {"rescaling": "median"}, {"gradient": "none"}, {"quantile": 0.5}, {"quantile": "much"},
])
def test_wrong_options_of_rescaled_weights_are_named(options):
    (name, value), = options.items()
    with pytest.raises(ValueError, match=f"{name} must be .*not {value!r}"):
        RescaledWeight(2, **options)


@pytest.mark.parametrize("levels", Levels)
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_potentials_are_exactly_the_cores(bits, levels):
    limit = 1 << (STATE_WIDTH - 1)
    potential = np.arange(-limit, limit)
    neuron = Neuron(
        reset=Reset.NONE, state_bits=bits, levels=levels, fire_above=limit - 1
    )
    _, codes, _ = neuron.step(potential, np.zeros_like(potential))
    quantizer = PotentialQuantizer(bits, levels)
    found = quantizer(torch.from_numpy(potential / 2.0**FRACTION_BITS).float())
    n = (1 << (bits - 1)) - 1
    np.testing.assert_array_equal(torch.round(found * n).numpy(), codes)
    # The table sees the high bits only: what lies between its entries changes nothing.
    between = potential[:: 1 << TABLE_INDEX_SHIFT] + 2.0**TABLE_INDEX_SHIFT - 0.01
    found = quantizer(torch.from_numpy(between / 2.0**FRACTION_BITS).float())
    np.testing.assert_array_equal(
        torch.round(found * n).numpy(), codes[:: 1 << TABLE_INDEX_SHIFT]
    )


def test_gradient_of_potentials():
    value = torch.tensor([-3.0, -0.4, 0.0, 0.9, 1.5], requires_grad=True)
    PotentialQuantizer(4, Levels.TANH)(value).sum().backward()
    assert value.grad is not None
    # In the middle of a table's entry, half an entry of 1/128 away at most.
    torch.testing.assert_close(value.grad, 1 - torch.tanh(value.detach()) ** 2, rtol=0, atol=0.77 / 256)
    middle = ((value.detach() * 128).floor() + 0.5) / 128
    torch.testing.assert_close(value.grad, 1 - torch.tanh(middle) ** 2)
    value.grad = None
    PotentialQuantizer(4, Levels.UNIFORM)(value).sum().backward()
    assert value.grad.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(("kind", "bits"), [
    (BinaryWeight, 2), (OddWeight, 3), (AbsMaxWeight, 1), (RescaledWeight, 1),
])
def test_bad_widths_are_refused(kind, bits):
    with pytest.raises(ValueError, match="bit"):
        kind(bits)
