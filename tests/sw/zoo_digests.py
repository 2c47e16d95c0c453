"""What the zoo's networks give on seeded random inputs, as digests."""

import hashlib
from pathlib import Path

import numpy as np
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError
from spikeplane.network import model
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.schedule import Schedule
from spikeplane.training.net.export import export_network
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane_hw.config import LARGE, SMALL, TINY

__all__ = ["CORES", "digests"]

ZOO = Path(__file__).parents[2] / "zoo"
CORES = {"digits": SMALL, "mnist": SMALL, "mnist_tiny": TINY, "nmnist": SMALL, "ncars": SMALL}
"""The networks, and the cores whose counters are compared."""
IMAGES = (TINY, SMALL, LARGE)
"""The cores for which there were images."""
SAMPLES, DENSITY = 4, 0.15


def digest(*arrays) -> str:
    """Return a digest of integers, whatever their width."""
    found = hashlib.sha256()
    for array in arrays:
        values = np.ascontiguousarray(array)
        found.update(repr((values.dtype.kind, values.shape)).encode())
        found.update(values.astype(np.int64).tobytes())
    return found.hexdigest()[:16]


def samples(network: IntegerNetwork) -> np.ndarray:
    random = np.random.default_rng(11)
    shape = (SAMPLES, *network.input.shape)
    values = random.integers(1, 1 << network.input.bits, shape)
    return (values * (random.random(shape) < DENSITY)).astype(np.uint8)


def digests(name: str, schedule: Schedule) -> dict:
    """Return digests of a network's results and of its images for every core that it fits."""
    network = export_network(load_checkpoint(ZOO / name / "checkpoint.safetensors").network)
    inputs = samples(network)
    run = model.run(network, inputs, schedule=schedule, config=CORES[name], trace=True)
    images = {}
    for keep in (True, False):
        for core in IMAGES:
            try:
                image = compile_network(network, core, schedule, keep_maps=keep, samples=inputs[:1])
            except CompileError:
                continue
            contents = {space.name: digest(np.array(at), words) for space, (at, words) in image.contents.items()}
            registers = sorted((register.value, int(value)) for register, value in image.registers.items())
            images[core.name if keep else f"{core.name}, maps reused"] = contents | {
                "registers": digest(np.array([value for _, value in registers])),
            }
    return {
        "logits": digest(run.sums),
        "predictions": digest(run.predictions),
        "spikes": {node: digest(values) for node, values in run.spikes.items()},
        "states": {node: digest(values) for node, values in run.states.items()},
        "counters": {
            node: digest(*(counts[key] for key in sorted(counts, key=lambda key: key.value)))
            for node, counts in run.counters.items()
        },
        "operations": {node: digest(values) for node, values in run.synaptic_operations.items()},
        "images": images,
    }
