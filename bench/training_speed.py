"""Training speed beside SpikingJelly and snnTorch: one network, batch and machine, other neurons.

The network is that of the N-CARS recipe with float weights; only what turns currents into spikes
differs. Cases take turns in one process, so that what disturbs the machine disturbs all. Needs the
packages of the dependency group "bench".
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import snntorch
import torch
from figures import Figure, save
from spikeplane.network import InputFormat
from spikeplane.training.layers import SpikingConv
from spikeplane.training.networks import SpikingNetwork
from spikeplane.training.neurons import LIF
from spikeplane.training.recipes import load_recipe
from spikeplane.training.regularizers import tet_loss
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
    """Neurons of a peer in the place of ours."""

    def mix(self, sums: Tensor) -> Tensor:
        return sums


class Loop(Neurons):
    """Our leaky neurons step by step, as autograd would have them."""

    def __init__(self, lif: LIF):
        super().__init__()
        self.lif = lif

    def forward(self, currents: Tensor, steps: int) -> Tensor:
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

    def forward(self, currents: Tensor, steps: int) -> Tensor:
        functional.reset_net(self.node)
        return self.node(currents)


class SnnTorch(Neurons):
    """snnTorch's Leaky, which is called once a step."""

    def __init__(self):
        super().__init__()
        self.leaky = snntorch.Leaky(beta=0.5, reset_mechanism="zero")

    def forward(self, currents: Tensor, steps: int) -> Tensor:
        state, spikes = self.leaky.init_leaky(), []
        for current in currents.unbind():
            spike, state = self.leaky(current, state)
            spikes.append(spike)
        return torch.stack(spikes)


def jelly_lif(steps: int, ours: nn.Module) -> nn.Module:
    return SpikingJelly(neuron.LIFNode(
        tau=2.0, decay_input=False, surrogate_function=surrogate.ATan(), step_mode="m"
    ))


OURS, OUR_LOOP, MEMORY_FREE = "Spikeplane, leaky", "Spikeplane, leaky, plain loop", "Spikeplane, memory-free"
LEAKY_FLOAT = "Spikeplane, leaky, 16-bit potentials"
CASES: dict[str, tuple[dict[str, str | int], Callable[[int, nn.Module], nn.Module] | None]] = {
    OURS: ({"state_bits": 2}, None),
    LEAKY_FLOAT: ({"state_bits": 16}, None),
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
        {**vars(layer), "weights": "float", "weight_bits": 32, "state_bits": None} for layer in recipe.layers
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
        loss = tet_loss(self.network(self.inputs)[0], self.labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - start


def memory(case: str, steps: int) -> float:
    """Return the MiB that a process grows by when it trains two batches."""
    command = [sys.executable, __file__, "--memory", case, str(steps)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def measure_memory(case: str, steps: int) -> None:
    """Print what :func:`memory` returns."""
    training = Training(case, steps)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        training.batch()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", nargs=2, metavar=("CASE", "STEPS"), help="only the memory of this case")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory:
        return measure_memory(arguments.memory[0], int(arguments.memory[1]))
    figures = []
    for steps in STEPS:
        trainings = {case: Training(case, steps) for case in CASES}
        seconds: dict[str, list[float]] = {case: [] for case in CASES}
        for turn in tqdm(range(WARM_UP + ROUNDS), desc=f"{steps} steps"):
            for case, training in trainings.items():
                taken = training.batch()
                if turn >= WARM_UP:
                    seconds[case].append(taken)
        for case in CASES:
            speed = BATCH / statistics.median(seconds[case])
            figures.append(Figure(f"{case}, {steps} steps", speed, "samples/s"))
            figures.append(Figure(f"{case}, {steps} steps: peak memory", memory(case, steps), "MiB"))

        def over(case: str, other: str, seconds=seconds) -> float:
            """Return how many times as fast ``case`` is: the median of the rounds' ratios."""
            pairs = zip(seconds[other], seconds[case], strict=True)
            return statistics.median(theirs / ours for theirs, ours in pairs)

        for peer in PEERS:
            ours = MEMORY_FREE if "PSN" in peer else OURS
            figures.append(Figure.at_least(f"{ours} over {peer}, {steps} steps", over(ours, peer), "times", 1))
        for other in (OURS, OUR_LOOP):
            name, ratio = f"{MEMORY_FREE} over {other}, {steps} steps", over(MEMORY_FREE, other)
            last = other == OURS and steps == STEPS[-1]
            figures.append(
                Figure.at_least(name, ratio, "times", SPEED_TARGET) if last else Figure(name, ratio, "times")
            )
    note = (
        f"Training of one network, that of the recipe ncars with float weights, with {BATCH} samples a batch "
        f"and one thread of the CPU; median of {ROUNDS} batches, cases in turns; ratios are medians of each "
        f"round's. A peer's neurons stand in the place of ours, all else is the same code."
    )
    save("training_speed", figures, {"note": note})


if __name__ == "__main__":
    main()
