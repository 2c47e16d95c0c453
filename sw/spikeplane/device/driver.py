"""The driver: identifies a board, loads an image, runs samples and reads results over a transport."""

import time
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
from spikeplane_hw.config import CONFIGS, CoreConfig
from spikeplane_hw.identity import interface_hash
from spikeplane_hw.memory_map import (
    IDENTITY,
    Control,
    Counter,
    Register,
    Space,
    memory_map,
)

from ..compiler.image import Image
from .answer import Answer, compare_counters, compare_sums
from .live_input import LiveInput
from .loading import load_words
from .requests import Call, event_calls, read_calls, write_calls
from .runs import Runs, clear_calls
from .session import DeviceError, NoAnswerError, Session
from .transport import Transport
from .words import event_words

__all__ = ["Answer", "DeviceError", "Driver", "NoAnswerError"]

REST = 0.0005
"""Seconds between two looks at whether a run is over."""
NO_REGISTERS: Mapping[Register, int] = {}
STOP_LOOKS = 10
"""Looks at whether the core has stopped; it takes fewer cycles than one look."""


class Driver:
    """A device behind ``transport``; one image at a time.

    Use it as a context manager, or call :meth:`open` and :meth:`close`. ``config`` is found by the
    hash that the device reports if it is not given. A reply that does not come within ``timeout``
    seconds is asked for again, ``attempts`` times in all; a run may take ``run_timeout`` seconds.

    A run that takes longer, or is waited for when Ctrl-C comes, is stopped. After that, and after
    :meth:`open`, no image is loaded.
    """

    def __init__(
        self,
        transport: Transport,
        config: CoreConfig | None = None,
        *,
        timeout: float = 0.25,
        attempts: int = 4,
        run_timeout: float = 60.0,
    ):
        self.transport = transport
        self.config = config
        self.run_timeout = run_timeout
        self.image: Image | None = None
        self._steps: int | None = None  # that live input has run; None: the image's
        self._stream: object | None = None  # stands for the stream that is open
        self._within_batch = False  # weights of a batch that broke off are still streaming
        self.session = Session(transport, timeout=timeout, attempts=attempts)
        self.runs = Runs(self.session, self._wait)

    def __enter__(self) -> "Driver":
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()

    def open(self) -> CoreConfig:
        """Begin a session and return the core's configuration; a DeviceError if it is not ours.

        What the core still does for an earlier session is stopped, with a RuntimeWarning.
        """
        self._begin_session()
        identity, configuration, register_map = self.read_registers(Register.IDENTITY, 3)
        if identity != IDENTITY:
            raise DeviceError(f"the device is no Spikeplane core: its identity is {identity:#010x}, "
                              f"expected {IDENTITY:#010x}")
        known = {config.hash: config for config in CONFIGS.values()}
        if self.config is None:
            if configuration not in known:
                names = ", ".join(f"{c.name} {h:#010x}" for h, c in known.items())
                raise DeviceError(f"the device has the unknown configuration {configuration:#010x}; "
                                  f"known are {names}")
            self.config = known[configuration]
        elif configuration != self.config.hash:
            found = known[configuration].name if configuration in known else "unknown"
            raise DeviceError(
                f"the device has the configuration {found} {configuration:#010x}, "
                f"expected {self.config.name} {self.config.hash:#010x}"
            )
        expected = interface_hash(self.config)
        if register_map != expected:
            raise DeviceError(f"the device has the register map {register_map:#010x}, this version "
                              f"of the driver {expected:#010x}: program a matching bitstream")
        if self._busy():
            self.stop()
            warnings.warn("the core was busy with what an earlier session began; it was stopped",
                          RuntimeWarning, stacklevel=2)
        return self.config

    def stop(self) -> None:
        """Make the core idle, whatever it does, in a new session; no image is loaded afterwards."""
        self._begin_session()
        self.write_register(Register.CONTROL, Control.STOP.value)
        for _ in range(STOP_LOOKS):
            if not self._busy():
                return
        raise DeviceError("the core is busy in spite of STOP: program the board again")

    def load(self, image: Image, *, verify: bool = True) -> None:
        """Write ``image`` to the device; with ``verify``, read it back and compare, see :func:`.load_words`."""
        self._refuse_stream("load an image")
        config = self.open_config
        if image.config.hash != config.hash:
            raise DeviceError(
                f"the image is for the configuration {image.config.name} {image.config.hash:#010x}, "
                f"the device has {config.name} {config.hash:#010x}"
            )
        self.image = None
        self._wait("a run begun before")
        self.runs.seconds = 0.0
        load_words(self, image, verify=verify)
        self.image = image

    def run(self, sample: np.ndarray) -> Answer:
        """Return what the device answers to ``sample``, integers of shape ``image.input.shape``.

        A DeviceError says if the image takes batches.
        """
        self._refuse_batches()
        return self.run_batch([sample])[0]

    def run_batch(self, samples: Sequence[np.ndarray]) -> list[Answer]:
        """Return what the device answers to each of ``samples``, as many as ``image.batch``.

        They are given to it one after the other, integers of shape ``image.input.shape`` each; it answers with the
        last one. ``counters`` of all answers are those of the whole batch.
        """
        self._refuse_stream("run a sample")
        image = self._image()
        if len(samples) != image.batch:
            raise ValueError(f"{len(samples)} samples were given, the image takes batches of {image.batch}")
        self._steps = None
        encoded = [
            image.encode_events(sample) if image.takes_events else image.encode_input(sample) for sample in samples
        ]  # Of a sample that is wrong none is run.
        if self._within_batch:
            self.write_register(Register.STREAM_SLOTS, image.registers[Register.STREAM_SLOTS])
        self._within_batch = image.batch > 1
        reads = self._result_calls()
        words: list[bytes] = []
        for number, sample in enumerate(encoded, 1):
            control = Control.RUN if number == 1 else Control.RUN | Control.RESUME
            asked = reads if number == len(encoded) else []
            words = self._run(self._input_calls(sample), control, asked, sample)
        self._within_batch = False
        return self._answers(words)

    def run_events(self, events: np.ndarray) -> Answer:
        """Return what the device answers to ``events``, an array with the fields step, x, y, polarity.

        Events are in time order; a ValueError names the first one that is not, or is out of frame.
        """
        self._refuse_stream("run events")
        self._refuse_batches()
        self._steps = None
        return self._run_events(event_words(events, self._image()))

    def stream(self, steps: Iterable[np.ndarray], *, counted: bool = True) -> Generator[Answer, None, None]:
        """Yield an answer after each time step; its sums are those since the first step. A step is one exchange.

        ``steps`` are spikes (channels, height, width) of 0 and 1, or events with the fields x, y and polarity, one
        array for each time step, as many as there are. The image must have the schedule STORED and take events. Until
        the iterator is at its end or closed, nothing else runs: a DeviceError says so. Without ``counted`` answers have
        no counters, which are most of what is read after a step.
        """
        self._refuse_stream("begin another stream")
        image = self._image()
        if not image.schedule.stores or not image.takes_events:
            raise DeviceError(f"live input needs an image of the schedule STORED that takes events; "
                              f"this one has {image.schedule.name}"
                              f"{'' if image.takes_events else ' and takes words'}")
        live = LiveInput(image)
        control = Control.RUN
        this = self._stream = object()
        registers = live.registers
        try:
            for address, word, _ in live.passes():
                self.write(Space.PASSES, address, word)
            for register, value in registers.items():
                self.write_register(register, value)
            for count, spikes in enumerate(steps, 1):
                if self._stream is not this:
                    raise DeviceError("the stream ended with its session; load the image and begin another one")
                self._steps = count
                yield self._run_events(live.words(np.asarray(spikes)), control, counted=counted, registers=registers)
                control = Control.RUN | Control.RESUME
        finally:
            if self._stream is this:
                self._stream = None
                if self.session.is_open:  # else they are written with the next image
                    for address, _, word in live.passes():
                        self.write(Space.PASSES, address, word)
                    for register in registers:
                        self.write_register(register, image.registers[register])

    def read_spikes(self, layer: int) -> np.ndarray:
        """Return the spikes of ``layer`` in the last run, uint8 (steps, channels, height, width).

        With the schedule STORED those of the last time step.
        """
        image = self._image()
        words = self.read(Space.SPIKES, *image.map_place(layer))
        return image.decode_map(layer, words, self._steps)

    def read_states(self, layer: int) -> np.ndarray:
        """Return the stored potentials of ``layer``, int64 (channels, height, width) of codes."""
        image = self._image()
        return image.decode_states(layer, self.read(Space.STATES, *image.state_place(layer)))

    def read_stream(self, layer: int) -> np.ndarray:
        """Return the integers that ``layer`` stored, int64 (steps, channels, height, width), of the steps kept."""
        image = self._image()
        return image.decode_stream(layer, self.read(Space.STATES, *image.stream_place(layer)))

    def self_test(self) -> int:
        """Run the image's vectors; return how many. A DeviceError names the first difference."""
        image = self._image()
        for start in range(0, len(image.vectors), image.batch):
            batch = image.vectors[start:start + image.batch]
            answers = self.run_batch([vector.sample for vector in batch])
            for number, (vector, answer) in enumerate(zip(batch, answers, strict=True), start):
                compare_sums(f"self-test vector {number}", vector, answer)
            if image.config.statistics:
                compare_counters(f"self-test vector {start}", image, batch, answers[0])
        return len(image.vectors)

    def write(self, space: Space, address: int, words: np.ndarray) -> None:
        """Write ``words``, uint8 (words, word_bytes), to ``space`` from ``address`` on."""
        memory = memory_map(self.open_config)[space]
        if words.ndim != 2 or words.shape[1] != memory.word_bytes or words.dtype != np.uint8:
            raise ValueError(f"words of {space.name} are uint8 (words, {memory.word_bytes}), "
                             f"not {words.dtype} {words.shape}")
        self.session.write(space, address, memory.word_bytes, words.tobytes())

    def read(self, space: Space, address: int, count: int) -> np.ndarray:
        """Return ``count`` words, uint8 (count, word_bytes), of ``space`` from ``address`` on."""
        memory = memory_map(self.open_config)[space]
        if not memory.depth:
            raise DeviceError(f"the core has no {space.name}: it was built without statistics")
        word_bytes = memory.word_bytes
        content = self.session.read(space, address, word_bytes, count)
        return np.frombuffer(content, np.uint8).reshape(count, word_bytes)

    def read_registers(self, first: Register, count: int = 1) -> list[int]:
        """Return the values of ``count`` registers from ``first`` on."""
        content = self.session.read(Space.REGISTERS, first.value, 4, count)
        return np.frombuffer(content, "<u4").tolist()

    def write_register(self, register: Register, value: int) -> None:
        """Write one register."""
        if register is Register.CONTROL:
            self.runs.completed = None
        self.session.write(Space.REGISTERS, register.value, 4, int(value).to_bytes(4, "little"))

    def _run_events(
        self, words: np.ndarray, control: Control = Control.RUN, *, counted: bool = True,
        registers: Mapping[Register, int] = NO_REGISTERS,
    ) -> Answer:
        calls = self._input_calls(words, registers)
        return self._answers(self._run(calls, control, self._result_calls(counted), words))[0]

    def _run(
        self, calls: list[Call], control: Control, reads: list[Call], sample: np.ndarray | tuple[int, np.ndarray]
    ) -> list[bytes]:
        """Run what ``calls`` send, and return the words that ``reads`` read afterwards."""
        with self._stopped_by_interrupt("a run"):
            return self.runs.run(calls, control, reads, None if isinstance(sample, tuple) else len(sample))

    def _input_calls(
        self, sample: np.ndarray | tuple[int, np.ndarray], written: Mapping[Register, int] = NO_REGISTERS
    ) -> list[Call]:
        """Return what puts a sample, event words or (first word, words), into the input map.

        ``written`` are registers that are not as the image says.
        """
        if isinstance(sample, tuple):
            first, words = sample
            return write_calls(Space.SPIKES, first, words.shape[1], words.tobytes())
        registers = {**self._image().registers, **written}
        flags = registers[Register.INPUT_STEPS] * (registers[Register.INPUT_HEIGHT] + 1)
        return [*clear_calls(registers[Register.INPUT_WORDS] + flags), *event_calls(sample)]

    def _result_calls(self, counted: bool = True) -> list[Call]:
        """Return what reads logits, and counters, of a run; a core that is busy refuses them."""
        image = self._image()
        spaces = memory_map(image.config)
        calls = read_calls(
            Space.LOGITS, 0, spaces[Space.LOGITS].word_bytes, image.logit_words, may_be_busy=True
        )
        if counted and image.config.statistics:
            calls += read_calls(
                Space.COUNTERS, 0, spaces[Space.COUNTERS].word_bytes, image.program_layers * len(Counter),
                may_be_busy=True,
            )
        return calls

    def _answers(self, words: list[bytes]) -> list[Answer]:
        """Return what the core has counted and summed up, for each sample of a batch, from what was read."""
        image, classes = self._image(), len(self._image().logit_offset)
        every = np.frombuffer(b"".join(words), "<i4")
        sums, rest = every[:image.logit_words].astype(np.int64), every[image.logit_words:]
        counters = rest.view("<u4").astype(np.int64).reshape(-1, len(Counter))
        if len(counters):
            counters = image.by_layer(counters)
        found = [sums[first:first + classes] for first in range(0, len(sums), image.sample_logits)]
        return [
            Answer(sums=sums, logits=image.logit_scale * (sums + image.logit_offset), counters=counters)
            for sums in found
        ]

    def _wait(self, what: str) -> int:
        """Wait until the core is not busy; return how many runs it has completed."""
        deadline = time.monotonic() + self.run_timeout
        with self._stopped_by_interrupt(what):
            while True:
                (status,) = self.read_registers(Register.STATUS)
                if not status & 1:
                    return status >> 1
                if time.monotonic() > deadline:
                    break
                self.transport.rest(REST)
        self.stop()
        raise DeviceError(f"{what} was not over after {self.run_timeout} s and was stopped; load the image again")

    @contextmanager
    def _stopped_by_interrupt(self, what: str) -> Iterator[None]:
        """Stop the core where Ctrl-C comes, and note ``what`` it did."""
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if getattr(interrupt, "__notes__", None):
                raise  # What was waited for within has stopped it.
            try:
                self.stop()
                interrupt.add_note(f"{what} was under way and was stopped; load the image again")
            except DeviceError as error:
                interrupt.add_note(f"{what} was under way and could not be stopped: {error}")
            raise

    def _begin_session(self) -> None:
        self.image = self._stream = None
        self._within_batch = False
        self.runs.completed = None
        self.session.open()

    def _busy(self) -> bool:
        return bool(self.read_registers(Register.STATUS)[0] & 1)

    def _refuse_stream(self, what: str) -> None:
        if self._stream is not None:
            raise DeviceError(f"a stream is open: take its iterator to the end, or close it, to {what}")

    def _refuse_batches(self) -> None:
        if self._image().batch > 1:
            raise DeviceError(f"the image takes batches of {self._image().batch} samples: give them with run_batch, or "
                              f"compile the network without --batch")

    @property
    def open_config(self) -> CoreConfig:
        """The core's configuration; a DeviceError if the board is not open."""
        if self.config is None:
            raise DeviceError("the board is not open")
        return self.config

    def _image(self) -> Image:
        if self.image is None:
            raise DeviceError("no image is loaded")
        return self.image
