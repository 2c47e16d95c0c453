"""CPU seconds of the integer model on the zoo's networks, printed as JSON: for one version of Spikeplane.

bench/graph.py runs it once for this version and once for an earlier one, by turns.
"""

import argparse
import json
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

SAMPLES = {"digits": 120, "mnist": 60, "mnist_tiny": 120, "nmnist": 40, "ncars": 40}
REPEATS = 3
DENSITY = 0.15
PATHS = {
    "now": ("spikeplane.network.model", "spikeplane.training.run.checkpoint", "spikeplane.training.net.export"),
    "before": ("spikeplane.model", "spikeplane.training.checkpoint", "spikeplane.training.export"),
}
"""Modules of the model, of checkpoints and of the export, by version."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", choices=list(PATHS))
    parser.add_argument("zoo", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, checkpoint, export = map(import_module, PATHS[arguments.version])
    found = {}
    for name, count in SAMPLES.items():
        trained = checkpoint.load_checkpoint(arguments.zoo / name / "checkpoint.safetensors")
        network = export.export_network(trained.network)
        random = np.random.default_rng(0)
        shape = (count, *network.input.shape)
        values = random.integers(1, 1 << network.input.bits, shape)
        inputs = (values * (random.random(shape) < DENSITY)).astype(np.uint8)
        model.run(network, inputs[:4])
        seconds = []
        for _ in range(REPEATS):
            started = time.process_time()
            model.run(network, inputs, counters=False)
            seconds.append(time.process_time() - started)
        found[name] = min(seconds) / count
    print(json.dumps(found))


if __name__ == "__main__":
    main()
