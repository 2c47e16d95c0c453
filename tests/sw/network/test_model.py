
import numpy as np
import pytest
import torch
from ragged_networks import CORES, chain, changed, layer, network, samples
from spikeplane.network import model
from spikeplane.network.checks import NetworkError
from spikeplane.network.endings import Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.schedule import Schedule
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window, tap_weights
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import Neuron, Reset, saturate, scale_sum


def plain(net: IntegerNetwork, sample: np.ndarray):
    """Compute one input with loops over windows and integers: (spikes, states, logits)."""
    form = net.input
    values = [sample.astype(object)] * form.steps if form.direct else list(sample.astype(object))
    all_spikes, all_states = {}, {}
    for node in net.nodes:
        lowered = node.lower(net.maps())
        (spec,) = lowered.terms
        pad = spec.padding
        out, _, kh, kw = spec.weight.shape
        sums = []
        for value in values:
            padded = np.pad(value, ((0, 0), (pad, pad), (pad, pad)))
            height = (padded.shape[1] - kh) // spec.stride + 1
            width = (padded.shape[2] - kw) // spec.stride + 1
            total = np.zeros((out, height, width), np.int64)
            for o, y, x in np.ndindex(total.shape):
                top, left = y * spec.stride, x * spec.stride
                window = padded[:, top:top + kh, left:left + kw]
                total[o, y, x] = int((window * spec.weight[o].astype(object)).sum())
            sums.append(total)
        if lowered.neuron is None:
            return all_spikes, all_states, sum(sums).sum((1, 2))
        values, state = [], np.zeros_like(sums[0])
        for step in range(len(sums)):
            # By the definition: taps act on the sums of the last steps.
            total = sum(
                weight * sums[step - delay]
                for delay, weight in enumerate(tap_weights(spec.taps)[:step + 1])
            )
            x = saturate(scale_sum(total, spec.multiplier[:, None, None], spec.offset[:, None, None], spec.shift))
            spike, state, _ = lowered.neuron.step(x, state)
            values.append(spike.astype(int))
        all_spikes[node.name] = np.array(values)
        all_states[node.name] = state


@pytest.mark.parametrize("taps", [False, True], ids=["", "taps"])
@pytest.mark.parametrize("direct", [False, True], ids=["spikes", "image"])
@pytest.mark.parametrize("seed", range(20, 26))
def test_model_equals_plain_integers(seed, direct, taps):
    net = network(seed, direct=direct, taps=taps)
    inputs = samples(net, 3)
    result = model.run(net, inputs, trace=True)
    for index, sample in enumerate(inputs):
        spikes, states, logits = plain(net, sample)
        assert result.sums[index].tolist() == logits.tolist()
        assert result.predictions[index] == int((logits + net.logit_offset).argmax())
        for name, one in spikes.items():
            assert np.array_equal(result.spikes[name][index].numpy(), one)
        for name, found in result.states.items():
            assert np.array_equal(found[index].numpy(), states[name])


def test_sums_beyond_single_precision_are_exact():
    random = np.random.default_rng(0)
    hidden = layer(random, "hidden", 3, 30, (7, 7), bits=8, kind=WeightKind.TWOS,
                   neuron=Neuron(state_bits=16), shift=13)
    weight = np.full(hidden.terms[0].weight.shape, 127)
    weight[1, ::2] = 126
    hidden = changed(hidden, weight=weight, multiplier=np.array([3, -3, 1]))
    net = IntegerNetwork(
        input=InputFormat(channels=30, height=7, width=7, steps=2, bits=8, direct=True),
        nodes=chain(hidden, layer(random, "out", 2, 3, (1, 1))), logit_offset=np.zeros(2, np.int64))
    sample = random.integers(240, 256, net.input.shape).astype(np.uint8)
    result = model.run(net, sample[None], trace=True)
    spikes, states, _ = plain(net, sample)
    assert np.array_equal(result.states["hidden"][0].numpy(), states["hidden"])
    assert np.array_equal(result.spikes["hidden"][0].numpy(), spikes["hidden"])
    (term,) = hidden.terms
    assert term.plan(net.maps(), hidden.ending.scale).float is torch.float64


def test_blocks_and_counters_do_not_change_results(monkeypatch):
    net = network(5)
    inputs = samples(net, 9)
    whole = model.run(net, inputs, config=CORES[0], trace=True)
    monkeypatch.setattr(model, "BLOCK_ELEMENTS", 1)
    parts = model.run(net, torch.from_numpy(inputs), config=CORES[0], trace=True)
    bare = model.run(net, inputs.astype(bool), counters=False)
    assert torch.equal(whole.sums, parts.sums)
    assert torch.equal(whole.sums, bare.sums)
    assert bare.counters == bare.synaptic_operations == bare.spikes == bare.states == {}
    for one, other in zip(whole.counters.values(), parts.counters.values(), strict=True):
        assert {c: v.tolist() for c, v in one.items()} == {c: v.tolist() for c, v in other.items()}


