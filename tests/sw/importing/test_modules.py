"""Modules of snnTorch and SpikingJelly: what is read of them spikes as they do, or is refused by name."""

import numpy as np
import pytest
import snntorch
import torch
from library_spikes import snntorch_spikes, spikingjelly_spikes
from snntorch import surrogate as snntorch_surrogate
from spikeplane.importing.chain import Chain, run_stage
from spikeplane.importing.modules import read_modules
from spikeplane.network.checks import NetworkError
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn

SHAPE = (2, 8, 8)
STEPS = 12


def events(count=4, seed=0) -> Tensor:
    """Return spikes, uint8 (count, steps, channels, height, width)."""
    return torch.from_numpy((np.random.RandomState(seed).random((count, STEPS, *SHAPE)) < 0.3).astype(np.uint8))


def conv(inputs: int, outputs: int, kind=nn.Conv2d, mean=0.0, **options) -> nn.Conv2d:
    module = kind(inputs, outputs, 3, **{"padding": 1} | options)
    with torch.no_grad():  # Strong enough that neurons fire.
        module.weight.mul_(4).add_(mean)
    return module


def linear(inputs: int, outputs: int, kind=nn.Linear, mean=0.0) -> nn.Linear:
    module = kind(inputs, outputs)
    with torch.no_grad():
        module.weight.mul_(4).add_(mean)
    return module


def normalization(channels: int, kind=nn.BatchNorm2d) -> nn.BatchNorm2d:
    module = kind(channels)
    with torch.no_grad():
        for values in (module.weight, module.running_var):
            values.uniform_(0.5, 2)
        for values in (module.bias, module.running_mean):
            values.uniform_(-0.3, 0.3)
    return module


def chain_spikes(chain: Chain, values: Tensor) -> Tensor:
    """Return what the last stage fires, (count, steps, classes)."""
    for stage in chain.stages:
        values = run_stage(stage, values)
    return values.flatten(2) if values.ndim > 2 else values


def leaky_network(**options) -> list[nn.Module]:
    torch.manual_seed(1)
    return [conv(2, 6), snntorch.Leaky(**options), nn.AvgPool2d(2), conv(6, 5, bias=False), normalization(5),
            snntorch.Leaky(**options), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), linear(20, 4),
            snntorch.Leaky(**options)]


@pytest.mark.parametrize("options", [
    {"beta": 0.5}, {"beta": 0.9, "threshold": 0.7}, {"beta": 0.8, "reset_mechanism": "zero"}, {"beta": 1.5},
    {"beta": 0.8, "reset_mechanism": "zero", "reset_delay": False}, {"beta": 0.25, "reset_mechanism": "none"},
    {"beta": 0.75, "learn_beta": True, "learn_threshold": True},
    {"beta": 0.5, "spike_grad": snntorch_surrogate.fast_sigmoid()},
], ids=lambda options: " ".join(f"{name}={getattr(value, '__qualname__', value)}" for name, value in options.items()))
def test_snntorch_spikes(options):
    network = leaky_network(**options)
    expected = snntorch_spikes(network, events())
    found = chain_spikes(read_modules(network, SHAPE), events())
    assert 0.1 < expected.mean() < 0.9
    assert (found == expected).float().mean() > 0.995  # Sums in another order may fall on the other side.
    rows = read_modules(network, SHAPE).rows
    assert rows[1][:2] == ("1", "snntorch: Leaky") and "v > threshold" in rows[1][2]
    assert rows[6][2] == "a spike wherever the window has one" and rows[8][2] == "nothing, in evaluation"


@pytest.mark.parametrize(("mechanism", "difference"), [("subtract", True), ("zero", False)])
def test_the_delayed_subtraction_is_behind_the_leak(mechanism, difference):
    """Ahead of it, spikes would be others: what the threshold leaves is not what is subtracted."""
    module = snntorch.Leaky(beta=0.5, reset_mechanism=mechanism)
    current = nn.Linear(1, 1)
    with torch.no_grad():
        current.weight.fill_(1.3), current.bias.zero_()
    stage = read_modules([current, module], (1, 1, 1)).stages[0]
    values = torch.tensor([1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1], dtype=torch.uint8).view(1, STEPS, 1, 1, 1)
    expected = snntorch_spikes([current, module], values.flatten(2))
    assert (run_stage(stage, values).flatten(2) == expected).all()
    assert stage.neuron is not None and stage.neuron.delayed == difference


