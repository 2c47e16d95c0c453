"""What an image says of weights that stream in, and of those of shortcuts, held against their words."""

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.memory_map import Space
from spikeplane_hw.weight_stream import slot_bursts

from .held import Held, ImageError, limit
from .weight_places import identity_slots
from .weight_words import from_stream

__all__ = ["begin_group", "verify_copies", "verify_copy", "verify_identity"]


def verify_copies(held: Held) -> None:
    """Check that the weights of layers that run sample by sample are there for each sample, all alike."""
    image, words = held.image, held.image.contents[Space.EXTERNAL][1]
    length = held.next_slot * slot_bursts(image.config)
    held.next_slot *= image.batch
    copies = words[:image.batch * length]
    if len(copies) < image.batch * length:
        return  # The count of all words is checked at the end.
    for sample, copy in enumerate(copies.reshape(image.batch, length, -1)):
        wrong = np.flatnonzero((copy != copies[:length]).any(1))
        if len(wrong):
            raise ImageError(f"EXTERNAL: word {sample * length + wrong[0]} is not the weight of sample 0, which word "
                             f"{wrong[0]} is")


def verify_copy(where: str, held: Held, first: int, slots: int) -> None:
    """Check that the weights that stream in for a part are those of the first part of its layer."""
    words, bursts = held.image.contents[Space.EXTERNAL][1], slot_bursts(held.image.config)
    own, other = (words[at * bursts:(at + slots) * bursts] for at in (held.next_slot, first))
    if own.shape != other.shape or (own != other).any():
        raise ImageError(f"{where}: EXTERNAL: slots {held.next_slot} to {held.next_slot + slots - 1} are not those "
                         f"from {first} on, which the first of its layer's parts has")


def verify_identity(held: Held, words: np.ndarray) -> None:
    """Check the weights of all shortcuts, which lie ahead of those of all layers."""
    config, first = held.image.config, held.next_weight
    held.next_weight = first + identity_slots(config)
    bits = np.unpackbits(words[first * config.banks:held.next_weight * config.banks], axis=1, bitorder="little")
    _compare_identity(f"WEIGHTS: slots {first} to {held.next_weight - 1}", bits[:, :config.lanes], config)


def begin_group(
    where: str, held: Held, d: dict[str, int], terms: list[dict[str, int]], loads: list[dict[str, int] | None]
) -> list[int]:
    """Check what the slots of a streamed layer's channel groups begin with; return how many each term has."""
    config, held.group, held.next_weight = held.image.config, terms[-1]["weight_group"], 0
    if any(load is not None for load in loads):
        if any(load is None and term["kernel_slots"] for term, load in zip(terms, loads, strict=True)):
            raise ImageError(f"{where}: it has a product beside terms with weights, which cannot stream in")
        held.group = 0
        return [0] * len(terms)
    limit(where, "weight_group", held.group, 0, held.ring - 1)
    if any(term["shortcut"] for term in terms):
        held.next_weight = identity_slots(config)
        words, bursts = held.image.contents[Space.EXTERNAL][1], slot_bursts(config)
        for group in range(d["groups"]):
            first = held.next_slot + group * held.group
            own = from_stream(words[first * bursts:], held.next_weight, config)
            own = own.reshape(-1, config.lanes)
            _compare_identity(f"EXTERNAL: slots {first} to {first + held.next_weight - 1}", own, config)
    windows = [term for term in terms if term["kernel_slots"] and not term["shortcut"]]
    ends = [*(term["weight_base"] for term in windows[1:]), held.group]
    sizes = {id(term): end - term["weight_base"] for term, end in zip(windows, ends, strict=False)}
    return [sizes.get(id(term), 0) for term in terms]


def _compare_identity(where: str, bits: np.ndarray, config: CoreConfig) -> None:
    if bits.shape != (config.lanes, config.lanes) or (bits != np.eye(config.lanes, dtype=np.uint8)).any():
        raise ImageError(f"{where} are not those of shortcuts")
