"""Recipes: everything that decides how a network is trained, as TOML files."""

import dataclasses
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ...data.sets.datasets import DataRecipe, find_loader
from ...network.safetensors_file import FileError, parse_header, read_file
from ..net.networks import LayerRecipe
from ..net.neurons import NeuronRecipe
from ..tables import build, check_keys, typed
from .augmentations import create_augmentations
from .autoaugment import IMAGE_BITS
from .losses import create_losses
from .merging import RecipeError, expand, layer_name, merge, parse_override, with_losses, without_false
from .mixup import Mixup
from .pruning import PruningRecipe
from .regularizers import create_regularizers
from .sources import StartRecipe, TeacherRecipe

__all__ = ["Recipe", "RecipeError", "TrainingRecipe", "load_data_recipe", "load_recipe", "recipe_files",
           "recipe_names"]

OPTIMIZERS = ("adamw", "sgd")
SEED_LIMIT = 2**32 - 1
"""NumPy's generators take no greater one."""


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """How the weights are found."""

    epochs: int
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 0.003
    """At the start, or after the warm-up; falls to 0 along a cosine."""
    warmup_epochs: int = 0
    """In which the rate rises from 0, in a line."""
    weight_decay: float = 1e-4
    """Of weights only, not of biases and normalization."""
    losses: dict[str, dict] = field(default_factory=lambda: {"tet": {}})
    """Options of each loss by its name; ``weight``, 1 unless set, is its part in their sum. In files,
    ``loss = "NAME"`` stands for this one loss alone, without options."""
    regularizers: dict[str, dict] = field(default_factory=dict)
    """Options of each regularizer by its name."""
    augmentations: dict[str, dict] = field(default_factory=dict)
    """Options of each augmentation of training samples by its name, in the order of application."""
    mixup: Mixup | None = None
    """How samples and their labels are mixed, behind the augmentations; None: not at all."""
    teacher: TeacherRecipe | None = None
    start: StartRecipe | None = None
    """What the weights are at the start; None: random."""

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"training.{name} must be positive, not {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"training.learning_rate must be above 0, not {self.learning_rate}")
        if not self.weight_decay >= 0:
            raise ValueError(f"training.weight_decay must be 0 or more, not {self.weight_decay}")
        if not 0 <= self.warmup_epochs < self.epochs:
            raise ValueError(
                f"training.warmup_epochs must be 0 or more and below the {self.epochs} epochs, not {self.warmup_epochs}"
            )
        create_augmentations(self.augmentations)
        create_regularizers(self.regularizers)
        self._check_losses()
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"training.optimizer must be one of {OPTIMIZERS}, not {self.optimizer!r}")

    @property
    def changes_samples(self) -> bool:
        """Whether the network sees others than the samples as they are."""
        return bool(self.augmentations) or self.mixup is not None

    def _check_losses(self) -> None:
        losses = create_losses(self.losses).losses
        taught = [name for name, (_, loss) in losses.items() if loss.needs_teacher]
        if "cutmix" in self.augmentations and len(taught) < len(losses):
            raise ValueError(
                f"training.augmentations.cutmix changes what a sample shows, but not its label: "
                f"training.losses.{next(name for name in losses if name not in taught)} must not be used with it"
            )
        if taught and self.teacher is None:
            raise ValueError(f"training.losses.{taught[0]} needs a teacher: set training.teacher")
        if self.teacher is None:
            return
        if not taught:
            raise ValueError(f"training.teacher is used by none of the losses {', '.join(losses)}")
        mixing = [name for name, used in (
            ("augmentations.cutmix", "cutmix" in self.augmentations), ("mixup", self.mixup is not None),
        ) if used]
        if self.teacher.cached and mixing:
            raise ValueError(
                f"training.teacher.cached: answers to samples as they are do not tell what "
                f"training.{mixing[0]} puts together"
            )
        for name in taught:
            if losses[name][1].needs_potentials and self.teacher.cached:
                raise ValueError(f"training.losses.{name} needs potentials, training.teacher.cached keeps logits alone")
            if losses[name][1].needs_potentials and self.teacher.checkpoint is None:
                raise ValueError(
                    f"training.losses.{name} needs a teacher that spikes: set training.teacher.checkpoint"
                )


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole recipe."""

    name: str
    seed: int
    data: DataRecipe
    neuron: NeuronRecipe = field(default_factory=NeuronRecipe)
    """Of every layer that does not say otherwise."""
    layers: list[LayerRecipe]
    training: TrainingRecipe
    pruning: PruningRecipe | None = None
    """What `spikeplane prune` removes of the trained network, unless told otherwise."""

    def __post_init__(self):
        if not 0 <= self.seed <= SEED_LIMIT:
            raise ValueError(f"seed must be in 0..{SEED_LIMIT}, not {self.seed}")
        for layer in self.layers:
            if layer.has_neurons:
                layer.create_neurons(self.neuron)
            if layer.kind != "pool":
                layer.create_quantizer()
        self._check_heads()
        for name in ("autoaugment", "randaugment"):
            if name in self.training.augmentations and self.data.bits != IMAGE_BITS:
                raise ValueError(
                    f"training.augmentations.{name} needs data.bits = {IMAGE_BITS}, not {self.data.bits}"
                )

    def _check_heads(self) -> None:
        """Raise a ValueError if a loss looks at a head that the network has not."""
        last = self.layers[-1] if self.layers else None
        count = last.create_transformer_options().count if last is not None and last.kind == "heads" else 1
        for name, options in self.training.losses.items():
            if (options.get("head") or 0) >= count:
                raise ValueError(
                    f"training.losses.{name}.head is {options['head']}, but the network has {count}, counted from 0"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as in the TOML file."""
        values = dataclasses.asdict(self) | {
            "neuron": self.neuron.to_dict(), "layers": [layer.to_dict() for layer in self.layers],
        }
        for key in ("teacher", "start", "mixup"):
            if values["training"][key] is None:
                del values["training"][key]
        # What is not set is left out, so that recipes without it stay as they were.
        if self.training.start is not None:
            start = values["training"]["start"]
            values["training"]["start"] = {key: value for key, value in start.items() if value is not None}
        if not values["training"]["warmup_epochs"]:
            del values["training"]["warmup_epochs"]
        if self.training.teacher and not self.training.teacher.cached:
            del values["training"]["teacher"]["cached"]
        if self.pruning is None:
            del values["pruning"]
        for key in ("files", "crop"):  # So that recipes without them stay as they were.
            if values["data"][key] is None:
                del values["data"][key]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "recipe") -> "Recipe":
        """Return the recipe with these values; ``source`` names them in errors."""
        return _recipe(with_losses(values, source), source)

    def float32(self) -> "Recipe":
        """Return the twin without any quantization, for comparison."""
        neuron = self.neuron.float32()
        layers = [
            dataclasses.replace(
                layer, weights="float", weight_bits=32, options={},
                neuron=layer.neurons(self.neuron).float32().less(neuron) if layer.neuron else {},
            )
            for layer in self.layers
        ]
        return dataclasses.replace(
            self, name=f"{self.name}-float32", layers=layers, neuron=neuron
        )


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with Spikeplane."""
    folder = resources.files("spikeplane") / "recipes"
    return sorted(Path(item.name).stem for item in folder.iterdir() if item.name.endswith(".toml"))


def load_recipe(name_or_path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Return a recipe by its name or from a TOML file, with some of its values replaced.

    ``extends`` names another recipe, or a TOML file or a checkpoint beside this one, whose values hold
    where the file has none. ``[network]`` names a family (:class:`.NetworkRecipe`) in place of ``[[layers]]``.
    In a table ``[layers.NAME]`` are settings of a layer that the family or the extended recipe has.

    ``false`` in place of an augmentation's, loss's or regularizer's options leaves it out.

    An override is ``key=value``, as ``training.epochs=5`` or ``layers.conv1.channels=32``; the
    value is TOML, or a string if it is no TOML. A table replaces what was there.
    """
    path = _find(str(name_or_path), Path(), "")
    values = _read(path, ())
    values.setdefault("name", path.stem)
    for override in overrides:
        source = f"override {override!r}"
        values = merge(values, with_losses(parse_override(override), source), source)
    recipe = Recipe.from_dict(without_false(expand(values, str(path))), str(path))
    try:
        find_loader(recipe.data.name)
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error
    return recipe