def jelly_network(neurons, mode: str) -> nn.Sequential:
    torch.manual_seed(2)
    network = nn.Sequential(
        conv(2, 6, layer.Conv2d, mean=0.1, bias=False), normalization(6, layer.BatchNorm2d), neurons(),
        layer.MaxPool2d(2, 2), nn.Sequential(conv(6, 5, layer.Conv2d, mean=0.1, stride=2), neurons()),
        layer.Flatten(), layer.Dropout(0.5), linear(20, 8, layer.Linear, mean=0.1), neurons(),
    )
    functional.set_step_mode(network, mode)
    return network


NEURONS = {
    "if": lambda: neuron.IFNode(),
    "if, subtract": lambda: neuron.IFNode(v_reset=None, v_threshold=0.8),
    "lif": lambda: neuron.LIFNode(tau=2.0, v_threshold=0.5),
    "lif, subtract": lambda: neuron.LIFNode(tau=4.0, v_reset=None, decay_input=False),
    "lif, to a value": lambda: neuron.LIFNode(tau=2.0, v_reset=-0.25, v_threshold=0.25),
    "if, to a value": lambda: neuron.IFNode(v_reset=0.25),
    "parametric": lambda: neuron.ParametricLIFNode(init_tau=3.0, decay_input=False),
}


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("mode", ["s", "m"])
def test_spikingjelly_spikes(name, mode):
    network = jelly_network(NEURONS[name], mode)
    chain = read_modules(network, SHAPE)
    expected = spikingjelly_spikes(network, events(), mode)
    found = chain_spikes(chain, events())
    assert 0.1 < expected.mean() < 0.9
    assert (found == expected).float().mean() > 0.99
    assert [row[0] for row in chain.rows[:6]] == ["0", "1", "2", "3", "4.0", "4.1"]
    assert "v >= threshold" in chain.rows[2][2]


def test_votes_and_means():
    network = nn.Sequential(conv(2, 8, layer.Conv2d), IF(), layer.AdaptiveAvgPool2d(1), layer.Flatten(),
                            linear(8, 6, layer.Linear), IF(), layer.VotingLayer(3))
    chain = read_modules(network, SHAPE)
    expected = spikingjelly_spikes(network, events(), "s").sum(1)
    assert 0.5 < expected.mean() < STEPS - 0.5
    torch.testing.assert_close(chain_spikes(chain, events()), expected.double(), atol=0.4, rtol=0)
    assert chain.classes == 2 and chain.rows[-1][1] == "sums of the last weights"


def test_containers_are_gone_through():
    torch.manual_seed(3)
    network = nn.Sequential(
        layer.SeqToANNContainer(conv(2, 4), normalization(4)), neuron.IFNode(step_mode="m"),
        layer.SeqToANNContainer(nn.MaxPool2d(2), nn.Flatten(), linear(64, 4)),
        layer.MultiStepContainer(neuron.LIFNode(tau=2.0)),
    )
    chain = read_modules(network, SHAPE)
    expected = spikingjelly_spikes(network, events(), "m")
    assert (chain_spikes(chain, events()) == expected).float().mean() > 0.98
    assert [row[0] for row in chain.rows] == ["0.0", "0.1", "1", "2.0", "2.1", "2.2", "3.0", "(output)"]


IF = neuron.IFNode


class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(2, 2)


class Changed(snntorch.Leaky):
    pass


def hooked() -> nn.Module:
    module = conv(2, 4)
    module.register_forward_hook(lambda *_: None)
    return module


def reloaded() -> nn.Module:
    module = snntorch.Leaky(beta=0.5)
    module.reset_mechanism = "zero"
    return module


def stepped() -> nn.Module:
    inner = layer.Linear(128, 4)
    container = layer.MultiStepContainer(nn.Flatten(), inner)
    inner.step_mode = "m"
    return container


SAME = IF()
LEFT = [nn.Flatten(), nn.Linear(128, 4)]


