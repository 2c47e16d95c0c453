"""Configuration of a core: how many lanes, banks and updates, and how deep its memories are."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import get_type_hints

from amaranth.utils import ceil_log2

from .neuron import QUANTIZED_BITS, STATE_WIDTH

__all__ = ["BURST_BITS", "CLUSTERS", "COMPACT", "CONFIGS", "HUGE", "LARGE", "SMALL", "SMALLEST", "TINY", "CoreConfig"]

CLUSTERS = 1, 2, 4
"""Output pixels that may be walked together."""
BURST_BITS = 128
"""Bits of memory outside the chip that are read or written at once."""


@dataclass(frozen=True, kw_only=True)
class CoreConfig:
    """Essential parameters of a core; everything else is derived from these.

    A *slot* is ``banks`` bits: one input channel for each bank. A *chunk* is ``updates`` lanes.
    """

    name: str
    lanes: int
    """P: output channels accumulated at once."""
    banks: int
    """E: weight SRAMs, each delivering one event a cycle to every lane."""
    clusters: int = 1
    """Q: neighbouring output pixels of a row that are walked together; 1, 2 or 4. Two share their weight memories."""
    updates: int
    """U: neuron updates a cycle."""
    word_slots: int
    """Slots in a word of the spike memory."""
    accumulator_width: int = 16
    """Bits of a lane's unsigned accumulator."""
    weight_depth: int
    """Slots a weight bank holds; slot 0 is zeros and belongs to no layer."""
    spike_depth: int
    """Words of the spike memory."""
    parameter_depth: int
    """Chunks of (multiplier, offset) pairs."""
    state_depth: int
    """Chunks of stored membrane potentials."""
    table_count: int
    """Quantizer tables held at once."""
    layer_count: int = 16
    """Layers a program may have."""
    pass_count: int = 64
    """Plane passes a program may have, over all layers."""
    term_count: int = 1
    """Terms that a layer may sum up, each with its own scale."""
    logit_count: int = 256
    """Classifier outputs."""
    pool_depth: int = 0
    """Chunks of spikes that wait for the rest of their pool's window; 0: no pools on the way out are built."""
    external_depth: int = 0
    """Bursts of memory outside the chip, from which weights stream in while layers run; 0: there is none."""
    tap_count: int = 8
    """Most steps that a memory-free neuron looks at, the current one included."""
    image_planes: int = 1
    """Most bits of an image that lie beside each other in a slot and are read at once, with different weight planes."""
    row_flag_count: int = 2048
    """Map rows (time step, y) whose silence is tracked, over all maps."""
    pixel_width: int = 10
    """Bits of the number of slots of a pixel."""
    side_width: int = 10
    """Bits of the height and of the width of a map."""
    step_width: int = 14
    """Bits of the number of time steps of a run."""
    queue_depth: int = 16
    """Entries of a bank's spike queue."""
    row_queue_depth: int = 8
    """Rows the walker may be ahead of fetch; 0 is none."""
    segment_queue_depth: int = 4
    """Segments the walker may be ahead of the neuron update, of each cluster."""
    checksum_bits: int = 8
    """Bits of a byte on the host link that the checksum takes in a cycle."""
    statistics: bool = True
    """Whether the core counts what each layer did: cycles, events, spikes, saturations."""
    window_queue_depth: int = 1
    """Windows found ahead of the one whose rows are walked; 0: a window is walked before the next one is found."""
    most_packed: int = 1
    """Chunks whose quantized states may share a word of the state memory."""
    wire_registers: bool = True
    """Whether long wires are cut by registers of their own, a cycle each, so that the clock is high."""
    parameter_registers: bool = True
    """Whether M and B wait in registers for the sums they scale; else they are read as late as they are needed."""
    step_registers: bool = True
    """Whether the fields of a time step stop on their way through the update, so that short steps follow at once."""
    rows_stall: bool = False
    """Whether rows on their way to a full row queue stall; else the queue is deep enough to take them all."""
    doubling_cycles: bool = False
    """Whether accumulators double in cycles of their own, in which the banks wait; else while they add."""
    rotating_snapshot: bool = False
    """Whether the sums of a snapshot move past the neuron unit; else it chooses from them. Takes ``updates`` = 1."""

    def __post_init__(self):
        for name, kind in get_type_hints(type(self)).items():
            value = getattr(self, name)
            least = 0 if name in (
                "row_queue_depth", "window_queue_depth", "pool_depth", "external_depth",
            ) else 1
            if kind is bool and not isinstance(value, bool):
                raise ValueError(f"{name} must be True or False, not {value!r}")
            if kind is int and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                kind = "positive integer" if least else "natural number"
                raise ValueError(f"{name} must be a {kind}, not {value!r}")
        for name in (
            "banks", "word_slots", "lanes", "updates", "queue_depth", "row_queue_depth",
            "segment_queue_depth", "checksum_bits", "window_queue_depth", "tap_count", "term_count", "most_packed",
        ):
            value = getattr(self, name)
            if value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value!r}")
        if self.external_depth and self.weight_depth & (self.weight_depth - 1):
            raise ValueError(f"weight_depth must be a power of two with memory outside the chip, not "
                             f"{self.weight_depth!r}: streamed weights are a ring of all slots")
        if self.external_depth and self.word_width > BURST_BITS:
            raise ValueError(f"word_slots * banks must be at most {BURST_BITS} with memory outside the chip, not "
                             f"{self.word_width!r}: a word of spikes lies there in a burst")
        if self.external_depth & (self.external_depth - 1) or 0 < self.external_depth < 2 * self.tap_count:
            raise ValueError(f"external_depth must be 0 or a power of two from {2 * self.tap_count} on, not "
                             f"{self.external_depth!r}: half of it are bursts for spikes, in parts for each sample")
        if self.queue_depth < 8:
            raise ValueError(f"queue_depth must be at least 8, not {self.queue_depth!r}")
        if self.clusters not in CLUSTERS:
            raise ValueError(f"clusters must be 1, 2 or 4, not {self.clusters!r}")
        if self.clusters > 1:
            self.check_clusters()
        if self.lanes % self.updates or self.lanes % self.banks:
            raise ValueError(
                f"lanes must be a multiple of updates and banks, not {self.lanes!r} lanes, "
                f"{self.updates!r} updates, {self.banks!r} banks"
            )
        for name in ("parameter_depth", "state_depth", "pool_depth"):
            value = getattr(self, name)
            if value % self.chunks:
                raise ValueError(
                    f"{name} must be a multiple of lanes / updates = {self.chunks}, not {value!r}"
                )
        if self.word_slots < self.chunk_slots:
            raise ValueError(
                f"word_slots must be at least updates / banks = {self.chunk_slots}, "
                f"not {self.word_slots!r}"
            )
        if self.checksum_bits > 8:
            raise ValueError(f"checksum_bits must be at most 8, not {self.checksum_bits!r}")
        codes = STATE_WIDTH // QUANTIZED_BITS.start
        if self.most_packed > min(codes, self.chunks):
            raise ValueError(
                f"most_packed must be at most {codes} and at most lanes / updates = {self.chunks}, "
                f"not {self.most_packed!r}"
            )
        if self.rotating_snapshot and self.updates != 1:
            raise ValueError(f"updates must be 1 with rotating_snapshot, not {self.updates!r}")

    def check_clusters(self):
        """Raise a ValueError if several clusters do not go with another parameter."""
        if not self.wire_registers:
            raise ValueError(f"wire_registers must be True with {self.clusters} clusters: where each one's window "
                             f"lies in a word is found meanwhile")
        if self.rotating_snapshot:
            raise ValueError(f"rotating_snapshot must be False with {self.clusters} clusters: they have one each")
        if self.state_depth < self.shared_chunks:
            raise ValueError(f"state_depth must be at least clusters * lanes / updates = {self.shared_chunks}, "
                             f"not {self.state_depth!r}")

    @property
    def word_width(self) -> int:
        """Bits in a word of the spike memory."""
        return self.banks * self.word_slots

    @property
    def slot_width(self) -> int:
        """Bits of a slot address in the spike memory; streams are walked in the state memory with the same."""
        streams = self.state_depth // self.chunks if self.term_count > 1 else 0
        return ceil_log2(max(self.spike_depth * self.word_slots, streams))

    @property
    def weight_address_width(self) -> int:
        """Bits of a slot address in a weight bank."""
        return ceil_log2(self.weight_depth)

    @property
    def chunk_slots(self) -> int:
        """Slots that hold a chunk's spikes: an output pixel is padded to a multiple of this."""
        return max(1, self.updates // self.banks)

    @property
    def chunks(self) -> int:
        """Chunks in a channel group."""
        return self.lanes // self.updates

    @property
    def shared_chunks(self) -> int:
        """State chunks, from the first one on, that all layers share which store no potentials: a group a cluster."""
        return self.clusters * self.chunks

    @property
    def sum_width(self) -> int:
        """Bits of a signed weighted sum."""
        return self.accumulator_width + 1

    @property
    def delay_width(self) -> int:
        """Bits of a delay, 0 to ``tap_count``; none where memory-free neurons are not built."""
        return ceil_log2(self.tap_count + 1) if self.tap_count > 1 else 0

    @property
    def mask_width(self) -> int:
        """Bits of a pass that say which banks read; none if all of them do."""
        return self.banks if self.image_planes > 1 else 0

    @property
    def reference_width(self) -> int:
        """Bits of a pass that say which inputs count in the reference sum: one for each bank if they may differ."""
        return max(1, self.mask_width)

    @property
    def most_samples(self) -> int:
        """Samples for which weights that stream in may be read once: a batch."""
        return self.tap_count if self.external_depth else 1

    @property
    def wire_domain(self) -> str:
        """Domain of registers that only keep wires short: ``comb`` if there are none."""
        return "sync" if self.wire_registers else "comb"

    @property
    def peak_operations(self) -> int:
        """One-bit synaptic operations a cycle."""
        return self.lanes * self.banks * self.clusters

    @property
    def hash(self) -> int:
        """32-bit identity of this configuration; an image for another one is refused."""
        text = json.dumps(asdict(self), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


SMALLEST = {
    "row_queue_depth": 0, "segment_queue_depth": 32, "window_queue_depth": 0, "wire_registers": False,
    "parameter_registers": False, "step_registers": False, "rows_stall": True, "doubling_cycles": True,
    "rotating_snapshot": True, "checksum_bits": 1,
}
"""Parameters that save logic where it costs few cycles, for cores with one update a cycle."""
# For the iCE40UP5K, of whose logic cells it takes almost all: every bit of an address counts.
TINY = CoreConfig(
    name="tiny",
    lanes=16,
    banks=2,
    updates=1,
    word_slots=4,
    accumulator_width=14,
    weight_depth=4096,
    spike_depth=2048,
    parameter_depth=256,
    state_depth=512,
    table_count=2,
    layer_count=8,
    pass_count=32,
    logit_count=32,
    row_flag_count=256,
    pixel_width=6,
    tap_count=1,
    side_width=5,
    step_width=6,
    queue_depth=32,
    **SMALLEST,
)
# For ECP5-25F, whose 56 block RAMs it takes all.
COMPACT = CoreConfig(
    name="compact",
    lanes=64,
    banks=8,
    updates=4,
    word_slots=16,
    weight_depth=512,
    spike_depth=2048,
    parameter_depth=256,
    state_depth=2048,
    table_count=2,
    term_count=4,
    layer_count=29,
    pass_count=256,
    most_packed=8,
)
SMALL = CoreConfig(
    name="small",
    lanes=64,
    banks=8,
    updates=8,
    word_slots=16,
    weight_depth=512,
    spike_depth=2048,
    parameter_depth=128,
    state_depth=2048,
    table_count=2,
    term_count=4,
    layer_count=64,
    pass_count=256,
    pool_depth=2048,
    image_planes=8,
    most_packed=8,
)
# For ECP5-85F with 32 MB of SDRAM: its 208 block RAMs are all but taken.
LARGE = CoreConfig(
    name="large",
    lanes=128,
    banks=8,
    updates=16,
    word_slots=16,
    weight_depth=1024,
    spike_depth=8192,
    parameter_depth=512,
    state_depth=2048,
    table_count=2,
    term_count=4,
    layer_count=64,
    pass_count=256,
    pool_depth=1024,
    image_planes=8,
    most_packed=8,
    external_depth=1 << 21,
    # Four groups: one block RAM with the word that is always 0.
    logit_count=511,
)
# For the same part and memory. Four clusters take weights twice, and leave too few block RAMs for maps.
HUGE = replace(LARGE, name="huge", clusters=2)
CONFIGS = {config.name: config for config in (TINY, COMPACT, SMALL, LARGE, HUGE)}
