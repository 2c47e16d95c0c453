"""The integer model once more, in plain loops over windows, pixels, steps and banks.

It follows docs/core.md and the docstrings of terms and endings, and shares no arithmetic with
``spikeplane.network.model``: numbers are Python's, tables are looked up one by one.
"""

from dataclasses import dataclass, field

import numpy as np
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT
from spikeplane.network.layer import Layer
from spikeplane.network.schedule import Schedule
from spikeplane.network.window import Window
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.neuron import Reset

__all__ = ["Plain", "run_plain"]

LOW, HIGH = -(1 << 15), (1 << 15) - 1


@dataclass
class Plain:
    """What one input gives."""

    sums: np.ndarray
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    """(steps, channels, height, width) of every node that makes a map."""
    states: dict[str, np.ndarray] = field(default_factory=dict)
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)


def run_plain(
    network: IntegerNetwork, sample: np.ndarray, config: CoreConfig, schedule: Schedule = Schedule.REGISTERS
) -> Plain:
    """Return what ``network`` gives for one input."""
    form = network.input
    image = sample.astype(np.int64)
    inputs = np.stack([image] * form.steps) if form.direct else image
    maps, result = {"input": inputs}, Plain(sums=np.zeros(len(network.logit_offset), np.int64))
    for node in network.nodes:
        counts = dict.fromkeys(("EVENTS", "IDLE", "SATURATIONS", "SPIKES"), 0)
        result.counters[node.name], result.operations[node.name] = counts, 0
        if isinstance(node, Layer):
            runner = _Layer(network, node, maps, config, schedule)
            runner.run()
            if node.ending.kind == "logits":
                result.sums += runner.logits
            else:
                maps[node.name] = result.maps[node.name] = runner.output
            if node.ending.kind == "fire":
                result.states[node.name] = runner.state
            counts |= runner.counts
            result.operations[node.name] = runner.operations
        else:
            source = maps[node.source]
            maps[node.name] = result.maps[node.name] = _pooled(source, node.pooling)
            counts["SPIKES"] = int(maps[node.name].sum())
            channels = source.shape[1]
            groups = -(-channels // config.lanes)
            # With the weights that shortcuts share a group reads its own channels, column by column.
            shared = groups > 1 and config.term_count > 1 and not node.pooling.padding and max(node.pooling.kernel) <= 7
            for step in source:
                for _, _, window in _windows(step, node.pooling.kernel, node.pooling.stride, node.pooling.padding):
                    result.operations[node.name] += int(window.sum()) * channels
                    if not shared:
                        _count(counts, window, 0, config.banks, groups)
                        continue
                    for first in range(0, channels, config.lanes):
                        for x in range(window.shape[2]):
                            _count(counts, window[first:first + config.lanes, :, x:x + 1], first, config.banks, 1)
    return result


def _windows(step: np.ndarray, kernel, stride: int, padding: int):
    """Yield (y, x, values of the window) of one step's map (channels, height, width)."""
    padded = np.pad(step, ((0, 0), (padding, padding), (padding, padding)))
    for y in range((padded.shape[1] - kernel[0]) // stride + 1):
        for x in range((padded.shape[2] - kernel[1]) // stride + 1):
            yield y, x, padded[:, y * stride:y * stride + kernel[0], x * stride:x * stride + kernel[1]]


def _pooled(source: np.ndarray, pooling) -> np.ndarray:
    steps = []
    for step in source:
        found = {(y, x): w.any((1, 2)) for y, x, w in _windows(step, pooling.kernel, pooling.stride, pooling.padding)}
        height, width = (1 + max(axis) for axis in zip(*found, strict=True))
        steps.append(np.array([
            [[int(found[y, x][c]) for x in range(width)] for y in range(height)] for c in range(len(step))
        ]))
    return np.stack(steps)


def _count(counts: dict[str, int], plane: np.ndarray, first: int, banks: int, times: int) -> None:
    """Count the events of one window and plane, whose first channel is ``first``."""
    queues = [0] * banks
    for channel, values in enumerate(plane):
        queues[(first + channel) % banks] += int(values.sum())
    counts["EVENTS"] += sum(queues) * times
    counts["IDLE"] += sum(max(queues) - queue for queue in queues) * times


class _Layer:
    def __init__(self, network, node, maps, config, schedule):
        self.node, self.maps, self.config = node, maps, config
        self.formats = network.maps()
        self.steps = network.input.steps
        self.again = self.steps if schedule is Schedule.STORED else 1
        self.replays = all(source == INPUT and network.input.direct for source in node.sources)
        self.counts = dict.fromkeys(("EVENTS", "IDLE", "SATURATIONS", "SPIKES"), 0)
        self.operations = 0

    def run(self) -> None:
        ending = self.node.ending
        values = [getattr(self, f"_{term.kind}")(term) for term in self.node.terms]
        total = sum(values[1:], values[0])
        if ending.kind == "logits":
            self.logits = total.sum((0, 2, 3)) * 2**ending.exponent
            return
        clipped = np.clip(total, LOW, HIGH)
        over = clipped != total
        if ending.kind == "store":
            self.output = clipped
            self.counts["SATURATIONS"] = int(over.sum())
            return
        if ending.kind == "digit":
            self.output = clipped // 2**ending.digit % 2
            self.counts |= {"SATURATIONS": int(over.sum()), "SPIKES": int(self.output.sum())}
            return
        self._fire(ending, clipped, over)

    def _fire(self, ending, current: np.ndarray, over: np.ndarray) -> None:
        neuron = ending.neuron
        spikes, self.state = np.zeros_like(current), np.zeros_like(current[0])
        table = neuron.table.tolist() if neuron.quantized else None
        for place in np.ndindex(current.shape[1:]):
            state = 0
            for step in range(len(current)):
                exact = ((state * neuron.decode_scale + 8) >> 4) + int(current[(step, *place)])
                u = min(max(exact, LOW), HIGH)
                self.counts["SATURATIONS"] += bool(over[(step, *place)]) or u != exact
                fired = u > neuron.fire_above
                spikes[(step, *place)] = fired
                if fired and neuron.reset is Reset.HARD:
                    u = 0
                elif fired and neuron.reset is Reset.SOFT:
                    u -= 4096
                if neuron.state_bits == 0:
                    u = 0
                elif table is not None:
                    u = table[min(max(u >> 5, -512), 511) + 512]
                state = u
            self.state[place] = state
        self.counts["SPIKES"] = int(spikes.sum())
        self.output = spikes if ending.pooling is None else _pooled(spikes, ending.pooling)

    def _scaled(self, term, sums: np.ndarray) -> np.ndarray:
        if term.multiplier is None:
            return sums
        return np.stack([
            (sums[:, c] * int(term.multiplier[c]) + int(term.offset[c])) >> term.shift for c in range(sums.shape[1])
        ], axis=1)

    def _tapped(self, source: np.ndarray, taps, step: int) -> np.ndarray:
        """Return what is read at ``step``, in units of the last tap."""
        return sum(
            source[step - delay] << (taps[-1] - exponent)
            for delay, exponent in enumerate(taps) if delay <= step
        )

    def _window(self, term: Window) -> np.ndarray:
        source, form = self.maps[term.source], self.formats[term.source]
        out, inputs, *kernel = term.weight.shape
        size = out // term.groups
        lane_groups = -(-size // self.config.lanes)
        bits = form.bits if len(term.taps) == 1 else 1 + term.taps[-1]
        every = []
        for step in range(self.steps):
            found = {}
            for y, x, window in _windows(self._tapped(source, term.taps, step), kernel, term.stride, term.padding):
                sums = []
                if form.replayed and (step < self.again or not self.replays):
                    self._read_image(term, window, bits, lane_groups)
                for group in range(term.groups):
                    part = window[group * inputs:(group + 1) * inputs]
                    own = term.weight[group * size:(group + 1) * size]
                    sums += [int((part * weight).sum()) for weight in own]
                    for bit in range(bits if not form.replayed else 0):
                        plane = (part & ((1 << bits) - 1)) >> bit & 1
                        times = lane_groups * term.weight_bits
                        _count(self.counts, plane, group * inputs, self.config.banks, times)
                        self.operations += int(plane.sum()) * term.weight_bits * size
                found[y, x] = sums
            height, width = (1 + max(axis) for axis in zip(*found, strict=True))
            every.append([[[found[y, x][c] for x in range(width)] for y in range(height)] for c in range(out)])
        return self._scaled(term, np.array(every))

    def _read_image(self, term: Window, window: np.ndarray, bits: int, lane_groups: int) -> None:
        """Count one reading of an image: once, in every outer step, or beside spikes in every step.

        Planes that fit a slot side by side are read at once, in a pass for each power of two.
        """
        _, inputs, *_ = term.weight.shape
        size = len(term.weight) // term.groups
        beside = max(1, min(self.config.banks // len(window), bits, self.config.image_planes))
        for low in range(0, bits, beside):
            planes = [window >> bit & 1 for bit in range(low, min(bits, low + beside))]
            for group in range(term.groups):
                own = [plane[group * inputs:(group + 1) * inputs] for plane in planes]
                for power in range(term.weight_bits + len(own) - 1):
                    read = [plane for bit, plane in enumerate(own) if 0 <= power - bit < term.weight_bits]
                    _count(self.counts, np.concatenate(read), 0, self.config.banks, lane_groups)
                    self.operations += int(sum(plane.sum() for plane in read)) * size

    def _product(self, term) -> np.ndarray:
        source, operand = self.maps[term.source], self.maps[term.operand]
        height, width = source.shape[2:]
        size = source.shape[1] // term.groups
        keys = [(y, x) for y in range(operand.shape[2]) for x in range(operand.shape[3])]
        own = operand.shape[1] // term.groups
        every = []
        for step in range(self.steps):
            out = []
            for group in range(term.groups):
                part = source[step, group * size:(group + 1) * size]
                if term.transposed:
                    rows = [[operand[step, group * own + c, y, x] for y, x in keys] for c in range(own)]
                else:
                    rows = [[operand[step, group * own + c, y, x] for c in range(own)] for y, x in keys]
                out += [sum(part[i] * int(bit) for i, bit in enumerate(row)) for row in rows]
                times = -(-len(rows) // self.config.lanes)
                for y in range(height):
                    for x in range(width):
                        _count(self.counts, part[:, y:y + 1, x:x + 1], group * size, self.config.banks, times)
                self.operations += int(part.sum()) * len(rows)
            every.append(np.stack(out))
        return self._scaled(term, np.stack(every))

    def _unit(self) -> int:
        ending = self.node.ending
        return 4096 if ending.kind == "fire" else 1 << ending.fraction_bits

    def _shortcut(self, term) -> np.ndarray:
        source = self.maps[term.source]
        every = []
        for step in range(self.steps):
            read = self._tapped(source, term.taps, step)[:, ::term.stride, ::term.stride]
            for y, x in np.ndindex(read.shape[1:]):
                # Lanes read the channels of their own number, group by group.
                for first in range(0, len(read), self.config.lanes):
                    part = read[first:first + self.config.lanes, y:y + 1, x:x + 1]
                    for bit in range(1 + term.taps[-1]):
                        _count(self.counts, part >> bit & 1, first, self.config.banks, 1)
            silent = np.zeros((term.silent, *read.shape[1:]), np.int64)
            every.append(np.concatenate([read, silent]) * self._unit() // (1 << term.taps[-1]))
        return np.stack(every)

    def _stored(self, term) -> np.ndarray:
        total = sum(self.maps[name] for name in term.streams)
        shift = term.exponent - len(term.streams) + 1
        return total << shift if shift >= 0 else (total + (1 << (-shift - 1))) >> -shift
