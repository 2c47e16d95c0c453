import random
from dataclasses import replace

import pytest
from configs import NARROW, WIDE
from mock_device import MockDevice, Tally
from spikeplane.device.frames import FrameReader, Reply, Request
from spikeplane_hw.frame import PAYLOAD_LIMIT, Command, Status
from spikeplane_hw.link import Link
from spikeplane_hw.memory_map import Register, Space, memory_map
from spikeplane_hw.slip import END
from spikeplane_hw.testing import Pauses, receive, send, simulate, watch


def converse(config, conversation, longest_pause=0):
    """Send each request's frame, collect one reply each, and compare with what is expected."""
    dut = MockDevice(config)
    reader = FrameReader()
    frames = [frame if isinstance(frame, bytes) else frame.encode() for frame, _ in conversation]
    expected = [reply for _, reply in conversation if reply is not None]
    count = sum(len(reply.encode()) for reply in expected)

    async def source(ctx):
        await send(ctx, dut.rx, b"".join(frames), Pauses(longest_pause))

    async def sink(ctx):
        replies = reader.feed(bytes(await receive(ctx, dut.tx, count, Pauses(longest_pause, 2))))
        assert replies == expected

    simulate(dut, source, sink, background=[watch(dut.tx)])
    assert reader.damaged == 0


class Script:
    """Makes a conversation: requests in sequence and the replies a device must give."""

    def __init__(self, sequence=250):
        self.lines = [(Request(command=Command.HELLO, sequence=sequence),
                       Reply(command=Command.HELLO, sequence=sequence, status=Status.OK))]
        self.sequence = sequence

    def ask(self, command, status=Status.OK, count=0, answer=None, **fields):
        self.sequence = (self.sequence + 1) % 256
        request = Request(command=command, sequence=self.sequence, count=count, **fields)
        reply = Reply(command=command, sequence=self.sequence, status=status,
                      count=0 if answer is None else count, payload=answer or b"")
        self.lines.append((request, reply))

    def again(self):
        self.lines.append(self.lines[-1])

    def write(self, space, address, payload, count, status=Status.OK):
        self.ask(Command.WRITE, status, count, space=space.value, address=address, payload=payload)

    def read(self, space, address, count, answer):
        self.ask(Command.READ, Status.OK, count, answer, space=space.value, address=address)


def words_of(config, space, count, seed):
    draw = random.Random(seed)
    memory = memory_map(config)[space]
    values = [draw.getrandbits(memory.width) for _ in range(count)]
    return values, b"".join(value.to_bytes(memory.word_bytes, "little") for value in values)


def report(tally):
    return b"".join(value.to_bytes(4, "little") for value in tally.report())


@pytest.mark.parametrize("longest_pause", [0, 3])
@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda config: config.name)
def test_every_space_is_written_and_read(config, longest_pause):
    script, tally = Script(), Tally(config)
    for space, memory in memory_map(config).items():
        if memory.writable and space is not Space.REGISTERS:
            count = min(5, memory.depth)
            for address in (0, memory.depth - count):
                values, payload = words_of(config, space, count, address)
                script.write(space, address, payload, count)
                tally.write(space, address, values)
                script.read(space, address, count, payload)
    script.read(Space.LOGITS, 0, 4, report(tally))
    converse(config, script.lines, longest_pause)


@pytest.mark.parametrize("longest_pause", [0, 3])
def test_events_arrive_in_order(longest_pause):
    script, tally = Script(), Tally(NARROW)
    draw = random.Random(3)
    for count in (1, 2, 63, 64):
        events = [draw.getrandbits(32) for _ in range(count)]
        script.ask(Command.EVENTS, count=count,
                   payload=b"".join(event.to_bytes(4, "little") for event in events))
        tally.send(events)
    script.read(Space.LOGITS, 0, 4, report(tally))
    converse(NARROW, script.lines, longest_pause)


def test_a_repetition_executes_nothing_twice_but_reads_again():
    script, tally = Script(), Tally(NARROW)
    values, payload = words_of(NARROW, Space.PASSES, 3, 1)
    script.write(Space.PASSES, 2, payload, 3)
    tally.write(Space.PASSES, 2, values)
    script.again()
    script.ask(Command.EVENTS, count=1, payload=b"abcd")
    tally.send([int.from_bytes(b"abcd", "little")])
    script.again()
    script.again()
    script.read(Space.LOGITS, 0, 4, report(tally))
    script.again()
    converse(NARROW, script.lines)


def test_a_repetition_of_a_read_is_judged_again():
    """It has the number of a good one, but asks for words beyond the space, or of a core that is busy."""
    spaces = memory_map(NARROW)
    script = Script()
    script.read(Space.LOGITS, 0, 1, bytes(4))
    depth = spaces[Space.LOGITS].depth
    for space, address, count in ((Space.LOGITS, depth, 1), (Space.LOGITS, depth - 1, 2), (Space.LOGITS, 1 << 23, 1)):
        request = Request(command=Command.READ, sequence=script.sequence, space=space.value, address=address,
                          count=count)
        script.lines.append((request, Reply(command=Command.READ, sequence=script.sequence, status=Status.BAD_ADDRESS)))
    script.lines.append(script.lines[1])  # the good one is good again
    script.write(Space.REGISTERS, Register.CONTROL.value, (100_000).to_bytes(4, "little"), 1)  # busy
    script.read(Space.REGISTERS, Register.OUTER_STEPS.value, 1, bytes(4))
    request = Request(command=Command.READ, sequence=script.sequence, space=Space.LOGITS.value, count=1)
    script.lines.append((request, Reply(command=Command.READ, sequence=script.sequence, status=Status.BUSY)))
    converse(NARROW, script.lines)


