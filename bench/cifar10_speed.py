"""Training speed on a CPU of the CIFAR-10 network made for large, beside SpikingJelly and snnTorch.

Three networks of the same layers, 113 million multiply-accumulates a step, take turns in one process: ours with its
1-bit weights and 2-bit potentials, and each peer's own, with float weights, as its documentation writes networks. Each
is trained in float32, and under PyTorch's autocast to bfloat16, the peers then with their maps' channels last, as ours
always are; ours is compiled as well, which a setting of the library does. Peers are not compiled. Needs the packages of
the dependency group "bench".
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import snntorch
import torch
from figures import Figure
from snntorch import utils
from spikeplane.network.input import InputFormat
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.recipe.losses import create_losses
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane.training.run.allocator import keep_freed_memory
from spikeplane.training.run.devices import Precision
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.processes import join
from spikeplane.training.run.step import Batch, Step
from spikeplane.writing import write_json
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn
from tqdm import tqdm

__all__ = ["figures"]

RECIPE = "cifar10_core"
FILE = Path("build") / "bench" / "cifar10" / "speed.json"
BATCH, STEPS, CLASSES = 50, 2, 10
WARM_UP, ROUNDS = 1, 3
TARGET = 2
LEAST = 90
"""Images a CPU second, on a CPU with AVX-512 and bfloat16."""
HALF = "bfloat16"
"""What every case has beside float32."""
OURS = {
    "Spikeplane, float32": RunOptions(device="cpu"), f"Spikeplane, {HALF}": RunOptions(device="cpu", amp=HALF),
    f"Spikeplane, {HALF}, compiled": RunOptions(device="cpu", amp=HALF, compile=True),
}


def widths() -> list[int]:
    """Return channels of the recipe's convolutions; 0 stands for a pool."""
    return [item.channels or 0 for item in load_recipe(RECIPE).layers if item.kind != "classifier"]


class Jelly(nn.Module):
    """SpikingJelly's layers in multi-step mode."""

    def __init__(self):
        super().__init__()
        parts, before = [], 3
        for channels in widths():
            if not channels:
                parts.append(layer.MaxPool2d(2))
                continue
            lif = neuron.LIFNode(tau=2.0, decay_input=False, surrogate_function=surrogate.ATan())
            parts += [layer.Conv2d(before, channels, 3, padding=1, bias=False), layer.BatchNorm2d(channels), lif]
            before = channels
        self.body = nn.Sequential(*parts, layer.AdaptiveAvgPool2d(1), layer.Flatten(), layer.Linear(before, CLASSES))
        functional.set_step_mode(self, "m")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (steps, batch, classes)."""
        functional.reset_net(self)
        return self.body(images.unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))


class Torch(nn.Module):
    """snnTorch's neurons in a loop over the steps."""

    def __init__(self):
        super().__init__()
        parts, before = [], 3
        for channels in widths():
            if not channels:
                parts.append(nn.MaxPool2d(2))
                continue
            norm = nn.Sequential(nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
            parts += [norm, snntorch.Leaky(beta=0.5, reset_mechanism="zero", init_hidden=True)]
            before = channels
        self.body = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (steps, batch, classes)."""
        utils.reset(self.body)
        return torch.stack([self.body(images) for _ in range(STEPS)])


def ours(options: RunOptions, images: Tensor, labels: Tensor) -> Iterator[None]:
    """Train a batch each time one is asked for, as `spikeplane train` does but for teacher and augmentations."""
    recipe = load_recipe(RECIPE)
    form = InputFormat(channels=3, height=32, width=32, steps=STEPS, bits=recipe.data.bits, direct=True)
    network = SpikingNetwork(form, recipe.layers, recipe.neuron, CLASSES).train()
    with join("cpu") as processes:
        step = Step(
            network, losses=create_losses({"tet": {}}), regularizers=[],
            optimizer=torch.optim.AdamW(network.parameters(), lr=1e-3),
            precision=Precision(options, torch.device("cpu")), processes=processes, compile=options.compile,
        )
        while True:
            step(Batch(inputs=images, labels=labels), len(labels))
            yield


def peers(network: nn.Module, amp: str | None, images: Tensor, labels: Tensor) -> Iterator[None]:
    """Train a batch each time one is asked for."""
    network.train()
    pixels = images / 63
    if amp:
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    precision = Precision(RunOptions(amp=amp), torch.device("cpu"))
    while True:
        with precision.products():
            answers = network(pixels)
        loss = torch.stack([nn.functional.cross_entropy(each, labels) for each in answers.float()]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


PEERS: dict[str, Callable[[], nn.Module]] = {"SpikingJelly": Jelly, "snnTorch": Torch}


def measure() -> dict[str, list[float]]:
    """Return CPU seconds of each case's batches, which take turns; from FILE if they have been measured."""
    if FILE.exists():
        return json.loads(FILE.read_text())
    torch.set_num_threads(1)
    keep_freed_memory()
    torch.manual_seed(1)
    images = torch.randint(0, 64, (BATCH, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, CLASSES, (BATCH,))
    cases = {name: ours(options, images, labels) for name, options in OURS.items()}
    for name, create in PEERS.items():
        cases |= {
            f"{name}, {amp or 'float32'}": peers(create(), amp, images, labels) for amp in (None, HALF)
        }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for turn in tqdm(range(WARM_UP + ROUNDS), desc="training speed"):
        for name, batches in cases.items():
            start = time.process_time()
            next(batches)
            if turn >= WARM_UP:
                seconds[name].append(time.process_time() - start)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    write_json(FILE, seconds)
    return seconds


def figures() -> list[Figure]:
    """Return images a CPU second of each case, and how many times those of each peer ours are."""
    speeds = {name: BATCH / statistics.median(seconds) for name, seconds in measure().items()}
    title = f"CIFAR-10, training at {STEPS} steps"
    best = max(OURS, key=speeds.__getitem__)
    found = []
    for name, speed in speeds.items():
        what = f"{title}: {name}", speed, "images a CPU second"
        found.append(Figure.at_least(*what, LEAST) if name == best else Figure(*what))
    for peer in PEERS:
        other = max((name for name in speeds if name.startswith(peer)), key=speeds.__getitem__)
        found.append(Figure.at_least(f"{title}: {best} over {other}", speeds[best] / speeds[other], "times", TARGET))
    return found
