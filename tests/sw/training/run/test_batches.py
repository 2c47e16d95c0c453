"""Which samples make up a batch, and batches of one sample."""

import dataclasses

import pytest
from spikeplane.training.run.batches import bounds_of_batches, check_shares
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.evaluate import predict
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train
from training_samples import EVENTS, IMAGE, layers, network, offer_sample, recipe, samples

ONE_STEP = dataclasses.replace(EVENTS, steps=1)


def of(form, pooled):
    """Return a recipe for inputs of this form; not ``pooled``, its last layer is a dense one."""
    chosen = recipe(epochs=2, augmentations={})
    return dataclasses.replace(
        chosen, layers=layers(pooled=pooled), data=dataclasses.replace(chosen.data, steps=form.steps)
    )


def with_batches(chosen, batch_size):
    return dataclasses.replace(chosen, training=dataclasses.replace(chosen.training, batch_size=batch_size))


def sizes(*arguments) -> list[int]:
    bounds = bounds_of_batches(*arguments)
    ends = [last for _, last in bounds]
    assert [first for first, _ in bounds] == [0, *ends[:-1]] and ends[-1] == arguments[0]
    return [last - first for first, last in bounds]


def test_values_that_a_normalization_sees_of_a_sample():
    assert network().norm_values == {"first": 3 * 16, "inner": 3 * 16, "last": 3 * 4}
    assert network(pooled=False).norm_values == {"first": 3 * 16, "inner": 3 * 16, "dense": 3}
    # The image is summed up once, what comes after it in every step.
    assert network(IMAGE, pooled=False).norm_values == {"first": 16, "inner": 3 * 16, "dense": 3}


def test_no_batch_has_one_sample_where_a_layer_cannot_learn_from_it():
    free, bound = network(ONE_STEP), network(ONE_STEP, pooled=False)
    assert sizes(5, 2, free) == [1, 2, 2] and sizes(5, 1, free) == [1] * 5 and sizes(1, 4, free) == [1]
    assert sizes(5, 2, bound) == [2, 3] and sizes(3, 2, bound) == [3]
    for count in range(2, 40):
        for batch_size in range(2, 12):
            found = sizes(count, batch_size, bound)
            assert min(found) >= 2 and max(found) - min(found) <= 1
            assert max(found) <= max(batch_size, 3)
            assert found == sizes(count, batch_size, free) or 1 in sizes(count, batch_size, free)


def test_every_process_needs_a_sample_of_every_batch():
    bounds = bounds_of_batches(7, 3, network())
    check_shares(bounds, 3, 2)
    with pytest.raises(ValueError, match=r"training.batch_size 3: a batch has 2 samples, fewer than there are "
                                         r"processes, 3: start fewer, or set training.batch_size to 6 or more"):
        check_shares(bounds, 3, 3)
    check_shares(bounds_of_batches(7, 6, network()), 6, 3)


@pytest.mark.parametrize("amp", [None, "bfloat16"])
@pytest.mark.parametrize(("form", "pooled"), [(EVENTS, False), (ONE_STEP, True), (ONE_STEP, False), (IMAGE, False)])
def test_last_batches_of_one_and_of_three_train(tmp_path, monkeypatch, form, pooled, amp):
    offer_sample(monkeypatch, lambda *_: samples(form, count=5))
    chosen = with_batches(of(form, pooled), 2)
    options = RunOptions(amp=amp, save_every=0)
    checkpoint = load_checkpoint(train(chosen, tmp_path, progress=False, options=options))
    assert checkpoint.finished
    assert all(value.isfinite().all() for value in checkpoint.network.state_dict().values())


def test_batches_of_one_sample_train_where_it_has_several_values(tmp_path, monkeypatch):
    offer_sample(monkeypatch, lambda *_: samples(count=3))
    checkpoint = load_checkpoint(train(with_batches(of(EVENTS, False), 1), tmp_path, progress=False))
    assert checkpoint.finished
    assert all(value.isfinite().all() for value in checkpoint.network.state_dict().values())


@pytest.mark.parametrize(("count", "batch_size", "begins", "ends"), [
    (5, 1, "training.batch_size is 1: ", ": set training.batch_size to 2 or more"),
    (1, 4, "the training data have 1 sample: ", ": train on 2 samples or more"),
])
def test_what_cannot_be_normalized_is_refused_before_the_work(tmp_path, monkeypatch, count, batch_size, begins, ends):
    offer_sample(monkeypatch, lambda *_: samples(ONE_STEP, count=count))
    with pytest.raises(ValueError) as caught:
        train(with_batches(of(ONE_STEP, False), batch_size), tmp_path, progress=False)
    assert str(caught.value) == (
        f"{begins}layer 'dense' normalizes each channel over a batch, and has one value of it in a sample (one step, "
        f"one pixel); a batch must have at least 2 samples{ends}"
    )
    assert list(tmp_path.iterdir()) == []


def test_no_samples_have_no_predictions():
    assert predict(network(), samples().inputs[:0]).shape == (0,)
