"""Findings: at which values they appear, and what they say."""

import math

import pytest
from spikeplane.findings import (
    Finding,
    accuracy_lost,
    clipped_multipliers,
    dead_channels,
    exploded_loss,
    no_better_than_guessing,
    saturated_potentials,
    silent_layers,
    unfinished,
    without_repeats,
)


def texts(findings: list[Finding]) -> str:
    return "\n".join(finding.text for finding in findings)


def test_silent_layers():
    found = silent_layers({"a": 0.001, "b": 0.00099, "c": 0.0, "d": 0.5}, "in epoch 3")
    assert [finding.layer for finding in found] == ["b", "c"]
    assert found[1].text.startswith("layer 'c': it fires at 0.000% in epoch 3, at least 0.1% is wanted")
    assert "lower training.learning_rate" in found[1].remedy
    assert len(silent_layers({"a": math.nan}, "")) == 1


def test_dead_channels():
    found = dead_channels({"a": (0, 8), "b": (1, 8), "c": (1, 100), "d": (2, 100)}, "on 250 samples")
    assert [finding.layer for finding in found] == ["b", "d"]
    assert "1 of 8 channels never fire on 250 samples, limit 1%" in found[0].text


def test_saturated_potentials():
    found = saturated_potentials({"a": 0.05, "b": 0.0501}, "on 250 samples")
    assert texts(found).startswith("layer 'b': 5.01% of its updates saturate on 250 samples, limit 5%")
    assert len(found) == 1


def test_clipped_multipliers():
    found = clipped_multipliers({"a": (0, 8), "b": (3, 8)})
    assert texts(found).startswith("layer 'b': M of 3 of 8 channels is at the limit")
    assert len(found) == 1


@pytest.mark.parametrize(("loss", "first", "guessing", "limit"), [
    (1.0, 0.5, None, None), (1.01, 0.5, None, "limit 2 times the 0.5 of the first epoch"),
    (1.3, 0.1, 1.386, None), (1.4, 0.6, 1.386, "limit 2 times the 0.6 of the first epoch"),
    (2.7, 9.0, 1.386, None), (2.8, 9.0, 1.386, "limit 2 times the 1.386 of guessing"), (2.8, 9.0, None, None),
    (math.nan, 1.0, 1.0, "must be finite"), (math.inf, math.inf, None, "must be finite"),
])
def test_exploded_loss(loss, first, guessing, limit):
    found = exploded_loss(loss, first, guessing, "in epoch 3")
    assert [finding.kind for finding in found] == ["exploded loss"] * (limit is not None)
    if limit:
        assert found[0].text == f"the loss is {loss:.4g} in epoch 3, {limit}; lower training.learning_rate"


@pytest.mark.parametrize(("accuracy", "guess", "samples", "wrong"), [
    (50 / 300, 1 / 6, None, True), (51 / 300, 1 / 6, None, False),
    # Two deviations of 300 samples are 4.3 points.
    (0.205, 1 / 6, 300, True), (0.215, 1 / 6, 300, False), (0.5, 0.6, 10_000, True), (0.1, 0.1, 100, True),
    (1.0, 1.0, 10, True),
])
def test_no_better_than_guessing(accuracy, guess, samples, wrong):
    found = no_better_than_guessing(accuracy, guess, samples, "on 300 samples")
    assert bool(found) == wrong
    if found:
        assert f"accuracy is {accuracy:.2%} on 300 samples, no better than" in texts(found)


@pytest.mark.parametrize(("lost", "gained", "samples", "wrong"), [
    (0, 0, 100, False), (4, 0, 100, False), (5, 0, 100, True), (30, 20, 1000, False), (40, 20, 1000, True),
    (20, 40, 1000, False),
    (20, 0, 10_000, False), (21, 0, 10_000, True),  # 0.2 points.
])
def test_accuracy_lost(lost, gained, samples, wrong):
    found = accuracy_lost(lost, gained, samples)
    assert bool(found) == wrong
    if found:
        assert f"{100 * (lost - gained) / samples:.2f} points worse" in texts(found)


def test_unfinished():
    assert unfinished(12, 12, 0) == []
    assert "the training was stopped after epoch 3 of 12; the same" in texts(unfinished(3, 12, 0))
    assert "after epoch 0 of 12 and 1 batch;" in texts(unfinished(0, 12, 1))
    assert "after epoch 0 of 12 and 5 batches;" in texts(unfinished(0, 12, 5))


def test_repeats_are_left_out():
    first, again, other = (
        Finding(kind=kind, layer="a", what=what, remedy="r") for kind, what in (("x", "1"), ("x", "2"), ("y", "3"))
    )
    assert without_repeats([first, other, again]) == [first, other]
    assert without_repeats([first, other], known=[again]) == [other]
