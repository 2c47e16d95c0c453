"""The driver: identifies a board, loads an image, runs samples and reads results over a transport."""

import time
import warnings
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from spikeplane_hw.config import CONFIGS, CoreConfig
from spikeplane_hw.identity import interface_hash
from spikeplane_hw.memory_map import (
    EVENT_COUNT_WIDTH,
    EXACT_COUNTERS,
    IDENTITY,
    RUN_COUNT_WIDTH,
    Control,
    Counter,
    Register,
    Space,
    memory_map,
)

from ..compiler.image import Image, Vector
from ..network.input import INPUT
from .loading import load_words
from .session import DeviceError, NoAnswerError, Session
from .transport import Transport
from .words import event_words, step_words

__all__ = ["Answer", "DeviceError", "Driver", "NoAnswerError"]

REST = 0.0005
"""Seconds between two looks at whether a run is over."""
STOP_LOOKS = 10
"""Looks at whether the core has stopped; it takes fewer cycles than one look."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """What the device answered for one sample, or of a batch for each of its samples."""

    sums: np.ndarray
    """int64 (classes,): the integer sums in the device's memory LOGITS, without scale and offset."""
    logits: np.ndarray
    """float64 (classes,): ``logit_scale * (sums + logit_offset)``, as the trained network has them."""
    counters: np.ndarray
    """int64 (layers, len(Counter)), or (0, len(Counter)) of a core without statistics; of the whole batch."""

    @property
    def prediction(self) -> int:
        """The class with the greatest logit, the first one of equals."""
        return int(np.argmax(self.logits))

    @property
    def cycles(self) -> int:
        """Clock cycles of all layers, for the whole batch; a DeviceError if the core counts none."""
        if not len(self.counters):
            raise DeviceError("the core counts no cycles: it was built without statistics")
        return int(self.counters[:, Counter.CYCLES.value].sum())


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
        for number, sample in enumerate(encoded):
            control = Control.RUN | Control.RESUME if number else Control.RUN
            if isinstance(sample, tuple):
                runs = self._wait("a run begun before")
                self.write(Space.SPIKES, *sample)
                self._start(control, runs)
            else:
                self._start_events(sample, control)
        answers = self._answers()
        self._within_batch = False
        return answers

    def run_events(self, events: np.ndarray) -> Answer:
        """Return what the device answers to ``events``, an array with the fields step, x, y, polarity.

        Events are in time order; a ValueError names the first one that is not, or is out of frame.
        """
        self._refuse_stream("run events")
        self._refuse_batches()
        self._steps = None
        return self._run_events(event_words(events, self._image()))

    def stream(self, steps: Iterable[np.ndarray]) -> Generator[Answer, None, None]:
        """Yield an answer after each time step; its sums are those since the first step.

        ``steps`` are spikes (channels, height, width) of 0 and 1, or events with the fields x, y and polarity, one
        array for each time step, as many as there are. The image must have the schedule STORED and take events. Until
        the iterator is at its end or closed, nothing else runs: a DeviceError says so.
        """
        self._refuse_stream("begin another stream")
        image = self._image()
        if not image.schedule.stores or not image.takes_events:
            raise DeviceError(f"live input needs an image of the schedule STORED that takes events; "
                              f"this one has {image.schedule.name}"
                              f"{'' if image.takes_events else ' and takes words'}")
        for layer in image.layers:
            taps = max((taps for source, taps in zip(layer.sources, layer.taps, strict=True) if source == INPUT),
                       default=1)
            if taps > 1:
                raise DeviceError(
                    f"layer {layer.name!r} looks back {taps - 1} steps of the input, of which live "
                    f"input keeps none"
                )
        control = Control.RUN
        this = self._stream = object()
        single = {Register.OUTER_STEPS: 1, Register.INPUT_STEPS: 1}
        try:
            for register, value in single.items():
                self.write_register(register, value)
            for count, spikes in enumerate(steps, 1):
                if self._stream is not this:
                    raise DeviceError("the stream ended with its session; load the image and begin another one")
                self._steps = count
                yield self._run_events(step_words(np.asarray(spikes), image), control)
                control = Control.RUN | Control.RESUME
        finally:
            if self._stream is this:
                self._stream = None
                if self.session.is_open:  # else they are written with the next image
                    for register in single:
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
                _compare_sums(f"self-test vector {number}", vector, answer)
            if image.config.statistics:
                _compare_counters(f"self-test vector {start}", image, batch, answers[0])
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
        self.session.write(Space.REGISTERS, register.value, 4, int(value).to_bytes(4, "little"))

    def _run_events(self, words: np.ndarray, control: Control = Control.RUN) -> Answer:
        self._start_events(words, control)
        return self._answers()[0]

    def _start_events(self, words: np.ndarray, control: Control) -> None:
        self._wait("a run begun before")
        self.write_register(Register.CONTROL, Control.CLEAR.value)
        runs = self._wait("clearing the input map")
        self.session.send_events(words)
        self._start(control, runs)
        accepted, rejected = self.read_registers(Register.EVENTS_ACCEPTED, 2)
        if (accepted, rejected) != (len(words) % (1 << EVENT_COUNT_WIDTH), 0):
            raise DeviceError(f"of {len(words)} events sent, the device accepted {accepted} and "
                              f"rejected {rejected}")

    def _start(self, control: Control, before: int) -> None:
        """Run, and wait for the end; ``before`` is how many runs there were."""
        self.write_register(Register.CONTROL, control.value)
        runs = self._wait("the run")
        if runs != (before + 1) % (1 << RUN_COUNT_WIDTH):
            raise DeviceError(f"the run did not take place: {before} runs before, {runs} after")

    def _answers(self) -> list[Answer]:
        """Return what the core has counted and summed up, for each sample of a batch."""
        image, classes = self._image(), len(self._image().logit_offset)
        counters = np.zeros((0, len(Counter)), np.int64)
        if image.config.statistics:
            content = self.read(Space.COUNTERS, 0, image.program_layers * len(Counter))
            counters = image.by_layer(content.view("<u4").astype(np.int64).reshape(-1, len(Counter)))
        words = self.read(Space.LOGITS, 0, image.logit_words)
        every = words.view("<i4").ravel().astype(np.int64)
        found = [every[first:first + classes] for first in range(0, len(every), image.sample_logits)]
        return [
            Answer(sums=sums, logits=image.logit_scale * (sums + image.logit_offset), counters=counters)
            for sums in found
        ]

    def _wait(self, what: str) -> int:
        """Wait until the core is not busy; return how many runs it has completed."""
        deadline = time.monotonic() + self.run_timeout
        try:
            while True:
                (status,) = self.read_registers(Register.STATUS)
                if not status & 1:
                    return status >> 1
                if time.monotonic() > deadline:
                    break
                self.transport.rest(REST)
        except KeyboardInterrupt as interrupt:
            try:
                self.stop()
                interrupt.add_note(f"{what} was under way and was stopped; load the image again")
            except DeviceError as error:
                interrupt.add_note(f"{what} was under way and could not be stopped: {error}")
            raise
        self.stop()
        raise DeviceError(f"{what} was not over after {self.run_timeout} s and was stopped; load the image again")

    def _begin_session(self) -> None:
        self.image = self._stream = None
        self._within_batch = False
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


def _compare_sums(what: str, vector: Vector, result: Answer) -> None:
    wrong = np.flatnonzero(result.sums != vector.sums)
    if len(wrong):
        raise DeviceError(f"{what}: sum {wrong[0]} is {result.sums[wrong[0]]}, "
                          f"expected {vector.sums[wrong[0]]}")


def _compare_counters(what: str, image: Image, batch: Sequence[Vector], result: Answer) -> None:
    counters = np.sum([vector.counters for vector in batch], axis=0)
    for layer, expected, found in zip(image.layers, counters, result.counters, strict=True):
        for counter in EXACT_COUNTERS:
            if expected[counter.value] != found[counter.value]:
                raise DeviceError(
                    f"{what}: layer {layer.name!r} counted {found[counter.value]} "
                    f"{counter.name}, expected {expected[counter.value]}"
                )
