"""Reference interpreter: runs the words of an image slot for slot, as docs/core.md says.

It knows nothing of the network: descriptors, passes, weights, parameters and tables are read back
from the image's memory words. It is slow and meant for small networks.
"""

from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import BURST_BITS
from spikeplane_hw.descriptor import map_rows, parameter_bursts, pass_layout, sample_bursts, state_bursts
from spikeplane_hw.map_places import InputPlace, advance, find_places
from spikeplane_hw.memory_map import Counter, Register, Space, memory_map
from spikeplane_hw.neuron import (
    DECODE_SHIFT,
    FRACTION_BITS,
    MULTIPLIER_WIDTH,
    OFFSET_WIDTH,
    SHIFTS,
    STATE_WIDTH,
    TABLE_CODE_WIDTH,
    TABLE_INDEX_SHIFT,
    TABLE_INDEX_WIDTH,
    Reset,
    saturate,
)
from spikeplane_hw.operand import copied_blocks
from spikeplane_hw.weight_stream import ring_slots
from spikeplane_hw.window import Segment, walk

from .image import Image
from .program import decode_fields, decode_program, second_limit
from .weight_words import from_stream

__all__ = ["Outcome", "interpret"]


@dataclass
class Outcome:
    """What one input gives, as a host would read it back."""

    sums: np.ndarray
    """int64 (classes,), of a batch (batch, classes): the device's sums, without ``logit_offset``."""
    counters: np.ndarray
    """int64 (layers, len(Counter)); CYCLES is 0."""
    spikes: np.ndarray
    """Words of Space.SPIKES, see ``Image.decode_map``."""
    states: np.ndarray
    """Words of Space.STATES, see ``Image.decode_states``."""


def interpret(image: Image, sample: np.ndarray) -> Outcome:
    """Run one input, of shape ``InputFormat.shape``, on the words of ``image``; of a batch all, (batch, *shape)."""
    return _Machine(image).run(sample[None] if image.batch == 1 else sample)


def _integers(words: np.ndarray) -> list[int]:
    return [int.from_bytes(bytes(word), "little") for word in words]


def _signed(value: int, width: int) -> int:
    return value - (value >> (width - 1) << width)


def _parameter(value: int) -> tuple[int, int]:
    """Return M and B of a word of the parameter memory."""
    return (
        _signed(value & ((1 << MULTIPLIER_WIDTH) - 1), MULTIPLIER_WIDTH),
        _signed(value >> MULTIPLIER_WIDTH, OFFSET_WIDTH),
    )


