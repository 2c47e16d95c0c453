"""What an image says of maps and streams that are spilled, held against the moves that store and load them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from spikeplane_hw.memory_map import Space

from .held import Held, ImageError, limit
from .moves import (
    Move,
    burst_limit,
    load_moves,
    row_moves,
    spill_base,
    step_moves,
    store_moves,
    stream_move,
    stream_words,
)
from .part_checks import Part
from .parts import in_piece
from .program import Descriptors
from .spike_map import SpikeMap
from .state_checks import put_stream

if TYPE_CHECKING:
    from .image import Image, LayerInfo

__all__ = ["verify_moves", "verify_pieces", "verify_reloads", "verify_spill", "verify_stream_spill"]


def verify_reloads(
    where: str, held: Held, part: Part, terms: list[dict[str, int]], moves: list[dict[str, int]]
) -> None:
    """Check the moves ahead of the walk of a layer's part, and note where they put the maps that the image names."""
    config, info, left = held.image.config, part.info, moves
    held.pieces = {}
    for name in info.reloads:
        if name in held.spilled_streams and left:
            burst, stream = held.spilled_streams[name]
            if held.in_pieces:
                stream = replace(stream, height=1, pixel_slots=1)
            words = stream_words(stream, config)
            loaded = replace(stream, base=left[0]["word"] * stream.slots // words)
            expected = stream_move(loaded, burst, config, store=False, piece=held.in_pieces)
            verify_moves(f"{where}, {name!r}", left[:1], [expected], last=False)
            put_stream(f"{where}, {name!r}", held, name, loaded)
            left = left[1:]
            continue
        if name not in held.spilled:
            raise ImageError(f"{where}: it loads {name!r} again, which no layer before it stores")
        burst, sampled, outside = held.spilled[name]
        samples = held.image.batch if sampled else 1
        if samples > 1 and info.samples == 1:
            raise ImageError(f"{where}: it loads {name!r} of {samples} samples, itself it runs for one")
        if len(left) < samples:
            raise ImageError(f"{where}: it has {len(moves)} moves ahead of its walk, {name!r} takes {samples} of them")
        loaded = replace(
            outside, base=left[0]["word"] * config.word_slots, steps=outside.steps * samples, flags=0, flagged=False,
        )
        if part.rows is not None:
            expected = _band_loads(where, held, part, name, loaded, terms)
        elif part.steps is not None:
            loaded = replace(loaded, steps=len(part.steps))
            held.pieces[name] = loaded, range(loaded.height)
            expected = step_moves(loaded, part.steps, outside, burst, config, store=False)
        else:
            expected = load_moves(loaded, burst, config, samples=samples)
        if len(left) < len(expected):
            raise ImageError(f"{where}: it has {len(moves)} moves ahead of its walk, {name!r} takes {len(expected)} of "
                             f"the last {len(left)}")
        own, left = left[:len(expected)], left[len(expected):]
        verify_moves(f"{where}, {name!r}", own, expected, last=False)
        end = max(move.word + move.words for move in expected)
        if end > config.spike_depth:
            raise ImageError(f"{where}: {name!r} is loaded to words {loaded.first_word(config)} to {end - 1}, limit "
                             f"{config.spike_depth - 1}")
        held.maps[name] = outside if name in held.pieces else loaded
    if left:
        raise ImageError(f"{where}: {len(left)} moves ahead of its walk load nothing that the image names")


def _band_loads(
    where: str, held: Held, part: Part, name: str, whole: SpikeMap, terms: list[dict[str, int]]
) -> list[Move]:
    """Return the moves that load the rows which a part's terms read of a map; ``whole`` begins where they lie."""
    config, (burst, _, outside) = held.image.config, held.spilled[name]
    readers = [term for source, term in zip(part.info.sources, terms, strict=True) if source == name]
    if not readers:
        raise ImageError(f"{where}: it loads {name!r} again, which none of its terms reads")
    read = [part.read(term, outside.height, outside.pixel_slots)[0] for term in readers]
    rows = range(min(each.start for each in read), max(each.stop for each in read))
    piece = replace(whole, height=len(rows))
    piece = replace(piece, gap=readers[0]["input_step"] - piece.frame_slots)
    there = in_piece(piece, rows, rows, config)
    words = -(-(there.base % config.word_slots + there.frame_slots) // config.word_slots)
    limit(where, f"input_step of {name!r}", piece.step_slots, words * config.word_slots, 1 << config.slot_width)
    if piece.step_slots % config.word_slots:
        raise ImageError(f"{where}: the steps of {name!r} are loaded to places {piece.step_slots} slots apart, which "
                         f"are not whole words")
    held.pieces[name] = piece, rows
    return row_moves(there, rows, outside, burst, config, store=False)


def verify_spill(
    where: str, held: Held, part: Part, d: dict[str, int], target: SpikeMap | None, outside: SpikeMap | None,
    moves: list[dict[str, int]], *, early: bool,
) -> None:
    """Check the moves behind the walk of a layer's part ``d``, which store its spikes ``target``.

    ``outside`` is the whole map there; ``early`` says that it is stored for each sample by itself.
    """
    info = part.info
    if not moves:
        return
    if target is None or outside is None or info.spikes is not None:
        what = "has none" if target is None else "keeps all on the chip"
        raise ImageError(f"{where}: it stores spikes outside the chip, of which it {what}")
    config = held.image.config
    sampled, burst = bool(moves[0]["sampled"]), held.next_burst
    limit(where, "sampled", int(sampled), 0, int(early and held.image.batch > 1))
    if part.rows is not None:
        first = part.rows.start // (1 + d["pool_rows"])
        expected = row_moves(target, range(first, first + target.height), outside, burst, config, store=True)
    elif part.steps is not None:
        expected = step_moves(target, part.steps, outside, burst, config, store=True)
    else:
        expected = store_moves(target, burst, config, sampled=sampled)
    if len(moves) != len(expected):
        raise ImageError(f"{where}: it stores its spikes by {len(moves)} moves, must be {len(expected)}")
    verify_moves(where, moves, expected, last=True)
    end = max(move.word + move.words for move in expected)
    limit(where, "last word of what it stores", end - 1, 0, config.spike_depth - 1)
    if not part.last:
        return
    held.spilled[info.name] = burst, sampled, outside
    held.next_burst += outside.words(config)
    _limit_bursts(where, held, held.next_burst)


def verify_pieces(where: str, image: "Image", part: Part, jobs: Descriptors) -> None:
    """Check that only a layer that runs in pieces has moves for each, and that it may."""
    if not jobs.pieces:
        if jobs.loading:
            raise ImageError(f"{where}: it has {len(jobs.loading)} moves between its terms and its walk, which does "
                             f"not stop for them")
        return
    if image.batch > 1 or image.schedule.stores or part.split is not None or jobs.layer["replay"]:
        raise ImageError(f"{where}: it runs in pieces, which takes single samples, all steps at once and no parts")
    moves = [*jobs.loading, *jobs.after]
    if not moves or not all(each["piece"] and each["states"] for each in moves):
        raise ImageError(f"{where}: it runs in pieces, but not all of its moves are of pieces of streams")


def verify_stream_spill(
    where: str, held: Held, info: "LayerInfo", whole: SpikeMap, stream: SpikeMap, moves: list[dict[str, int]]
) -> None:
    """Check the move behind the walk of a layer that makes a stream ``whole``, which stores it, or the piece there."""
    if not moves:
        if held.in_pieces:
            raise ImageError(f"{where}: it makes a stream in pieces, and stores none of them")
        return
    if info.state_base is not None:
        raise ImageError(f"{where}: it stores its stream outside the chip, of which it keeps all on the chip")
    if len(moves) != 1:
        raise ImageError(f"{where}: it stores its stream by {len(moves)} moves, must be 1")
    config = held.image.config
    if held.first_stream is None:
        held.first_stream = moves[0]["burst"] - spill_base(config)
    burst = held.first_stream + sum(stream_words(each, config) for _, each in held.spilled_streams.values())
    verify_moves(where, moves, [stream_move(stream, burst, config, store=True, piece=held.in_pieces)], last=True)
    held.spilled_streams[info.name] = burst, whole
    _limit_bursts(where, held, burst + stream_words(whole, config))


def _limit_bursts(where: str, held: Held, bursts: int) -> None:
    """Check that so many bursts are there for moves, and that no weights lie in them."""
    config, external = held.image.config, held.image.contents.get(Space.EXTERNAL)
    most = burst_limit(config, sampled=any(each for _, each, _ in held.spilled.values()))
    if bursts > most:
        raise ImageError(f"{where}: what is moved out of the chip takes {bursts} bursts, limit {most}")
    if external is not None and len(external[1]) > spill_base(config):
        raise ImageError(f"EXTERNAL: {len(external[1])} words, limit {spill_base(config)} ahead of what is moved there")


def verify_moves(where: str, found: list[dict[str, int]], expected: list, *, last: bool) -> None:
    """Check the fields of each move."""
    for d, move in zip(found, expected, strict=True):
        for name, value in move.fields(last=last and move is expected[-1]).items():
            limit(f"{where}, move", name, d[name], value, value)
