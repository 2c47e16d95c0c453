"""Recipes."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from spikeplane.training.net.families import FAMILIES
from spikeplane.training.net.neurons import NEURONS
from spikeplane.training.net.quantizers import WEIGHT_QUANTIZERS
from spikeplane.training.net.teachers import TEACHERS
from spikeplane.training.recipe.answers import BatchAnswers
from spikeplane.training.recipe.losses import LOSSES
from spikeplane.training.recipe.recipes import Recipe, RecipeError, load_recipe, recipe_names
from spikeplane.training.recipe.regularizers import REGULARIZERS
from spikeplane.training.recipe.sources import StartRecipe, TeacherRecipe
from training_samples import recipe


def test_shipped_recipes_are_valid():
    assert {"digits", "mnist", "mnist_tiny", "ncars", "nmnist"} <= set(recipe_names())
    for name in recipe_names():
        found = load_recipe(name)
        assert found.name == name
        assert Recipe.from_dict(found.to_dict()) == found


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"recipe 'cifar': expected a .toml file or one of "):
        load_recipe("cifar")
    path = tmp_path / "mine.toml"
    with pytest.raises(RecipeError, match="No such file"):
        load_recipe(path)
    path.write_text("seed = ")
    with pytest.raises(RecipeError, match=r"mine\.toml: Invalid value"):
        load_recipe(path)
    path.write_text("seed = 1")
    with pytest.raises(RecipeError, match=r"mine\.toml: data is missing"):
        load_recipe(path)


def test_the_recipes_on_the_page_load(write):
    page = (Path(__file__).parents[4] / "docs/training.md").read_text()
    first, second, *others = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    found = load_recipe(write("first.toml", first))
    assert [layer.name for layer in found.layers] == ["conv1", "block1", "classifier"]
    found = load_recipe(write("second.toml", second))
    assert [layer.channels for layer in found.layers if layer.neuron == {"state_bits": 8}] == [8 * 32]
    levels, classifier, rescaled, *rest = (load_recipe(write("other.toml", text)) for text in others)
    assert levels.neuron.to_dict() == {"dynamics": "graded", "bits": 2} and levels.data.steps == 1
    assert classifier.training.start == load_recipe("cifar10_resnet20_levels").training.start is not None
    assert rescaled.layers[1].options == {"rescaling": "max", "gradient": "clipped"}
    taught, started = (found.training for found in rest)
    assert taught.teacher is not None and list(taught.losses) == ["tet", "distillation"]
    assert started.start is not None


def test_another_file_to_learn_from_takes_the_place_of_the_first(write):
    classifier = "classifier = 'resnet20_cifar10'\nweights = 'a'\n"
    loss = "[training.losses.distillation]\n"
    write("first.toml", f"extends = 'digits'\n{loss}[training.start]\n{classifier}[training.teacher]\n{classifier}")
    second = write("second.toml", (
        "extends = 'first.toml'\n[training.start]\ncheckpoint = 'b'\n"
        "[training.teacher]\ncheckpoint = 'c'\ncached = true"
    ))
    found = load_recipe(second).training
    assert found.start == StartRecipe(checkpoint="b")
    assert found.teacher == TeacherRecipe(checkpoint="c", cached=True)
    third = write("third.toml", f"extends = 'second.toml'\n[training.start]\n{classifier}")
    back = load_recipe(third, ["training.teacher.checkpoint=d", "training.start.weights=e"]).training
    assert back.start == StartRecipe(classifier="resnet20_cifar10", weights="e")
    assert back.teacher == TeacherRecipe(checkpoint="d", cached=True)


def test_the_page_names_all_parts_and_their_options():
    page = (Path(__file__).parents[4] / "docs/training.md").read_text()
    for registry in (NEURONS, WEIGHT_QUANTIZERS, FAMILIES, LOSSES, REGULARIZERS, TEACHERS):
        assert f"`{registry.group}`" in page
        for name in registry:
            assert f"`{name}`" in page, name
    for name, kind in NEURONS.items():
        table = dict(re.findall(r"\| `(\w+)` (?=\| (\S+) \|)", page))
        for item in dataclasses.fields(kind.options):
            assert table[item.name] == re.sub(r'(".*")', r"`\1`", json.dumps(item.default)), (name, item.name)
    for name, kind in LOSSES.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        for item in dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ():
            assert f"`{item.name}` ({json.dumps(item.default).removesuffix('.0')})" in row, (name, item.name)


def test_the_loss_on_the_page_is_one():
    page = (Path(__file__).parents[4] / "docs/training.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "docs/training.md", "exec"), {"__name__": "page"})
    try:
        potentials = {"a": torch.tensor([0.5, 1.25]), "b": torch.tensor([0.75])}
        answers = BatchAnswers(logits=torch.zeros(1), labels=torch.zeros(1), potentials=potentials)
        assert LOSSES["quiet"]()(answers) == pytest.approx(0.25)
    finally:
        LOSSES.unregister("quiet")


def test_float32_twin_has_no_quantization():
    quantized = recipe(state_bits=2)
    twin = quantized.float32()
    assert {layer.weights for layer in twin.layers} == {"float"}
    assert {layer.create_neurons(twin.neuron).neuron.state_bits for layer in twin.layers} == {16}
    assert twin.training == quantized.training


@pytest.mark.parametrize(("text", "message"), [
    ("ratios = {conv2 = 1.5}", r"pruning.ratios.conv2 must be a part, 0 to 1, not 1.5"),
    ("batches = 0", "pruning.batches must be positive, not 0"),
    ("tolerance = -1.0", "pruning.tolerance must be 0 or more, not -1.0"),
    ("ratio = 0.5", "unknown key pruning.ratio"),
])
def test_wrong_pruning_is_named(write, text, message):
    with pytest.raises(RecipeError, match=message):
        load_recipe(write("pruned.toml", f"extends = 'digits'\n[pruning]\n{text}"))
