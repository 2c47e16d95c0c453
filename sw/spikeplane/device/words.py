"""Event arrays to the words that travel on the link, checked before anything is sent."""

import numpy as np

from ..compiler.event_words import pack_events
from ..compiler.image import Image, ImageError

__all__ = ["event_words", "step_words"]


def event_words(events: np.ndarray, image: Image) -> np.ndarray:
    """Return ``events`` as uint32 words of event_layout, in their order.

    ``events`` is a one-dimensional array with the integer fields step, x, y and polarity. An
    ImageError names the first event that is out of the input's frame or out of time order.
    """
    if not image.takes_events:
        raise ImageError("this image's input is written as words, not sent as events")
    form = image.input
    limits = {"step": form.steps, "y": form.height, "x": form.width, "polarity": form.channels}
    names = events.dtype.names
    if events.ndim != 1 or names is None or set(names) != set(limits):
        raise ImageError(f"events must be a one-dimensional array with the fields "
                         f"{', '.join(limits)}, not {events.ndim} dimensions of {events.dtype}")
    for name, limit in limits.items():
        values = events[name]
        if values.dtype.kind not in "iu":
            raise ImageError(f"events must have integers for {name}, not {values.dtype}")
        wrong = np.flatnonzero((values < 0) | (values >= limit))
        if len(wrong):
            raise ImageError(f"event {wrong[0]} has {name} = {values[wrong[0]]}, "
                             f"limit 0..{limit - 1}")
    early = np.flatnonzero(np.diff(events["step"].astype(np.int64)) < 0)
    if len(early):
        first = early[0] + 1
        raise ImageError(f"event {first} of step {events['step'][first]} comes after one of step "
                         f"{events['step'][first - 1]}; events must be in time order")
    return pack_events({name: events[name] for name in limits})


def step_words(spikes: np.ndarray, image: Image) -> np.ndarray:
    """Return the spikes of one time step as uint32 words of event_layout.

    ``spikes`` is (channels, height, width) of 0 and 1, or an array of events with the fields x, y and polarity.
    """
    if spikes.dtype.names is not None:
        fields = [name for name in ("y", "x", "polarity") if name in spikes.dtype.names]
        events = np.zeros(spikes.shape, [("step", np.uint16), *((name, spikes.dtype[name]) for name in fields)])
        for name in fields:
            events[name] = spikes[name]
        return event_words(events, image)
    padded = np.zeros(image.input.shape, spikes.dtype)
    if spikes.shape != padded.shape[1:]:
        raise ValueError(f"a time step of shape {padded.shape[1:]} was expected, not {spikes.shape}")
    padded[0] = spikes
    return image.encode_events(padded)
