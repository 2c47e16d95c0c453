import pytest
from amaranth import Signal
from spikeplane_boards.plls import EcpPll, GowinPll, Ice40Pll


@pytest.mark.parametrize("target", [50e6, 62.5e6, 75e6, 87.5e6, 90e6, 93.75e6, 100e6, 125e6])
def test_ecp5(target):
    pll = EcpPll.create(25e6, target)
    oscillator = pll.source / pll.input_divisor * pll.feedback_divisor
    assert oscillator / pll.output_divisor == pytest.approx(target, rel=0.01)
    assert 400e6 <= oscillator <= 800e6
    assert pll.source / pll.input_divisor >= 10e6


@pytest.mark.parametrize(("target", "divf", "divq"), [(24e6, 63, 5), (20.25e6, 53, 5), (48e6, 63, 4)])
def test_ice40(target, divf, divq):
    pll = Ice40Pll.create(12e6, target)
    assert 12e6 * (divf + 1) / 2**divq == target
    assert (pll.reference_divisor, pll.feedback_divisor, pll.output_shift) == (1, divf + 1, divq)
    assert pll.filter_range == 1


@pytest.mark.parametrize("target", [27e6, 48e6, 60e6, 75.6e6, 100e6])
def test_gowin(target):
    """Only the chosen ratio is what comes out: the output divider is in the feedback."""
    pll = GowinPll.create(27e6, target)
    ports = pll.instance(Signal(), Signal(), Signal()).parameters
    assert 27e6 * (ports["FBDIV_SEL"] + 1) / (ports["IDIV_SEL"] + 1) == pll.output == pytest.approx(target, rel=0.01)
    assert 500e6 <= pll.output * ports["ODIV_SEL"] <= 1250e6
    assert 27e6 / (ports["IDIV_SEL"] + 1) >= 3e6


def test_out_of_reach():
    with pytest.raises(ValueError, match=r"^target must be within 1% of a frequency that the PLL makes "
                       r"of 12 MHz, not 2 MHz$"):
        Ice40Pll.create(12e6, 2e6)
