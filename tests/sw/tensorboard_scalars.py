"""Reads what TensorBoard would show."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def scalars(folder):
    """Return (step, value) of each point by tag, as TensorBoard shows them."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
