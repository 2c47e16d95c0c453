"""Faults of a core that walks several output pixels at once."""

from mutant import mutants

__all__ = ["CLUSTERS"]

HW, TESTS = "hw/spikeplane_hw", "tests/hw"
WALKER_TESTS = " ".join(
    f"{TESTS}/test_walker.py::test_walk_matches_reference[{name}-{seed}-0]"
    for name in ("pair", "four", "pair_chain", "batched_pair") for seed in (0, 2)
)
UPDATE_TESTS = " ".join(f"{TESTS}/test_update.py::test_{case}" for case in (
    "matches_neuron[pair-4]", "matches_neuron[four-0]", "matches_neuron[pair_of_one_chunk-4]", "logits[pair-0]",
    "streams[four-0]", "no_cycle_is_lost[pair]", "no_cycle_is_lost[four]", "no_cycle_is_lost[pair_of_one_chunk]",
))
CLUSTERS = [
    *mutants(
        "gateware", f"{HW}/spans.py", f"{TESTS}/test_fetch.py::test_clusters_get_the_slots_of_their_windows",
        ("(stride << level)[", "stride["),
        ("weight - shift]", "weight]"),
        ("below(config, right) & ~below(config, left)", "below(config, right)"),
        ("Mux(end < 0, 0, ", "Mux(0, 0, "),
        ("Mux(end[width:-1].any(), every, ", "Mux(0, every, "),
    ),
    *mutants(
        "gateware", f"{HW}/pixel_walk.py", WALKER_TESTS,
        ("layer.stored & ~pieces", "layer.stored"),
        ("at.cluster.eq(at.cluster + 1)", "at.cluster.eq(0)"),
        ("Mux(layer.stored, state, layer.state_base)", "state"),
        ("at.stream + term.column_stride", "at.stream"),
        ("at.pool_x == layer.pool_columns", "at.pool_x == 0"),
    ),
    *mutants(
        "gateware", f"{HW}/segment_walk.py", WALKER_TESTS,
        ("first_pixel & (each.at.cluster == 0)", "first_pixel"),
        ("row_ends & last_pixel", "row_ends"),
        ("Mux(slots != 0, sum(strides), 0)", "sum(strides)"),
        ("count - counter <= config.clusters", "count - counter < config.clusters"),
        ("layer.output_columns - x - 1, config.clusters - 1", "layer.output_columns - x, config.clusters - 1"),
        ("x.eq(x + config.clusters)", "x.eq(x + 1)"),
    ),
    *mutants(
        "gateware", f"{HW}/clusters.py", f"{TESTS}/test_clusters.py",
        ("hold if q % PAIR == 0 else 0", "0"),
        ("for cycle in range(2)", "for cycle in range(1)"),
        ("(self.passes.p.pixels >= q)", "1"),
        ("self.words.valid & (word.pixels >= q)", "self.words.valid"),
        ("own.eq(mask & word.own[q])", "own.eq(mask)"),
        ("each.free.eq(self.free[q])", "each.free.eq(self.free[0])"),
    ),
    *mutants(
        "gateware", f"{HW}/clusters.py", f"{TESTS}/formal/test_streams.py::test_no_word_is_lost[paired]",
        ("self.room.eq(Cat(each.room for each in banks).all())", "self.room.eq(banks[0].room)"),
    ),
    *mutants(
        "gateware", f"{HW}/update_issue.py", UPDATE_TESTS,
        (".bit_select(owner, 1) & known", ".any() & known"),
        ("stays, current.cluster, owner", "stays, owner, current.cluster"),
        ("bit & (request.cluster == q) for", "bit for"),
    ),
]
