"""How live input lies in the input map: the step at hand first, and behind it those that taps look back at."""

from collections import deque
from dataclasses import replace

import numpy as np
from spikeplane_hw.descriptor import event_layout, pass_layout
from spikeplane_hw.memory_map import Register, Space

from ..compiler.image import Image
from ..compiler.program import decode_fields, encode_fields
from ..compiler.spike_map import to_words
from ..network.input import INPUT
from .session import DeviceError
from .words import step_words

__all__ = ["LiveInput"]


class LiveInput:
    """The input map of a stream, a step at a time.

    A run of a single step reads the input at step 0 of its map, where the steps before would lie below. The map is
    therefore turned round: the step of d steps ago lies at step d, and the passes that look back there add where they
    took away. The core leaves out what lies before the first step of a stream, as ever. Each step is sent again for
    every step that looks back at it: the map is cleared between them.
    """

    def __init__(self, image: Image):
        self.image = image
        self.steps = max((
            taps for layer in image.layers for source, taps in zip(layer.sources, layer.taps, strict=True)
            if source == INPUT
        ), default=1)
        """Of the input that the map holds."""
        held = image.input_map.steps
        if self.steps > held:
            raise DeviceError(f"a layer looks back {self.steps - 1} steps of the input, whose map holds {held}: live "
                              f"input needs a network of {self.steps} steps or more")
        self._last: deque[np.ndarray] = deque(maxlen=self.steps)

    @property
    def registers(self) -> dict[Register, int]:
        """What is written for a stream."""
        live = replace(self.image.input_map, steps=self.steps)
        return {
            Register.OUTER_STEPS: 1, Register.INPUT_STEPS: self.steps,
            Register.INPUT_WORDS: live.words(self.image.config),
        }

    def passes(self) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Return (address, word for a stream, word of the image) of each pass that looks back at the input."""
        image, layout = self.image, pass_layout(self.image.config)
        base, words = image.contents[Space.PASSES]
        infos = [info for info in image.layers for _ in range(info.parts)]
        found = []
        for info, layer in zip(infos, image.program, strict=True):
            if not any(source == INPUT and taps > 1 for source, taps in zip(info.sources, info.taps, strict=True)):
                continue
            for source, taps, term in zip(info.sources, info.taps, layer.terms, strict=True):
                if source != INPUT or taps == 1:
                    continue
                for address in range(term["pass_base"], term["pass_last"] + 1):
                    word = words[address - base : address - base + 1]
                    fields = decode_fields(layout, int.from_bytes(word.tobytes(), "little"))
                    if 0 < fields["delay"] < taps:
                        turned = fields["input_offset"] + 2 * fields["delay"] * image.input_map.step_slots
                        fields["input_offset"] = turned % (1 << image.config.slot_width)
                        value = encode_fields(layout, fields, f"pass {address}")
                        bits = np.array([[value >> bit & 1 for bit in range(layout.size)]], np.uint8)
                        found.append((address, to_words(bits, layout.size), word))
        return found

    def words(self, spikes: np.ndarray) -> np.ndarray:
        """Return the event words of a step, as :func:`.words.step_words` takes it, and of those looked back at."""
        self._last.appendleft(step_words(spikes, self.image))
        offset = dict(event_layout())["step"].offset
        return np.concatenate([words | np.uint32(back << offset) for back, words in enumerate(self._last)])
