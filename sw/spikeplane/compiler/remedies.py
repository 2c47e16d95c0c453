"""Remedies: what would make a network fit, for every limit that it exceeds."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from spikeplane_hw.config import CONFIGS, CoreConfig

from ..network.input import INPUT
from ..network.pool import OrPool
from ..network.schedule import Schedule
from ..network.weights import WEIGHT_BITS
from .limits import CompileError, Limit, Need, memory_needs, sum_needs
from .parts import SplitKind, unsplit_reason
from .place import place
from .placed import PlacedLayer, PlacedTerm
from .placement import Placement
from .weight_places import mixes

__all__ = ["alternatives", "changes", "error", "fits", "fitting_configurations", "remedy", "ways"]

Suggestions = Iterator[str]


def error(placement: Placement, exceeded: list[Need]) -> CompileError:
    """Return the error of the needs that are exceeded; its message ends with the remedy of the first."""
    first = exceeded[0]
    others = dict.fromkeys(need.kind.value for need in exceeded if need.kind is not first.kind)
    more = f" ({', '.join(others)} exceeded too)" if others else ""
    return CompileError(f"{first}{more}{_unsplit(placement, first)}; to make it fit: {remedy(placement, first)}")


def _unsplit(placement: Placement, need: Need) -> str:
    """Return why a layer does not run in parts whose maps are too large, where others do; "" if there is no reason."""
    if need.kind is not Limit.SPIKES or not need.layer or not placement.config.external_depth:
        return ""
    if placement.batch > 1 or placement.schedule.stores:
        return ", and layers run in parts only with single samples and all steps at once"
    why = unsplit_reason(_placed(placement, need).layer, SplitKind.ROWS, placement.network.maps())
    return f", and it does not run in parts, since {why}" if why else ""


def remedy(placement: Placement, need: Need) -> str:
    """Return what would help against an exceeded need, as "A, B or C".

    A change is one of the network that meets this need, a way of placing that does, or another
    configuration that the whole network fits.
    """
    fitting = fitting_configurations(placement)
    return alternatives([
        *changes(placement, need),
        *([f"another configuration (it fits {', '.join(fitting)})"] if fitting else []),
    ])


def changes(placement: Placement, need: Need) -> list[str]:
    """Return what would meet an exceeded need on the same core, each by itself."""
    return [*REMEDIES[need.kind](placement, need), *_ways_out(placement, need)]


def alternatives(choices: list[str]) -> str:
    """Return choices as "A, B or C"."""
    return " or ".join([", ".join(choices[:-1]), choices[-1]] if len(choices) > 1 else choices)


def fits(placement: Placement) -> bool:
    """Return whether no need of a placed network is exceeded."""
    # Sums are asked last: they take most of the time.
    return not any(
        need.exceeded for found in (memory_needs, sum_needs) for need in found(placement)
    )


def fitting_configurations(placement: Placement) -> list[str]:
    """Return the other named configurations that the network fits, and how if not placed as here."""
    found = []
    for name, config in CONFIGS.items():
        if config == placement.config:
            continue
        way = next((text for text, other in ways(placement, config) if fits(other)), None)
        if way is not None:
            found.append(f"{name} with {way}" if way else name)
    return found


def ways(placement: Placement, config: CoreConfig) -> Iterator[tuple[str, Placement]]:
    """Yield the network placed on ``config`` in every way that there is, first as here, with the way in words."""
    here = placement.schedule, placement.keeps_maps
    every = [(schedule, keep) for schedule in Schedule for keep in (True, False)]
    for schedule, keep in sorted(every, key=lambda way: way != here):
        words = []
        if schedule is not placement.schedule:
            words.append(f"--schedule {schedule.value}")
        if keep is not placement.keeps_maps:
            words.append("kept maps" if keep else "--reuse-maps")
        try:
            other = place(
                placement.network, config, schedule, keep_maps=keep, keep_states=placement.keeps_states, check=False,
                batch=placement.batch,
            )
        except CompileError:  # The core has no batches, or cannot run some groups of channels, however it is placed.
            continue
        yield " and ".join(words), other


def _meets(placement: Placement, kind: Limit) -> bool:
    return not any(need.exceeded for need in memory_needs(placement) if need.kind is kind)


def _ways_out(placement: Placement, need: Need) -> Suggestions:
    """Yield how else to place the network on the same core, if this meets the need."""
    if need.kind not in (Limit.SPIKES, Limit.ROW_FLAGS, Limit.RUN_STEPS, Limit.STATES, Limit.POOL, Limit.LOGITS):
        return
    yield from _smaller_batch(placement, need)
    if placement.keeps_states and need.kind is Limit.STATES:
        yield "no --keep-states"
    found = [text for text, other in ways(placement, placement.config) if _meets(other, need.kind)]
    # What needs less of the user comes first, and makes a combination needless.
    yield from (text for text in found if not any(
        other != text and set(other.split(" and ")) < set(text.split(" and ")) for other in found
    ))


def _smaller_batch(placement: Placement, need: Need) -> Suggestions:
    for batch in range(placement.batch - 1, 0, -1):
        other = place(
            placement.network, placement.config, placement.schedule, keep_maps=placement.keeps_maps,
            keep_states=placement.keeps_states, check=False, batch=batch,
        )
        if _meets(other, need.kind):
            yield f"--batch {batch}"
            return


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _layers(placement: Placement, need: Need) -> Suggestions:
    pools = sum(isinstance(node, OrPool) for node in placement.network.nodes)
    over = need.need - need.limit
    yield f"at most {need.limit} layers and OR-pools together"
    if over <= pools:
        yield f"strides of convolutions in place of {_count(over, 'OR-pool')}"


def _tables(placement: Placement, need: Need) -> Suggestions:
    kinds = ", ".join(f"{bits}-bit {levels.value}" for bits, levels in placement.tables)
    yield f"at most {_count(need.limit, 'kind')} of quantized potentials (now {kinds})"


def _steps(placement: Placement, need: Need) -> Suggestions:
    yield f"at most {_count(need.limit, 'time step')}"


def _maps(placement: Placement, need: Need) -> Suggestions:
    """Yield how many steps would do, and which map is the largest."""
    network, steps = placement.network, placement.network.input.steps
    low, high = 0, steps  # most steps known to do, fewest known not to
    while high - low > 1:
        middle = (low + high) // 2
        fewer = replace(network, input=replace(network.input, steps=middle))
        other = place(fewer, placement.config, placement.schedule, keep_maps=placement.keeps_maps,
                      keep_states=placement.keeps_states, check=False, batch=placement.batch)
        low, high = (middle, high) if _meets(other, need.kind) else (low, middle)
    if low:
        yield f"at most {_count(low, 'time step')}"
    maps = {"the input": placement.input_map} | {
        f"layer {placed.layer.name!r}": placed.target for placed in placement.layers if placed.target
    }
    flags = need.kind is Limit.ROW_FLAGS
    sizes = {name: each.rows if flags else each.words(placement.config) for name, each in maps.items()}
    largest = max(sizes, key=lambda name: sizes[name])
    yield f"smaller maps ({largest} takes {sizes[largest]} {'row flags' if flags else 'words'})"


def _side(placement: Placement, need: Need) -> Suggestions:
    yield f"at most {need.limit} pixels a side (smaller input, larger strides, less padding)"


def _event(placement: Placement, need: Need) -> Suggestions:
    field = need.what.rpartition(" ")[2]
    yield f"at most {need.limit} {'time steps' if field == 'step' else 'pixels a side'}"


def _step_slots(placement: Placement, need: Need) -> Suggestions:
    yield f"fewer channels or pixels of the input of layer {need.layer!r}"


def _terms(placement: Placement) -> list[tuple[str, PlacedTerm]]:
    """Return all terms that have weights of their own, and the names of their layers."""
    return [
        (placed.layer.name, term)
        for placed in placement.layers for term in placed.terms
        if term.term.weight is not None and not term.shares
    ]


def _weights(placement: Placement, need: Need) -> Suggestions:
    if placement.streaming:
        yield from (_operand if _placed(placement, need).products else _group_weights)(placement, need)
        return
    mixed = [placed.layer.name for placed in placement.layers if mixes(placed.layer, placement.config)]
    if placement.config.external_depth and mixed:
        yield f"a layer of its own for the product of layer {mixed[0]!r}, so that weights can stream in"
    only_operands = placement.layers[-1].weight_end < need.limit
    if only_operands:
        yield from _operand(placement, need)
    # An operand ends behind the weights of all layers.
    over = max(placed.operand_end for placed in placement.layers) - need.limit
    terms = _terms(placement)
    if not terms:
        return
    name, placed = max(terms, key=lambda found: found[1].weight_slots)
    taken, bits = placed.weight_slots, placed.term.weight_bits
    choices = [
        f"{fewer}-bit weights in layer {name!r}" for fewer in _fewer_bits(bits)
        if taken - taken // bits * fewer >= over
    ][:1]
    most = (taken - over) // placed.weight_size * placement.config.lanes
    if placed.term.groups == 1 and 0 < most < placed.term.channels:
        choices.append(f"at most {most} channels in layer {name!r}")
    if not choices and not only_operands:
        choices.append(f"fewer channels, inputs or weight bits (layer {name!r} takes {taken} slots)")
    yield from choices


def _operand(placement: Placement, need: Need) -> Suggestions:
    """Yield how many steps would do for the largest operand; they take the same place one after the other."""
    first = _placed(placement, need).products[0].weight_base
    taken = max(placed.operand_end for placed in placement.layers if placed.products) - first
    room, steps = placement.config.weight_depth - first, placement.network.input.steps
    steps = room * placement.schedule.inner_steps(steps) // taken
    if steps:
        yield f"at most {_count(steps, 'time step')}"
    yield f"fewer channels or pixels of the operand of layer {need.layer!r}"


def _group_weights(placement: Placement, need: Need) -> Suggestions:
    placed = _placed(placement, need)
    term = max(placed.terms, key=lambda each: each.weight_size)
    plane = term.weight_plane
    rest = need.limit - (placed.stream_group - term.weight_size)
    for bits in _fewer_bits(term.term.weight_bits):
        if bits * plane <= rest:
            yield f"{bits}-bit weights in layer {need.layer!r}"
            break
    config = placement.config
    slots = rest // (term.weight_size // term.group_slots(config))  # of the input's pixels
    if term.term.source != INPUT:  # Those of a map that a layer makes are whole chunks.
        slots -= slots % config.chunk_slots
    yield (f"at most {slots * config.banks} channels of {term.term.source!r}" if slots > 0
           else f"a smaller window in layer {need.layer!r}")


def _external(placement: Placement, need: Need) -> Suggestions:
    yield "fewer weights, or a board with more memory"


def _fewer_bits(bits: int) -> list[int]:
    return [fewer for fewer in sorted(WEIGHT_BITS, reverse=True) if fewer < bits]


def _passes(placement: Placement, need: Need) -> Suggestions:
    over = placement.layers[-1].pass_end - need.limit
    first = placement.layers[0].terms[0]
    name, most = max(_terms(placement), key=lambda found: found[1].pass_count)
    choices = []
    for bits in range(first.source.planes - 1, 0, -1):
        fewer = replace(first, source=replace(first.source, planes=bits))
        if first.pass_count - fewer.pass_count >= over:
            choices.append(f"a {bits}-bit input")
            break
    for bits in _fewer_bits(most.term.weight_bits):
        fewer = replace(most, term=replace(most.term, weight_bits=bits))
        if most.pass_count - fewer.pass_count >= over:
            choices.append(f"{bits}-bit weights in layer {name!r}")
            break
    yield from choices or [
        f"fewer layers, input bits, weight bits or taps (layer {name!r} takes "
        f"{most.pass_count} passes)"
    ]


def _taps(placement: Placement, need: Need) -> Suggestions:
    yield f"at most {need.limit} taps" if need.limit > 1 else 'leaky neurons (dynamics = "leaky")'


def _pixel_slots(placement: Placement, need: Need) -> Suggestions:
    config = placement.config
    most = need.limit // config.chunk_slots * config.chunk_slots * config.banks
    yield f"at most {most} channels in layer {need.layer!r}"


def _logits(placement: Placement, need: Need) -> Suggestions:
    yield f"at most {need.limit} classes"


def _parameters(placement: Placement, need: Need) -> Suggestions:
    config = placement.config
    groups = [placed.groups for placed in placement.layers if placed.layer.neuron is not None]
    yield (f"fewer channels: at most {_count(config.parameter_depth // config.chunks, 'group')} of up to "
           f"{config.lanes} in all layers with neurons (now {sum(groups)})")


def _states(placement: Placement, need: Need) -> Suggestions:
    config = placement.config
    sizes = {
        placed.layer.name: placed.state_end(config) - placed.state_base
        for placed in placement.layers if placed.layer.neuron is not None
    }
    largest = max(sizes, key=lambda name: sizes[name])
    yield f"fewer channels, pixels or potential bits (layer {largest!r} takes {sizes[largest]} chunks)"


def _placed(placement: Placement, need: Need) -> PlacedLayer:
    return next(placed for placed in placement.layers if placed.layer.name == need.layer)


def _sums(placement: Placement, need: Need) -> Suggestions:
    """Yield how many inputs, or which bits, make sums that fit."""
    placed = max(
        (term for term in _placed(placement, need).terms if term.term.weight is not None),
        key=lambda term: _largest_sum(term, need.kind),
    )
    term, largest = placed.term, placed.largest
    assert term.weight is not None
    inputs, each = term.weight[0].size, _each(placed, need.kind)
    if need.limit >= each * largest:
        yield f"at most {need.limit // (each * largest)} inputs of a sum (now {inputs})"
    # A sum of codes is never less than the reference sum at its greatest.
    for bits in _fewer_bits(term.weight_bits):
        if ((1 << bits) - 1) * inputs * largest <= need.limit:
            yield f"{bits}-bit weights in layer {need.layer!r}"
            break
    for bits in range(placed.source.planes - 1, 0, -1):
        if each * inputs * ((1 << bits) - 1) <= need.limit:
            yield f"a {bits}-bit input"
            break
    if len(term.taps) > 1:
        yield f"fewer taps in layer {need.layer!r}"
    yield from () if need.limit >= each * largest else [f"fewer inputs and bits in layer {need.layer!r}"]


def _each(placed: PlacedTerm, kind: Limit) -> int:
    """Return what the code of a weight, or its part of the reference sum, is at most."""
    term = placed.term
    return term.weight_kind.reference(term.weight_bits) if kind is Limit.REFERENCE else (1 << term.weight_bits) - 1


def _largest_sum(placed: PlacedTerm, kind: Limit) -> int:
    assert placed.term.weight is not None
    return _each(placed, kind) * placed.term.weight[0].size * placed.largest


def _logit_sum(placement: Placement, need: Need) -> Suggestions:
    steps = need.limit * placement.network.input.steps // need.need
    if steps:
        yield f"at most {_count(steps, 'time step')}"
    yield f"fewer pixels, inputs or weight bits of layer {need.layer!r}"


def _current(placement: Placement, need: Need) -> Suggestions:
    yield f"a bias nearer to 0 in channel {need.channel} of layer {need.layer!r}"


def _partial(placement: Placement, need: Need) -> Suggestions:
    yield f"smaller gains, or fewer terms and inputs, of channel {need.channel} of layer {need.layer!r}"


def _layer_terms(placement: Placement, need: Need) -> Suggestions:
    yield f"at most {_count(need.limit, 'term')} in layer {need.layer!r}"
    several = ", ".join(name for name, config in CONFIGS.items() if config.term_count > 1)
    yield from [] if need.limit > 1 else [f"a configuration that sums several terms ({several})"]


def _program(placement: Placement, need: Need) -> Suggestions:
    yield "fewer layers with several terms"


def _stride(placement: Placement, need: Need) -> Suggestions:
    yield f"a stride of at most {need.limit} in layer {need.layer!r}"


def _pool(placement: Placement, need: Need) -> Suggestions:
    placed = _placed(placement, need)
    steps = need.limit // placed.pool_chunks(1, placement.config)
    if steps and placement.schedule is Schedule.REGISTERS:
        yield f"at most {_count(steps, 'time step')}"
    yield f"a pool of its own (OrPool) behind layer {need.layer!r}"


REMEDIES: dict[Limit, Callable[[Placement, Need], Suggestions]] = {
    Limit.LAYERS: _layers, Limit.PROGRAM: _program, Limit.TERMS: _layer_terms, Limit.TABLES: _tables,
    Limit.SPIKES: _maps, Limit.ROW_FLAGS: _maps,
    Limit.SIDE: _side, Limit.STEPS: _steps, Limit.RUN_STEPS: _steps, Limit.EVENT: _event,
    Limit.STEP_SLOTS: _step_slots, Limit.WEIGHTS: _weights, Limit.PASSES: _passes,
    Limit.TAPS: _taps, Limit.PIXEL_SLOTS: _pixel_slots, Limit.LOGITS: _logits,
    Limit.PARAMETERS: _parameters, Limit.STATES: _states, Limit.SUM: _sums, Limit.REFERENCE: _sums,
    Limit.LOGIT_SUM: _logit_sum, Limit.CURRENT: _current,
    Limit.EXTERNAL: _external, Limit.PARTIAL: _partial, Limit.POOL: _pool, Limit.STRIDE: _stride,
}
