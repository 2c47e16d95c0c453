"""Clock generators: dividers computed from frequencies, and the primitives that take them."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from amaranth import Const, Instance, Signal

__all__ = ["EcpPll", "GowinPll", "Ice40Pll"]

TOLERANCE = 0.01
"""Largest deviation from the frequency asked for."""


def nearest(settings, target: float, source: float):
    """Return the setting whose ``output`` is nearest to ``target``, Hz.

    Of several, it is the one whose oscillator is nearest to the middle of its range.
    """
    best = min(
        settings,
        key=lambda pll: (abs(pll.output - target), abs(pll.oscillator - sum(pll.RANGE) / 2)),
        default=None,
    )
    if best is None or abs(best.output / target - 1) > TOLERANCE:
        raise ValueError(
            f"target must be within {TOLERANCE:.0%} of a frequency that the PLL makes of "
            f"{source / 1e6:g} MHz, not {target / 1e6:g} MHz"
        )
    return best


@dataclass(frozen=True, kw_only=True)
class EcpPll:
    """Dividers of an ECP5's EHXPLLL: feedback from its primary output, clock from its secondary one.

    Its phase detector runs at 10 to 400 MHz.
    """

    RANGE: ClassVar = (400e6, 800e6)
    """Frequencies of its oscillator, Hz."""
    source: float
    """Input frequency, Hz."""
    input_divisor: int
    feedback_divisor: int
    output_divisor: int

    @classmethod
    def create(cls, source: float, target: float) -> "EcpPll":
        """Return the dividers for ``target``, both in Hz."""
        settings = (
            cls(source=source, input_divisor=i, feedback_divisor=f, output_divisor=o)
            for i, f, o in product(range(1, 9), range(1, 81), range(1, 81))
            if source / i >= 10e6 and cls.RANGE[0] <= source / i * f <= cls.RANGE[1]
        )
        return nearest(settings, target, source)

    @property
    def output(self) -> float:
        """Output frequency, Hz."""
        return self.oscillator / self.output_divisor

    @property
    def oscillator(self) -> float:
        """Frequency of the oscillator, Hz."""
        return self.source / self.input_divisor * self.feedback_divisor

    def instance(self, source, clock, locked, *, slower=None, ratio: int = 1) -> Instance:
        """Return the primitive from the net ``source`` to ``clock`` and ``locked``.

        ``slower`` is driven with a clock whose edges are those of each ``ratio``-th cycle.
        """
        feedback = Signal()
        second = {} if slower is None else {
            "a_FREQUENCY_PIN_CLKOS2": f"{self.output / ratio / 1e6:g}",
            "p_CLKOS2_DIV": self.output_divisor * ratio,
            # Which of the faster clock's edges it is does not matter.
            "p_CLKOS2_CPHASE": self.output_divisor - 1,
            "p_CLKOS2_FPHASE": 0,
            "p_CLKOS2_ENABLE": "ENABLED",
            "i_ENCLKOS2": Const(0),
            "o_CLKOS2": slower,
        }
        return Instance(
            "EHXPLLL",
            a_FREQUENCY_PIN_CLKI=f"{self.source / 1e6:g}",
            a_FREQUENCY_PIN_CLKOP=f"{self.source / self.input_divisor / 1e6:g}",
            a_FREQUENCY_PIN_CLKOS=f"{self.output / 1e6:g}",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_CLKI_DIV=self.input_divisor,
            p_CLKFB_DIV=1,
            p_CLKOP_DIV=self.feedback_divisor,
            p_CLKOP_CPHASE=self.feedback_divisor - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOS_DIV=self.output_divisor,
            p_CLKOS_CPHASE=self.output_divisor - 1,
            p_CLKOS_FPHASE=0,
            p_CLKOS_ENABLE="ENABLED",
            p_FEEDBK_PATH="CLKOP",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            i_CLKI=source,
            i_CLKFB=feedback,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=feedback,
            o_CLKOS=clock,
            o_LOCK=locked,
            **second,
        )


@dataclass(frozen=True, kw_only=True)
class Ice40Pll:
    """Dividers of an iCE40's PLL with simple feedback.

    Its phase detector runs at 10 to 133 MHz.
    """

    RANGE: ClassVar = (533e6, 1066e6)
    """Frequencies of its oscillator, Hz."""
    source: float
    """Input frequency, Hz."""
    reference_divisor: int
    feedback_divisor: int
    output_shift: int

    @classmethod
    def create(cls, source: float, target: float) -> "Ice40Pll":
        """Return the dividers for ``target``, both in Hz."""
        settings = (
            cls(source=source, reference_divisor=r, feedback_divisor=f, output_shift=q)
            for r, f, q in product(range(1, 17), range(1, 129), range(1, 7))
            if 10e6 <= source / r <= 133e6 and cls.RANGE[0] <= source / r * f <= cls.RANGE[1]
        )
        return nearest(settings, target, source)

    @property
    def output(self) -> float:
        """Output frequency, Hz."""
        return self.oscillator / 2**self.output_shift

    @property
    def oscillator(self) -> float:
        """Frequency of the oscillator, Hz."""
        return self.source / self.reference_divisor * self.feedback_divisor

    @property
    def filter_range(self) -> int:
        """Loop filter setting for the frequency of the phase detector."""
        limits = (17e6, 26e6, 44e6, 66e6, 101e6)
        return 1 + sum(self.source / self.reference_divisor >= limit for limit in limits)

    def instance(self, source, clock, locked) -> Instance:
        """Return the primitive from the pad ``source`` to ``clock`` and ``locked``."""
        return Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            p_DIVR=Const(self.reference_divisor - 1, 4),
            p_DIVF=Const(self.feedback_divisor - 1, 7),
            p_DIVQ=Const(self.output_shift, 3),
            p_FILTER_RANGE=Const(self.filter_range, 3),
            i_PACKAGEPIN=source,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
        )


@dataclass(frozen=True, kw_only=True)
class GowinPll:
    """Dividers of a GW2A's rPLL with internal feedback, which the output divider is part of.

    Its phase detector runs at 3 to 500 MHz.
    """

    RANGE: ClassVar = (500e6, 1250e6)
    """Frequencies of its oscillator, Hz."""
    OUTPUT_DIVISORS: ClassVar = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
    source: float
    """Input frequency, Hz."""
    input_divisor: int
    feedback_divisor: int
    output_divisor: int

    @classmethod
    def create(cls, source: float, target: float) -> "GowinPll":
        """Return the dividers for ``target``, both in Hz."""
        settings = (
            cls(source=source, input_divisor=i, feedback_divisor=f, output_divisor=o)
            for i, f, o in product(range(1, 65), range(1, 65), cls.OUTPUT_DIVISORS)
            if 3e6 <= source / i <= 500e6 and cls.RANGE[0] <= source / i * f * o <= cls.RANGE[1]
        )
        return nearest(settings, target, source)

    @property
    def output(self) -> float:
        """Output frequency, Hz."""
        return self.source * self.feedback_divisor / self.input_divisor

    @property
    def oscillator(self) -> float:
        """Frequency of the oscillator, Hz."""
        return self.output * self.output_divisor

    def instance(self, source, clock, locked) -> Instance:
        """Return the primitive from the net ``source`` to ``clock`` and ``locked``."""
        return Instance(
            "rPLL",
            p_FCLKIN=f"{self.source / 1e6:g}",
            p_IDIV_SEL=self.input_divisor - 1,
            p_FBDIV_SEL=self.feedback_divisor - 1,
            p_ODIV_SEL=self.output_divisor,
            i_CLKIN=source,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clock,
            o_LOCK=locked,
        )