@pytest.mark.parametrize(("network", "message"), [
    (Other(), r"Other is not an nn.Sequential: what its forward does is not known. Name its modules in the order"),
    ([], r"there are no modules"),
    ([*LEFT, torch.relu], r"2 is a builtin_function_or_method, must be a module"),
    ([*LEFT, nn.ReLU()], r"module '2' \(ReLU\): modules of this kind have no exact counterpart; known are Conv2d"),
    ([*LEFT, Changed(beta=0.5)], r"module '2' \(Changed\): modules of this kind"),
    ([*LEFT, snntorch.Synaptic(alpha=0.5, beta=0.5)], r"module '2' \(Synaptic\): modules of this kind"),
    ([*LEFT, neuron.EIFNode()], r"module '2' \(EIFNode\): modules of this kind"),
    ([hooked(), IF()], r"module '0' \(Conv2d\): it has hooks"),
    ([conv(2, 4), nn.MaxPool2d(2), IF()], r"module '1' \(MaxPool2d\): a maximum of currents has no exact counterpart"),
    ([conv(2, 4), IF(), nn.MaxPool2d(2), nn.MaxPool2d(2)], r"'3' \(MaxPool2d\): the spikes before it are pooled"),
    ([conv(2, 4), IF(), nn.MaxPool2d(2, ceil_mode=True)], r"its ceil_mode, return_indices and dilation must be those"),
    ([conv(2, 4), IF(), nn.MaxPool2d(9)], r"it: the pool's kernel is 9x9, must be 1 to"),
    ([conv(2, 4), IF(), nn.AvgPool2d(2, padding=1)], r"it pads, or has ceil_mode"),
    ([conv(2, 4), nn.Linear(8, 4)], r"module '1' \(Linear\): it takes a vector, the map before it is \(4, 8, 8\)"),
    ([conv(2, 4, padding_mode="circular"), IF()], r"its padding_mode is 'circular', must be 'zeros'"),
    ([conv(3, 4), IF()], r"its weights \(4, 3, 3, 3\) in 1 groups take 3 channels, the map has 2"),
    ([conv(2, 4), nn.BatchNorm2d(4, track_running_stats=False), IF()], r"it has no running mean and variance"),
    ([*LEFT, snntorch.Leaky(beta=0.5, reset_delay=False)], r"with reset_delay=False and 'subtract', snnTorch"),
    ([*LEFT, snntorch.Leaky(beta=0.5, graded_spikes_factor=2.0)], r"its graded_spikes_factor is 2.0, must be 1"),
    ([*LEFT, snntorch.Leaky(beta=0.5, state_quant=torch.round)], r"its state_quant is .*, must be False"),
    ([*LEFT, snntorch.Leaky(beta=torch.tensor([0.5, 0.6, 0.7, 0.8]))], r"keep differently, beta 0.5 to 0.8"),
    ([*LEFT, snntorch.Leaky(beta=0.5, threshold=0.0)], r"its threshold is 0 of a channel, must be above 0"),
    ([*LEFT, reloaded()], r"it was made with another reset than 'zero'"),
    ([*LEFT, snntorch.Leaky(beta=0.5, spike_grad=torch.sigmoid)], r"spike_grad of .* no step from 0 to 1"),
    ([*LEFT, IF(v_threshold=0.5, v_reset=0.5)], r"its v_threshold 0.5 must be above its v_reset, 0.5"),
    ([*LEFT, IF(surrogate_function=surrogate.ATan(spiking=False))], r"surrogate_function of .* no step from 0 to 1"),
    ([*LEFT, IF(step_mode="m"), layer.Linear(4, 4)], r"module '2' has step_mode 'm', module '3' 's': one"),
    ([layer.SeqToANNContainer(*LEFT, IF())], r"module '0.2': a neuron within a SeqToANNContainer that takes time"),
    ([stepped()], r"module '0.1': its step_mode is 'm', within a MultiStepContainer it must be 's'"),
    ([*LEFT, SAME, nn.Linear(4, 4), SAME], r"module '4' \(IFNode\): it is the same neuron as '2'"),
    ([conv(2, 4), IF(), layer.VotingLayer(2)], r"it averages 2 neurons a class, the map before it is \(4, 8, 8\)"),
])
def test_what_has_no_counterpart_is_refused_by_name(network, message):
    with pytest.raises(NetworkError, match=message):
        read_modules(network, SHAPE)
