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

__all__ = ["UNITS_PER_COPY", "NeuronUnit", "parameter_layout"]

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
        Unsigned sums of the lane and of the reference.
    doubled : ``In(1)``
        The signed sum is ``2 * sum - reference`` instead of ``sum - reference``.
    signed_sum_2 : ``Out(signed(sum_width))``
        The signed sum.
    parameter_1 : ``In(parameter_layout())``
        From the parameter memory; of a frugal core in cycle 3.
    parameter_2 : ``Out(parameter_layout())``
        The same, for the host.
    shift, reset, decode_scale, quantized : ``In``
        Of the layer; static.
    below_limit : ``In(signed(17))``
        -1 - ``fire_above``: a neuron fires if its potential and this add up to at least 0.
    can_fire : ``In(1)``
        Low if no potential is above ``fire_above``, since u saturates there.
    state_4 : ``In(signed(16))``
        From the state memory.
    initial_4 : ``In(1)``
        The state is 0 instead.
    state_5 : ``Out(signed(16))``
        The state, for the host.
    spike_7, saturated_7 : ``Out(1)``
        The neuron fires; x or u saturated.
    table_index_8 : ``Out(10)``
        Address in a quantizer table, for one cycle of latency.
    table_code_9 : ``In(signed(8))``
        From the table.
    state_10 : ``Out(signed(16))``
        To the state memory.
    """

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "sum_0": In(config.accumulator_width),
            "reference_1": In(config.accumulator_width),
            "doubled": In(1),
            "signed_sum_2": Out(signed(config.sum_width)),
            "parameter_1": In(parameter_layout()),
            "parameter_2": Out(parameter_layout()),
            "shift": In(range(len(SHIFTS))),
            "below_limit": In(signed(STATE_WIDTH + 1)),
            "can_fire": In(1),
            "reset": In(Reset),
            "decode_scale": In(STATE_WIDTH - 1),
            "quantized": In(1),
            "state_4": In(signed(STATE_WIDTH)),
            "initial_4": In(1),
            "state_5": Out(signed(STATE_WIDTH)),
            "spike_7": Out(1),
            "saturated_7": Out(1),
            "table_index_8": Out(TABLE_INDEX_WIDTH),
            "table_code_9": In(signed(TABLE_CODE_WIDTH)),
            "state_10": Out(signed(STATE_WIDTH)),
        })

    def elaborate(self, platform):
        m = Module()
        self.elaborate_step(m, *self.elaborate_affine(m))
        return m

    def elaborate_affine(self, m: Module):
        """Add the pipeline of :func:`.neuron.scale_sum` and :func:`.neuron.saturate` to ``m``.

        Return x, x + ``below_limit`` and whether x saturated, all in cycle 6.
        """
        sum_width = self.config.sum_width
        sum_1 = Signal.like(self.sum_0)
        m.d.sync += [
            sum_1.eq(self.sum_0),
            self.signed_sum_2.eq(Mux(self.doubled, sum_1 << 1, sum_1) - self.reference_1),
        ]

        product_3 = Signal(signed(sum_width + MULTIPLIER_WIDTH))
        offset_3 = Signal(signed(OFFSET_WIDTH))
        exact_4 = Signal(signed(max(len(product_3), OFFSET_WIDTH) + 1))
        exact = product_3 + offset_3
        if self.config.frugal:
            # The parameters come two cycles later instead of waiting in registers.
            sum_3 = Signal.like(self.signed_sum_2)
            m.d.sync += [sum_3.eq(self.signed_sum_2), exact_4.eq(exact)]
            m.d.comb += [
                product_3.eq(sum_3 * self.parameter_1.multiplier),
                offset_3.eq(self.parameter_1.offset),
                self.parameter_2.eq(self.parameter_1),
            ]
        else:
            m.d.sync += [
                self.parameter_2.eq(self.parameter_1),
                product_3.eq(self.signed_sum_2 * self.parameter_2.multiplier),
                offset_3.eq(self.parameter_2.offset),
                exact_4.eq(exact),
            ]

        # Saturated if any bit above the result differs from the sign, whatever the shift drops.
        sign_4 = exact_4[-1]
        low_5 = Signal(STATE_WIDTH)
        over_5 = Signal()
        sign_5 = Signal()
        m.d.sync += sign_5.eq(sign_4)
        overs = []
        over = Const(0)
        stop = len(exact_4) - 1
        for shift in reversed(SHIFTS):
            start = shift + STATE_WIDTH - 1
            over = over | (exact_4[start:stop] ^ sign_4.replicate(stop - start)).any()
            stop = start
            overs.insert(0, over)
        m.d.sync += [
            low_5.eq(Array(exact_4[shift : shift + STATE_WIDTH] for shift in SHIFTS)[self.shift]),
            over_5.eq(Array(overs)[self.shift]),
        ]

        x_5 = clip_state(low_5, over_5, sign_5).as_signed()
        x_6 = Signal(signed(STATE_WIDTH))
        margin_6 = Signal(signed(STATE_WIDTH + 2))
        saturated_6 = Signal()
        m.d.sync += [x_6.eq(x_5), margin_6.eq(x_5 + self.below_limit), saturated_6.eq(over_5)]
        return x_6, margin_6, saturated_6

    def elaborate_step(self, m: Module, x_6, margin_6, saturated_6):
        """Add the pipeline of :meth:`Neuron.step` to ``m``.

        States go round in it, read in cycle 3 and written in cycle 10.
        """
        m.d.sync += self.state_5.eq(Mux(self.initial_4, 0, self.state_4))
        # Rounding at the decode shift is a carry into the sum: floor(p / 16 + 1 / 2).
        rounding_bit = DECODE_SHIFT - 1
        leaked_6 = Signal(signed(STATE_WIDTH + 1))  # in halves
        scale = Cat(self.decode_scale, Const(0, 1)).as_signed()
        m.d.sync += leaked_6.eq((self.state_5 * scale) >> rounding_bit)

        # In halves again: both bits below the point are 1 if there is a carry. Potential and
        # comparison are two sums side by side.
        def sum_6(value):
            return (leaked_6 + Cat(leaked_6[0], value).as_signed()) >> 1

        exact_7 = Signal(signed(STATE_WIDTH + 1))
        saturated_7 = Signal()
        m.d.sync += [
            exact_7.eq(sum_6(x_6)),
            self.spike_7.eq(self.can_fire & (sum_6(margin_6) >= 0)),
            saturated_7.eq(saturated_6),
        ]

        sign = exact_7[STATE_WIDTH]
        over = Signal()
        zero = Signal()
        soft = Signal()
        high = Signal(STATE_WIDTH - FRACTION_BITS)
        v_8 = Signal(STATE_WIDTH)
        u = clip_state(exact_7[:STATE_WIDTH], over, sign)
        m.d.comb += [
            over.eq(sign ^ exact_7[STATE_WIDTH - 1]),
            self.saturated_7.eq(saturated_7 | over),
            zero.eq(self.spike_7 & (self.reset == Reset.HARD)),
            soft.eq(self.spike_7 & (self.reset == Reset.SOFT)),
            high.eq(u[FRACTION_BITS:]),
        ]
        m.d.sync += v_8.eq(
            Mux(zero, 0, Cat(u[:FRACTION_BITS], Mux(soft, high - 1, high)[: len(high)]))
        )

        # Table entry i stands for potentials from (i - 512) << TABLE_INDEX_SHIFT on.
        covered = TABLE_INDEX_SHIFT + TABLE_INDEX_WIDTH
        outside = (v_8[covered - 1 : -1] ^ v_8[-1].replicate(STATE_WIDTH - covered)).any()
        index = v_8[TABLE_INDEX_SHIFT : covered - 1]
        m.d.comb += self.table_index_8.eq(
            Cat(Mux(outside, (~v_8[-1]).replicate(len(index)), index), ~v_8[-1])
        )
        # Block RAM answers late in a cycle and lies far away: the state has a cycle of its own.
        v_9 = Signal(signed(STATE_WIDTH))
        m.d.sync += [
            v_9.eq(v_8),
            self.state_10.eq(Mux(self.quantized, self.table_code_9, v_9)),
        ]


def clip_state(low, over, sign):
    """Return ``low``, or if ``over`` the largest state of this ``sign``."""
    return Mux(over, Cat((~sign).replicate(STATE_WIDTH - 1), sign), low)
