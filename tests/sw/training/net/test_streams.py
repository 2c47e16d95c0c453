"""Streams on their grid as the integer model has them, and heads on them."""

import pytest
import torch
from spikeplane.network.maps import MapFormat
from spikeplane.network.stored import Stored
from spikeplane.network.term import Scale
from spikeplane.training.net.quantizers import AbsMaxWeight
from spikeplane.training.net.streams import Grid, Heads

BITS = 6


def integers(count: int = 400, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-(1 << 15), 1 << 15, (1, 1, count, 1, 1), generator=generator, dtype=torch.int32)


def test_means_are_those_of_the_integer_model():
    first, second = integers(), integers(seed=1)
    form = MapFormat(channels=400, height=1, width=1, bits=16, fraction_bits=BITS)
    term = Stored(streams=("a", "b")).plan({"a": form, "b": form}, Scale(fraction_bits=BITS))
    expected = term.add({"a": first, "b": second})
    found = Grid(BITS).mean((first / 2.0**BITS, second / 2.0**BITS))
    assert torch.equal((found * 2.0**BITS).long(), expected)
    assert ((first + second) % 2 != 0).any()


@pytest.mark.parametrize(("units", "expected"), [
    (0.5, 1), (1.49, 1), (-0.5, 0), (-1.51, -2), (40000.0, 32767), (-40000.0, -32768),
])
def test_what_is_added_is_rounded_and_saturated(units, expected):
    found = Grid(BITS).add(torch.tensor([units / 2.0**BITS]), torch.zeros(1))
    assert (found * 2.0**BITS).tolist() == [expected]
    assert Grid(BITS, rounds=False).add(torch.tensor([1e6]), torch.ones(1)).tolist() == [1e6 + 1]


def test_gradients_pass_the_grid():
    values = torch.tensor([0.3, 1e6], requires_grad=True)
    Grid(BITS).add(values, torch.zeros(2)).sum().backward()
    assert values.grad is not None and values.grad.tolist() == [1, 1]


def heads(**options) -> Heads:
    settings = {"count": 2, "bits": 5, "fraction_bits": 2, **options}
    return Heads((8, 2, 2), 3, grid=Grid(BITS), quantizer=AbsMaxWeight(8), **settings)


def test_heads_read_the_bits_that_they_have():
    module = heads()
    stream = torch.tensor([0.0, 0.24, 0.26, -0.01, 3.9, 17.0, -4.1, -17.0])
    assert module.read(stream).tolist() == [0, 0, 0.25, -0.25, 3.75, 3.75, -4, -4]
    stream.requires_grad_()
    module.read(stream).sum().backward()
    assert stream.grad is not None and stream.grad.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_each_of_two_heads_reads_a_stream_and_one_the_last():
    streams = torch.randn(2, 4, 8, 2, 2), torch.randn(2, 4, 8, 2, 2)
    for count, read in ((2, streams), (1, streams[1:])):
        module = heads(count=count)
        _, logits = module(streams, 2)
        assert logits.shape == (count, 2, 4, 3)
        weights = module.quantizer(module.weight).flatten(1)
        for head, stream in enumerate(read):
            expected = module.read(stream).mean((3, 4)) @ weights[3 * head : 3 * head + 3].T
            torch.testing.assert_close(logits[head], expected)
    _, logits = heads()(streams[:1], 2)
    assert len(logits) == 2


@pytest.mark.parametrize(("options", "message"), [
    ({"count": 3}, "count must be 1 or 2, not 3"),
    ({"bits": 17}, r"bits must be in 2\.\.16, not 17"),
    ({"fraction_bits": 5}, r"fraction_bits must be in 0\.\.4, below bits and at most the stream's, not 5"),
    ({"bits": 12, "fraction_bits": 7}, r"fraction_bits must be in 0\.\.6"),
])
def test_wrong_heads_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        heads(**options)


@pytest.mark.parametrize("bits", [-1, 16])
def test_a_grid_has_the_bits_of_a_stream(bits):
    with pytest.raises(ValueError, match=rf"fraction_bits must be in 0\.\.15, not {bits}"):
        Grid(bits)
