"""Images of which a field of the program's words is another one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from spikeplane.compiler.image import Image
from spikeplane.compiler.program import decode_jobs
from spikeplane_hw.descriptor import PROGRAM_WIDTH, Job, descriptor_words, job_layout
from spikeplane_hw.memory_map import Space

__all__ = ["altered"]


def altered(
    image: Image, kind: Job, name: str, change: Callable[[int], int],
    which: Callable[[dict[str, int]], bool] = lambda fields: True,
) -> Image:
    """Return the image with a field changed of the first job of a kind, of those ``which`` says so of."""
    layout = job_layout(image.config, kind)
    words = image.contents[Space.PROGRAM][1].view("<u2").ravel().copy()
    at = next(at for at, job, fields in decode_jobs(image.config, words.tolist()) if job is kind and which(fields))
    field, count = layout[name], descriptor_words(layout)
    bits = sum(int(word) << PROGRAM_WIDTH * place for place, word in enumerate(words[at:at + count]))
    mask = ((1 << field.width) - 1) << field.offset
    bits = (bits & ~mask) | (change((bits & mask) >> field.offset) << field.offset & mask)
    words[at:at + count] = [bits >> PROGRAM_WIDTH * place & 0xFFFF for place in range(count)]
    return replace(image, contents=image.contents | {Space.PROGRAM: (0, words.view(np.uint8).reshape(-1, 2))})