def load_data_recipe(name_or_path: str | Path) -> DataRecipe:
    """Return the data of a recipe by its name or of a TOML file, which need not have more than ``[data]``."""
    path = _find(str(name_or_path), Path(), "")
    values = _read(path, ())
    if "data" not in values:
        raise RecipeError(f"{path}: data is missing")
    try:
        data = build(DataRecipe, values["data"], "data")
        find_loader(data.name)
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from error
    return data


def recipe_files(name_or_path: str | Path) -> list[Path]:
    """Return the files that a recipe is read from: its own, and what it extends."""
    path, files = _find(str(name_or_path), Path(), ""), []
    _read(path, (), files)
    return files


def _find(name: str, folder: Path, what: str) -> Path:
    """Return the file of a recipe; ``folder`` is that of relative paths, ``what`` begins the error."""
    if name.endswith(".toml") or (what and name.endswith(".safetensors")):
        return folder / name
    if name not in recipe_names():
        raise RecipeError(
            f"{what}recipe {name!r}: expected a .toml file or one of {', '.join(recipe_names())}"
        )
    return Path(str(resources.files("spikeplane") / "recipes" / f"{name}.toml"))


def _read(path: Path, before: tuple[Path, ...], files: list[Path] | None = None) -> dict[str, Any]:
    """Return the values of a file and of what it extends; ``before`` are the files that extend it.

    Each that is read is added to ``files``.
    """
    files = [] if files is None else files
    files.append(path)
    if path.resolve() in before:
        raise RecipeError(f"{before[-1]}: extends {path.name}, which extends this file")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reader = f"{before[-1]}: extends " if before else ""
        what = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else error
        raise RecipeError(f"{reader}{path}: {what}") from error
    values = with_losses(values, str(path))
    extends = values.pop("extends", None)
    if extends is None:
        return merge({}, values, str(path))
    if not isinstance(extends, str):
        raise RecipeError(f"{path}: extends must be str, not {extends!r}")
    file = _find(extends, path.parent, f"{path}: extends ")
    if file.suffix == ".toml":
        base = _read(file, (*before, path.resolve()), files)
    else:
        files.append(file)
        base = _of_checkpoint(file, path)
    base.pop("name", None)
    return merge(base, values, str(path))


