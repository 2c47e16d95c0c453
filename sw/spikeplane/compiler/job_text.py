"""The jobs of an image, as text: what the core does, in order."""

from collections.abc import Iterator
from itertools import pairwise

from spikeplane_hw.descriptor import Job
from spikeplane_hw.memory_map import Register, Space

from .image import Image, LayerInfo
from .program import decode_jobs

__all__ = ["job_rows"]


def job_rows(image: Image) -> Iterator[tuple[str, str, str]]:
    """Yield (word of the program, job, what it says) of each job of an image, layers by their names."""
    words = [int.from_bytes(word.tobytes(), "little") for word in image.contents[Space.PROGRAM][1]]
    infos = iter(part for layer in image.layers for part in _parts(layer))
    info, part, term, load = None, "", 0, 0
    for at, job, fields in decode_jobs(image.config, words):
        subject = ""
        if job is Job.LAYER:
            (info, part), term, load = next(infos), 0, 0
            subject = info.name + part
        elif job is Job.TERM and info is not None:
            subject = f"of {info.sources[term]}"
            if info.seconds[term]:
                subject = f"of the mean of {info.sources[term]} and {info.seconds[term]}"
            term += 1
        elif job is Job.LOAD and info is not None:
            subject = f"of {info.operands[load]}"
            load += 1
        elif job is Job.WALK and info is not None:
            subject = info.name + part
        elif job is Job.COLLECT:
            subject = "from word 0 again with the next sample, until all are there"
        elif job is Job.END:
            subject = f"from word 0 again, {image.registers[Register.OUTER_STEPS]} times in all"
        values = ", ".join(f"{name} {value}" for name, value in fields.items() if name != "job" and value)
        yield str(at), job.name, ": ".join(part for part in (subject, values) if part)


def _parts(layer: LayerInfo) -> Iterator[tuple[LayerInfo, str]]:
    """Yield a layer with each of its parts, in words."""
    if not layer.split:
        yield layer, ""
    for first, end in pairwise(layer.borders):
        yield layer, f", {layer.split} {first} to {end - 1}"
