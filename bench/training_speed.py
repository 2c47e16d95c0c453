"""Training speed beside SpikingJelly and snnTorch: one network, batch and machine, other neurons.

The network is that of the N-CARS recipe with float weights; only what turns currents into spikes
differs. Cases take turns in one process, so that what disturbs the machine disturbs all. Needs the
packages of the dependency group "bench".
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import snntorch
import torch
from figures import Figure, save
from spikeplane.network.input import InputFormat
from spikeplane.training.net.layers import SpikingConv
from spikeplane.training.net.leaky import channel_axes
from spikeplane.training.net.lif import LIF
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.recipe.answers import BatchAnswers
from spikeplane.training.recipe.losses import TetLoss
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.allocator import keep_freed_memory
from spikingjelly.activation_based import functional, neuron, surrogate
from torch import Tensor, nn
from tqdm import tqdm

STEPS = (4, 8, 16)
BATCH = 32
ROUNDS = 7
WARM_UP = 2
FIRING_RATE = 0.1
"""Of the random input."""
TAPS = 4
SPEED_TARGET = 3.1
"""Memory-free over leaky neurons at the most steps: what summaries of MFP-QSNN say."""


class Neurons(nn.Module):
    """Neurons in the place of ours; they get maps in the order that they have in memory."""

    def mix(self, sums: Tensor) -> Tensor:
        return sums

    def forward(self, currents: Tensor, steps: int) -> Tensor:
        channels, last = channel_axes(currents)
        return self.spikes(currents.movedim(channels, last)).movedim(last, channels)

    def spikes(self, currents: Tensor) -> Tensor:
        """Return spikes of currents, (steps, batch, height, width, channels)."""
        raise NotImplementedError


class Loop(Neurons):
    """Our leaky neurons step by step, as autograd would have them."""

    def __init__(self, lif: LIF):
        super().__init__()
        self.lif = lif

    def spikes(self, currents: Tensor) -> Tensor:
        state, spikes = None, []
        for current in currents.unbind():
            spike, state = self.lif.step(current, state)
            spikes.append(spike)
        return torch.stack(spikes)


class SpikingJelly(Neurons):
    """A multi-step node of SpikingJelly."""

    def __init__(self, node: nn.Module):
        super().__init__()
        self.node = node

    def spikes(self, currents: Tensor) -> Tensor:
        functional.reset_net(self.node)
        return self.node(currents)


class SnnTorch(Neurons):
    """snnTorch's Leaky, which is called once a step."""

    def __init__(self):
        super().__init__()
        self.leaky = snntorch.Leaky(beta=0.5, reset_mechanism="zero")

    def spikes(self, currents: Tensor) -> Tensor:
        state, spikes = self.leaky.init_leaky(), []
        for current in currents.unbind():
            spike, state = self.leaky(current, state)
            spikes.append(spike)
        return torch.stack(spikes)


def jelly_lif(steps: int, ours: nn.Module) -> nn.Module:
    return SpikingJelly(neuron.LIFNode(
        tau=2.0, decay_input=False, surrogate_function=surrogate.ATan(), step_mode="m"
    ))


OURS, OUR_LOOP, MEMORY_FREE = (
    f"Spikeplane, {kind}" for kind in ("leaky, 2-bit potentials", "leaky, plain loop", "memory-free")
)
OURS_FLOAT = "Spikeplane, leaky, float potentials"
CASES: dict[str, tuple[dict[str, str | int], Callable[[int, nn.Module], nn.Module] | None]] = {
    OURS: ({"state_bits": 2}, None),
    OURS_FLOAT: ({"state_bits": 16}, None),
    OUR_LOOP: ({"state_bits": 2}, lambda steps, ours: Loop(ours)),
    MEMORY_FREE: ({"dynamics": "memory_free", "taps": TAPS}, None),
    "SpikingJelly, LIF": ({}, jelly_lif),
    "SpikingJelly, PSN": ({}, lambda steps, ours: SpikingJelly(neuron.PSN(steps))),
    "snnTorch, Leaky": ({}, lambda steps, ours: SnnTorch()),
}
"""Settings of our neurons, and what takes their place."""
PEERS = [case for case in CASES if not case.startswith("Spikeplane")]


def create(case: str, steps: int) -> SpikingNetwork:
    """Return the network of a case."""
    settings, replacement = CASES[case]
    overrides = [f"neuron.{key}={value}" for key, value in settings.items()]
    recipe = load_recipe("ncars", [f"data.steps={steps}", *overrides])
    layers = [
        {**vars(layer), "weights": "float", "weight_bits": 32, "neuron": {}} for layer in recipe.layers
    ]
    form = InputFormat(channels=2, height=25, width=30, steps=steps)
    network = SpikingNetwork(form, [type(recipe.layers[0])(**layer) for layer in layers], recipe.neuron, 2)
    for layer in network.layers.values():
        if replacement is not None and isinstance(layer, SpikingConv):
            layer.neurons = replacement(steps, layer.neurons)
    return network.train()


