"""Needs of placed networks beside the limits of a core."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import ragged_networks
from deep_network import deep, residual
from spikeplane.compiler.limits import CompileError, Limit, Need, memory_needs, needs, sum_needs
from spikeplane.compiler.place import place
from spikeplane.compiler.program import Program
from spikeplane.network.digits import weighted_stream
from spikeplane.network.endings import Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.schedule import Schedule
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane_hw.config import LARGE, SMALL, TINY
from spikeplane_hw.memory_map import memory_map

DOCS = Path(__file__).parents[3] / "docs"


def test_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("make_limits", DOCS / "make_limits.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (DOCS / "limits.md").read_text()
    assert page == module.page(), "run python docs/make_limits.py"
    # What users meet first is named with its numbers.
    for text in ("65536 needed, limit 16383", "A program has 64 layers (8 in `tiny`)"):
        assert text in page


def test_a_need_is_its_share_of_the_limit():
    half = Need(kind=Limit.PASSES, layer="a", where="layer 'a'", what="passes", need=32, limit=64)
    assert (half.share, half.exceeded) == (0.5, False)
    assert not replace(half, need=64).exceeded
    over = replace(half, need=65)
    assert over.exceeded and str(over) == "layer 'a': passes: 65 needed, limit 64"
    assert str(replace(over, where="")) == "passes: 65 needed, limit 64"
    # A core may have no memory of a kind at all.
    assert [replace(half, need=need, limit=0).share for need in (0, 1)] == [0.0, 1.0]


def test_logits_are_limited_by_the_sum_of_all_heads():
    random, classes = np.random.default_rng(0), 2
    window = Window(source=INPUT, **ragged_networks.weights(random, 8, 3, (1, 1)),
                    **ragged_networks.affine(random, 8, 1, 5))
    heads = weighted_stream("head", "stream", fraction_bits=9, weight=np.ones((classes, 8, 1, 1), np.int64),
                            weight_bits=1, weight_kind=WeightKind.ODD)
    made = IntegerNetwork(
        input=InputFormat(channels=3, height=2, width=3, steps=4),
        nodes=[Layer(name="stream", terms=(window,), ending=Store(fraction_bits=9)), *heads],
        logit_offset=np.zeros(classes, np.int64),
    )
    found = [need.need for need in sum_needs(place(made, LARGE)) if need.kind is Limit.LOGIT_SUM]
    # Eight channels, six pixels, four steps: 1, 3, 7 ... times.
    assert found == [8 * 6 * 4 * (2**digits - 1) for digits in range(1, 17)]


@pytest.mark.parametrize("schedule", Schedule)
def test_all_limits_are_asked_of_every_network(schedule):
    placement = place(deep(), SMALL, schedule)
    found = needs(placement)
    asked = {need.kind for need in found}
    others = {Limit.RUN_STEPS} if schedule is Schedule.STORED else set()
    assert asked == set(Limit) - {Limit.PARTIAL, Limit.POOL, Limit.EXTERNAL} - others
    assert found == [*memory_needs(placement), *sum_needs(placement)]
    assert not any(need.exceeded for need in found)
    layers = {need.layer for need in found if need.kind is Limit.SUM}
    assert layers == set(deep().names)


@pytest.mark.parametrize("schedule", Schedule)
def test_layers_of_several_terms_are_asked_for_more(schedule):
    placement = place(residual(), SMALL, schedule, check=False)
    assert [need.layer for need in needs(placement) if need.kind is Limit.PARTIAL] == ["c", "b"]
    terms = {need.layer: need.need for need in needs(placement) if need.kind is Limit.TERMS}
    assert terms == {"a": 1, "stream": 2, "c": 2, "b": 3, "head of a": 1, "head of b": 2}


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("core", [*ragged_networks.CORES, TINY, SMALL], ids=lambda core: core.name)
def test_what_is_not_exceeded_fits_program_and_memories(seed, core):
    network = ragged_networks.network(seed, direct=seed % 3 == 0, taps=seed % 4 == 1)
    core = replace(core, spike_depth=128) if seed % 5 == 0 else core
    placement = place(network, core, check=False)
    exceeded = [need for need in needs(placement) if need.exceeded]
    if exceeded:
        with pytest.raises(CompileError) as error:
            place(network, core)
        assert str(error.value).startswith(str(exceeded[0]))
        return
    place(network, core)
    Program.of(placement).verify()
    memories = memory_map(core)
    assert all(count <= memories[space].depth for space, count in placement.occupied_words().items())


def test_without_a_check_a_network_that_does_not_fit_is_placed():
    tight = replace(SMALL, weight_depth=8)
    assert place(deep(), tight, check=False).layers[-1].operand_end > 8
    with pytest.raises(CompileError, match="weight slots a bank"):
        place(deep(), tight)
