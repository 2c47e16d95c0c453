"""Small recipes and data that the training tests share."""

import numpy as np
from spikeplane.data.sets.datasets import DATASETS, DataRecipe, Dataset
from spikeplane.network.input import InputFormat
from spikeplane.training.net.networks import LayerRecipe, SpikingNetwork
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.recipe.recipes import Recipe, TrainingRecipe
from spikeplane.training.run.checkpoint import Checkpoint

EVENTS = InputFormat(channels=2, height=8, width=8, steps=3)
IMAGE = InputFormat(channels=1, height=8, width=8, steps=3, bits=4, direct=True)


def offer_sample(patch, load) -> None:
    """Let the name "sample" mean what ``load`` returns, until ``patch``, a MonkeyPatch, is undone."""
    patch.setitem(DATASETS._parts, "sample", load)


def layers(
    pooled: bool = True, inner: str = "binary", bits: int = 1, **neurons
) -> list[LayerRecipe]:
    """Return the sample's layers; ``neurons`` sets the inner one's."""
    return [
        LayerRecipe(name="first", kind="conv", channels=6, stride=2, weights="absmax",
                    weight_bits=8),
        LayerRecipe(name="inner", kind="conv", channels=10, weights=inner, weight_bits=bits,
                    neuron=neurons),
        LayerRecipe(name="pool", kind="pool", kernel=2),
        LayerRecipe(name="dense", kind="dense", channels=12, weights=inner, weight_bits=bits)
        if not pooled else
        LayerRecipe(name="last", kind="conv", channels=12, weights=inner, weight_bits=bits),
        LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8,
                    pooled=pooled),
    ]


def recipe(state_bits: int | None = None, validation: int = 0, **training) -> Recipe:
    return Recipe(
        name="sample", seed=3, data=DataRecipe(name="sample", steps=EVENTS.steps, validation=validation),
        neuron=NeuronRecipe(), layers=layers(**({} if state_bits is None else {"state_bits": state_bits})),
        training=TrainingRecipe(**{
            "epochs": 4, "batch_size": 16, "augmentations": {"shift": {"pixels": 1}}, "learning_rate": 0.01,
            "regularizers": {"spike_regulation": {"weight": 0.01}}, **training,
        }),
    )


def samples(form: InputFormat = EVENTS, count: int = 96, seed: int = 0) -> Dataset:
    """Return noise with a bright quarter of the frame, whose place is the label."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, 4, count)
    rate = np.full((count, form.height, form.width), 0.05)
    for index, label in enumerate(labels):
        y, x = 4 * (label // 2), 4 * (label % 2)
        rate[index, y : y + 4, x : x + 4] = 0.6
    if form.direct:
        inputs = random.binomial((1 << form.bits) - 1, rate[:, None])
    else:
        shape = (count, form.steps, form.channels, form.height, form.width)
        inputs = random.rand(*shape) < rate[:, None, None]
    return Dataset(name="sample", input=form, inputs=inputs.astype(np.uint8),
                   labels=labels.astype(np.int64), classes=4)


def network(form: InputFormat = EVENTS, neuron: NeuronRecipe | None = None, **options
            ) -> SpikingNetwork:
    return SpikingNetwork(form, layers(**options), neuron or NeuronRecipe(), 4)


def untrained_checkpoint(**settings) -> Checkpoint:
    """Return the beginning of a training by :func:`recipe`."""
    return Checkpoint.start(recipe(**settings), EVENTS, 4)
