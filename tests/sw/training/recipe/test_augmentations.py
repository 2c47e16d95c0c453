"""Augmentations."""

import numpy as np
import pytest
import torch
from spikeplane.training.recipe.augmentations import (
    CutMix,
    Cutout,
    Drop,
    Flip,
    Shift,
    active,
    create_augmentations,
)

SAMPLES = np.random.RandomState(0).randint(0, 256, (500, 3, 1, 5, 7)).astype(np.uint8)


def apply(augmentation, samples):
    given = torch.from_numpy(samples.copy())
    found = augmentation(given, np.random.RandomState(0)).numpy()
    np.testing.assert_array_equal(given.numpy(), samples)
    assert found.shape == samples.shape and found.dtype == samples.dtype
    np.testing.assert_array_equal(augmentation(given, np.random.RandomState(0)).numpy(), found)
    return found


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("pixels", [0, 1, 3])
def test_shifts_move_whole_samples(pixels, wrap):
    moves = set()
    for sample, found in zip(SAMPLES, apply(Shift(pixels=pixels, wrap=wrap), SAMPLES), strict=True):
        for y in range(-pixels, pixels + 1):
            for x in range(-pixels, pixels + 1):
                expected = np.roll(sample, (y, x), (-2, -1))
                if not wrap:
                    expected[..., : max(y, 0), :] = expected[..., 5 + min(y, 0) :, :] = 0
                    expected[..., : max(x, 0)] = expected[..., 7 + min(x, 0) :] = 0
                if np.array_equal(found, expected):
                    moves.add((y, x))
                    break
            else:
                continue
            break
        else:
            raise AssertionError("no shift gives this sample")
    reach = 2 * pixels + 1
    assert len(moves) == (min(reach, 5) * min(reach, 7) if wrap else reach**2)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_flips_swap_left_and_right(probability):
    found = apply(Flip(probability=probability), SAMPLES)
    flipped = (found == SAMPLES[..., ::-1]).all((1, 2, 3, 4))
    assert (flipped | (found == SAMPLES).all((1, 2, 3, 4))).all()
    assert abs(flipped.mean() - probability) < 0.1 and (flipped.mean() in (0, 1)) == (probability != 0.3)


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_cutouts_are_squares_around_any_pixel(size):
    found = apply(Cutout(size=size), np.ones((2000, 3, 1, 5, 7), np.uint8))
    holes = {tuple(hole.ravel()) for hole in found[:, 0, 0] == 0}
    expected = set()
    for y in range(5):
        for x in range(7):
            hole = np.zeros((5, 7), bool)
            top, left = y - size // 2, x - size // 2
            hole[max(top, 0) : top + size, max(left, 0) : left + size] = True
            expected.add(tuple(hole.ravel()))
    assert holes == expected
    assert (found == found[:, :1]).all()


@pytest.mark.parametrize("limit", [0.0, 0.6, 1.0])
def test_drops_take_another_share_of_each_sample(limit):
    ones = np.ones((500, 3, 2, 20, 20), np.uint8)
    found = apply(Drop(limit=limit), ones)
    dropped = 1 - found.mean((1, 2, 3, 4))
    assert dropped.max() <= limit + 0.05 and dropped.min() < 0.05
    assert abs(dropped.mean() - limit / 2) < 0.05
    # Single spikes are dropped, not whole pixels, steps or channels.
    assert limit == 0 or ((found == found[:, :1]).mean() < 0.9 and set(np.unique(found)) == {0, 1})


@pytest.mark.parametrize(("recipe", "message"), [
    ({"drop": {"limit": 1.5}}, r"training.augmentations.drop: limit must be in 0\.\.1, not 1.5"),
    ({"shift": {}}, "training.augmentations.shift: .* 'pixels'"),
    ({"cutout": {"size": 0}}, "training.augmentations.cutout: size must be an integer of 1 or more, not 0"),
    ({"shift": {"pixels": 1.5}}, "pixels must be an integer of 0 or more, not 1.5"),
    ({"flip": {"probability": 2}}, r"training.augmentations.flip: probability must be in 0\.\.1, not 2"),
])
def test_wrong_options_are_refused(recipe, message):
    with pytest.raises(ValueError, match=message):
        create_augmentations(recipe)


def test_cutmix_pastes_rectangles_of_other_samples():
    """Every pixel is a sample's own or, in one rectangle, another's; about the probability of them have one."""
    marks = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None, None, None], (200, 3, 5, 7))
    found = apply(CutMix(probability=0.6), np.ascontiguousarray(marks))
    assert (found == found[:, :1]).all()
    changed, areas = 0, []
    for own, sample in enumerate(found[:, 0]):
        others = sample != own
        if others.any():
            assert len(set(sample[others])) == 1
            rows, columns = others.any(1), others.any(0)
            assert np.array_equal(others, rows[:, None] & columns)
            assert all(np.ptp(np.flatnonzero(line)) + 1 == line.sum() for line in (rows, columns))
            changed += 1
            areas.append(others.mean())
    assert 0.4 < changed / 200 <= 0.6 and min(areas) < 0.1 and max(areas) > 0.6
    assert np.array_equal(apply(CutMix(probability=0.0), np.ascontiguousarray(marks)), marks)


def test_some_augmentations_end_before_the_training_does():
    made = create_augmentations({"flip": {}, "cutout": {"size": 2, "until": 0.5}, "cutmix": {"until": 0.8}})
    for progress, names in ((0.0, "Flip Cutout CutMix"), (0.5, "Flip CutMix"), (0.79, "Flip CutMix"), (0.8, "Flip")):
        assert " ".join(type(each).__name__ for each in active(made, progress)) == names


@pytest.mark.parametrize("name, options, message", [
    ("cutmix", {"probability": 1.5}, "training.augmentations.cutmix: probability must be in 0..1, not 1.5"),
    ("cutmix", {"until": -1}, "training.augmentations.cutmix: until must be in 0..1, not -1"),
    ("cutout", {"size": 1, "until": "end"}, "training.augmentations.cutout: until must be in 0..1, not 'end'"),
])
def test_shares_of_augmentations_are_checked(name, options, message):
    with pytest.raises(ValueError, match=message):
        create_augmentations({name: options})
