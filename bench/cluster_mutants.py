"""Faults of a core that walks several output pixels at once."""

from mutant import mutants

__all__ = ["CLUSTERS"]

HW, TESTS = "hw/spikeplane_hw", "tests/hw"
WALKER_TESTS, ISSUE_TESTS = f"{TESTS}/test_walker.py", f"{TESTS}/test_update.py"
CLUSTERS = [
    *mutants(
        "clusters", f"{HW}/spans.py", f"{TESTS}/test_fetch.py",
        ("(stride << level)[", "stride["),
        ("weight - shift]", "weight + shift]"),
        ("below(config, right) & ~below(config, left)", "below(config, right)"),
        ("Mux(end < 0, 0,", "Mux(Const(0), 0,"),
        ("Mux(end[width:-1].any(), every,", "Mux(Const(0), every,"),
    ),
    *mutants(
        "clusters", f"{HW}/pixel_walk.py", WALKER_TESTS,
        ("Mux(layer.stored & ~pieces, layer.groups, 1)", "layer.groups"),
        ("Mux(layer.stored, state, layer.state_base)", "state"),
        ("at.stream + term.column_stride", "at.stream"),
        ("at.pool_x == layer.pool_columns", "at.pool_x == 0"),
    ),
    *mutants(
        "clusters", f"{HW}/segment_walk.py", WALKER_TESTS,
        ("count - counter <= config.clusters", "count - counter < config.clusters"),
        ("layer.output_columns - x - 1, config.clusters - 1", "layer.output_columns - x, config.clusters - 1"),
        ("x.eq(x + config.clusters)", "x.eq(x + 1)"),
    ),
    *mutants(
        "clusters", f"{HW}/clusters.py", f"{TESTS}/test_clusters.py",
        ("self.passes.ready & (self.passes.p.pixels >= q)", "self.passes.ready"),
        ("self.words.valid & (word.pixels >= q)", "self.words.valid"),
        ("own.eq(mask & word.own[q])", "own.eq(mask)"),
        ("each.free.eq(self.free[q])", "each.free.eq(self.free[0])"),
        ("self.room.eq(Cat(each.room for each in banks).all())", "self.room.eq(banks[0].room)"),
        ("hold if q % PAIR == 0 else 0", "0"),
        ("for cycle in range(2)", "for cycle in range(1)"),
    ),
    *mutants(
        "clusters", f"{HW}/update_issue.py", ISSUE_TESTS,
        (".bit_select(self.segment.p.cluster, 1) & known", ".any() & known"),
        ("follows = dependent | (alone & (self.segment.p.cluster == current.cluster))", "follows = dependent"),
        ("stays, current.cluster, self.segment.p.cluster", "stays, self.segment.p.cluster, current.cluster"),
        ("bit & (request.cluster == q) for", "bit for"),
    ),
]
