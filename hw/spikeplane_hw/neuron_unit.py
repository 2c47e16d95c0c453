"""The arithmetic of one neuron update, a pipeline for :class:`spikeplane_hw.neuron.Neuron`."""

from amaranth import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import CoreConfig
from .neuron import (
    DECODE_SHIFT,
    FRACTION_BITS,
    MULTIPLIER_WIDTH,
    OFFSET_WIDTH,
    SHIFTS,
    STATE_WIDTH,
    TABLE_CODE_WIDTH,
    TABLE_INDEX_SHIFT,
    TABLE_INDEX_WIDTH,
    Reset,
)

__all__ = ["PARTIAL_WIDTH", "UNITS_PER_COPY", "NeuronUnit", "parameter_layout"]

PARTIAL_WIDTH = 25
"""Bits of the sum of a layer's terms, where there are several; the compiler proves that they suffice."""
UNITS_PER_COPY = 4
"""Units that share a copy of the layer's settings."""


def parameter_layout() -> data.StructLayout:
    """Layout of a neuron's parameters in the parameter memory."""
    return data.StructLayout({
        "multiplier": signed(MULTIPLIER_WIDTH), "offset": signed(OFFSET_WIDTH),
    })


class NeuronUnit(wiring.Component):
    """One neuron update a cycle. Names end in the cycle in which a value is there.

    The leaked potential is within 16 bits: so it is for every :class:`Neuron`.

    Members
    -------
    sum_0, reference_1 : ``In``
        Unsigned sums of the lane, with ``config.rotating_snapshot`` in cycle 1, and of the reference.
    doubled_1 : ``In(1)``
        The signed sum is ``2 * sum - reference`` instead of ``sum - reference``.
    stream_1, stored_0 : ``In(1)``, ``In(signed(16))``
        The signed sum is this integer instead, which is there a cycle earlier; not where one unit does without terms.
    signed_sum_2 : ``Out``
        The signed sum, ``sum_width`` bits; more if an integer needs them.
    parameter_1 : ``In(parameter_layout())``
        From the parameter memory; without ``config.parameter_registers`` in cycle 3.
    parameter_2 : ``Out(parameter_layout())``
        The same, for the host.
    shift_4 : ``In``
        Of the term.
    partial_5, total_6 : ``In(signed(PARTIAL_WIDTH))``, ``Out(signed(PARTIAL_WIDTH))``
        Only where there are several terms: the sum of those before, and with this one.
    hidden_1 : ``In(1)``
        Only where there are several units: ``signed_sum_2`` and ``parameter_2`` are 0, so that another's are read.
    reset, decode_scale, quantized, packed : ``In``
        Of the layer; static. States that are ``packed`` are of no more bits than a table's code.
    below_limit : ``In(signed(17))``
        -1 - ``fire_above``: a neuron fires if its potential and this add up to at least 0.
    digit, power : ``In(1)``, ``In``
        Only where there are several terms: a neuron spikes where bit ``power`` of its current is 1 instead; static.
    can_fire : ``In(1)``
        Low if no potential is above ``fire_above``, since u saturates there.
    state_5 : ``In(signed(16))``
        From the state memory.
    initial_5 : ``In(1)``
        The state is 0 instead.
    state_6 : ``Out(signed(16))``
        The state; the host reads it if the unit is the only one.
    spike_8, saturated_8 : ``Out(1)``
        The neuron fires; x or u saturated.
    table_index_9 : ``Out(10)``
        Address in a quantizer table, for one cycle of latency.
    table_code_10 : ``In(signed(8))``
        From the table.
    state_11 : ``Out(signed(16))``
        To the state memory; if ``packed``, 0 above the code.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        self.takes_integers = config.updates > 1 or config.term_count > 1
        self.sum_width = max(config.sum_width, STATE_WIDTH + 1 if self.takes_integers else 0)
        super().__init__({
            "sum_0": In(config.accumulator_width),
            "reference_1": In(config.accumulator_width),
            "doubled_1": In(1),
            "stream_1": In(1),
            "stored_0": In(signed(STATE_WIDTH)),
            "mean_0": In(1),
            "hidden_1": In(1),
            "signed_sum_2": Out(signed(self.sum_width)),
            "parameter_1": In(parameter_layout()),
            "parameter_2": Out(parameter_layout()),
            "shift_4": In(range(len(SHIFTS))),
            "partial_5": In(signed(PARTIAL_WIDTH)),
            "total_6": Out(signed(PARTIAL_WIDTH)),
            "below_limit": In(signed(STATE_WIDTH + 1)),
            "can_fire": In(1),
            "digit": In(1),
            "power": In(range(STATE_WIDTH)),
            "reset": In(Reset),
            "decode_scale": In(STATE_WIDTH - 1),
            "quantized": In(1),
            "packed": In(1),
            "state_5": In(signed(STATE_WIDTH)),
            "initial_5": In(1),
            "state_6": Out(signed(STATE_WIDTH)),
            "spike_8": Out(1),
            "saturated_8": Out(1),
            "table_index_9": Out(TABLE_INDEX_WIDTH),
            "table_code_10": In(signed(TABLE_CODE_WIDTH)),
            "state_11": Out(signed(STATE_WIDTH)),
        })

    def elaborate(self, platform):
        m = Module()
        self.elaborate_step(m, *self.elaborate_affine(m))
        return m

    def elaborate_affine(self, m: Module):
        """Add the pipeline of :func:`.neuron.scale_sum` and :func:`.neuron.saturate` to ``m``.

        Return x, x + ``below_limit`` and whether x saturated, all in cycle 7.
        """
        # Hardly a register here is reset: what is valid is told beside the units.
        sum_1 = Signal.like(self.sum_0, reset_less=True)
        signed_sum_2 = Signal.like(self.signed_sum_2, reset_less=True)
        plus = Mux(self.doubled_1, sum_1 << 1, sum_1)
        minus = self.reference_1
        if self.takes_integers:
            # Block RAM answers late in a cycle and lies far away: the integer has a cycle of its own.
            stored_1 = Signal.like(self.stored_0, reset_less=True)
            m.d.sync += stored_1.eq(self.stored_0)
            # The one before, complemented: to take it away is to add it and 1.
            before_1 = Signal.like(stored_1, reset_less=True)
            if self.config.term_count > 1:
                m.d.sync += before_1.eq(Mux(self.mean_0, ~stored_1, 0))
            plus = Mux(self.stream_1, stored_1, plus)
            minus = Mux(self.stream_1, before_1, minus)
        signed_sum_1 = plus - minus
        hidden = self.hidden_1 if self.config.updates > 1 else Const(0)
        m.d["comb" if self.config.rotating_snapshot else "sync"] += sum_1.eq(self.sum_0)
        m.d.sync += [signed_sum_2.eq(Mux(hidden, 0, signed_sum_1))]
        m.d.comb += self.signed_sum_2.eq(signed_sum_2)

        product_3 = Signal(signed(self.sum_width + MULTIPLIER_WIDTH), reset_less=True)
        offset_3 = Signal(signed(OFFSET_WIDTH), reset_less=True)
        # With a reset, where it follows the multiplier at once: Yosys would put multiplier, sum and register into
        # one SB_MAC16 of an iCE40, which has 32 bits, and lose the sign.
        exact_4 = Signal(
            signed(max(len(product_3), OFFSET_WIDTH) + 1), reset_less=self.config.parameter_registers
        )
        exact = product_3 + offset_3
        if not self.config.parameter_registers:
            # The parameters come two cycles later instead.
            sum_3 = Signal.like(self.signed_sum_2, reset_less=True)
            m.d.sync += [sum_3.eq(signed_sum_2), exact_4.eq(exact)]
            m.d.comb += [
                product_3.eq(sum_3 * self.parameter_1.multiplier),
                offset_3.eq(self.parameter_1.offset),
                self.parameter_2.eq(Mux(hidden, 0, self.parameter_1)),
            ]
        else:
            parameter_2 = Signal(parameter_layout(), reset_less=True)
            m.d.sync += [
                parameter_2.eq(Mux(hidden, 0, self.parameter_1)),
                product_3.eq(signed_sum_2 * parameter_2.multiplier),
                offset_3.eq(parameter_2.offset),
                exact_4.eq(exact),
            ]
            m.d.comb += self.parameter_2.eq(parameter_2)

        # Out of range if any bit above the result differs from the sign, whatever the shift drops.
        several = self.config.term_count > 1
        width = PARTIAL_WIDTH if several else STATE_WIDTH
        sign_4 = exact_4[-1]
        low_5 = Signal(signed(width), reset_less=True)
        over_5 = Signal(reset_less=True)
        sign_5 = Signal(reset_less=True)
        m.d.sync += sign_5.eq(sign_4)
        overs = []
        over = Const(0)
        stop = len(exact_4) - 1
        for shift in reversed(SHIFTS):
            start = min(shift + width - 1, stop)
            over = over | (exact_4[start:stop] ^ sign_4.replicate(stop - start)).any()
            stop = start
            overs.insert(0, over)
        wide_4 = Cat(exact_4, sign_4.replicate(max(0, SHIFTS[-1] + width - len(exact_4))))
        m.d.sync += [
            low_5.eq(Array(wide_4[shift : shift + width] for shift in SHIFTS)[self.shift_4]),
            over_5.eq(Array(overs)[self.shift_4]),
        ]

        low_6 = Signal(signed(width), reset_less=True)
        over_6 = Signal(reset_less=True)
        sign_6 = Signal(reset_less=True)
        saturated_6 = over_6
        m.d.sync += [low_6.eq(low_5), over_6.eq(over_5), sign_6.eq(sign_5)]
        if several:
            m.d.sync += low_6.eq(low_5 + self.partial_5)
            m.d.comb += self.total_6.eq(low_6)
            sign = Mux(over_6, sign_6, low_6[-1])
            saturated_6 = over_6 | (low_6[STATE_WIDTH - 1:-1] ^ low_6[-1].replicate(width - STATE_WIDTH)).any()
        else:
            sign = sign_6
        x_6 = clip_state(low_6[:STATE_WIDTH], saturated_6, sign).as_signed()
        x_7 = Signal(signed(STATE_WIDTH), reset_less=True)
        margin_7 = Signal(signed(STATE_WIDTH + 2), reset_less=True)
        saturated_7 = Signal(reset_less=True)
        m.d.sync += [x_7.eq(x_6), margin_7.eq(x_6 + self.below_limit), saturated_7.eq(saturated_6)]
        return x_7, margin_7, saturated_7

    def elaborate_step(self, m: Module, x_7, margin_7, saturated_7):
        """Add the pipeline of :meth:`Neuron.step` to ``m``.

        States go round in it, read in cycle 4 and written in cycle 11.
        """
        state_6 = Signal.like(self.state_6, reset_less=True)
        m.d.sync += state_6.eq(Mux(self.initial_5, 0, self.state_5))
        m.d.comb += self.state_6.eq(state_6)
        # Rounding at the decode shift is a carry into the sum: floor(p / 16 + 1 / 2).
        rounding_bit = DECODE_SHIFT - 1
        leaked_7 = Signal(signed(STATE_WIDTH + 1), reset_less=True)  # in halves
        scale = Cat(self.decode_scale, Const(0, 1)).as_signed()
        m.d.sync += leaked_7.eq((state_6 * scale) >> rounding_bit)

        # In halves again: both bits below the point are 1 if there is a carry. Potential and
        # comparison are two sums side by side.
        def sum_7(value):
            return (leaked_7 + Cat(leaked_7[0], value).as_signed()) >> 1

        fires_7 = self.can_fire & (sum_7(margin_7) >= 0)
        if self.config.term_count > 1:
            fires_7 = Mux(self.digit, x_7.bit_select(self.power, 1), fires_7)
        exact_8 = Signal(signed(STATE_WIDTH + 1), reset_less=True)
        saturated_8 = Signal(reset_less=True)
        spike_8 = Signal(reset_less=True)
        m.d.sync += [
            exact_8.eq(sum_7(x_7)),
            spike_8.eq(fires_7),
            saturated_8.eq(saturated_7),
        ]

        sign = exact_8[STATE_WIDTH]
        over = Signal()
        zero = Signal()
        soft = Signal()
        high = Signal(STATE_WIDTH - FRACTION_BITS)
        v_9 = Signal(STATE_WIDTH, reset_less=True)
        u = clip_state(exact_8[:STATE_WIDTH], over, sign)
        m.d.comb += [
            over.eq(sign ^ exact_8[STATE_WIDTH - 1]),
            self.spike_8.eq(spike_8),
            self.saturated_8.eq(saturated_8 | over),
            zero.eq(spike_8 & (self.reset == Reset.HARD)),
            soft.eq(spike_8 & (self.reset == Reset.SOFT)),
            high.eq(u[FRACTION_BITS:]),
        ]
        m.d.sync += v_9.eq(
            Mux(zero, 0, Cat(u[:FRACTION_BITS], Mux(soft, high - 1, high)[: len(high)]))
        )

        # Table entry i stands for potentials from (i - 512) << TABLE_INDEX_SHIFT on.
        covered = TABLE_INDEX_SHIFT + TABLE_INDEX_WIDTH
        outside = (v_9[covered - 1 : -1] ^ v_9[-1].replicate(STATE_WIDTH - covered)).any()
        index = v_9[TABLE_INDEX_SHIFT : covered - 1]
        m.d.comb += self.table_index_9.eq(
            Cat(Mux(outside, (~v_9[-1]).replicate(len(index)), index), ~v_9[-1])
        )
        # Block RAM answers late in a cycle and lies far away: the state has a cycle of its own.
        v_10 = Signal(signed(STATE_WIDTH), reset_less=True)
        state_11 = Signal(signed(STATE_WIDTH), reset_less=True)
        following = Mux(self.quantized, self.table_code_10, v_10)
        m.d.sync += [
            v_10.eq(v_9),
            state_11[:TABLE_CODE_WIDTH].eq(following),
            state_11[TABLE_CODE_WIDTH:].eq(Mux(self.packed, 0, following[TABLE_CODE_WIDTH:])),
        ]
        m.d.comb += self.state_11.eq(state_11)


def clip_state(low, over, sign):
    """Return ``low``, or if ``over`` the largest state of this ``sign``."""
    return Mux(over, Cat((~sign).replicate(STATE_WIDTH - 1), sign), low)
