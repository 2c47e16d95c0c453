"""Random small networks: ragged channels, odd kernels, every weight kind, neuron and pool."""

import numpy as np
from spikeplane.network import InputFormat, IntegerNetwork, Layer, WeightKind, or_pool
from spikeplane_hw.neuron import FRACTION_BITS, Levels, Neuron, Reset

__all__ = ["random_network", "random_samples"]

KINDS = [(WeightKind.ODD, 1), (WeightKind.ODD, 2), (WeightKind.TWOS, 4), (WeightKind.TWOS, 8),
         (WeightKind.UNIT, 1)]


def random_weights(generator, kind, bits, shape):
    """Return int64 weights of ``shape`` that ``bits``-wide codes of this kind can hold."""
    codes = generator.integers(0, 1 << bits, shape)
    if kind is WeightKind.ODD:
        return 2 * codes - ((1 << bits) - 1)
    return codes - (1 << (bits - 1)) if kind is WeightKind.TWOS else codes


def random_neuron(generator, shift, tables):
    """Return a neuron with one of the quantizers in ``tables``, no state, or a 16-bit state."""
    bits, levels = tables[generator.integers(len(tables))]
    return Neuron(
        shift=shift,
        fire_above=(1 << FRACTION_BITS) - int(generator.integers(2)),
        reset=list(Reset)[generator.integers(3)],
        state_bits=bits,
        levels=levels,
        leak=float(generator.choice([0.0, 0.5, 0.75, 1.0])),
    )


def random_network(seed: int, *, channels: int = 7, direct: bool = False) -> IntegerNetwork:
    """Return a network of 2 to 3 layers and a classifier on a tiny input."""
    generator = np.random.default_rng(seed)
    steps = int(generator.integers(1, 5))
    form = InputFormat(
        channels=1 if direct else 2,
        height=int(generator.integers(3, 7)),
        width=int(generator.integers(3, 7)),
        steps=steps,
        bits=int(generator.integers(2, 4)) if direct else 1,
        direct=direct,
    )
    tables = [(int(generator.choice([2, 4, 8])), list(Levels)[generator.integers(2)]), (0, Levels.TANH),
              (16, Levels.TANH)]
    shape = (form.channels, form.height, form.width)
    layers = []
    for index in range(int(generator.integers(1, 4))):
        if layers and generator.random() < 0.25 and min(shape[1:]) >= 2:
            kernel = int(generator.integers(2, 1 + min(3, *shape[1:])))
            layer = or_pool(f"pool{index}", shape[0], kernel, 2, kernel // 3)
        else:
            kernel = tuple(int(generator.integers(1, 1 + min(4, size))) for size in shape[1:])
            padding = int(generator.integers(0, min(kernel)))
            kind, bits = KINDS[generator.integers(len(KINDS))]
            out = int(generator.integers(1, channels + 1))
            weight = random_weights(generator, kind, bits, (out, shape[0], *kernel))
            shift = int(generator.choice([1, 5, 9]))
            spread = max(1.0, float(np.sqrt((weight**2).sum((1, 2, 3)).mean())))
            gain = 2.0 ** (FRACTION_BITS + shift) / spread
            limit = (1 << 15) - 1
            layer = Layer(
                name=f"conv{index}",
                weight=weight,
                weight_bits=bits,
                weight_kind=kind,
                stride=int(generator.integers(1, 3)),
                padding=padding,
                multiplier=np.clip(generator.normal(0, gain, out), -limit, limit).astype(np.int64),
                offset=generator.normal(0, 2.0 ** (FRACTION_BITS + shift), out).astype(np.int64),
                neuron=random_neuron(generator, shift, tables),
            )
        layers.append(layer)
        shape = IntegerNetwork(input=form, layers=layers, logit_offset=np.zeros(1, np.int64)).shapes()[-1]
    classes = int(generator.integers(2, channels + 1))
    pooled = generator.random() < 0.5
    kind, bits = KINDS[generator.integers(len(KINDS))]
    layers.append(Layer(
        name="classifier",
        weight=random_weights(
            generator, kind, bits, (classes, shape[0], 1, 1) if pooled else (classes, *shape)
        ),
        weight_bits=bits,
        weight_kind=kind,
    ))
    return IntegerNetwork(
        input=form, layers=layers, logit_offset=generator.integers(-50, 50, classes)
    )


def random_samples(network: IntegerNetwork, count: int, seed: int = 0, rate: float = 0.3) -> np.ndarray:
    """Return ``count`` inputs, uint8: spikes at ``rate``, or images of uniform values."""
    generator = np.random.default_rng(seed)
    form = network.input
    if form.direct:
        return generator.integers(0, 1 << form.bits, (count, *form.shape)).astype(np.uint8)
    return (generator.random((count, *form.shape)) < rate).astype(np.uint8)
