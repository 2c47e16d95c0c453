"""Quantiles are values that were seen."""

from spikeplane.quantiles import QUANTILES, quantiles


def test_quantiles_are_values():
    assert quantiles(list(range(1, 101))) == {"50 %": 50, "90 %": 90, "99 %": 99, "greatest": 100}
    assert quantiles([7]) == dict.fromkeys(QUANTILES, 7)
    assert quantiles([]) == {}
