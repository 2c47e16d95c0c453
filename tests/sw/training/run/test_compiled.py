"""Trainings whose passes are compiled."""

import math
from functools import partial

import pytest
import torch
from spikeplane.training.recipe.sources import TeacherRecipe
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import offer_sample, recipe, samples, untrained_checkpoint

# Of PyTorch's own code.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    offer_sample(monkeypatch, sample_data)


def test_a_compiled_training_gives_the_same(tmp_path, monkeypatch):
    """What the compiler is given, without the minute that it takes: sums are in another order, nothing else."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    chosen = recipe(epochs=1, batch_size=32)
    whole, compiled = (
        load_checkpoint(train(chosen, tmp_path / str(compile), progress=False, options=RunOptions(compile=compile)))
        for compile in (False, True)
    )
    assert compiled.history[0]["loss"] == pytest.approx(whole.history[0]["loss"], rel=1e-3)
    assert compiled.history[0]["rates"] == pytest.approx(whole.history[0]["rates"], abs=1e-3)
    begin = untrained_checkpoint().network.state_dict()
    for name, value in whole.network.state_dict().items():
        if value.is_floating_point():
            moved, apart = (value - begin[name]).norm(), (value - compiled.network.state_dict()[name]).norm()
            assert apart <= 0.02 * moved, name


def test_one_graph_is_compiled_for_all_of_an_epoch(monkeypatch):
    """Neither a layer nor how steep the gradient of signs is breaks it up or makes another one."""
    network = untrained_checkpoint().network.train()
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph

    compiled = torch.compile(network, dynamic=False, fullgraph=True, backend=count)
    inputs = torch.from_numpy(samples(count=8).inputs)
    for progress in (0, 0.5, 1):
        network.set_progress(progress)
        logits, spikes = compiled(inputs)
        expected, same = network(inputs)
        torch.testing.assert_close(logits, expected)
        assert all(torch.equal(spikes[name], same[name]) for name in same)
        assert math.isclose(network.layers["inner"].quantizer.steepness, 0.1 * 100**progress)
    assert len(graphs) == 1


def test_losses_of_potentials_are_refused(tmp_path):
    teacher = train(recipe(epochs=1), tmp_path / "teacher", progress=False)
    chosen = recipe(
        losses={"tet": {}, "potential_distillation": {}}, teacher=TeacherRecipe(checkpoint=str(teacher)),
        augmentations={},
    )
    with pytest.raises(ValueError, match="its losses look at potentials, which a compiled network does not show"):
        train(chosen, tmp_path, progress=False, options=RunOptions(compile=True))
