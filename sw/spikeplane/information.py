"""What a file holds, as rows of text: images, networks, checkpoints, recipes, and the boards."""

from collections.abc import Iterable
from pathlib import Path

from spikeplane_hw.config import BURST_BITS, CoreConfig
from spikeplane_hw.memory_map import Register, Space

from .compiler.image import Image, load_image
from .compiler.stream_time import slot_cycles
from .findings import Finding, clipped_multipliers
from .image_data import class_names
from .network.checks import NetworkError
from .network.file import load_network
from .network.graph import IntegerNetwork
from .network.safetensors_file import FileError, parse_header, read_file
from .wording import potential_text
from .zoo import zoo_checkpoints, zoo_networks

__all__ = ["describe", "is_recipe", "kind_of", "placed_rows", "read_checkpoint", "shape_text", "weights_text"]

Rows = list[tuple[str, str]]


def describe(file: str) -> Rows:
    """Return (what, value) rows of an image, network, checkpoint or recipe, of ``boards``, ``recipes`` or ``zoo``.

    A recipe is a TOML file, or one of Spikeplane's by its name. A ValueError names the file if it is
    none of these.
    """
    if file == "boards":
        from .boards import BOARDS

        return [(name, f"{board.config.name} core at {board.clock / 1e6:g} MHz")
                for name, board in BOARDS.items()]
    if file == "recipes":
        from .training.recipe.recipes import load_recipe, recipe_names

        return [(name, recipe_text(load_recipe(name))) for name in recipe_names()]
    if file == "zoo":
        return [(name, str(path)) for name, path in sorted((zoo_checkpoints() | zoo_networks()).items())]
    path = Path(file)
    if is_recipe(file):
        from .training.recipe.recipes import load_recipe

        return recipe_rows(load_recipe(file))
    kind = kind_of(path)
    if kind == "image":
        return image_rows(load_image(path))
    if kind == "network":
        return network_rows(load_network(path))
    checkpoint = read_checkpoint(path)
    return checkpoint_rows(checkpoint) + checkpoint_warnings(checkpoint)


def kind_of(path: Path) -> str:
    """Return "image", "network" or "checkpoint"; a ValueError says that a file is none of these.

    The file may still be damaged, or of another version.
    """
    try:
        header = parse_header(read_file(path)[1])
    except FileError as error:
        what = "" if not path.is_file() else "neither an image, a network nor a checkpoint: "
        raise ValueError(f"{path}: {what}{error}") from error
    kind = header.get("kind", "checkpoint" if "format" in header else None)
    if kind not in ("image", "network", "checkpoint"):
        raise ValueError(f"{path}: neither an image, a network nor a checkpoint: a Spikeplane file of kind {kind!r}")
    return kind


def is_recipe(file: str) -> bool:
    """Return whether ``file`` is a recipe, by its name or a TOML file, and not another file."""
    path = Path(file)
    return path.suffix == ".toml" or (not path.exists() and path.name == file and not path.suffix)


def shape_text(network_input) -> str:
    """Return an input format in words."""
    kind = f"{network_input.bits}-bit image, replayed" if network_input.direct else "events"
    return (f"{kind}, {network_input.channels} x {network_input.height} x {network_input.width}, "
            f"{network_input.steps} steps")


def config_text(config: CoreConfig) -> str:
    """Return a configuration in words."""
    clusters = f" x {config.clusters} clusters" if config.clusters > 1 else ""
    return f"{config.name} ({config.lanes} lanes x {config.banks} banks{clusters}), hash {config.hash:#010x}"


def weights_text(image: Image) -> str:
    """Return where an image's weights are, and what it takes to read them if they stream in."""
    if Space.EXTERNAL not in image.contents:
        return "on the chip"
    from .boards import BOARDS

    passes = image.registers[Register.OUTER_STEPS] / image.batch
    slots = image.registers[Register.STREAM_SLOTS] * passes
    megabytes = passes * image.contents[Space.EXTERNAL][1].size / 1e6
    times = [
        f"{slots * slot_cycles(image.config) / board.clock * 1e3:.3g} ms on {board.name}"
        for board in BOARDS.values() if board.config == image.config
    ]
    beside = "; parameters of each layer with them" if image.loads_parameters else ""
    beside += "; operands of products have half of the weight memory" if image.halves_ring else ""
    return ", ".join([f"outside the chip: {megabytes:.3g} MB stream in for each input", *times]) + (
        " at least" if times else ""
    ) + beside


def spilled_text(image: Image) -> str:
    """Return which maps and streams are stored outside the chip, and how much of them goes there and back."""
    passes = image.registers[Register.OUTER_STEPS] / image.batch
    stored, loaded = (
        passes * words * BURST_BITS / 8e6 for words in (sum(map(len, image.spilled_bursts)), image.loaded_words)
    )
    names = [layer.name for layer in image.layers if layer.spilled]
    pieces = "; streams by rows of a channel group" if image.in_pieces else ""
    return f"{', '.join(names)}: {stored:.3g} MB stored and {loaded:.3g} MB loaded for each input{pieces}"


def parts_text(image: Image) -> str:
    """Return which layers run in parts, since the core does not hold at once what they take."""
    return ", ".join(f"{layer.name} {layer.parts} of its {layer.split}" for layer in image.layers if layer.split)


def placed_rows(image: Image) -> Rows:
    """Return rows of what the compiler decided: where weights and spikes are, and what runs in parts."""
    return [
        ("weights", weights_text(image)),
        *([("maps and streams outside the chip", spilled_text(image))] if image.spilled_bursts else []),
        *([("parts", parts_text(image))] if any(layer.split for layer in image.layers) else []),
    ]


