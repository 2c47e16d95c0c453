"""What a sweep varies, and what of it a recipe does not allow."""

from dataclasses import replace

import pytest
from pruned_networks import residual
from spikeplane.sweeping.space import Space, SweepError, chosen, own_choices, parse_choices, ratios_of, requantized
from training_samples import recipe
from transformer_training import described

GROUPS = {"first": 6, "inner": 10, "last": 12}


def test_choices_of_an_option():
    assert parse_choices(["1,2", "conv2=4,8"], int, "--bits") == {"*": (1, 2), "conv2": (4, 8)}
    assert parse_choices(None, int, "--bits") == {}
    with pytest.raises(SweepError, match="--bits '1;2': expected values"):
        parse_choices(["1;2"], int, "--bits")
    with pytest.raises(SweepError, match="--bits '2': every layer has choices already"):
        parse_choices(["1", "2"], int, "--bits")


def test_parameters_of_a_chain():
    space = Space(bits={"*": (1, 2), "first": (4, 8)}, state_bits={"inner": (2, 4)}, widths={"*": (0.5, 1.0)},
                  steps=(2, 3), ratios={"last": (0.0, 0.5)})
    assert space.parameters(recipe(), GROUPS) == {
        "bits.first": (4, 8), "bits.inner": (1, 2), "bits.last": (1, 2), "state_bits.inner": (2, 4),
        "width.first": (0.5, 1.0), "width.inner": (0.5, 1.0), "width.last": (0.5, 1.0), "steps": (2, 3),
        "ratio.last": (0.0, 0.5),
    }


def test_a_recipe_of_some_choices():
    values = {"bits.inner": 4, "bits.first": 4, "state_bits.last": 2, "width.inner": 0.5, "steps": 2, "ratio.last": 0.5}
    made = chosen(recipe(), values)
    first, inner, _, last, _ = made.layers
    assert (inner.weights, inner.weight_bits, inner.channels) == ("rescaled", 4, 5)
    assert (first.weights, first.weight_bits, first.channels) == ("absmax", 4, 6)
    assert last.neuron == {"state_bits": 2} and last.channels == 12
    assert made.data.steps == 2 and ratios_of(values) == {"last": 0.5}


def test_a_quantizer_stays_where_it_has_the_bits():
    inner = recipe().layers[1]
    odd = replace(inner, weights="odd", weight_bits=2)
    assert requantized(odd, 4).weights == "odd"
    assert requantized(odd, 8).weights == "rescaled" and requantized(odd, 1).weights == "binary"
    assert requantized(inner, 1) is inner


def test_the_recipe_as_it_is():
    parameters = {"bits.inner": (1, 2), "width.inner": (0.5, 1.0), "steps": (3,), "ratio.last": (0.0, 0.5)}
    assert own_choices(recipe(), parameters) == {
        "bits.inner": 1, "width.inner": 1.0, "steps": 3, "ratio.last": 0.0,
    }
    assert own_choices(recipe(), {"bits.inner": (2, 4)}) is None


def test_residual_networks_have_one_factor():
    made = replace(recipe(), layers=residual("conv")[1])
    assert Space(widths={"*": (0.5, 1.0)}).parameters(made, {}) == {"width": (0.5, 1.0)}
    halves = chosen(made, {"width": 0.5})
    for before, after in zip(made.layers, halves.layers, strict=True):
        assert after.channels == max(1, round(before.channels / 2)) * bool(before.channels)
    with pytest.raises(SweepError, match="residual blocks add up channels"):
        Space(widths={made.layers[0].name: (0.5, 1.0)}).parameters(made, {})


@pytest.mark.parametrize(("space", "message"), [
    (Space(), "there is nothing to vary"),
    (Space(bits={"*": (1,)}), "there is nothing to vary"),
    (Space(bits={"absent": (1, 2)}), "--bits absent: no layer of this name"),
    (Space(bits={"*": (1, 3)}), "layer 'inner': weights have 1, 2, 4 or 8 bits, not 3"),
    (Space(bits={"*": (2, 2)}), "--bits 2,2: expected choices that differ"),
    (Space(state_bits={"*": (4, 99)}), "state_bits.first = 99"),
    (Space(widths={"*": (0.0, 1.0)}), "--widths 0.0: must be above 0"),
    (Space(steps=(0, 1)), "--steps 0: must be 1 or more"),
    (Space(ratios={"first": (0.0, 0.9)}), "0.9 of the 6 channels of 'first'"),
    (Space(ratios={"pool": (0.0, 0.5)}), "--ratios pool: no layer of this name"),
])
def test_what_a_recipe_does_not_allow(space, message):
    with pytest.raises(SweepError, match=message):
        space.parameters(recipe(), GROUPS)


def test_transformers_have_no_factors():
    with pytest.raises(SweepError, match="layers of a transformer share the channels of one stream"):
        Space(widths={"*": (0.5, 1.0)}).parameters(replace(recipe(), layers=described()), {})
