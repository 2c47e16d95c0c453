"""What the host can read and write in a core: memories by space, registers by name.

The gateware, the driver, the compiler and docs/registers.md are all derived from these tables.
"""

from dataclasses import dataclass

from amaranth.lib import enum

from .config import BURST_BITS, CoreConfig
from .descriptor import PROGRAM_WIDTH, pass_layout, program_depth
from .neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, STATE_WIDTH, TABLE_CODE_WIDTH, TABLE_INDEX_WIDTH

__all__ = ["EVENT_COUNT_WIDTH", "EXACT_COUNTERS", "IDENTITY", "LOGIT_WIDTH", "RUN_COUNT_WIDTH", "Control", "Counter",
           "Memory", "Register", "Space", "memory_map"]

IDENTITY = int.from_bytes(b"SPK1", "little")
LOGIT_WIDTH = 32
COUNTER_WIDTH = 32
RUN_COUNT_WIDTH = 15
"""Bits of the runs counted in STATUS, which wrap."""
EVENT_COUNT_WIDTH = 16
"""Bits of the counts of events, which wrap."""


class Space(enum.Enum, shape=4):
    """Address spaces of the host bus. Addresses count words; words travel little-endian."""

    REGISTERS = 0
    PROGRAM = 1
    """Jobs, see :class:`.descriptor.Job`."""
    PASSES = 2
    WEIGHTS = 3
    """Word ``slot * banks + bank``: one bit for each lane, lane 0 in bit 0."""
    PARAMETERS = 4
    """Word ``chunk * updates + lane % updates``: M in the low bits, then B."""
    TABLES = 5
    """Word ``table << TABLE_INDEX_WIDTH | index``."""
    SPIKES = 6
    """Words of the spike memory: bit ``slot % word_slots * banks + bank``."""
    STATES = 7
    """Word ``chunk * updates + lane % updates``."""
    LOGITS = 8
    COUNTERS = 9
    """Word ``layer * len(Counter) + counter``; no word at all without ``CoreConfig.statistics``."""
    EXTERNAL = 10
    """Bursts of memory outside the chip; only with ``CoreConfig.external_depth``."""


class Register(enum.Enum, shape=5):
    """Registers of 32 bits each, in address order. OUTER_STEPS to INPUT_STEPS are only written."""

    IDENTITY = 0
    """Reads as the constant IDENTITY."""
    CONFIGURATION = 1
    """Hash of the core's configuration."""
    REGISTER_MAP = 2
    """Hash of all layouts and numbers that host and core share, see identity.py."""
    CONTROL = 3
    """Write a :class:`Control`; while STATUS says busy all but STOP is ignored."""
    STATUS = 4
    """Bit 0: busy, that is running, about to run, clearing, or stopping. Bits above: runs completed, modulo
    2**RUN_COUNT_WIDTH; one that was stopped does not count."""
    OUTER_STEPS = 5
    """Times a run goes through the jobs; states are kept in between."""
    INPUT_BASE = 6
    """First slot of the input map."""
    INPUT_WORDS = 7
    """Words of the spike memory that the input map covers."""
    INPUT_WIDTH = 8
    INPUT_HEIGHT = 9
    INPUT_STEPS = 10
    """Events with x, y or step from these on are rejected."""
    EVENTS_ACCEPTED = 11
    """Of the events since a CLEAR, modulo 2**EVENT_COUNT_WIDTH."""
    EVENTS_REJECTED = 12
    STREAM_SLOTS = 13
    """Only written: weight slots of one pass through the program that stream in from EXTERNAL, from its first burst
    on; the stream begins anew. 0: weights are those the host wrote."""
    STREAM_HALF = 14
    """Only written: 1: the stream fills the lower half of the weight slots alone, the upper one is for operands of
    products; the stream begins anew."""


class Control(enum.Flag, shape=4):
    """What a write to Register.CONTROL starts."""

    RUN = 1
    """Run the program once the events sent so far are in the input map."""
    CLEAR = 2
    """Clear the input map and the event counts."""
    RESUME = 4
    """With RUN: keep states, logits and counters, as if the run before went on."""
    STOP = 8
    """Whatever is under way, end it: the core is then as after power-up, but for what memories and registers hold.
    All other bits are ignored."""


class Counter(enum.Enum, shape=3):
    """Counters of a layer, over all steps of a run."""

    CYCLES = 0
    """Clock cycles the layer took."""
    EVENTS = 1
    """Active inputs read from the queues, once for each channel group and plane pass."""
    IDLE = 2
    """Bank cycles lost to imbalance: over all passes, sum over banks of (longest - own) queue."""
    SATURATIONS = 3
    """Neuron updates in which x or u saturated."""
    SPIKES = 4
    """Spikes fired."""


EXACT_COUNTERS = tuple(counter for counter in Counter if counter is not Counter.CYCLES)
"""What the integer model counts as the core does, bit for bit; CYCLES is predicted within a tolerance only."""


@dataclass(frozen=True)
class Memory:
    """One space of the host bus."""

    width: int
    depth: int
    writable: bool = True

    @property
    def word_bytes(self) -> int:
        """Bytes a word takes on the link."""
        return -(-self.width // 8)


def memory_map(config: CoreConfig) -> dict[Space, Memory]:
    """Return every space of a core with this configuration."""
    return {
        Space.REGISTERS: Memory(32, len(Register)),
        Space.PROGRAM: Memory(PROGRAM_WIDTH, program_depth(config)),
        Space.PASSES: Memory(pass_layout(config).size, config.pass_count),
        Space.WEIGHTS: Memory(config.lanes, config.weight_depth * config.banks),
        Space.PARAMETERS: Memory(
            MULTIPLIER_WIDTH + OFFSET_WIDTH, config.parameter_depth * config.updates
        ),
        Space.TABLES: Memory(TABLE_CODE_WIDTH, config.table_count << TABLE_INDEX_WIDTH),
        Space.SPIKES: Memory(config.word_width, config.spike_depth),
        Space.STATES: Memory(STATE_WIDTH, config.state_depth * config.updates, writable=False),
        Space.LOGITS: Memory(LOGIT_WIDTH, config.logit_count, writable=False),
        Space.COUNTERS: Memory(
            COUNTER_WIDTH, config.layer_count * len(Counter) * config.statistics, writable=False
        ),
        **({Space.EXTERNAL: Memory(BURST_BITS, config.external_depth)} if config.external_depth else {}),
    }