def batch_text(image: Image) -> str:
    """Return which layers of a batch run at once for all of its samples."""
    first = next(layer.name for layer in image.layers if layer.samples > 1)
    return f"{image.batch} samples: one after the other up to layer {first}, from there on all at once"


def image_rows(image: Image) -> Rows:
    """Return rows of an image."""
    rows = [
        ("kind", "image"),
        ("core", config_text(image.config)),
        ("schedule", image.schedule.value),
        ("input", shape_text(image.input)),
        ("self-test vectors", str(len(image.vectors))),
        *([("batch", batch_text(image))] if image.batch > 1 else []),
        *placed_rows(image),
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
    rows += [(f"layer {node.name}", node.text) for node in network.nodes]
    imported = network.metadata.get("imported")
    if isinstance(imported, dict):
        rows.append(("imported from", str(imported.get("file"))))
    rows.append(("classes", ", ".join(class_names(network.metadata, len(network.logit_offset)))))
    return rows + warning_rows(clipped_multipliers(network.clipped))


def warning_rows(findings: Iterable[Finding]) -> Rows:
    """Return a row of each finding."""
    return [("warning", finding.text) for finding in findings]


def checkpoint_warnings(checkpoint) -> Rows:
    """Return a row of each finding that needs no data, or of why there is no integer model."""
    from .training.net.export import export_network
    from .training.run.health import checkpoint_findings

    rows = warning_rows(checkpoint_findings(checkpoint))
    try:
        return rows + warning_rows(clipped_multipliers(export_network(checkpoint.network).clipped))
    except NetworkError as error:
        return [*rows, ("integer model", f"none: {error}")]


def read_checkpoint(path: Path):
    """Return a checkpoint; the training library is needed only here."""
    from .training.run.checkpoint import load_checkpoint

    return load_checkpoint(path)


def recipe_text(recipe) -> str:
    """Return data, weights and neurons of a recipe in words."""
    weights = {layer.weight_bits for layer in recipe.layers if layer.kind != "pool"}
    neurons = dict.fromkeys(
        layer.create_neurons(recipe.neuron).text for layer in recipe.layers if layer.has_neurons
    )
    layers = sum({"pool": 0, "block": 2, "transformer": 6}.get(layer.kind, 1) for layer in recipe.layers)
    return (f"{recipe.data.name}, {recipe.data.steps} steps, {layers} layers of "
            f"{', '.join(map(str, sorted(weights)))}-bit weights; {', '.join(neurons)}")


def recipe_rows(recipe) -> Rows:
    """Return rows of a recipe, with its layers."""
    training = recipe.training
    rows = [
        ("kind", "recipe"),
        ("name", recipe.name),
        ("data", f"{recipe.data.name}, {recipe.data.steps} steps, "
                 f"{recipe.data.validation or 'no'} training samples held out for validation"),
        ("training", f"{training.epochs} epochs, batches of {training.batch_size}, {training.optimizer}, "
                     f"learning rate {training.learning_rate:g}, losses {', '.join(training.losses)}"),
        ("augmentations", ", ".join(training.augmentations) or "none"),
        ("regularizers", ", ".join(training.regularizers) or "none"),
        ("seed", str(recipe.seed)),
    ]
    return rows + layer_rows(recipe)


def layer_rows(recipe) -> Rows:
    """Return a row of each layer of a recipe."""
    rows = []
    for layer in recipe.layers:
        if layer.kind == "pool":
            text = f"or-pool, {layer.kernel} x {layer.kernel}"
        else:
            text = layer.kind
            if layer.channels:
                text += f", {layer.channels} channels"
            text += "".join(f", {key} {value}" for key, value in layer.transformer.items())
            if layer.inner_channels:
                text += f", {layer.inner_channels} between its convolutions"
            if layer.kind in ("conv", "block", "embedding"):
                text += f", {layer.kernel} x {layer.kernel}, stride {layer.stride}"
            text += f", {layer.weight_bits}-bit {layer.weights} weights"
            if layer.has_neurons:
                text += f", {layer.create_neurons(recipe.neuron).text}"
        rows.append((f"layer {layer.name}", text))
    return rows


def checkpoint_rows(checkpoint) -> Rows:
    """Return rows of a checkpoint."""
    recipe = checkpoint.recipe
    rows = [
        ("kind", "checkpoint"),
        ("recipe", recipe.name),
        ("epochs", f"{checkpoint.epoch} of {recipe.training.epochs}"),
        ("batches of the next epoch", str(checkpoint.batch)),
        ("input", shape_text(checkpoint.network.form)),
        ("classes", ", ".join(checkpoint.class_names) or str(checkpoint.classes)),
        ("weights", f"{checkpoint.network.weight_count:,}"),
        ("neurons", f"{checkpoint.network.neuron_count:,}"),
        *layer_rows(recipe),
        ("seed", str(recipe.seed)),
    ]
    rows += [(f"data {part}", checksum) for part, checksum in checkpoint.checksums.items()]
    rows += [(f"version of {name}", version) for name, version in checkpoint.versions.items()]
    rows += [(f"run with {name}", value) for name, value in checkpoint.run.items()]
    for what, record in (("teacher", checkpoint.teacher), ("started from", checkpoint.begun)):
        if record:
            rows.append((what, f"{record['file']}, SHA-256 {record['sha256']}"))
    if checkpoint.history:
        last = checkpoint.history[-1]
        rows.append(("last epoch", f"loss {last['loss']:.4f}, accuracy {last['accuracy']:.2%}"))
        rows += [
            (f"firing rate of {name}", f"{rate:.2%}") for name, rate in last.get("rates", {}).items()
        ]
        rows += [
            (f"{part} accuracy", f"{last[key]:.2%}")
            for part in ("validation", "test") if (key := f"{part}_accuracy") in last
        ]
    return rows
