"""Batches: which samples of an epoch's order make up each."""

from ..net.networks import SpikingNetwork

__all__ = ["bounds_of_batches", "check_shares"]


def bounds_of_batches(samples: int, batch_size: int, network: SpikingNetwork) -> list[tuple[int, int]]:
    """Return the first and last (exclusive) sample of each batch; sizes differ by one at most.

    No batch has more than ``batch_size`` samples, but where ``network`` cannot learn from a batch of
    one, which a normalization over one value a channel cannot: then one of batches of 2 may have 3. A
    ValueError names the layer if there is no way around a batch of one.
    """
    single = [name for name, values in network.norm_values.items() if values == 1]
    least = 2 if single else 1
    if min(samples, batch_size) < least:
        what, remedy = f"training.batch_size is {batch_size}", f"set training.batch_size to {least} or more"
        if samples < least:
            what, remedy = f"the training data have {samples} sample", f"train on {least} samples or more"
        raise ValueError(
            f"{what}: layer {single[0]!r} normalizes each channel over a batch, and has one value of it in a sample "
            f"(one step, one pixel); a batch must have at least {least} samples: {remedy}"
        )
    count = min(-(-samples // batch_size), samples // least)
    return [(samples * i // count, samples * (i + 1) // count) for i in range(count)]


def check_shares(bounds: list[tuple[int, int]], batch_size: int, processes: int) -> None:
    """Raise a ValueError if a batch has fewer samples than there are ``processes``, which share it."""
    smallest = min(last - first for first, last in bounds)
    if smallest < processes:
        raise ValueError(
            f"training.batch_size {batch_size}: a batch has {smallest} samples, fewer than there are processes, "
            f"{processes}: start fewer, or set training.batch_size to {2 * processes} or more"
        )
