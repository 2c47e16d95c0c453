"""The program of a core, a stream of jobs, and its plane passes: one layout for compiler and gateware."""

from functools import cache

from amaranth import signed, unsigned
from amaranth.lib import data, enum
from amaranth.utils import ceil_log2, exact_log2

from .config import BURST_BITS, CoreConfig
from .neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, SHIFTS, STATE_WIDTH, Reset

__all__ = ["POOL_LIMIT", "PROGRAM_WIDTH", "Job", "collect_layout", "descriptor_words", "event_layout", "group_widths",
           "job_layout", "layer_layout", "load_layout", "map_rows", "move_layout", "parameter_bursts", "pass_layout",
           "pool_width", "program_depth", "program_words", "sample_bursts", "state_bursts", "term_layout",
           "walk_layout"]

PROGRAM_WIDTH = 16
"""Bits of a word of the program memory."""
BLOCK_WORDS = 1024
"""Of them, those of a block RAM of the ECP5."""
POOL_LIMIT = 7
"""Rows and columns that a pool on the way out has at most."""


class Job(enum.Enum, shape=3):
    """What a core does next. A job is the first field of its descriptor, in its first word."""

    END = 0
    """An outer step is over: begin again with the first job, or end the run."""
    LAYER = 1
    """The settings of a layer."""
    TERM = 2
    """Those of its next term."""
    LOAD = 3
    """Copy a spike map into the weight banks: the operand of a product."""
    WALK = 4
    """Run the layer: its terms are there."""
    COLLECT = 5
    """End the outer step as END does, until this is the last sample of a batch: then go on with all of them."""
    MOVE = 6
    """Store spikes or potentials outside the chip, or load them again, or parameters; part of the layer at hand."""


