"""The device's end of the host link: checks request frames, executes them once, replies."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import ceil_log2

from .checksum import Checksum
from .config import CoreConfig
from .descriptor import event_layout
from .frame import CRC_BYTES, PAYLOAD_LIMIT, Command, Status, reply_layout, request_layout
from .host_bus import HostBus
from .queue import Queue
from .request_check import RequestCheck, transfer_bytes
from .slip import SlipDecoder, SlipEncoder, item_layout

__all__ = ["Link"]


class Link(wiring.Component):
    """Serves one request at a time; takes no bytes while it executes and replies.

    A frame that is damaged, cut short or too long is dropped without a reply: the host repeats it.
    A frame with the next sequence number is executed and its status remembered. One with the last
    number is a repetition: it gets the remembered status again and nothing is executed twice, but
    words are read again. Any other number is OUT_OF_ORDER. HELLO is always executed.

    Receiving and replying take ``8 / checksum_bits`` cycles a byte (replying one more for a stuffed one), writing 1
    and 2 a word.

    Members
    -------
    rx : ``In(stream.Signature(8))``
        Bytes from the host.
    tx : ``Out(stream.Signature(8))``
        Bytes to the host.
    bus : ``Out(HostBus(config))``
    events : ``Out(stream.Signature(event_layout()))``
    idle : ``Out(1)``
        No frame is being executed or answered.
    """

    rx: stream.Interface
    tx: stream.Interface
    bus: wiring.PureInterface
    events: stream.Interface
    idle: Signal

    def __init__(self, config: CoreConfig):
        self.config = config
        super().__init__({
            "rx": In(stream.Signature(8)),
            "tx": Out(stream.Signature(8)),
            "bus": Out(HostBus(config)),
            "events": Out(stream.Signature(event_layout())),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        event_bytes = event_layout().size // 8
        byte_count = transfer_bytes(self.config)

        m.submodules.decoder = decoder = SlipDecoder()
        m.submodules.encoder = encoder = SlipEncoder()
        m.submodules.crc = crc = Checksum(self.config.checksum_bits)
        m.submodules.buffer = buffer = Memory(shape=8, depth=PAYLOAD_LIMIT, init=[])
        buffer_read, buffer_write = buffer.read_port(), buffer.write_port()
        connect(m, flipped(self.rx), decoder.i)
        connect(m, encoder.o, flipped(self.tx))
        received = decoder.o.p

        # What is sent waits in a register: the way from words and checksum to stuffing is long.
        m.submodules.waiting = waiting = Queue(item_layout(), 1)
        connect(m, waiting.o, encoder.i)
        sent, sending, accepted = waiting.i.payload, waiting.i.valid, waiting.i.ready

        # The request, and the request with the byte at hand.
        layout = request_layout()
        request = Signal(layout)
        shifted = Signal(layout)
        m.d.comb += shifted.eq(Cat(request, received.data)[8:])
        address = request.address[: len(bus.address)]
        is_events = request.command == Command.EVENTS
        is_write = request.command == Command.WRITE
        is_read = request.command == Command.READ

        m.submodules.check = check = RequestCheck(self.config)
        m.d.comb += [check.request.eq(request), check.busy.eq(bus.busy)]

        # Where we are, in the header or checksum, in a word, in the payload; shared by both ways.
        place = Signal(range(max(layout.size // 8, CRC_BYTES + 1)))
        byte = Signal(range(byte_count))
        byte_next = Signal.like(byte)
        word_ends = Signal()
        left = Signal.like(request.count)  # words still to come
        position = Signal(range(PAYLOAD_LIMIT))
        m.d.comb += [word_ends.eq(byte == check.last_byte), byte_next.eq(Mux(word_ends, 0, byte + 1))]

        sequence = Signal.like(request.sequence)  # of the last request
        status = Signal(Status)  # of the last request
        answer = Signal(Status)  # to this one
        repeated = Signal()

        # One word on its way between buffer or bus and the other side.
        word = Signal(8 * byte_count)
        full = Signal()  # a written word or event is complete
        given = Signal()  # the core is being given it
        taken = Signal()
        m.d.comb += [
            bus.space.eq(request.space),
            bus.address.eq(address),
            bus.write_data.eq(word[len(word) - len(bus.write_data) :]),
            bus.write.eq(full & is_write & ~given),
            self.events.payload.eq(word[len(word) - 8 * event_bytes :]),
            self.events.valid.eq(full & is_events),
            taken.eq(full & Mux(is_events, self.events.ready, bus.written)),
            buffer_write.addr.eq(position),
            buffer_write.data.eq(received.data),
        ]

        m.d.sync += given.eq((given | bus.write) & ~bus.written)

        header = Signal(reply_layout())
        m.d.comb += [
            header.sequence.eq(request.sequence),
            header.command.eq(request.command),
            header.count.eq(Mux(is_read & (answer == Status.OK), request.count, 0)),
            header.status.eq(answer),
        ]

        def restart():
            """Be ready for the next frame."""
            m.d.sync += [place.eq(0), position.eq(0), byte.eq(0)]
            m.d.comb += crc.start.eq(1)

        ended = decoder.o.valid & received.end
        summed = decoder.o.valid & ~received.end
        arrived = summed & crc.ready

        def receive():
            """Take a byte, and sum it up."""
            m.d.comb += [
                decoder.o.ready.eq(received.end | crc.ready), self.idle.eq(~waiting.o.valid),
                crc.data.eq(received.data), crc.valid.eq(summed),
            ]

        gone = accepted & crc.ready

        def reply(byte):
            """Send a byte, and sum it up."""
            m.d.comb += [sending.eq(crc.ready), sent.data.eq(byte), crc.data.eq(byte), crc.valid.eq(accepted)]

        with m.FSM():
            with m.State("HEAD"):
                receive()
                with m.If(arrived):
                    m.d.sync += [request.eq(shifted), place.eq(place + 1), left.eq(shifted.count)]
                    with m.If(place == layout.size // 8 - 1):
                        m.d.sync += place.eq(0)
                        m.next = "CHECK"
                        with m.If(
                            ((shifted.command == Command.WRITE) | (shifted.command == Command.EVENTS))
                            & (shifted.count != 0)
                        ):
                            m.next = "BODY"
                with m.Elif(ended):
                    restart()

            with m.State("BODY"):
                receive()
                with m.If(arrived):
                    m.d.comb += buffer_write.en.eq(1)
                    m.d.sync += [position.eq(position + 1), byte.eq(byte_next)]
                    with m.If(position == PAYLOAD_LIMIT - 1):
                        m.next = "DROP"
                    with m.If(word_ends):
                        m.d.sync += left.eq(left - 1)
                        with m.If(left == 1):
                            m.next = "CHECK"
                with m.Elif(ended):
                    restart()
                    m.next = "HEAD"

            with m.State("CHECK"):
                receive()
                with m.If(arrived):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == CRC_BYTES):
                        m.next = "DROP"
                with m.Elif(ended):
                    restart()
                    m.next = "HEAD"
                    with m.If((place == CRC_BYTES) & crc.match):
                        m.d.sync += left.eq(request.count)
                        m.next = "JUDGE"

            with m.State("DROP"):
                m.d.comb += [decoder.o.ready.eq(1), self.idle.eq(~waiting.o.valid)]
                with m.If(ended):
                    restart()
                    m.next = "HEAD"

            with m.State("JUDGE"):
                m.d.comb += repeated.eq(request.sequence == sequence)
                m.next = "OPEN"
                with m.If(request.command == Command.HELLO):
                    m.d.sync += [sequence.eq(request.sequence), status.eq(Status.OK), answer.eq(Status.OK)]
                with m.Elif(repeated):
                    m.d.sync += answer.eq(status)
                    # Words are read again, and may be others than those judged before.
                    with m.If(is_read & (status == Status.OK)):
                        m.d.sync += answer.eq(check.refused)
                with m.Elif(request.sequence == (sequence + 1)[: len(sequence)]):
                    m.d.sync += [
                        sequence.eq(request.sequence),
                        status.eq(check.refused),
                        answer.eq(check.refused),
                    ]
                    with m.If(
                        (check.refused == Status.OK) & (is_write | is_events) & (request.count != 0)
                    ):
                        m.next = "FILL"
                with m.Else():
                    m.d.sync += answer.eq(Status.OUT_OF_ORDER)

            with m.State("FILL"):
                # The next word fills while the one before is taken.
                with m.If(taken):
                    m.d.sync += [full.eq(0), address.eq(address + 1)]
                with m.If((left != 0) & (~full | taken)):
                    m.d.comb += buffer_read.addr.eq(position + 1)
                    m.d.sync += [
                        word.eq(Cat(word[8:], buffer_read.data)),
                        position.eq(position + 1),
                        byte.eq(byte_next),
                    ]
                    with m.If(word_ends):
                        m.d.sync += [full.eq(1), left.eq(left - 1)]
                with m.Else():
                    m.d.comb += buffer_read.addr.eq(position)
                with m.If((left == 0) & taken):
                    m.next = "OPEN"

            with m.State("OPEN"):
                # A delimiter before the reply too: noise on a resting line ends there.
                m.d.comb += [sending.eq(1), sent.end.eq(1), crc.start.eq(1)]
                m.d.sync += left.eq(header.count)
                with m.If(accepted):
                    m.next = "REPLY"

            with m.State("REPLY"):
                reply(header.as_value().word_select(place, 8))
                with m.If(gone):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == reply_layout().size // 8 - 1):
                        m.d.sync += place.eq(0)
                        m.next = "READ"

            with m.State("READ"):
                with m.If(left == 0):
                    m.next = "SEAL"
                with m.Else():
                    m.d.comb += bus.read.eq(1)
                    m.next = "WAIT"

            with m.State("WAIT"), m.If(bus.read_valid):
                m.d.sync += [word.eq(bus.read_data), left.eq(left - 1), address.eq(address + 1)]
                m.next = "WORD"

            with m.State("WORD"):
                reply(word[:8])
                with m.If(gone):
                    # As when it is filled: what is shifted in does not matter.
                    m.d.sync += [byte.eq(byte_next), word.eq(Cat(word[8:], buffer_read.data))]
                    with m.If(word_ends):
                        m.next = "READ"

            with m.State("SEAL"):
                m.d.comb += [
                    sending.eq(1),
                    sent.data.eq(crc.sum.word_select(place[: ceil_log2(CRC_BYTES)], 8)),
                ]
                with m.If(accepted):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == CRC_BYTES - 1):
                        m.next = "CLOSE"

            with m.State("CLOSE"):
                m.d.comb += [sending.eq(1), sent.end.eq(1)]
                with m.If(accepted):
                    restart()
                    m.next = "HEAD"
        return m
