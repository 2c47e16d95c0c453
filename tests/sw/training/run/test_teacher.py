"""Teachers: what they are asked, what is kept of their answers, and that a training learns from them."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spikeplane.data.sets.datasets import load_dataset, quantize_image
from spikeplane.training.net.networks import SpikingNetwork
from spikeplane.training.net.resnet import ImageClassifier
from spikeplane.training.net.teachers import TEACHERS
from spikeplane.training.recipe.mixup import Mixup
from spikeplane.training.recipe.sources import TeacherRecipe
from spikeplane.training.run import train as training
from spikeplane.training.run.checkpoint import CheckpointError, load_checkpoint
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.start import file_digest
from spikeplane.training.run.teacher import create_teacher
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import IMAGE, layers, network, offer_sample, recipe, samples

CPU = torch.device("cpu")
POTENTIALS = {"tet": {}, "potential_distillation": {"weight": 2.0}}


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    offer_sample(monkeypatch, sample_data)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """Return the checkpoint of a float teacher."""
    with pytest.MonkeyPatch.context() as patch:
        offer_sample(patch, sample_data)
        return train(recipe(epochs=12, augmentations={}).float32(), tmp_path_factory.mktemp("teacher"), progress=False)


def learning(path, losses=None, **training):
    return recipe(**{
        "teacher": TeacherRecipe(checkpoint=str(path)), "losses": losses or {"distillation": {}}, **training,
    })


def test_a_network_learns_from_its_teacher_alone(tmp_path, taught, monkeypatch):
    """No loss sees a label; they are wrong."""
    path = train(learning(taught, epochs=12, augmentations={}), tmp_path, progress=False)
    made, data = load_checkpoint(path).network, samples(seed=1)
    with torch.no_grad():
        right = made(torch.from_numpy(data.inputs))[0].mean(0).argmax(1).numpy() == data.labels
    assert right.mean() > 0.8
    assert load_checkpoint(path).teacher == {"file": taught.name, "sha256": file_digest(taught)}


def test_potentials_come_nearer_to_those_of_the_teacher(tmp_path, taught):
    distances = []
    for weight in (0.0, 5.0):
        losses = {"tet": {}, "potential_distillation": {"weight": weight}}
        path = train(learning(taught, losses, epochs=6), tmp_path / str(weight), progress=False)
        made, teacher = load_checkpoint(path).network, load_checkpoint(taught).network
        potentials = []
        for each in (made, teacher):
            with torch.no_grad(), each.recording() as found:
                each(torch.from_numpy(samples().inputs))
            potentials.append(found)
        own, theirs = potentials
        distances.append(np.mean([
            float((own[name] - theirs[name]).square().sum() / theirs[name].square().sum()) for name in own
        ]))
    assert distances[1] < 0.8 * distances[0]


def test_what_no_loss_uses_is_not_computed(tmp_path, taught, monkeypatch):
    asked = []
    recording = SpikingNetwork.recording
    monkeypatch.setattr(SpikingNetwork, "recording", lambda made: asked.append(made) or recording(made))
    train(recipe(epochs=1), tmp_path / "a", progress=False)
    train(learning(taught, epochs=1), tmp_path / "b", progress=False)
    assert not asked
    train(learning(taught, POTENTIALS, epochs=1), tmp_path / "c", progress=False)
    assert len(asked) == 2 * 6 and len(set(map(id, asked))) == 2


@pytest.mark.parametrize("losses", [{"tet": {}, "distillation": {"temperature": 2.0}}, POTENTIALS], ids=str)
@pytest.mark.parametrize("augmentations", [{}, {"shift": {"pixels": 1}}], ids=["kept", "augmented"])
def test_a_stopped_training_ends_as_an_uninterrupted_one(tmp_path, taught, monkeypatch, losses, augmentations):
    chosen = learning(taught, losses, epochs=2, augmentations=augmentations)
    whole = train(chosen, tmp_path / "whole", progress=False)
    batch = training._Training._batch

    def fail(run, *arguments):
        if run.done == 8:
            raise InterruptedError
        return batch(run, *arguments)

    monkeypatch.setattr(training._Training, "_batch", fail)
    with pytest.raises(InterruptedError):
        train(chosen, tmp_path / "cut", progress=False, options=RunOptions(save_every=0))
    monkeypatch.setattr(training._Training, "_batch", batch)
    assert train(chosen, tmp_path / "cut", progress=False).read_bytes() == whole.read_bytes()


def test_another_teacher_is_refused(tmp_path, taught, monkeypatch):
    copy = tmp_path / "teacher.safetensors"
    copy.write_bytes(taught.read_bytes())
    chosen = learning(copy, epochs=2)
    monkeypatch.setattr(training._Training, "_end_epoch", interrupt(training._Training._end_epoch))
    with pytest.raises(InterruptedError):
        train(chosen, tmp_path, progress=False, options=RunOptions(save_every=0))
    copy.write_bytes(train(recipe(epochs=1), tmp_path / "other", progress=False).read_bytes())
    with pytest.raises(CheckpointError, match="begun with another teacher: SHA-256 "):
        train(chosen, tmp_path, progress=False)


def interrupt(end):
    def stop(run):
        if run.recipe.training.teacher:
            raise InterruptedError
        return end(run)
    return stop


def test_answers_are_those_to_the_augmented_samples(taught):
    data = samples()
    chosen = learning(taught, augmentations={"flip": {}})
    made = create_teacher(chosen, network(), data, None, potentials=False, device=CPU)
    assert made is not None and made.known is None
    part = np.arange(10, 26)
    found = made.answers(part, lambda inputs: inputs.flip(-1), slice(4, 9))
    with torch.no_grad():
        expected = made.network(torch.from_numpy(data.inputs[14:19, ..., ::-1].copy()))[0].mean(0)
    torch.testing.assert_close(found.logits, expected)
    # Where nothing changes, all are computed once.
    kept = create_teacher(learning(taught, augmentations={}), network(), data, None, potentials=False, device=CPU)
    assert kept is not None and kept.known is not None and kept.known.shape == (96, 4)
    with torch.no_grad():
        expected = made.network(torch.from_numpy(data.inputs[14:19]))[0].mean(0)
    torch.testing.assert_close(kept.answers(part, None, slice(4, 9)).logits, expected)


def test_a_cached_teacher_is_asked_once_for_the_samples_as_they_are(tmp_path, taught):
    """Though the network that learns sees changed ones."""
    kind = {"teacher": TeacherRecipe(checkpoint=str(taught), cached=True), "augmentations": {"flip": {}}}
    chosen, data = learning(taught, **kind), samples()
    made = create_teacher(chosen, network(), data, None, potentials=False, device=CPU)
    assert made is not None and made.known is not None
    part = np.arange(10, 26)
    with torch.no_grad():
        expected = made.network(torch.from_numpy(data.inputs[14:19]))[0].mean(0)
    torch.testing.assert_close(made.answers(part, lambda inputs: inputs.flip(-1), slice(4, 9)).logits, expected)
    path = train(dataclasses.replace(chosen, training=dataclasses.replace(chosen.training, epochs=1)), tmp_path,
                 progress=False)
    assert load_checkpoint(path).recipe.training.teacher == kind["teacher"]
    assert "cached" not in learning(taught).to_dict()["training"]["teacher"]


@pytest.mark.parametrize(("settings", "message"), [
    ({"losses": POTENTIALS}, "potential_distillation needs potentials, training.teacher.cached keeps logits alone"),
    ({"augmentations": {"cutmix": {}}}, "do not tell what training.augmentations.cutmix puts together"),
    ({"mixup": Mixup()}, "do not tell what training.mixup puts together"),
])
def test_what_cached_answers_do_not_tell_is_refused(taught, settings, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        learning(taught, teacher=TeacherRecipe(checkpoint=str(taught), cached=True), **settings)


def test_a_teacher_of_other_images_has_its_own_format(taught, monkeypatch):
    """Its validation part is that of the network that learns."""
    asked = []

    def load(recipe, root, part):
        asked.append(recipe)
        return samples(seed={"train": 0, "test": 1}[part])

    offer_sample(monkeypatch, load)
    chosen = learning(taught)
    chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, threshold=2, validation=16))
    data = load_dataset(chosen.data, "train")
    made = create_teacher(chosen, network(), data, None, potentials=False, device=CPU)
    assert made is not None and len(made.samples.inputs) == 80
    assert (asked[-1].threshold, asked[-1].validation) == (1, 16)


def test_a_classifier_sees_eight_bits(tmp_path, monkeypatch):
    """Whatever the network sees; both see the same augmentation."""
    class Sums(ImageClassifier):
        shape, classes = (1, 8, 8), 4

        def forward(self, images):
            seen.append(images.numpy().copy())
            return images.float().sum((1, 2, 3))[:, None].repeat(1, 4)

    images = np.random.RandomState(0).randint(0, 256, (96, 1, 8, 8)).astype(np.uint8)

    def load(recipe, root, part):
        form = dataclasses.replace(IMAGE, bits=recipe.bits)
        return dataclasses.replace(samples(form), inputs=quantize_image(images, recipe.bits))

    seen, learned = [], []
    offer_sample(monkeypatch, load)
    TEACHERS.register("sums", Sums)
    try:
        save_file({}, tmp_path / "sums.safetensors")
        chosen = recipe(
            epochs=1, losses={"distillation": {}}, augmentations={"flip": {}, "shift": {"pixels": 2}},
            teacher=TeacherRecipe(classifier="sums", weights=str(tmp_path / "sums.safetensors")),
        )
        chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, bits=4))
        monkeypatch.setattr(SpikingNetwork, "answer", note(SpikingNetwork.answer, learned))
        train(chosen, tmp_path, progress=False)
    finally:
        TEACHERS.unregister("sums")
    assert len(seen) == 6 and max(part.max() for part in seen) > 240
    for eight, four in zip(seen, learned, strict=False):
        np.testing.assert_array_equal(quantize_image(eight, 4), four)


def note(forward, inputs):
    def run(network, values):
        inputs.append(values.numpy().copy())
        return forward(network, values)
    return run


def test_teachers_that_do_not_fit_are_refused(tmp_path, taught):
    data = samples()
    part = {"potentials": False, "device": CPU}
    with pytest.raises(ValueError, match=r"tells 4 classes, sample has 7"):
        create_teacher(learning(taught), network(), dataclasses.replace(data, classes=7), None, **part)
    other = dataclasses.replace(data, labels=data.labels[::-1].copy())
    chosen = learning(taught)
    chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, threshold=2))
    with pytest.raises(ValueError, match="its training samples are not those of sample"):
        create_teacher(chosen, network(), other, None, **part)
    chosen = dataclasses.replace(chosen, data=dataclasses.replace(chosen.data, name="digits"))
    with pytest.raises(ValueError, match="learned from sample, this training has digits"):
        create_teacher(chosen, network(), data, None, **part)
    form = dataclasses.replace(network().form, steps=5)
    part["potentials"] = True
    with pytest.raises(ValueError, match="has 3 steps, this network 5: potentials are compared step by step"):
        create_teacher(learning(taught), network(form), data, None, **part)
    for changed, message in (
        ({"name": "x"}, "has neurons first, inner, last, this network x: none has the name"),
        ({"name": "inner", "channels": 3, "stride": 2},
         r"layer 'inner' has neurons \(10, 4, 4\), that of this network \(3, 4, 4\)"),
    ):
        described = [dataclasses.replace(layers()[1], **changed), layers()[-1]]
        made = type(network())(network().form, described, recipe().neuron, 4)
        with pytest.raises(ValueError, match=message):
            create_teacher(learning(taught), made, data, None, **part)
