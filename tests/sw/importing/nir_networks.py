"""Networks that tests write as NIR files."""

from itertools import pairwise
from pathlib import Path

import nir
import numpy as np

__all__ = ["SHAPE", "affine", "convolution", "if_neurons", "lif_neurons", "write"]

SHAPE = (2, 8, 8)


def write(path: Path, *nodes: nir.NIRNode, edges=None, source=SHAPE) -> Path:
    """Write a chain of nodes between an input and an output, or with other edges, and return the file."""
    named = {"input": nir.Input(np.array(source)), **{str(index): node for index, node in enumerate(nodes)},
             "output": nir.Output(np.array([4]))}
    edges = list(pairwise(named)) if edges is None else edges
    nir.write(path, nir.NIRGraph(named, edges, type_check=False))
    return path


def convolution(out=6, inputs=2, kernel=3, side=8, seed=0, bias=True, **options):
    random = np.random.RandomState(seed)
    settings = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1} | options
    return nir.Conv2d(
        input_shape=(side, side),
        weight=random.normal(0, 0.5, (out, inputs, kernel, kernel)).astype(np.float32),
        bias=random.normal(0, 0.1 * bias, out).astype(np.float32), **settings,
    )


def affine(out: int, inputs: int, seed: int = 0):
    random = np.random.RandomState(seed)
    return nir.Affine(weight=random.normal(0, 0.4, (out, inputs)).astype(np.float32),
                      bias=random.normal(0, 0.1, out).astype(np.float32))


def if_neurons(*shape: int, r: float = 1.0, threshold: float = 1.0, reset: float = 0.0):
    full = [np.full(shape, value, np.float32) for value in (r, threshold, reset)]
    return nir.IF(r=full[0], v_threshold=full[1], v_reset=full[2])


def lif_neurons(*shape: int, tau: float = 0.002, r: float = 1.0, leak: float = 0.0, threshold: float = 1.0):
    full = [np.full(shape, value, np.float32) for value in (tau, r, leak, threshold)]
    return nir.LIF(tau=full[0], r=full[1], v_leak=full[2], v_threshold=full[3], v_reset=np.zeros(shape, np.float32))