def _of_checkpoint(path: Path, reader: Path) -> dict[str, Any]:
    """Return the values of the recipe in a checkpoint, which ``reader`` extends."""
    try:
        return dict(parse_header(read_file(path)[1])["recipe"])
    except (FileError, OSError, KeyError, TypeError, ValueError) as error:
        raise RecipeError(f"{reader}: extends {path}: no recipe of a checkpoint: {error}") from error


def _recipe(values: Any, source: str) -> Recipe:
    """Return the recipe that a file's tables describe."""
    try:
        check_keys(Recipe, values, "")
        layers = values["layers"]
        if not isinstance(layers, list):
            raise ValueError(f"layers must be an array of tables, not {layers!r}")
        neuron = values.get("neuron", {})
        if not isinstance(neuron, dict):
            raise ValueError(f"neuron must be a table, not {neuron!r}")
        return Recipe(
            name=typed(values["name"], str, "name"),
            seed=typed(values["seed"], int, "seed"),
            data=build(DataRecipe, values["data"], "data"),
            neuron=NeuronRecipe(**neuron),
            layers=[
                build(LayerRecipe, layer, f"layers.{layer_name(layer, index)}")
                for index, layer in enumerate(layers)
            ],
            training=build(TrainingRecipe, values["training"], "training"),
            pruning=build(PruningRecipe, values["pruning"], "pruning") if "pruning" in values else None,
        )
    except ValueError as error:
        raise RecipeError(f"{source}: {error}") from error