class Training:
    """Batches of a case, one after the other."""

    def __init__(self, case: str, steps: int):
        torch.manual_seed(1)
        self.network = create(case, steps)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-3)
        self.inputs = (torch.rand(BATCH, steps, 2, 25, 30) < FIRING_RATE).to(torch.uint8)
        self.labels = torch.randint(0, 2, (BATCH,))

    def batch(self) -> float:
        """Train one batch and return the seconds it took."""
        start = time.perf_counter()
        loss = TetLoss()(BatchAnswers(logits=self.network(self.inputs)[0], labels=self.labels))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - start


class NeuronsAlone:
    """The neurons of a case's first layer, without convolutions and normalization."""

    def __init__(self, case: str, steps: int):
        network = create(case, steps)
        shape, layer = next(iter(network.neuron_shapes.values())), next(iter(network.layers.values()))
        assert isinstance(layer, SpikingConv)
        self.neurons, self.steps = layer.neurons, steps
        channels, *sides = shape
        self.currents = torch.randn(steps, BATCH, *sides, channels).movedim(-1, 2).requires_grad_()

    def batch(self) -> float:
        """Do a forward and a backward pass and return the seconds they took."""
        start = time.perf_counter()
        self.neurons(self.neurons.mix(self.currents), self.steps).sum().backward()
        taken = time.perf_counter() - start
        self.currents.grad = None
        return taken


def memory(case: str, steps: int) -> float:
    """Return the MiB that a process grows by when it trains two batches."""
    command = [sys.executable, __file__, "--memory", case, str(steps)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def measure_memory(case: str, steps: int) -> None:
    """Print what :func:`memory` returns."""
    training = Training(case, steps)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux)
    before = peak_memory()
    for _ in range(2):
        training.batch()
    print((peak_memory() - before) / 1024)


def peak_memory() -> int:
    """Return the greatest resident size of this process so far, in KiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def measure(cases: dict[str, Training] | dict[str, NeuronsAlone], title: str) -> dict[str, list[float]]:
    """Return the seconds of ROUNDS batches of each case, which take turns."""
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    for turn in tqdm(range(WARM_UP + ROUNDS), desc=title):
        for case, work in cases.items():
            taken = work.batch()
            if turn >= WARM_UP:
                seconds[case].append(taken)
    return seconds


def ratio(seconds: dict[str, list[float]], case: str, other: str) -> float:
    """Return how many times as fast as ``other`` a case is: the median of the rounds' ratios."""
    pairs = zip(seconds[other], seconds[case], strict=True)
    return statistics.median(theirs / ours for theirs, ours in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "STEPS"), help="only the memory of this case")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        return measure_memory(arguments.memory[0], int(arguments.memory[1]))
    keep_freed_memory()
    figures = []
    for steps in STEPS:
        seconds = measure({case: Training(case, steps) for case in CASES}, f"{steps} steps")
        alone = measure({case: NeuronsAlone(case, steps) for case in CASES}, f"neurons, {steps} steps")
        for case in CASES:
            speed = BATCH / statistics.median(seconds[case])
            figures.append(Figure(f"{case}, {steps} steps", speed, "samples/s"))
            figures.append(Figure(f"{case}, {steps} steps: peak memory", memory(case, steps), "MiB"))

        for peer in PEERS:
            ours = MEMORY_FREE if "PSN" in peer else OURS_FLOAT
            name = f"{ours} over {peer}, {steps} steps"
            figures.append(Figure.at_least(name, ratio(seconds, ours, peer), "times", 1))
            figures.append(Figure(f"{name}: neurons alone", ratio(alone, ours, peer), "times"))
        for other in (OURS, OUR_LOOP):
            name, found = f"{MEMORY_FREE} over {other}, {steps} steps", ratio(seconds, MEMORY_FREE, other)
            last = other == OURS and steps == STEPS[-1]
            figures.append(
                Figure.at_least(name, found, "times", SPEED_TARGET) if last else Figure(name, found, "times")
            )
            figures.append(Figure(f"{name}: neurons alone", ratio(alone, MEMORY_FREE, other), "times"))
    note = (
        f"Training of one network, that of the recipe ncars with float weights, {BATCH} samples a batch, one thread of "
        f"the CPU; medians of {ROUNDS} batches, in turns. A peer's neurons stand in the place of ours, all else is "
        f"the same code. Its leaky neurons do not quantize potentials: beside them stand ours that do not either. "
        f"\"Neurons alone\" are those of the first layer, forward and backward. Convolutions and normalization, the "
        f"same for all, take most of a batch on a CPU, so that faster neurons shorten it little."
    )
    save("training_speed", figures, {"note": note})


if __name__ == "__main__":
    main()
