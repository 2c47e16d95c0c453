"""How many bits are set, made of gates."""

from dataclasses import dataclass

from amaranth import Cat, Const, Module, Signal, Value

__all__ = ["Ones", "count_for_adder", "popcount"]


def popcount(m: Module, bits):
    """Return the number of ones in ``bits``; intermediate values go to ``m``.

    It is made of gates instead of adders, since short sums are smaller without a carry chain: four
    bits are counted by three LUT4, eight by eleven.
    """
    if len(bits) < 2:
        return bits
    count = Signal(range(len(bits) + 1), name="ones")
    if len(bits) == 4:
        a, b, c, d = bits
        m.d.comb += count.eq(Cat(
            a ^ b ^ c ^ d,
            (a & b) ^ (c & d) ^ ((a ^ b) & (c ^ d)),
            a & b & c & d,
        ))
        return count
    # An odd bit is carried in.
    half, odd = divmod(len(bits), 2)
    low, high = popcount(m, bits[:half]), popcount(m, bits[half : 2 * half])
    m.d.comb += count.eq(add(m, low, high, bits[-1] if odd else Const(0)))
    return count


def add(m: Module, low, high, carry):
    """Return the sum of two numbers and a bit. ``high`` is not wider than ``low``."""
    total = []
    for i, x in enumerate(low):
        y = high[i] if i < len(high) else Const(0)
        following = Signal(name="carry")
        total.append(x ^ y ^ carry)
        m.d.comb += following.eq((x & y) | (carry & (x ^ y)))
        carry = following
    return Cat(*total, carry)


@dataclass(frozen=True)
class Ones:
    """A number of ones, as an adder takes it: ``units`` modulo 2, twice ``pairs``, and ``single``."""

    units: Value
    """One or two bits."""
    pairs: Value
    single: Value
    """A bit, or none."""

    @classmethod
    def of(cls, count) -> "Ones":
        """Return a number that is added up already."""
        return cls(count[:1], count[1:], Const(0, 0))

    @property
    def number(self):
        """The number, unsigned."""
        number = Cat(self.units.xor(), self.pairs)
        return number + self.single if len(self.single) else number

    def registered(self, m: Module, name: str) -> "Ones":
        """Return the same a cycle later, from registers without reset."""
        parts = []
        for part in ("units", "pairs", "single"):
            value = getattr(self, part)
            register = Signal(len(value), name=f"{part}_{name}", reset_less=True)
            m.d.sync += register.eq(value)
            parts.append(register)
        return Ones(*parts)


def count_for_adder(m: Module, bits) -> Ones:
    """Return the number of ones in ``bits``, a power of two of them; three LUT4 less for eight bits.

    What is left to the adder is its carry in, and a sum modulo 2 in its lowest bit.
    """
    half = len(bits) // 2
    low, high = popcount(m, bits[:half]), popcount(m, bits[half:-1])
    if len(bits) < 4:
        return Ones(bits[:-1] if half else Const(0, 1), Const(0, 0), bits[-1:])
    carry = low[0] & high[0]
    pairs = add(m, low[1:], high[1:], carry)
    # All but one are counted, so that the sum is a bit shorter.
    return Ones(Cat(low[0], high[0]), pairs[: len(low) - 1], bits[-1:])
