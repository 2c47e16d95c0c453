"""Losses against their formulas."""

import pytest
import torch
from spikeplane.training.recipe.answers import BatchAnswers, TeacherAnswers
from spikeplane.training.recipe.losses import (
    Distillation,
    MeanLoss,
    PotentialDistillation,
    TetLoss,
    create_losses,
)
from torch.nn.functional import cross_entropy

LOGITS = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0])
TAUGHT = 3 * torch.randn(5, 4, generator=torch.Generator().manual_seed(1))


def answers(**more) -> BatchAnswers:
    return BatchAnswers(logits=LOGITS, labels=LABELS, **more)


def test_cross_entropies():
    steps = torch.stack([cross_entropy(step, LABELS) for step in LOGITS])
    torch.testing.assert_close(TetLoss()(answers()), steps.mean())
    torch.testing.assert_close(MeanLoss()(answers()), cross_entropy(LOGITS.mean(0), LABELS))
    assert TetLoss()(answers()) > MeanLoss()(answers())


@pytest.mark.parametrize(("loss", "logits"), [(TetLoss, LOGITS), (MeanLoss, LOGITS.mean(0, keepdim=True))])
def test_smoothed_labels(loss, logits):
    expected = 0.0
    for step in logits:
        chances = step.softmax(1).log()
        right = -chances[torch.arange(5), LABELS]
        expected += (0.7 * right + 0.3 * -chances.mean(1)).mean() / len(logits)
    torch.testing.assert_close(loss(label_smoothing=0.3)(answers()), torch.as_tensor(expected))


def test_mixed_labels():
    """The loss is the mean of those of both labels, by their shares."""
    shares, others = torch.tensor([0.5, 0.7, 1.0, 0.9, 0.6]), torch.tensor([3, 3, 0, 2, 0])
    mixed = torch.zeros(5, 4)
    for sample, share in enumerate(shares):
        mixed[sample, LABELS[sample]] += share
        mixed[sample, others[sample]] += 1 - share
    for loss, logits in ((TetLoss, LOGITS), (MeanLoss, LOGITS.mean(0, keepdim=True))):
        own, other = (torch.stack([cross_entropy(step, labels, reduction="none") for step in logits])
                      for labels in (LABELS, others))
        expected = (shares * own + (1 - shares) * other).mean()
        torch.testing.assert_close(loss()(answers(mixed=mixed)), expected)


def test_losses_of_one_head():
    """One head learns from labels, another from the teacher; the logits are the mean of both."""
    heads = torch.stack([LOGITS + 1.5, LOGITS.flip(2)])
    found = BatchAnswers(logits=heads.mean(0), labels=LABELS, heads=heads, teacher=TeacherAnswers(logits=TAUGHT))
    torch.testing.assert_close(MeanLoss(head=1)(found), MeanLoss()(BatchAnswers(logits=heads[1], labels=LABELS)))
    torch.testing.assert_close(TetLoss(head=0)(found), TetLoss()(answers()))
    hard = Distillation(head=1, hard=True)(found)
    torch.testing.assert_close(hard, cross_entropy(heads[1].mean(0), TAUGHT.argmax(1)))
    torch.testing.assert_close(MeanLoss()(found), MeanLoss()(BatchAnswers(logits=heads.mean(0), labels=LABELS)))
    # A classifier is a head, too.
    torch.testing.assert_close(MeanLoss(head=0)(answers()), MeanLoss()(answers()))
    with pytest.raises(ValueError, match="head is 1: the network has 1, counted from 0"):
        MeanLoss(head=1)(answers())


@pytest.mark.parametrize("head", [-1, 0.5, True])
@pytest.mark.parametrize("loss", [TetLoss, MeanLoss, Distillation])
def test_wrong_heads_are_refused(loss, head):
    with pytest.raises(ValueError, match="head must be an integer of 0 or more"):
        loss(head=head)


def test_distillation():
    taught = answers(teacher=TeacherAnswers(logits=TAUGHT))
    p, q = (TAUGHT / 2.5).softmax(1), (LOGITS.mean(0) / 2.5).softmax(1)
    expected = 2.5**2 * (p * (p / q).log()).sum(1).mean()
    torch.testing.assert_close(Distillation(temperature=2.5)(taught), expected)
    assert Distillation()(answers(teacher=TeacherAnswers(logits=LOGITS.mean(0)))).abs() < 1e-6
    hard = cross_entropy(LOGITS.mean(0), TAUGHT.argmax(1))
    torch.testing.assert_close(Distillation(hard=True)(taught), hard)
    with pytest.raises(ValueError, match=r"needs the answers of a teacher: set training\.teacher"):
        Distillation()(answers())


def test_potential_distillation():
    own = {"a": torch.tensor([[[1.0, 2.0]]], requires_grad=True), "b": torch.ones(1, 1, 3), "c": torch.ones(1, 1, 1)}
    taught = {"a": torch.tensor([[[2.0, 4.0]]]), "b": torch.ones(1, 1, 3), "d": torch.ones(1, 1, 1)}
    value = PotentialDistillation()(answers(
        potentials=own, teacher=TeacherAnswers(logits=TAUGHT, potentials=taught)
    ))
    # Layer a: (1 + 4) / (4 + 16); layer b: nothing; c and d stand alone.
    assert value.item() == pytest.approx(0.25 / 2)
    value.backward()
    assert own["a"].grad is not None and (own["a"].grad < 0).all()


def test_potentials_of_a_batch_are_the_mean_of_its_samples():
    draw = torch.Generator().manual_seed(3)
    own, taught = (torch.randn(3, 5, 2, 4, 4, generator=draw) for _ in range(2))

    def loss(part: slice) -> float:
        return PotentialDistillation()(answers(
            potentials={"a": own[:, part]}, teacher=TeacherAnswers(logits=TAUGHT, potentials={"a": taught[:, part]})
        )).item()

    each = [loss(slice(index, index + 1)) for index in range(5)]
    assert loss(slice(0, 5)) == pytest.approx(sum(each) / 5)
    assert each[2] == pytest.approx(float((own[:, 2] - taught[:, 2]).square().sum() / taught[:, 2].square().sum()))


def test_losses_add_up_with_their_weights():
    losses = create_losses({"tet": {"weight": 0.5}, "mean": {"label_smoothing": 0.1, "weight": 2}})
    expected = 0.5 * TetLoss()(answers()) + 2 * MeanLoss(label_smoothing=0.1)(answers())
    torch.testing.assert_close(losses(answers()), expected)
    assert not losses.potentials and create_losses({"tet": {}, "potential_distillation": {}}).potentials
    assert not losses.spikes


def test_wrong_options_are_named():
    for table, message in (
        ({"distillation": {"temperature": 0}}, r"training\.losses\.distillation: temperature must be above 0, not 0"),
        ({"distillation": {"hard": 1}}, r"training\.losses\.distillation: hard must be true or false, not 1"),
        ({}, "training.losses must name a loss"),
        ({"tet": 3}, r"training\.losses\.tet must be a table of options, or false, not 3"),
    ):
        with pytest.raises(ValueError, match=message):
            create_losses(table)
