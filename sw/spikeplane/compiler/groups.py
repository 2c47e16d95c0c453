"""Groups of input channels: heads and grouped convolutions, each group by channel groups of its own."""

from spikeplane_hw.config import CoreConfig

from ..network.input import INPUT
from ..network.lowered import CoreLayer, TermKind
from ..network.maps import Maps
from .limits import CompileError

__all__ = ["find_group_lanes"]


def find_group_lanes(layer: CoreLayer, maps: Maps, config: CoreConfig, *, live: bool) -> int:
    """Return how many channels each of a layer's channel groups has, the last one apart.

    They are as many as the core has lanes, or those of a group of input channels. ``live`` says that the input
    moves on from step to step. A CompileError names the layer, the need, the limit and the remedy.
    """
    where = f"layer {layer.name!r}"
    for term in layer.terms:
        if live and term.operand == INPUT:
            raise CompileError(f"{where}: the operand of its product is the input, of which a live run keeps no step "
                               f"as weights; put a layer in between")
    counts = {term.groups for term in layer.terms if term.groups > 1}
    if not counts:
        return config.lanes
    others = [term for term in layer.terms if term.groups == 1 and term.kind is not TermKind.WINDOW]
    if len(counts) > 1 or others:
        what = "others" if not others else f"a {others[0].kind.value}"
        raise CompileError(f"{where}: it adds {min(counts)} groups of channels and {what}; the core has one kind of "
                           f"groups a layer: add them in layers of their own")
    (count,) = counts
    if layer.stores:
        raise CompileError(f"{where}: it stores the sums of {count} groups of channels; the core stores whole maps: "
                           f"let neurons fire, and store in a layer behind them")
    if layer.neuron is None:
        raise CompileError(f"{where}: it adds {count} groups of channels to the logits; the core adds whole maps: put "
                           f"a layer in between")
    size = layer.channels // count
    unit = max(config.banks, config.updates)
    if size % unit or size > config.lanes:
        raise CompileError(f"{where}: its {count} groups have {size} output channels each; {config.name} runs groups "
                           f"of a multiple of {unit}, at most {config.lanes}: make them so, or merge groups")
    for term in layer.terms:
        for name in term.sources if term.groups > 1 else ():
            inputs = maps[name].channels // count
            if inputs % config.banks:
                raise CompileError(f"{where}: its {count} groups have {inputs} channels of {name!r} each; "
                                   f"{config.name} reads groups of a multiple of {config.banks}: make them so, or "
                                   f"merge groups")
    return size
