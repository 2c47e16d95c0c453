"""A serial port over USB at full speed, on two pins of the FPGA: bytes in and out, by LUNA's CDC-ACM device."""

from types import SimpleNamespace

from amaranth import Module, Signal
from amaranth.lib import fifo, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SAMPLES_A_BIT", "VENDOR_PRODUCT", "UsbSerial"]

SAMPLES_A_BIT = 4
"""Cycles of the domain ``usb_io`` in a bit and so in a cycle of ``usb``: 48 and 12 MHz."""
VENDOR_PRODUCT = 0x1209, 0x0001
"""Of pid.codes, for tests: nobody owns it, so a product needs its own."""
PACKET = 64
"""Bytes of a packet, the most at full speed."""
QUIET = 16
"""Cycles of ``usb`` for which the last byte waits for another one, before it ends a packet that is not full."""


class UsbSerial(wiring.Component):
    """A USB device that a host shows as a serial port.

    Needs the domains ``usb_io``, 48 MHz, and ``usb``, 12 MHz made of it, besides ``sync``. Baud rates are ignored.

    Members
    -------
    d_p_i, d_n_i : ``In(1)``
        The two lines of the bus.
    d_p_o, d_n_o, oe : ``Out(1)``
        What the device drives them with, while ``oe``.
    pullup : ``Out(1)``
        Holds D+ up, by which the host knows that there is a device.
    rx : ``Out(stream.Signature(8))``
        Bytes received. None is dropped: the host repeats what finds no place.
    tx : ``In(stream.Signature(8))``
        Bytes to send.
    """

    def __init__(self):
        super().__init__({
            "d_p_i": In(1, init=1), "d_n_i": In(1),
            "d_p_o": Out(1), "d_n_o": Out(1), "oe": Out(1),
            "pullup": Out(1),
            "rx": Out(stream.Signature(8)),
            "tx": In(stream.Signature(8)),
        })

    def elaborate(self, platform):
        from luna.gateware.usb.devices.acm import USBSerialDevice

        m = Module()
        lines = SimpleNamespace(
            d_p=SimpleNamespace(i=Signal(), o=Signal(), oe=Signal()),
            d_n=SimpleNamespace(i=Signal(), o=Signal(), oe=Signal()),
            pullup=SimpleNamespace(o=self.pullup),
        )
        m.d.comb += [
            lines.d_p.i.eq(self.d_p_i),
            lines.d_n.i.eq(self.d_n_i),
            self.d_p_o.eq(lines.d_p.o),
            self.d_n_o.eq(lines.d_n.o),
            self.oe.eq(lines.d_p.oe),
        ]
        vendor, product = VENDOR_PRODUCT
        m.submodules.device = device = USBSerialDevice(
            bus=lines, idVendor=vendor, idProduct=product,
            manufacturer_string="Spikeplane", product_string="Spikeplane core", max_packet_size=PACKET,
        )
        m.d.comb += device.connect.eq(1)

        m.submodules.received = received = fifo.AsyncFIFO(
            width=8, depth=PACKET, w_domain="usb", r_domain="sync"
        )
        m.submodules.sent = sent = fifo.AsyncFIFO(width=8, depth=PACKET, w_domain="sync", r_domain="usb")
        quiet = Signal(range(QUIET + 1))
        m.d.comb += [
            received.w_data.eq(device.rx.payload),
            received.w_en.eq(device.rx.valid),
            device.rx.ready.eq(received.w_rdy),
            self.rx.payload.eq(received.r_data),
            self.rx.valid.eq(received.r_rdy),
            received.r_en.eq(self.rx.ready),
            sent.w_data.eq(self.tx.payload),
            sent.w_en.eq(self.tx.valid),
            self.tx.ready.eq(sent.w_rdy),
            device.tx.payload.eq(sent.r_data),
            device.tx.last.eq(sent.r_level == 1),
            device.tx.valid.eq(sent.r_rdy & ((sent.r_level != 1) | (quiet == QUIET))),
            sent.r_en.eq(device.tx.valid & device.tx.ready),
        ]
        with m.If(sent.r_level != 1):
            m.d.usb += quiet.eq(0)
        with m.Elif(quiet != QUIET):
            m.d.usb += quiet.eq(quiet + 1)
        return m
