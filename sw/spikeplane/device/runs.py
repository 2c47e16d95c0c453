"""Runs of a core, each in one exchange: input, run and results are asked for before anything is answered."""

from collections.abc import Callable

import numpy as np
from spikeplane_hw.memory_map import EVENT_COUNT_WIDTH, RUN_COUNT_WIDTH, Control, Register, Space

from .requests import Call, read_calls, with_pause, write_calls
from .session import DeviceError, Session

__all__ = ["Runs", "clear_calls"]

SLOWEST_CLOCK = 10e6
"""Hz: no core runs slower."""
LONGEST_PAUSE = 0.02
"""Seconds: where runs take longer, asking again costs little beside."""
LONGER, SHORTER, LEAST = 1.25, 0.995, 0.0005
"""What the pause after a run is multiplied with where it was too short, and where not; its least seconds then."""


class Runs:
    """Starts runs over ``session`` and learns how long they take.

    The results are asked for after a pause, in the same exchange. A core that is still busy then refuses them: the run
    is waited for with ``wait``, they are asked for again, and the next pause is longer.
    """

    def __init__(self, session: Session, wait: Callable[[str], int]):
        self.session = session
        self.wait = wait
        self.completed: int | None = None
        """Runs that the idle core has completed; None: that is not known, nor whether it is idle."""
        self.seconds = 0.0
        """The pause."""

    def run(self, calls: list[Call], control: Control, reads: list[Call], events: int | None) -> list[bytes]:
        """Make ``calls``, run, and return the words that ``reads`` read.

        A DeviceError says if the run did not take place, or if of ``events`` not all were accepted; None: the input
        is words.
        """
        before = self.wait("a run begun before") if self.completed is None else self.completed
        self.completed = None
        start = with_pause(_control_calls(control), self.seconds)
        last = Register.STATUS if events is None else Register.EVENTS_REJECTED
        status = read_calls(Space.REGISTERS, Register.STATUS.value, 4, last.value - Register.STATUS.value + 1)
        answers = self.session.exchange([*calls, *start, *status, *reads])
        first = len(calls) + len(start)
        registers = np.frombuffer(answers[first] or b"", "<u4").tolist()
        words = answers[first + len(status):]
        if registers[0] & 1:
            self.seconds = min(max(LEAST, self.seconds * LONGER), LONGEST_PAUSE)
            after = self.wait("the run")
            words = self.session.exchange(reads)
        else:
            self.seconds *= SHORTER
            after = registers[0] >> 1
        if after != (before + 1) % (1 << RUN_COUNT_WIDTH):
            raise DeviceError(f"the run did not take place: {before} runs before, {after} after")
        if events is not None:
            accepted, rejected = registers[-2:]
            if (accepted, rejected) != (events % (1 << EVENT_COUNT_WIDTH), 0):
                raise DeviceError(f"of {events} events sent, the device accepted {accepted} and rejected {rejected}")
        self.completed = after
        return [content or b"" for content in words]


def clear_calls(cycles: int) -> list[Call]:
    """Return what clears the input map, which takes so many ``cycles``."""
    return with_pause(_control_calls(Control.CLEAR), cycles / SLOWEST_CLOCK)


def _control_calls(control: Control) -> list[Call]:
    content = int(control.value).to_bytes(4, "little")
    return write_calls(Space.REGISTERS, Register.CONTROL.value, 4, content)
