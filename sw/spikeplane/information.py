"""What a file holds, as rows of text: images, integer networks, checkpoints, and the boards."""

from collections.abc import Callable
from pathlib import Path

from spikeplane_hw.config import CoreConfig

from .image import Image, load_image
from .network import IntegerNetwork, load_network

__all__ = ["describe"]

Rows = list[tuple[str, str]]


def describe(file: str) -> Rows:
    """Return (what, value) rows of an image, network or checkpoint, or of ``boards``.

    A ValueError names the file if it is none of these.
    """
    if file == "boards":
        from spikeplane_boards import BOARDS

        return [(name, f"{board.config.name} core at {board.clock / 1e6:g} MHz")
                for name, board in BOARDS.items()]
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{file}: no such file")
    errors = []
    readers: list[Callable[[Path], Rows]] = [
        lambda path: image_rows(load_image(path)),
        lambda path: network_rows(load_network(path)),
        lambda path: checkpoint_rows(read_checkpoint(path)),
    ]
    for rows in readers:
        try:
            return rows(path)
        except ValueError as error:
            errors.append(str(error))
    raise ValueError(f"{file}: neither an image, a network nor a checkpoint:\n" + "\n".join(errors))


def shape_text(network_input) -> str:
    """Return an input format in words."""
    kind = f"{network_input.bits}-bit image, replayed" if network_input.direct else "events"
    return (f"{kind}, {network_input.channels} x {network_input.height} x {network_input.width}, "
            f"{network_input.steps} steps")


def config_text(config: CoreConfig) -> str:
    """Return a configuration in words."""
    return f"{config.name} ({config.lanes} lanes x {config.banks} banks), hash {config.hash:#010x}"


def potential_text(state_bits: int) -> str:
    """Return the width of a layer's potentials in words."""
    return f"{state_bits}-bit potentials" if state_bits else "no potentials"


def image_rows(image: Image) -> Rows:
    """Return rows of an image."""
    rows = [
        ("kind", "image"),
        ("core", config_text(image.config)),
        ("schedule", image.schedule.value),
        ("input", shape_text(image.input)),
        ("self-test vectors", str(len(image.vectors))),
    ]
    rows += [(f"words of {space.name}", f"{len(words):,}") for space, (_, words) in image.contents.items()]
    rows += [
        (f"layer {layer.name}", f"{layer.channels} x {layer.height} x {layer.width}, "
                                + potential_text(layer.state_bits))
        for layer in image.layers
    ]
    return rows


def network_rows(network: IntegerNetwork) -> Rows:
    """Return rows of an integer network."""
    rows = [("kind", "integer network"), ("input", shape_text(network.input))]
    for layer in network.layers:
        out, channels, height, width = layer.weight.shape
        neuron = potential_text(layer.neuron.state_bits) if layer.neuron else "logits"
        rows.append((
            f"layer {layer.name}",
            f"{'or-pool' if layer.pool else f'{layer.weight_bits}-bit weights'} "
            f"{out} x {channels} x {height} x {width}, stride {layer.stride}, {neuron}",
        ))
    return rows


def read_checkpoint(path: Path):
    """Return a checkpoint; the training library is needed only here."""
    from .training.checkpoint import load_checkpoint

    return load_checkpoint(path)


def checkpoint_rows(checkpoint) -> Rows:
    """Return rows of a checkpoint."""
    recipe = checkpoint.recipe
    rows = [
        ("kind", "checkpoint"),
        ("recipe", recipe.name),
        ("epochs", f"{checkpoint.epoch} of {recipe.training.epochs}"),
        ("batches of the next epoch", str(checkpoint.batch)),
        ("input", shape_text(checkpoint.network.form)),
        ("seed", str(recipe.seed)),
    ]
    rows += [(f"data {part}", checksum) for part, checksum in checkpoint.checksums.items()]
    rows += [(f"version of {name}", version) for name, version in checkpoint.versions.items()]
    rows += [(f"run with {name}", value) for name, value in checkpoint.run.items()]
    if checkpoint.history:
        last = checkpoint.history[-1]
        rows.append(("last epoch", f"loss {last['loss']:.4f}, accuracy {last['accuracy']:.2%}"))
        rows += [
            (f"firing rate of {name}", f"{rate:.2%}") for name, rate in last.get("rates", {}).items()
        ]
        if "test_accuracy" in last:
            rows.append(("test accuracy", f"{last['test_accuracy']:.2%}"))
    return rows