def test_counters_of_a_core_without_statistics_are_refused():
    script = Script()
    request = Request(command=Command.READ, sequence=script.sequence, space=Space.COUNTERS.value, count=1)
    script.lines.append((request, Reply(command=Command.READ, sequence=script.sequence, status=Status.BAD_ADDRESS)))
    converse(replace(NARROW, statistics=False), script.lines)


def test_refusals_execute_nothing():
    script, tally = Script(), Tally(NARROW)
    spaces = memory_map(NARROW)
    for space, memory in spaces.items():
        payload = bytes(2 * memory.word_bytes)
        script.write(space, memory.depth - 1, payload, 2, Status.BAD_ADDRESS)
        script.again()
        script.write(space, 1 << 23, payload, 2, Status.BAD_ADDRESS)
        script.ask(Command.READ, Status.BAD_ADDRESS, 2, space=space.value, address=memory.depth - 1)
        if not memory.writable:
            script.write(space, 0, payload, 2, Status.READ_ONLY)
    for space in (len(spaces), 15, 16, 255):
        script.ask(Command.READ, Status.BAD_ADDRESS, 1, space=space)
    # Out of order: the device keeps its number, so the next one in order is taken.
    wrong = Request(command=Command.EVENTS, sequence=(script.sequence + 2) % 256, count=1,
                    payload=bytes(4))
    script.lines.append((wrong, Reply(command=Command.EVENTS, sequence=wrong.sequence,
                                      status=Status.OUT_OF_ORDER)))
    script.read(Space.LOGITS, 0, 4, report(tally))
    converse(NARROW, script.lines)


def test_a_busy_core_serves_registers_only():
    script, tally = Script(), Tally(NARROW)
    busy = 3000
    script.write(Space.REGISTERS, 3, busy.to_bytes(4, "little"), 1)
    tally.write(Space.REGISTERS, 3, [busy])
    _, payload = words_of(NARROW, Space.PASSES, 1, 1)
    script.write(Space.PASSES, 0, payload, 1, Status.BUSY)
    script.again()
    script.ask(Command.EVENTS, Status.BUSY, 1, payload=bytes(4))
    script.again()
    script.ask(Command.READ, Status.BUSY, 1, space=Space.LOGITS.value)
    script.read(Space.REGISTERS, 3, 1, busy.to_bytes(4, "little"))
    converse(NARROW, script.lines)


def test_damaged_frames_are_dropped_and_the_next_one_is_taken():
    script = Script()
    good = Request(command=Command.EVENTS, sequence=251, count=2, payload=b"\xc0\xdbabcdef").encode()
    damaged = [bytes([*good[:i], good[i] ^ 1, *good[i + 1 :]]) for i in range(1, len(good) - 1)]
    short = [good[:i] for i in range(1, len(good) - 1)]
    long = Request(command=Command.EVENTS, sequence=251, count=65, payload=bytes(260)).encode()
    padded = Request(command=Command.EVENTS, sequence=251, count=1, payload=bytes(5)).encode()
    empty = Request(command=Command.EVENTS, sequence=251, count=1, payload=b"").encode()
    script.lines += [(frame, None) for frame in (*damaged, *short, long, padded, empty)]
    script.lines.append((bytes([END]), None))
    script.ask(Command.EVENTS, count=1, payload=bytes(4))
    tally = Tally(NARROW)
    tally.send([0])
    script.read(Space.LOGITS, 0, 4, report(tally))
    converse(NARROW, script.lines)


def test_the_longest_frame_fits():
    script = Script()
    payload = bytes(range(PAYLOAD_LIMIT))
    script.ask(Command.EVENTS, count=PAYLOAD_LIMIT // 4, payload=payload)
    tally = Tally(NARROW)
    tally.send([int.from_bytes(payload[i : i + 4], "little") for i in range(0, PAYLOAD_LIMIT, 4)])
    script.read(Space.LOGITS, 0, 4, report(tally))
    converse(NARROW, script.lines)


def test_unknown_commands_are_refused():
    from spikeplane.device.frames import REQUEST, seal

    header = {"sequence": 251, "command": 99, "count": 0, "space": 0, "address": 0}
    reply = Reply(command=Command.HELLO, sequence=251, status=Status.BAD_COMMAND).encode()
    dut = Link(NARROW)
    received = []

    async def source(ctx):
        hello = Request(command=Command.HELLO, sequence=250).encode()
        await send(ctx, dut.rx, hello + seal(REQUEST.pack(header)), Pauses(0))

    async def sink(ctx):
        received.extend(await receive(ctx, dut.tx, 2 * len(reply), Pauses(0)))

    simulate(dut, source, sink)
    frames = [frame for frame in bytes(received).split(bytes([END])) if frame]
    assert frames[1][:4] == bytes([251, 99, 0, Status.BAD_COMMAND.value])
