"""The device image: everything a host needs to load, run, read and test one network on a core."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import sample_bursts
from spikeplane_hw.identity import interface_hash
from spikeplane_hw.memory_map import Register, Space
from spikeplane_hw.neuron import STATE_WIDTH

from ..network.container import ContainerError, read_container, write_container
from ..network.file import network_digest
from ..network.graph import IntegerNetwork
from ..network.input import InputFormat
from ..network.schedule import Schedule
from .event_words import pack_events
from .held import ImageError
from .image_checks import verify_image
from .program import Descriptors, decode_program
from .spike_map import SpikeMap

__all__ = ["Image", "ImageError", "LayerInfo", "Vector", "check_network", "load_image", "save_image"]

FILE_KIND = "image"
FILE_VERSION = 7
VECTOR_ARRAYS = ("sample", "sums", "counters")


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """What a host can read of a layer after a run."""

    name: str
    sources: tuple[str, ...]
    """The map that each of its terms reads, in the order of the program."""
    channels: int
    group_lanes: int
    """Channels of each of its channel groups but the last, as in the program."""
    height: int
    width: int
    spikes: SpikeMap | None
    """Where its spikes are after a run; None: overwritten by a later layer, or a classifier.
    With the schedule STORED it holds the last time steps that are still needed."""
    state_base: int | None
    """First chunk of its final potentials, or of the stream that it stores; None: not stored, or overwritten."""
    state_pack: int = 0
    """1 << state_pack chunks of them share a chunk of the memory."""
    state_bits: int = 0
    seconds: tuple[str, ...] = ("",)
    """The other stream of each term that is a mean."""
    operands: tuple[str, ...] = ()
    """The map that each of its loads copies into the weights."""
    taps: tuple[int, ...] = (1,)
    """Time steps of its input that each term looks at."""
    stream_steps: int = 0
    """Time steps of the integers that it stores at ``state_base``; 0: it stores none."""
    samples: int = 1
    """Samples of a batch for which it runs at once; ``spikes`` and integers are those of all, sample by sample."""
    reloads: tuple[str, ...] = ()
    """The maps and streams that are loaded again from outside the chip before it runs."""
    spilled: bool = False
    """Whether its spikes, or its stream, are stored outside the chip when it has run."""
    split: str = ""
    """Of what each part has its own if it runs in several layers of the program, a :class:`.parts.SplitKind`."""
    borders: tuple[int, ...] = ()
    """The first row, step or plane of each part, and the end of the last one."""

    @property
    def parts(self) -> int:
        """Layers of the program."""
        return max(1, len(self.borders) - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Vector:
    """One input and what the device must answer."""

    sample: np.ndarray
    """uint8, of shape ``InputFormat.shape``."""
    sums: np.ndarray
    """int64 (classes,): the device's sums, without ``logit_offset``."""
    counters: np.ndarray
    """int64 (layers, len(Counter)). CYCLES is 0: it is not predicted bit for bit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """A compiled network. Words are uint8 (words, word_bytes), little-endian, as on the link."""

    config: CoreConfig
    """The core it was compiled for; ``config.hash`` is what the device must report."""
    schedule: Schedule
    contents: dict[Space, tuple[int, np.ndarray]]
    """First address and words of every memory to write, SPIKES apart."""
    registers: dict[Register, int]
    """To write after the contents."""
    input: InputFormat
    input_map: SpikeMap
    layers: list[LayerInfo]
    network_digest: str
    """Of the network it was compiled from, see :func:`.file.network_digest`."""
    logit_offset: np.ndarray
    """int64 (classes,), to add to the device's sums."""
    logit_scale: float = 1.0
    vectors: list[Vector] = field(default_factory=list)
    """Self-test."""
    metadata: dict = field(default_factory=dict)
    batch: int = 1
    """Samples that the device is given one after the other and answers at once; ``vectors`` are whole batches."""

    @property
    def logit_words(self) -> int:
        """Words of LOGITS that a host reads: those of all samples of a batch."""
        return (self.batch - 1) * self.sample_logits + len(self.logit_offset)

    @property
    def sample_logits(self) -> int:
        """Words of LOGITS from a sample of a batch to the next one."""
        last = self.layers[-1]
        return -(-last.channels // last.group_lanes) * self.config.lanes

    @property
    def halves_ring(self) -> bool:
        """Whether weights stream into half of the weight slots alone, since operands of products have the other one."""
        return bool(self.registers.get(Register.STREAM_HALF, 0))

    @property
    def spilled_bursts(self) -> list[range]:
        """Bursts outside the chip to which a run moves, of all maps and streams and each sample of a batch."""
        if not any(layer.spilled for layer in self.layers):
            return []
        stores = [(move, (move["words"] + 1) * each.done(move)) for each in self.program for move in each.after]
        found: list[range] = []
        for first, count in sorted(
            (move["burst"] + sample * sample_bursts(self.config), words)
            for move, words in stores for sample in range(self.batch if move["sampled"] else 1)
        ):
            if found and found[-1].stop == first:  # Parts of a map lie side by side.
                found[-1] = range(found[-1].start, first + count)
            else:
                found.append(range(first, first + count))
        return found

    @property
    def program(self) -> list[Descriptors]:
        """What the words of the program say of each of its layers."""
        words = self.contents[Space.PROGRAM][1].view("<u2").ravel()
        return decode_program(self.config, words.tolist())

    @property
    def loaded_words(self) -> int:
        """Words of maps and streams that are loaded again in a pass through the program."""
        return sum(
            (move["words"] + 1) * each.done(move)
            for each in self.program for move in [*each.before, *each.loading] if not move["parameters"]
        )

    @property
    def loads_parameters(self) -> bool:
        """Whether the parameters of each layer come from outside the chip ahead of it."""
        return Space.PARAMETERS not in self.contents and any(
            move["parameters"] for each in self.program for move in each.before
        )

    @property
    def in_pieces(self) -> bool:
        """Whether of streams outside the chip no more is there than a row of a channel group."""
        return any(each.pieces for each in self.program)

    @property
    def program_layers(self) -> int:
        """Layers of the program, for each of which the device counts."""
        return sum(layer.parts for layer in self.layers)

    def by_layer(self, counters: np.ndarray) -> np.ndarray:
        """Return what was counted in each layer, (layers, n), from what was in each of the program's layers."""
        firsts = np.cumsum([0, *(layer.parts for layer in self.layers[:-1])])
        return np.add.reduceat(counters, firsts)

    @property
    def takes_events(self) -> bool:
        """Whether the input is sent as events; if not, as words of the spike memory."""
        return self.input_map.flagged

    def check_sample(self, sample: np.ndarray) -> np.ndarray:
        """Return ``sample`` as uint8; an ImageError says what of shape, type, values is wrong."""
        sample = np.asarray(sample)
        if sample.shape != self.input.shape:
            raise ImageError(f"an input of shape {self.input.shape} was expected, "
                             f"not {sample.shape}")
        if sample.dtype.kind not in "bui":
            raise ImageError(f"an input of integers or booleans was expected, not {sample.dtype}")
        low, high = int(sample.min()), int(sample.max())
        if low < 0 or high >> self.input.bits:
            raise ImageError(f"the input has the value {low if low < 0 else high}, "
                             f"limit 0..{(1 << self.input.bits) - 1}")
        return sample.astype(np.uint8)

    def verify(self) -> None:
        """Raise an ImageError naming the field, its value and what all others say that it must be."""
        verify_image(self)

    def encode_input(self, sample: np.ndarray) -> tuple[int, np.ndarray]:
        """Return (first word, words) of the input map that holds ``sample``.

        ``sample`` has the shape ``self.input.shape``. Row flags are not set by writing words:
        write them only if ``takes_events`` is false.
        """
        sample = self.check_sample(sample)
        values = sample[None] if self.input.direct else sample
        return self.input_map.first_word(self.config), self.input_map.pack(values, self.config)

    def encode_events(self, sample: np.ndarray) -> np.ndarray:
        """Return ``sample``, spikes (steps, channels, height, width), as uint32 event words.

        They are in order of (step, y, x, polarity); channel c is polarity c.
        """
        if not self.takes_events:
            raise ImageError("this image's input is written as words, not sent as events")
        step, y, x, channel = np.nonzero(np.moveaxis(self.check_sample(sample), 1, 3))
        return pack_events({"step": step, "y": y, "x": x, "polarity": channel})

    def map_place(self, layer: int) -> tuple[int, int]:
        """Return (first word, word count) in Space.SPIKES of a layer's output spikes."""
        spikes = self._spikes(layer)
        return spikes.first_word(self.config), spikes.words(self.config)

    def decode_map(self, layer: int, words: np.ndarray, steps: int | None = None) -> np.ndarray:
        """Return the spikes, uint8 (steps, channels, height, width), from words of SPIKES.

        With the schedule STORED those of the last of ``steps`` time steps run, by default
        ``input.steps``.
        """
        spikes = self._spikes(layer).unpack(words, self.config)
        if self.schedule.stores:
            last = ((steps or self.input.steps) - 1) % len(spikes)
            return spikes[last:last + 1]
        return spikes

    def state_place(self, layer: int) -> tuple[int, int]:
        """Return (first word, word count) in Space.STATES of a layer's final potentials."""
        info = self.layers[layer]
        if info.state_base is None:
            raise ImageError(f"layer {info.name!r}: its potentials are not kept by this image")
        groups = -(-info.channels // info.group_lanes)
        return (info.state_base * self.config.updates,
                info.height * info.width * groups * self.config.lanes >> info.state_pack)

    def stream_place(self, layer: int) -> tuple[int, int]:
        """Return (first word, word count) in Space.STATES of the integers that a layer stores."""
        info = self.layers[layer]
        if not info.stream_steps:
            raise ImageError(f"layer {info.name!r}: it stores no stream")
        first, count = self.state_place(layer)
        return first, count * info.stream_steps

    def decode_stream(self, layer: int, words: np.ndarray) -> np.ndarray:
        """Return the integers that a layer stores, int64 (steps, channels, height, width), from words of STATES."""
        steps = np.split(words, self.layers[layer].stream_steps)
        return np.stack([self.decode_states(layer, each) for each in steps])

    def decode_states(self, layer: int, words: np.ndarray) -> np.ndarray:
        """Return the codes, int64 (channels, height, width), from words of STATES."""
        info = self.layers[layer]
        packed = np.ascontiguousarray(words).view(f"<u{STATE_WIDTH // 8}").astype(np.int64)
        width = STATE_WIDTH >> info.state_pack
        shifts = width * np.arange(1 << info.state_pack)[:, None]
        codes = packed.reshape(-1, 1, self.config.updates) >> shifts & ((1 << width) - 1)
        codes -= (codes >> (width - 1)) << width
        groups = codes.reshape(info.height, info.width, -1, self.config.lanes)[..., :info.group_lanes]
        return np.moveaxis(groups.reshape(info.height, info.width, -1)[..., :info.channels], 2, 0)

    def _spikes(self, layer: int) -> SpikeMap:
        info = self.layers[layer]
        if info.spikes is None:
            raise ImageError(f"layer {info.name!r}: its spikes are not kept by this image")
        return info.spikes


def save_image(image: Image, path: Path | str) -> None:
    """Write ``image`` to a file, usually named ``.spk``."""
    image.verify()
    tensors = _tensors(image)
    header = {
        "config": asdict(image.config),
        "config_hash": image.config.hash,
        "interface_hash": interface_hash(image.config),
        "schedule": image.schedule.value,
        "addresses": {space.name: address for space, (address, _) in image.contents.items()},
        "registers": {register.name: int(value) for register, value in image.registers.items()},
        "input": asdict(image.input),
        "input_map": asdict(image.input_map),
        "layers": [asdict(layer) for layer in image.layers],
        "logit_scale": image.logit_scale,
        "vectors": len(image.vectors),
        "network": image.network_digest,
        "metadata": image.metadata,
        "batch": image.batch,
    }
    try:
        write_container(path, FILE_KIND, FILE_VERSION, header, tensors)
    except ContainerError as error:
        raise ImageError(str(error)) from error


def load_image(path: Path | str) -> Image:
    """Return the image in a file.

    Raises an ImageError naming the file and the reason if it is missing, truncated, altered, of
    another kind or version, or does not fit the core it names.
    """
    try:
        header, tensors = read_container(path, FILE_KIND, FILE_VERSION)
    except ContainerError as error:
        raise ImageError(str(error)) from error
    try:
        image = _image(header, tensors)
        for name in tensors.keys() - _tensors(image).keys():
            raise ImageError(f"tensor {name} belongs to nothing of the image")
        if image.config.hash != header["config_hash"]:
            raise ImageError("the core's configuration means something else in this version")
        if interface_hash(image.config) != header.get("interface_hash"):
            raise ImageError("a layout that it shares with the core has changed in this version: compile it again")
        image.verify()
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except (ArithmeticError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImageError(f"{path}: the header is not that of an image: {error!r}") from error
    return image


def check_network(image: Image, network: IntegerNetwork) -> None:
    """Raise an ImageError unless ``image`` was compiled from ``network``."""
    digest = network_digest(network)
    if image.network_digest != digest:
        raise ImageError(f"the image was compiled from the network {image.network_digest[:12]}, not from "
                         f"{digest[:12]}: compile this network, or name the other one")


def _tensors(image: Image) -> dict[str, np.ndarray]:
    """Return all arrays of an image by their names in its file."""
    tensors = {f"memory.{space.name}": words for space, (_, words) in image.contents.items()}
    tensors["logit_offset"] = image.logit_offset
    for index, vector in enumerate(image.vectors):
        for name in VECTOR_ARRAYS:
            tensors[f"vector.{index}.{name}"] = getattr(vector, name)
    return tensors


def _image(header: dict, tensors: dict[str, np.ndarray]) -> Image:
    return Image(
        config=CoreConfig(**header["config"]),
        schedule=Schedule(header["schedule"]),
        contents={
            Space[name]: (address, tensors[f"memory.{name}"])
            for name, address in header["addresses"].items()
        },
        registers={Register[name]: value for name, value in header["registers"].items()},
        input=InputFormat(**header["input"]),
        input_map=SpikeMap(**header["input_map"]),
        layers=[
            LayerInfo(**entry | {
                "spikes": entry["spikes"] and SpikeMap(**entry["spikes"]),
                **{name: tuple(entry[name])
                   for name in ("sources", "seconds", "operands", "taps", "reloads", "borders")},
            })
            for entry in header["layers"]
        ],
        network_digest=header["network"],
        logit_offset=tensors["logit_offset"],
        logit_scale=header["logit_scale"],
        vectors=[
            Vector(**{
                name: tensors[f"vector.{index}.{name}"]
                for name in VECTOR_ARRAYS
            })
            for index in range(header["vectors"])
        ],
        metadata=header["metadata"],
        batch=header["batch"],
    )