def test_operations_do_not_depend_on_the_core():
    net = network(5)
    inputs = samples(net, 4)
    without = model.run(net, inputs)
    assert set(without.counters[net.names[0]]) == {Counter.SATURATIONS, Counter.SPIKES}
    for core in CORES:
        result = model.run(net, inputs, config=core)
        for node in net.nodes:
            one = result.synaptic_operations[node.name]
            assert torch.equal(one, without.synaptic_operations[node.name])
            channels = node.lower(net.maps()).channels
            events = result.counters[node.name][Counter.EVENTS]
            assert torch.equal(events * channels, one * -(-channels // core.lanes))


def test_stored_schedule_accumulates_an_image_in_every_step():
    net = network(1, direct=True)
    inputs = samples(net, 2)
    runs = [model.run(net, inputs, schedule=s, config=CORES[0]) for s in Schedule]
    assert torch.equal(runs[0].sums, runs[1].sums)
    steps = net.input.steps
    assert steps > 1
    for counter, factor in ((Counter.EVENTS, steps), (Counter.IDLE, steps), (Counter.SPIKES, 1)):
        once, often = (run.counters[net.names[0]][counter] for run in runs)
        assert torch.equal(often, once * factor)


def test_idle_counts_every_bank_that_waits():
    random = np.random.default_rng(0)
    net = IntegerNetwork(
        input=InputFormat(channels=5, height=2, width=1, steps=1),
        nodes=[layer(random, "out", 5, 5, (2, 1))], logit_offset=np.zeros(5, np.int64))
    sample = np.zeros((1, 5, 2, 1), np.uint8)
    sample[0, [0, 2, 4, 1], [0, 1, 1, 0], 0] = 1
    counts = model.run(net, sample[None], config=CORES[0]).counters["out"]  # 4 lanes, 2 banks
    # Bank 0 reads channels 0, 2 and 4, bank 1 reads channel 1; 5 outputs are two groups.
    assert (int(counts[Counter.EVENTS]), int(counts[Counter.IDLE])) == (2 * 4, 2 * 2)


def test_an_update_that_saturates_twice_counts_once():
    neuron = Neuron(fire_above=32767, reset=Reset.NONE, state_bits=16, leak=1.0)
    random = np.random.default_rng(0)
    hidden = changed(
        layer(random, "hidden", 2, 1, (1, 1), neuron=neuron, shift=1),
        multiplier=np.zeros(2, np.int64), offset=np.array([1 << 20, 40000]))
    net = IntegerNetwork(
        input=InputFormat(channels=1, height=1, width=1, steps=2),
        nodes=chain(hidden, layer(random, "out", 2, 2, (1, 1))), logit_offset=np.zeros(2, np.int64))
    result = model.run(net, np.zeros((1, 2, 1, 1, 1), np.uint8))
    # Channel 0: x in both steps, u in the second one; channel 1: u in the second step.
    assert int(result.counters["hidden"][Counter.SATURATIONS]) == 3


def biased(*offsets: int) -> Window:
    """Return a window whose sums count nothing, with these values of each channel."""
    shift = 1
    return Window(
        source=INPUT, weight=np.ones((len(offsets), 1, 1, 1), np.int64), weight_bits=1, weight_kind=WeightKind.UNIT,
        multiplier=np.zeros(len(offsets), np.int64), offset=np.array(offsets) << shift, shift=shift,
    )


def outcome(*terms) -> torch.Tensor:
    """Return the values of the stream that the sum of ``terms`` becomes."""
    net = IntegerNetwork(
        input=InputFormat(channels=1, height=1, width=1, steps=1),
        nodes=[
            Layer(name="stream", terms=terms, ending=Store(fraction_bits=8)),
            Layer(name="out", terms=(Window(
                source="stream", weight=np.ones((2, len(terms[0].offset), 1, 1), np.int64), weight_bits=1,
                weight_kind=WeightKind.ODD),), ending=Logits()),
        ],
        logit_offset=np.zeros(2, np.int64))
    net.verify()
    result = model.run(net, np.zeros((1, *net.input.shape), np.uint8), trace=True)
    return result.streams["stream"].ravel(), result.counters["stream"][Counter.SATURATIONS]


def test_streams_saturate_at_both_ends():
    values, saturated = outcome(biased(32767, 32768, -32768, -32769, 5))
    assert values.tolist() == [32767, 32767, -32768, -32768, 5]
    assert int(saturated) == 2


def test_sums_of_terms_do_not_wrap():
    big = (1 << 30) - 1
    values, saturated = outcome(*[biased(big, -big)] * 3)
    assert values.tolist() == [32767, -32768] and int(saturated) == 2
    values, _ = outcome(biased(big), biased(-big), biased(7))
    assert values.tolist() == [7]


@pytest.mark.parametrize(("change", "message"), [
    (lambda x: x[:, :1], r"inputs have shape \(2, 1, .*must be \(batch, "),
    (lambda x: x[:0], r"inputs have shape \(0, "),
    (lambda x: x.astype(np.float32), "inputs must be integers or booleans, not torch.float32"),
    (lambda x: x + 1, r"inputs have the value 2, limit 0\.\.1"),
    (lambda x: x.astype(np.int64) - 1, r"inputs have the value -1, limit 0\.\.1"),
])
def test_wrong_inputs_are_named(change, message):
    net = network(5)
    assert net.input.steps > 1
    with pytest.raises(NetworkError, match=message):
        model.run(net, change(samples(net, 2)))
