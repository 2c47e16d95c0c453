"""What follows in an accumulator: its value, doubled if so wanted, and a number of ones."""

from amaranth import Cat, Const, Instance, Module, Mux, Signal

from .popcount import Ones

__all__ = ["carry_cell_init", "has_carry_cell", "next_sum"]


def carry_cell_init(propagate) -> int:
    """Return INIT of one half of a CCU2C, whose sum is ``propagate`` and the carry, modulo 2.

    ``propagate`` is a function of the inputs A to D, each 0 or 1. The carry out is the carry in if it
    is 1, else what it gives for these A and B with C = D = 0.
    """
    return sum(propagate(i & 1, i >> 1 & 1, i >> 2 & 1, i >> 3 & 1) << i for i in range(16))


# Both add a bit of the count to a bit of the accumulator, or of what doubling makes of it. The count's
# is at A (for the units at A and B), so that it is the carry out wherever the two are the same.
UNITS_INIT = carry_cell_init(lambda a, b, c, d: a ^ b ^ (0 if d else c))
UPPER_INIT = carry_cell_init(lambda a, b, c, d: a ^ (d if b else c))


def has_carry_cell(platform) -> bool:
    """Return whether ``platform`` is an ECP5."""
    return str(getattr(platform, "device", "")).startswith("LFE5")


def next_sum(m: Module, platform, accumulator, ones: Ones, double, *, exclusive: bool) -> Signal:
    """Return ``accumulator``, or if ``double`` twice it, and the number ``ones``.

    With ``exclusive``, ``ones`` is 0 while doubling.
    """
    total = Signal.like(accumulator, name=f"total_{accumulator.name}")
    if has_carry_cell(platform):
        # Of a multiplexer and an adder, Yosys makes a LUT more for each bit.
        add_carry_cells(m, total, accumulator, ones, double)
    elif exclusive:
        # Both take one logic cell a bit: the carry chain may run on the wire that selects, its sum
        # is not used then.
        count = ones.number
        fill = double.replicate(len(accumulator) - len(count))
        m.d.comb += total.eq(Mux(double, accumulator << 1, accumulator + Cat(count, fill)))
    else:
        m.d.comb += total.eq(Mux(double, accumulator << 1, accumulator) + ones.number)
    return total


def add_carry_cells(m: Module, total, accumulator, ones: Ones, double) -> None:
    """Drive ``total`` of :func:`next_sum` by the carry cells of an ECP5, half a cell for each bit."""
    odd = ones.units[1] if len(ones.units) > 1 else Const(0)
    halves = [(UNITS_INIT, ones.units[0], odd, accumulator[0], double, total[0])]
    for i in range(1, len(total)):
        count = ones.pairs[i - 1] if i <= len(ones.pairs) else Const(0)
        halves.append((UPPER_INIT, count, double, accumulator[i], accumulator[i - 1], total[i]))
    if len(halves) % 2:
        halves.append((UPPER_INIT, *[Const(0)] * 4, Signal(name="above")))
    carry = ones.single if len(ones.single) else Const(0)
    for pair in zip(halves[::2], halves[1::2], strict=True):
        following = Signal(name="carry")
        ports = {
            f"{port}{half}": value
            for half, (init, *values) in enumerate(pair)
            for port, value in zip(
                ("p_INIT", "i_A", "i_B", "i_C", "i_D", "o_S"), (Const(init, 16), *values), strict=True
            )
        }
        m.submodules += Instance(
            "CCU2C", p_INJECT1_0="NO", p_INJECT1_1="NO", i_CIN=carry, o_COUT=following, **ports
        )
        carry = following
