"""What is said of whether recipes, checkpoints and networks fit."""

import io
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deep_network import deep
from rich.console import Console
from spikeplane import fit_report
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.fit import fit_all
from spikeplane.compiler.image import save_image
from spikeplane.fit_report import Candidate, candidate, fit_tables, opening_lines, recipe_candidate, short_lines
from spikeplane.fit_values import fit_values
from spikeplane.network.file import save_network
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane_hw.config import CONFIGS, HUGE, LARGE, SMALL, TINY
from transformer_networks import attention

ZOO = Path(__file__).parents[2] / "zoo"
ALL = list(CONFIGS.values())


def shown(chosen, configs, width=200) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    for part in fit_tables(chosen, configs):
        console.print(part, highlight=False, markup=False)
    return console.export_text()


def row(text: str, name: str) -> list[str]:
    """Return the cells of a table's row after its name."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_tables_of_a_recipe():
    chosen = recipe_candidate(load_recipe("mnist"))
    text = shown(chosen, ALL)
    assert "mnist: 4-bit image, replayed, 1 x 28 x 28, 2 steps" in text
    assert row(text, "fits") == ["NO", *["yes"] * 4]
    assert row(text, "options of compile") == ["--reuse-maps", *["no options"] * 4]
    assert row(text, "words of PASSES") == [
        # Where bits of a pixel lie beside each other there are fewer.
        "43 of 32 (134%) !", "43 of 256 (17%)", *["22 of 256 (9%)"] * 3]
    assert row(text, "layers of a program") == ["5 of 8 (62%)", "5 of 29 (17%)", *["5 of 64 (8%)"] * 3]
    inputs = random_samples(chosen.network.input, 1, 0.5)
    found = fit_all(chosen.network, inputs)
    totals = ["does not fit", *(f"{each.total_cycles:,.0f}" for each in found[1:])]
    assert row(text, "cycles of a sample") == totals
    assert row(text, "cycles of conv1") == ["", *(f"{each.cycles['conv1']:,.0f}" for each in found[1:])]
    (board,) = found[2].board_times
    assert row(text, f"on ulx3s-45f, {board.clock / 1e6:g} MHz") == [
        "", "", f"{board.seconds * 1e3:.3g} ms, {board.samples_a_second:,.0f} a second", "", ""]
    assert "cycles are predicted on one random input, 50% of an image's pixels active, and rough: a trained" in text
    assert "tiny is too small" in text and "small is too small" not in text
    assert row(text, "layer 'classifier': passes, all layers to here: 43 needed, limit 32") == [
        "a 2-bit input or 4-bit weights in layer 'conv1'"]
    assert text.rstrip().endswith("it fits compact, small, large, huge")


def test_one_configuration_is_asked_and_others_are_named():
    text = shown(recipe_candidate(load_recipe("cifar10_compact")), [SMALL])
    assert row(text, "fits") == ["NO"]
    assert text.rstrip().endswith("it fits large, huge")


def test_a_network_that_fits_nothing():
    text = shown(recipe_candidate(load_recipe("cifar10_vgg16_1w2u")), ALL)
    assert row(text, "fits") == ["NO"] * len(ALL)
    assert text.count("is too small") == 5
    assert text.rstrip().endswith("it fits none of tiny, compact, small, large, huge")


HEADS = Candidate(
    name="heads", network=attention(0, width=16, heads=2, height=4, columns=2, steps=2), trained=True)
"""Heads of 8 channels, which `large` and `huge` do not run."""
REFUSED = ("layer 'attention map': its 2 groups have 8 output channels each; large runs groups of a multiple of 16, "
           "at most 128: make them so, or merge groups")


def test_a_configuration_that_does_not_run_it_hides_no_others():
    text = shown(HEADS, ALL)
    assert row(text, "fits") == ["NO", "yes", "yes", "NO", "NO"]
    assert row(text, "options of compile")[2:] == ["no options", "", ""]
    assert row(text, "words of PASSES")[2:] == ["8 of 256 (3%)", "", ""]
    assert row(text, "cycles of a sample")[3:] == ["does not run"] * 2
    assert f"large does not run it: {REFUSED}" in text
    assert text.rstrip().endswith("it fits compact, small")
    text = shown(HEADS, [LARGE, SMALL])
    assert row(text, "words of PASSES") == ["", "8 of 256 (3%)"]
    assert "large is too small" not in text
    assert row(shown(HEADS, [HUGE]), "fits") == ["NO"]
    lines = short_lines(HEADS)
    assert lines[3].startswith("small: fits (no options), ")
    assert lines[4] == f"large: does not fit: {REFUSED}"


def test_values_of_a_configuration_that_does_not_run_it():
    small, large = fit_values(HEADS, [SMALL, LARGE])["configs"]
    assert small["fits"] and small["cycles_note"] is None
    assert not large["fits"] and large["cycles_note"] == REFUSED
    assert (large["words"], large["limits"], large["exceeded"], large["cycles"]) == ({}, {}, [], None)


def test_a_trained_network_is_told_from_an_untrained_one(tmp_path):
    for name in ("digits", "ncars"):
        chosen = candidate(str(ZOO / name / "checkpoint.safetensors"))
        assert chosen.trained
        assert chosen.cycles_text == (
            "cycles are predicted on one random input, 5% of an input's places active; real data have "
            "other firing rates")
        rough = recipe_candidate(load_recipe(name))
        assert not rough.trained
        # The same recipe, but trained weights: shapes agree, values do not.
        for node, drawn in zip(chosen.network.nodes, rough.network.nodes, strict=True):
            if node.kind == "layer":
                own, other = node.terms[0].weight, drawn.terms[0].weight
                assert own.shape == other.shape and (own != other).any()
    path = tmp_path / "deep.network.safetensors"
    save_network(deep(), path)
    assert candidate(str(path)).trained
    assert row(shown(candidate(str(path)), [TINY]), "fits") == ["yes"]


def test_a_recipe_is_drawn_from_its_seed():
    recipe = load_recipe("digits")
    first, same, other = (
        recipe_candidate(replace(recipe, seed=seed)).network.nodes[0].terms[0].weight for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_values_of_a_recipe_are_replaced():
    chosen = candidate("mnist", ["data.bits=2"])
    assert chosen.network.input.bits == 2
    with pytest.raises(ValueError, match="only of a recipe can values be replaced"):
        candidate(str(ZOO / "digits" / "checkpoint.safetensors"), ["data.bits=2"])


def test_what_has_no_integer_form_says_so(tmp_path):
    assert opening_lines(load_recipe("mnist").float32()) == [
        "does it fit? mnist-float32 has no integer form, which cores run: layer 'conv1': FloatWeight "
        "weights have no integer form"]
    path = tmp_path / "deep.spk"
    save_image(compile_network(deep(), SMALL), path)
    with pytest.raises(ValueError, match="whether it fits can be told of a recipe, a checkpoint or a network"):
        candidate(str(path))
    with pytest.raises(ValueError, match=r"^absent\.spk: no such file$"):
        candidate("absent.spk")


def test_data_of_unknown_shape_are_needed():
    recipe = load_recipe("digits")
    lines = opening_lines(replace(recipe, data=replace(recipe.data, name="mine")))
    assert len(lines) == 1
    assert lines[0].startswith("does it fit? data set 'mine': the shape of its samples is known only from the data")


def test_short_lines():
    lines = short_lines(recipe_candidate(load_recipe("mnist")))
    assert lines[0].startswith("does it fit? cycles are predicted on one random input, 50% of")
    assert lines[1] == ("tiny: does not fit: layer 'conv1': spike memory words up to its map's end: 2352 needed, "
                        "limit 2048, and 4 other limits")
    assert lines[3].startswith("small: fits (no options), weights 99% full; ")
    assert " cycles, " in lines[3] and lines[3].endswith(" ms a sample on ulx3s-45f")
    assert len(lines) == 1 + len(CONFIGS)


def test_short_lines_leave_out_what_takes_long(monkeypatch):
    monkeypatch.setattr(fit_report, "SHORT_SEGMENTS", 10)
    lines = short_lines(recipe_candidate(load_recipe("digits")))
    assert "not predicted" in lines[1] and "segments take long, limit 10" in lines[1]


def test_short_lines_are_quick():
    started = time.process_time()
    assert len(opening_lines(load_recipe("mnist"))) == 1 + len(CONFIGS)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("name", [
    "cifar10_compact", "cifar10_resnet20_1w2u", "cifar100_vgg11_1w8u", "cifar10dvs_vggsnn_1w2u", "digits",
    "dvsgesture_vggsnn_memory_free", "mnist_tiny", "ncars", "nmnist",
])
def test_recipes_of_every_data_set_are_judged(name):
    lines = opening_lines(load_recipe(name))
    assert len(lines) == 1 + len(CONFIGS)
