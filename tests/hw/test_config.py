from dataclasses import asdict, replace

import pytest
from spikeplane_hw.config import CONFIGS, LARGE, SMALL, TINY, CoreConfig


def test_peak_operations():
    assert {name: config.peak_operations for name, config in CONFIGS.items()} == {
        "tiny": 32, "compact": 512, "small": 512, "large": 1024, "huge": 2048,
    }


def test_hash_depends_on_every_parameter():
    base = replace(SMALL, updates=1, most_packed=2, checksum_bits=4)  # allows every change
    hashes = {base.hash}
    for name, value in asdict(base).items():
        changed = value + "x" if name == "name" else not value if isinstance(value, bool) else value * 2 or 64
        hashes.add(replace(base, **{name: changed}).hash)
    assert len(hashes) == 1 + len(asdict(base))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lanes": 0}, "lanes must be a positive integer, not 0"),
        ({"row_queue_depth": -1}, "row_queue_depth must be a natural number, not -1"),
        ({"most_packed": 4.0}, "most_packed must be a positive integer, not 4.0"),
        ({"lanes": True}, "lanes must be a positive integer, not True"),
        ({"rows_stall": 1}, "rows_stall must be True or False, not 1"),
        ({"most_packed": 16}, "most_packed must be at most 8 and at most lanes / updates = 8, not 16"),
        ({"lanes": 32}, "most_packed must be at most 8 and at most lanes / updates = 4, not 8"),
        ({"checksum_bits": 16}, "checksum_bits must be at most 8, not 16"),
        ({"rotating_snapshot": True}, "updates must be 1 with rotating_snapshot, not 8"),
        ({"state_depth": 20}, "state_depth must be a multiple of lanes / updates = 8, not 20"),
        ({"queue_depth": 48}, "queue_depth must be a power of two, not 48"),
        ({"banks": 3}, "banks must be a power of two, not 3"),
        ({"clusters": 3}, "clusters must be 1, 2 or 4, not 3"),
        ({"clusters": 2, "wire_registers": False}, "wire_registers must be True with 2 clusters: .*"),
        ({"clusters": 4, "rotating_snapshot": True, "updates": 1, "most_packed": 2},
         "rotating_snapshot must be False with 4 clusters: .*"),
        ({"clusters": 4, "state_depth": 24}, "state_depth must be at least clusters .* = 32, not 24"),
        ({"updates": 128}, "lanes must be a multiple of updates and banks, not 64 lanes, "
                           "128 updates, 8 banks"),
        ({"updates": 64, "word_slots": 4}, "word_slots must be at least updates / banks = 8, not 4"),
    ],
)
def test_contradictions_are_named(change, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(SMALL, **change)


def test_pixels_are_padded_to_chunks():
    assert (TINY.chunk_slots, SMALL.chunk_slots, LARGE.chunk_slots) == (1, 1, 2)
    assert isinstance(TINY, CoreConfig)


def test_slot_addresses_reach_all_streams():
    few = replace(SMALL, spike_depth=1)
    assert (few.slot_width, replace(few, term_count=1).slot_width) == (8, 4)