class _Machine:
    def __init__(self, image: Image):
        self.image = image
        config = self.config = image.config
        empty = np.zeros((0, 1), np.uint8)
        self.program = decode_program(config, _integers(image.contents[Space.PROGRAM][1]))
        self.passes = [
            decode_fields(pass_layout(config), value)
            for value in _integers(image.contents[Space.PASSES][1])
        ]
        self.weights = np.zeros((config.weight_depth, config.banks, config.lanes), np.uint8)
        self.stream = np.zeros((0, config.banks, config.lanes), np.uint8)
        """Slots that stream in, if any do."""
        self.ring = ring_slots(config, half=image.halves_ring)
        if Space.EXTERNAL in image.contents:
            self.stream = from_stream(image.contents[Space.EXTERNAL][1], image.registers[Register.STREAM_SLOTS], config)
        else:
            bits = np.unpackbits(image.contents[Space.WEIGHTS][1], axis=1, bitorder="little")
            self.weights[:len(bits) // config.banks] = bits[:, :config.lanes].reshape(-1, config.banks, config.lanes)
        self.parameters = [
            _parameter(value) for value in _integers(image.contents.get(Space.PARAMETERS, (0, empty))[1])
        ]
        if not self.parameters:  # They are loaded layer by layer.
            self.parameters = [(0, 0)] * (config.parameter_depth * config.updates)
        self.tables = [
            _signed(value, TABLE_CODE_WIDTH)
            for value in _integers(image.contents.get(Space.TABLES, (0, empty))[1])
        ]

    def run(self, samples: np.ndarray) -> Outcome:
        config = self.config
        slots = config.spike_depth * config.word_slots
        self.spikes = np.zeros((slots, config.banks), np.int64)
        self.flags = np.zeros(config.row_flag_count, bool)
        self.states = np.zeros(config.state_depth * config.updates, np.int64)
        self.logits = np.zeros(config.logit_count, np.int64)
        self.waiting = np.zeros((max(1, config.pool_depth // config.chunks), config.lanes), bool)
        self.counters = np.zeros((len(self.program), len(Counter)), np.int64)
        self.streamed = 0  # slots, of all passes through the program
        self.piece = 0  # of the layer at hand
        self.outside: dict[int, np.ndarray] = {}  # words by their bursts
        for number, sample in enumerate(samples):
            self.give(sample)
            self.input_place = InputPlace()
            for outer in range(self.image.registers[Register.OUTER_STEPS]):
                for index, jobs in enumerate(self.program):
                    if jobs.collect and number != jobs.collect - 1:
                        break
                    self.layer(index, max(outer, number), initial=outer == number == 0)
        return self.outcome()

    def give(self, sample: np.ndarray) -> None:
        """Write a sample into the input map."""
        config = self.config
        first, words = self.image.encode_input(sample)
        bits = np.unpackbits(words, axis=1, bitorder="little")[:, :config.word_width]
        start = first * config.word_slots
        self.spikes[start:start + len(words) * config.word_slots] = bits.reshape(-1, config.banks)
        if self.image.takes_events:
            rows = np.asarray(sample).any((1, 3)).ravel()
            self.flags[:len(rows)] = rows

    def layer(self, index: int, time: int, *, initial: bool) -> None:
        config, jobs, streamed = self.config, self.program[index], self.input_place
        d, terms = jobs.layer, jobs.terms
        for move in jobs.before:
            self.move(move, time)
        for load, place in zip(jobs.loads, find_places(config, d, jobs.loads, streamed, time).inputs, strict=True):
            self.load(load, place.offset)
        places = find_places(config, d, terms, streamed, time)
        here = -1
        if len(self.stream):
            # Where the layer's first slot is in the ring; operands are none of it.
            terms = [
                term if term["weight_step"] else term | {"weight_base": term["weight_base"] + self.streamed % self.ring}
                for term in terms
            ]
        if not d["logits"] and not d["store"]:
            first = d["output_flags"] + places.output_flags
            self.flags[first:first + d["steps"] * map_rows(config, d)] = False
        walked = walk(config, d, terms, self.passes, places, initial=initial, pieces=jobs.pieces)
        segments = d["output_columns"] * len(terms) * (1 if d["replay"] else d["steps"])  # of a piece
        current = {}
        for number, segment in enumerate(walked):
            if jobs.pieces and number % segments == 0:
                self.piece = number // segments
                for move in jobs.loading:
                    self.move(move, time)
            if len(self.stream) and segment.group != here:
                self.fill(0 if terms[-1]["weight_step"] else terms[-1]["weight_group"])
                here = segment.group
            slots = config.weight_depth if terms[-1]["weight_step"] else self.ring
            total = self.segment(index, segment, slots)[:segment.lanes]
            if segment.stream:
                total = self.stored(segment)
            if d["logits"]:
                at = segment.logit * config.lanes
                before = 0 if segment.initial else self.logits[at:at + segment.lanes]
                self.logits[at:at + segment.lanes] = before + (total << d["power"])
                continue
            before = 0 if segment.first else current[segment.cluster]
            current[segment.cluster] = exact = self.scale(segment, total) + before
            if segment.last:
                step = segment.step
                for inner in range(step, d["steps"] if d["replay"] else step + 1):
                    self.update(index, segment, exact, inner, segment.initial and inner == step)
            if jobs.pieces and (number + 1) % segments == 0:
                for move in jobs.after:
                    self.move(move, time)
        for move in [] if jobs.pieces else jobs.after:
            self.move(move, time)
        self.input_place = advance(streamed, terms[-1])

    def move(self, d: dict[str, int], sample: int) -> None:
        """Store words of a memory outside the chip, or load them again."""
        config = self.config
        if d["parameters"]:
            self.load_parameters(d)
            return
        words = self.states.reshape(-1, config.updates // state_bursts(config)) if d["states"] else (
            self.spikes.reshape(config.spike_depth, config.word_slots, config.banks)
        )
        first = d["burst"] + sample % config.most_samples * sample_bursts(config) * d["sampled"]
        first += self.piece * (d["words"] + 1) * d["piece"]
        for number in range(d["words"] + 1):
            if d["store"]:
                self.outside[first + number] = words[d["word"] + number].copy()
            else:
                words[d["word"] + number] = self.outside[first + number]

    def load_parameters(self, d: dict[str, int]) -> None:
        """Take parameters from the words outside the chip: each those of a few neurons, one behind the other."""
        width = MULTIPLIER_WIDTH + OFFSET_WIDTH
        units = min(self.config.updates, BURST_BITS // width)
        words = self.image.contents[Space.EXTERNAL][1][d["burst"]:d["burst"] + d["words"] + 1]
        first = d["word"] // parameter_bursts(self.config) * self.config.updates
        for number, value in enumerate(_integers(words)):
            for unit in range(units):
                own = value >> unit * width & ((1 << width) - 1)
                self.parameters[first + number * units + unit] = _parameter(own)

    def fill(self, slots: int) -> None:
        """Write the next slots of the stream into the ring."""
        for slot in range(self.streamed, self.streamed + slots):
            self.weights[slot % self.ring] = self.stream[slot % len(self.stream)]
        self.streamed += slots

    def load(self, d: dict[str, int], offset: int) -> None:
        """Copy a spike map into the weights."""
        banks = self.config.banks
        for copied in copied_blocks(self.config, d, offset):
            rows = np.stack([self.spikes[slot % len(self.spikes)] for slot in copied.slots])
            lanes = slice(copied.block * banks, (copied.block + 1) * banks)
            self.weights[copied.weight, :, lanes] = rows if d["transposed"] else rows.T

    def segment(self, index: int, segment: Segment, slots: int) -> np.ndarray:
        """Return the signed sums of all lanes of one window at one step; its weights are modulo ``slots``."""
        config = self.config
        sums, reference = np.zeros(config.lanes, np.int64), 0
        for plane in segment.passes:
            reading = plane.banks >> np.arange(config.banks) & 1 if config.mask_width else 1
            counting = plane.reference >> np.arange(config.banks) % config.reference_width & 1
            queues = np.zeros(config.banks, np.int64)
            for (slot, count, weight), flag in zip(plane.rows, plane.flags, strict=True):
                if flag is not None and not self.flags[flag]:
                    continue
                for column in range(count):
                    active = self.spikes[(slot + column) % len(self.spikes)] * reading
                    sums += active @ self.weights[(weight + column) % slots]
                    reference += active @ counting
                    queues += active
            assert sums.max() >> config.accumulator_width == 0, "the accumulators overflow"
            self.count(index, Counter.EVENTS, queues.sum())
            self.count(index, Counter.IDLE, (queues.max() - queues).sum())
            if plane.double:
                sums, reference = 2 * sums, 2 * reference
        return (2 * sums if segment.doubled else sums) - reference

    def stored(self, segment: Segment) -> np.ndarray:
        """Return the stored integers of all lanes that a stream has at one place."""
        def read(row: int) -> np.ndarray:
            word, _, _ = self.state_places(row, segment.lanes, 0)
            codes = self.states[word]
            return codes - (codes >> (STATE_WIDTH - 1) << STATE_WIDTH)

        if segment.mean:
            return read(segment.stream_state) + read(segment.second_state % second_limit(self.config)) + 1
        return read(segment.stream_state)

    def scale(self, segment: Segment, total: np.ndarray) -> np.ndarray:
        """Return the currents of one term, exact."""
        first = segment.parameter * self.config.lanes
        multiplier, offset = np.array(self.parameters[first:first + len(total)], np.int64).T
        return (total * multiplier + offset) >> SHIFTS[segment.shift]

    def update(self, index, segment, exact, step, initial) -> None:
        """Update a group of neurons of one pixel at one step, which of a replay is not that of ``segment``."""
        config, d, first_step = self.config, self.program[index].layer, segment.step
        row = d["state_base"] + segment.cluster
        if d["stored"]:
            pieces, pixel = self.program[index].pieces, segment.pixel
            place = pixel % d["output_columns"] if pieces else pixel * d["groups"] + segment.group
            row = d["state_base"] + place + first_step * d["state_step"]  # where a replay stays
        word, low, width = self.state_places(row, len(exact), d["state_pack"])
        code = self.states[word] >> low & ((1 << width) - 1)
        state = (code - (code >> (width - 1) << width)) * (not initial)
        x = saturate(exact)
        leaked = (state * d["decode_scale"] + (1 << (DECODE_SHIFT - 1))) >> DECODE_SHIFT
        u = saturate(leaked + x)
        self.count(index, Counter.SATURATIONS, ((x != exact) | (u != leaked + x)).sum())
        spike = x >> d["power"] & 1 if d["digit"] else u > d["fire_above"]
        if d["reset"] == Reset.HARD.value:
            u = np.where(spike, 0, u)
        elif d["reset"] == Reset.SOFT.value:
            u = u - spike * (1 << FRACTION_BITS)
        if d["quantized"]:
            half = 1 << (TABLE_INDEX_WIDTH - 1)
            entry = (u >> TABLE_INDEX_SHIFT).clip(-half, half - 1) + half
            u = np.array(self.tables)[(d["table"] << TABLE_INDEX_WIDTH) + entry]
        # One by one: several may share a word.
        np.bitwise_and.at(self.states, word, ~(((1 << width) - 1) << low))
        np.bitwise_or.at(self.states, word, (u & ((1 << width) - 1)) << low)
        if d["store"]:
            return
        self.count(index, Counter.SPIKES, spike.sum())
        spike = self.pool(segment, step - first_step, spike)
        if not segment.pool_last:
            return
        slots = -(-len(exact) // config.banks)
        slots = -(-slots // config.chunk_slots) * config.chunk_slots
        bits = np.zeros(slots * config.banks, np.int64)
        bits[:len(exact)] = spike
        slot = segment.output + (step - first_step) * d["output_step"]
        self.spikes[slot:slot + slots] = bits.reshape(slots, config.banks)
        if spike.any():
            self.flags[segment.flag + (step - first_step) * map_rows(config, d)] = True

    def pool(self, segment: Segment, later: int, spike: np.ndarray) -> np.ndarray:
        """Return spikes with those of their pool's window before them, and keep them for the rest of it."""
        waiting = self.waiting[(segment.pool + later) % len(self.waiting)]
        if not segment.pool_first:
            spike = spike | waiting[:len(spike)]
        waiting[:len(spike)] = spike
        return spike

    def state_places(self, row: int, count: int, pack: int) -> tuple[np.ndarray, np.ndarray, int]:
        """Return word and lowest bit of the states of ``count`` lanes of a group, and their width."""
        config, width = self.config, STATE_WIDTH >> pack
        lane = np.arange(count)
        chunk = row * config.chunks + lane // config.updates
        word = (chunk >> pack) * config.updates + lane % config.updates
        return word, chunk % (1 << pack) * width, width

    def count(self, index: int, counter: Counter, amount) -> None:
        self.counters[index, counter.value] += int(amount)

    def outcome(self) -> Outcome:
        config = self.config
        bits = self.spikes.reshape(config.spike_depth, config.word_width).astype(np.uint8)
        state_bytes = memory_map(config)[Space.STATES].word_bytes
        image, classes = self.image, len(self.image.logit_offset)
        sums = np.stack([
            self.logits[first:first + classes] for first in range(0, image.logit_words, image.sample_logits)
        ])
        return Outcome(
            sums=sums if image.batch > 1 else sums[0],
            counters=image.by_layer(self.counters),
            spikes=np.packbits(bits, axis=1, bitorder="little"),
            states=self.states.astype(f"<u{state_bytes}").view(np.uint8).reshape(-1, state_bytes),
        )