def group_widths(config: CoreConfig) -> dict[str, int]:
    """Return the widths of addresses that count channel groups: `chunks` chunks, or P logits.

    States may be packed: the more of them share a word, the more groups there are.
    """
    return {
        "parameter": ceil_log2(config.parameter_depth // config.chunks),
        "state": ceil_log2(config.state_depth // config.chunks * config.most_packed),
        "logit": ceil_log2(-(-config.logit_count // config.lanes)),
    }


def pool_width(config: CoreConfig) -> int:
    """Return the width of places in the memory of pools, which count channel groups: `chunks` chunks."""
    return ceil_log2(config.pool_depth // config.chunks) if config.pool_depth else 0


def map_rows(config: CoreConfig, layer):
    """Return the rows of a layer's output map, of a descriptor as fields or as signals."""
    return layer["map_rows" if config.pool_depth else "output_rows"]


def layer_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a layer descriptor. Addresses and sizes are in slots unless they say otherwise."""
    slot = unsigned(config.slot_width)
    flag = unsigned(ceil_log2(config.row_flag_count))
    several, pools = int(config.term_count > 1), int(config.pool_depth > 0)
    return data.StructLayout({
        "job": Job,
        "terms": ceil_log2(config.term_count),  # terms less one; their descriptors follow
        "output_rows": config.side_width,  # rows of sums; those of the output map but for a pool
        "output_columns": config.side_width,  # columns of sums
        "steps": 8,                  # time steps of this layer in one run: T_inner
        # Steps of one sample, after which states and logits begin anew; 0: they do at the begin of a run.
        "sample_steps": 8 * (config.most_samples > 1),
        "replay": 1,                 # accumulate once, update `steps` times (direct coding)
        # Output-channel groups, of P lanes each or of fewer.
        "groups": range(1 + (1 << max(group_widths(config)["parameter"], group_widths(config)["logit"]))),
        "group_lanes": range(1, config.lanes + 1) if several else 0,  # lanes used in all but the last
        "last_lanes": range(1, config.lanes + 1),  # lanes used in the last channel group
        # Neuron update.
        "logits": 1,                 # add sums to the logits instead of updating neurons
        "more_logits": several,      # to those of a layer before it
        "store": several,            # a stream: potentials are what it is for, there are no spikes
        "digit": several,            # spikes are a bit of the current: that of 2**power
        "power": exact_log2(STATE_WIDTH) * several,  # of a digit; of logits that of two which sums are times
        "fire_above": signed(STATE_WIDTH),  # a neuron fires if u > fire_above
        "reset": Reset,
        "decode_scale": STATE_WIDTH - 1,
        "quantized": 1,              # the stored state goes through a quantizer table
        "table": ceil_log2(max(2, config.table_count)),
        "stored": 1,                 # each neuron has its own state word; else a chunk has one
        "state_pack": range(exact_log2(config.most_packed) + 1),  # 1 << state_pack share a word
        "state_base": group_widths(config)["state"],  # first states of the layer
        "state_step": group_widths(config)["state"] * several,  # states of one time step of a stream, else 0
        # Spike output. Spikes of a pool's window are one spike; windows lie side by side.
        "pool_rows": pools * ceil_log2(POOL_LIMIT),     # rows of a window, less one
        "pool_columns": pools * ceil_log2(POOL_LIMIT),  # columns of a window, less one
        "map_rows": pools * config.side_width,          # height of the output map
        "moved": int(config.external_depth > 0),        # a MOVE follows the walk, and ends the layer
        "output_base": slot,         # first slot of the output map
        "output_step": slot,         # slots of one time step of the output map
        "output_pixel": config.pixel_width,  # slots of an output pixel
        "output_flags": flag,        # first row flag of the output map
        # Steps of a map that taps read, or samples of one that a batch collects, less one, or 0.
        "output_ring": exact_log2(config.tap_count),
    })


def _source_fields(config: CoreConfig) -> dict:
    """Return the fields that say where a map is, which are the first ones of all that read one."""
    slot = unsigned(config.slot_width)
    return {
        "job": Job,
        "input_base": slot,          # first slot of the row where the first window starts, or of an operand
        "input_step": slot,          # slots of one time step of the input map
        "input_rows": config.side_width,  # height of the input map
        "streamed": 1,               # the input of the network: advances by input_step each outer step
        "input_ring": exact_log2(config.tap_count),  # steps of the input map less one, or 0
    }


def term_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of the descriptor of a term: a window over a map. Addresses and sizes are in slots."""
    slot = unsigned(config.slot_width)
    # Sums of slot addresses wrap modulo 2**slot_width, so negative starts (padding) are exact.
    weight = unsigned(config.weight_address_width)
    pixel = config.pixel_width
    several = int(config.term_count > 1)
    return data.StructLayout({
        **_source_fields(config),
        # Window walk over the input map.
        "input_row": slot,           # slots of a row of the input map: width * slots per pixel
        "row_stride": slot,          # slots between the windows of two output rows
        "column_stride": pixel + 2 + several,  # slots between the windows of two output columns
        "pad_slots": pixel + 3,      # slots left of column 0 where the first window starts
        "pad_rows": 3,               # rows above row 0 where the first window starts
        "stride": 2 + several,       # rows between the windows of two output rows
        "kernel_rows": 3,            # rows of a window, 1 to 7
        "kernel_slots": slot,        # slots of a row of a window
        "input_flags": unsigned(ceil_log2(config.row_flag_count)),  # first row flag of the input map
        "skip_silent": 1,            # input rows have valid flags: leave silent ones out
        "streamed_last": 1,          # nothing reads the streamed map after this layer; only of a layer's last term
        # Maps of a few steps, for memory-free neurons.
        "input_ring_slots": slot if config.tap_count > 1 else 0,  # slots of all of them
        "pass_base": ceil_log2(config.pass_count),   # first pass of the term
        "pass_last": ceil_log2(config.pass_count),   # its last pass
        # Weights and parameters.
        "weight_base": weight,       # first slot of the term in every weight bank
        "weight_group": weight,      # slots of one channel group, all planes
        "weight_step": config.weight_address_width * several,  # of an operand: slots of one time step, else 0
        "doubled": 1,                # weights are odd integers: signed sum = 2 * sum - reference
        "parameter_base": group_widths(config)["parameter"],  # first parameters of the term
        "shift": range(len(SHIFTS)),  # index into SHIFTS
        # A stream: there is no window; addresses and sizes are states, in channel groups. Never the last
        # term of a layer, with which potentials are read.
        "stream": several,
        "mean": several,             # of two streams: M and B scale their sum and one more
        "second": group_widths(config)["state"] * several,  # states from the one to the other
        # Group g reads the slots of a pixel from g * input_group on: heads, and shortcuts, which read no more
        # than the pixel's input_slots, all with the same weights; so do pools, in rows and, by passes, columns.
        "shared": several,           # all channel groups have the same parameters
        "shortcut": several,
        "input_group": pixel * several,
        "input_slots": pixel * several,
    })


def load_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of the descriptor of a load: a spike map becomes the {0,1} weights of a product, see operand.py.

    It is as long as that of a term: both are read into one register, where the fields of a map lie alike.
    """
    slot = unsigned(config.slot_width)
    fields = {
        **_source_fields(config),
        "transposed": 1,             # channels of the map are lanes; else its pixels are
        "input_pixel": config.pixel_width,  # slots of a pixel
        "input_group": slot,         # slots from one channel group's part of the map to the next one's
        "groups": layer_layout(config)["groups"].shape,
        "steps": layer_layout(config)["steps"].shape,
        "weight_base": config.weight_address_width,
        "weight_slots": config.weight_address_width,  # of one channel group and step
        "blocks": range(config.lanes // config.banks + 1),  # of E lanes each: slots of a pixel, or E pixels
    }
    used = data.StructLayout(fields).size
    return data.StructLayout(fields | {"unused": max(0, term_layout(config).size - used)})


def collect_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of the job that begins what is done for all samples of a batch at once."""
    return data.StructLayout({"job": Job, "samples": exact_log2(config.most_samples)})  # less one


def sample_bursts(config: CoreConfig) -> int:
    """Return the bursts from what a sample stores outside the chip to the next one's: half of all are for moves."""
    return config.external_depth // 2 // config.most_samples


def state_bursts(config: CoreConfig) -> int:
    """Return the bursts that hold a word of the state memory, which is a chunk of potentials."""
    return max(1, config.updates * STATE_WIDTH // BURST_BITS)


def parameter_bursts(config: CoreConfig) -> int:
    """Return the bursts that hold a chunk of parameters: each those of as many neurons as have room in it."""
    return -(-config.updates // (BURST_BITS // (MULTIPLIER_WIDTH + OFFSET_WIDTH)))


def walk_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of the job that runs a layer.

    In ``pieces`` the walk stops behind each row of a channel group. The moves behind it are done then, and those
    between the layer's last term and the walk once more, before it goes on.
    """
    return data.StructLayout({"job": Job, "pieces": int(config.external_depth > 0 and config.term_count > 1)})


def move_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a move between a memory of the chip and memory outside, a word of the former in each burst.

    Words are those of the spike memory or, with `states` or `parameters`, those of the state memory or the parameter
    memory, or as large a part of them as a burst holds.
    """
    several = int(config.term_count > 1)
    states = config.state_depth * state_bursts(config) * several
    parameters = config.parameter_depth * parameter_bursts(config) * several
    word = ceil_log2(max(config.spike_depth, states, parameters))
    return data.StructLayout({
        "job": Job,
        "store": 1,      # from the chip; else into it
        "states": several,      # potentials of a stream
        "parameters": several,  # only loaded; neither: spikes
        "piece": several,       # the first burst is that of a layer's first piece, those of the others follow
        "sampled": 1,    # each sample of a batch has bursts of its own, sample_bursts behind those before
        "last": 1,       # the layer ends, whose walk is over
        "word": word,    # first word
        "words": word,   # less one
        "burst": ceil_log2(config.external_depth),  # first burst
    })


def job_layout(config: CoreConfig, job: Job) -> data.StructLayout:
    """Return the layout of a job's descriptor."""
    layouts = {
        Job.LAYER: layer_layout, Job.TERM: term_layout, Job.LOAD: load_layout, Job.COLLECT: collect_layout,
        Job.WALK: walk_layout, Job.MOVE: move_layout,
    }
    return layouts[job](config) if job in layouts else data.StructLayout({"job": Job})


def descriptor_words(layout: data.StructLayout) -> int:
    """Return how many program words a descriptor of this layout takes."""
    return -(-layout.size // PROGRAM_WIDTH)


@cache
def program_words(config: CoreConfig, terms: int, loads: int = 0, moves: int = 0) -> int:
    """Return how many words a layer with so many terms, loads and moves takes."""
    counts = {Job.LAYER: 1, Job.LOAD: loads, Job.TERM: terms, Job.WALK: 1, Job.MOVE: moves}
    return sum(count * descriptor_words(job_layout(config, job)) for job, count in counts.items() if count)


def program_depth(config: CoreConfig) -> int:
    """Return how many words the program memory has: every other layer may have a second term, and it ends.

    With memory outside the chip, for moves, as many more as whole block RAMs have.
    """
    once, twice = (config.layer_count * program_words(config, terms) for terms in (1, 2))
    depth = 1 + (once if config.term_count == 1 else (once + twice) // 2)
    return -(-depth // BLOCK_WORDS) * BLOCK_WORDS if config.external_depth else depth


def pass_layout(config: CoreConfig) -> data.StructLayout:
    """Layout of a plane pass: one walk over the active inputs with one weight plane."""
    return data.StructLayout({
        "input_offset": config.slot_width,  # first slot of the input plane, from input_base
        "weight_offset": config.weight_address_width,  # first slot of the weight plane
        "delay": config.delay_width,  # age of the input plane in steps; tap_count: there is none
        "banks": config.mask_width,  # banks that read the input
        "reference": config.reference_width,  # whether the weight plane of a bank counts in the reference sum
        "double": 1,     # double the accumulators after this pass
    })


def event_layout() -> data.StructLayout:
    """Layout of an AER event on the link: 32 bits."""
    return data.StructLayout({"polarity": 1, "x": 9, "y": 9, "step": 13})
