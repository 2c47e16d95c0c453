"""The compiler: an integer network becomes the image of a core.

Three levels, each checked before the next is made: the network, its placement in the memories
(:mod:`.placement`), the program (:mod:`.program`).
"""

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Counter, Space, memory_map
from spikeplane_hw.neuron import MULTIPLIER_WIDTH, OFFSET_WIDTH, quantizer_table

from ..network import model
from ..network.file import network_digest
from ..network.graph import IntegerNetwork
from ..network.input import InputFormat
from ..network.lowered import TermKind
from ..network.schedule import Schedule
from .image import Image, LayerInfo, Vector
from .image_checks import image_registers
from .parts import SplitKind
from .place import place
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .program import Program
from .spike_map import to_words
from .weight_words import channel_places, identity_bits, parameter_words, stream_words, weight_bits

__all__ = ["compile_network", "random_samples"]

VECTOR_DENSITY = 0.15
"""Active part of a self-test input that nobody recorded."""


def compile_network(
    network: IntegerNetwork,
    config: CoreConfig,
    schedule: Schedule = Schedule.REGISTERS,
    *,
    keep_maps: bool = True,
    keep_states: bool = False,
    samples: np.ndarray | None = None,
    batch: int = 1,
    spilled: frozenset[str] | None = None,
) -> Image:
    """Return the image of ``network`` for a core, which runs ``batch`` samples at once.

    ``samples``, uint8 (n, *InputFormat.shape), whole batches, become the image's self-test; without, seeded
    random inputs do, two or a batch. For the other options see :func:`.place.place`. Raises a
    NetworkError or a CompileError naming the layer, the value, the limit and the remedy.
    """
    placement = place(
        network, config, schedule, keep_maps=keep_maps, keep_states=keep_states, batch=batch, spilled=spilled,
    )
    program = Program.of(placement)
    program.verify()
    form, source = network.input, placement.input_map
    if samples is None:
        samples = random_samples(form, max(2, batch), VECTOR_DENSITY)
    if len(samples) % batch:
        raise ValueError(f"{len(samples)} samples for the self-test are not batches of {batch}")
    return Image(
        config=config,
        schedule=schedule,
        contents=_contents(placement, program),
        registers=image_registers(
            config, schedule, form, source, placement.stream_slots, halves_ring=placement.halves_ring,
        ),
        input=form,
        input_map=source,
        layers=[
            LayerInfo(
                name=placed.layer.name,
                sources=tuple(term.term.source for term in placed.terms),
                seconds=tuple(term.term.second or "" for term in placed.terms),
                operands=tuple(term.term.operand or "" for term in placed.products),
                channels=placed.layer.channels,
                group_lanes=placed.group_lanes,
                height=sum(each.output_height for each in parts) if _banded(placed) else placed.output_height,
                width=placed.output_width,
                spikes=placed.made if kept else None,
                state_base=placed.state_base if placed.stored and (placed.stream is None or kept) else None,
                state_pack=placed.state_pack,
                state_bits=placed.layer.neuron.state_bits if placed.layer.neuron else 0,
                stream_steps=0 if placed.stream is None else placed.stream.steps,
                taps=tuple(len(term.term.taps) for term in placed.terms),
                samples=placed.samples,
                reloads=(*placed.reloads, *placed.stream_reloads),
                spilled=placed.layer.name in placement.spilled,
                split="" if placed.split is None else placed.split.kind.value,
                borders=() if placed.split is None else placed.split.borders,
            )
            for parts, kept in zip(placement.nodes, placement.kept, strict=True) for placed in parts[:1]
        ],
        network_digest=network_digest(network),
        logit_offset=network.logit_offset.astype(np.int64),
        logit_scale=network.logit_scale,
        vectors=_vectors(network, config, schedule, samples),
        metadata=network.metadata,
        batch=batch,
    )


def _banded(placed: PlacedLayer) -> bool:
    return placed.split is not None and placed.split.kind is SplitKind.ROWS


def _contents(placement: Placement, program: Program) -> dict[Space, tuple[int, np.ndarray]]:
    parameters = [
        _parameter_words(term, placed, placement.config)
        for placed in placement.layers if placed.layer.neuron and placed.owns for term in placed.terms
    ]
    outside = stream_words(placement) if placement.streaming else None
    if outside is not None and placement.loads_parameters:
        outside = np.concatenate([outside, parameter_words(np.concatenate(parameters), placement.config)])
    contents = {
        Space.PROGRAM: (0, program.program_words()),
        Space.PASSES: (0, program.pass_words()),
        **(
            {Space.WEIGHTS: (0, _weight_words(placement))} if outside is None else {Space.EXTERNAL: (0, outside)}
        ),
    }
    if parameters and not placement.loads_parameters:
        contents[Space.PARAMETERS] = (0, np.concatenate(parameters))
    if placement.tables:
        tables = [quantizer_table(bits, levels) for bits, levels in placement.tables]
        width = memory_map(placement.config)[Space.TABLES].width
        contents[Space.TABLES] = (0, to_words(_bits(np.concatenate(tables), width), width))
    return contents


def _bits(values: np.ndarray, width: int) -> np.ndarray:
    """Return two's complement bits, uint8 (n, width), low bit first."""
    return (values.astype(np.int64)[:, None] >> np.arange(width) & 1).astype(np.uint8)


def _weight_words(placement: Placement) -> np.ndarray:
    config = placement.config
    slots = placement.layers[-1].weight_end
    bits = np.zeros((slots, config.banks, config.lanes), np.uint8)  # slot 0 stays all zeros
    for placed in placement.layers:
        for term in placed.terms:
            if term.term.kind not in (TermKind.WINDOW, TermKind.SHORTCUT):
                continue
            slots = identity_bits(config) if term.shares else weight_bits(term, placed, config)
            bits[term.weight_base:term.weight_base + len(slots)] = slots
    return to_words(bits.reshape(-1, config.lanes), config.lanes)


def _parameter_words(placed: PlacedTerm, layer: PlacedLayer, config: CoreConfig) -> np.ndarray:
    padded = np.zeros((2, placed.parameter_groups * config.lanes), np.int64)
    if placed.parameter_groups < placed.groups or not placed.term.scaled:
        padded[:] = np.array(placed.term.affine)[:, :1]  # one for all channels
    else:
        padded[:, channel_places(layer, config)] = placed.term.affine
    bits = np.concatenate(
        [_bits(padded[0], MULTIPLIER_WIDTH), _bits(padded[1], OFFSET_WIDTH)], axis=1
    )
    return to_words(bits, bits.shape[1])


def random_samples(form: InputFormat, count: int, density: float) -> np.ndarray:
    """Return seeded random inputs, uint8 (count, *form.shape), of which ``density`` (0 to 1) is not 0."""
    random = np.random.default_rng(1)
    shape = (count, *form.shape)
    values = random.integers(1, 1 << form.bits, shape)
    return (values * (random.random(shape) < density)).astype(np.uint8)


def _vectors(network, config, schedule, samples: np.ndarray) -> list[Vector]:
    if not len(samples):
        return []
    result = model.run(network, samples, schedule=schedule, config=config)
    vectors = []
    for index, sample in enumerate(np.asarray(samples, np.uint8)):
        counters = np.zeros((len(network.nodes), len(Counter)), np.int64)
        for layer, counts in enumerate(result.counters.values()):
            for counter, values in counts.items():
                counters[layer, counter.value] = int(values[index])
        vectors.append(
            Vector(sample=sample, sums=result.sums[index].numpy(), counters=counters)
        )
    return vectors
