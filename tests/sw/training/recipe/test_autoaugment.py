"""AutoAugment."""

import sys
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from spikeplane.data.formats.files import DataError
from spikeplane.training.recipe import autoaugment
from spikeplane.training.recipe.augmentations import create_augmentations
from spikeplane.training.recipe.autoaugment import OPERATIONS, POLICY, AutoAugment, RandAugment
from spikeplane.training.recipe.recipes import RecipeError, load_recipe

IMAGES = np.random.RandomState(0).randint(0, 256, (200, 3, 32, 32)).astype(np.uint8)


def apply(name: str, strength: float, image: np.ndarray) -> np.ndarray:
    """Return what an operation makes of an image (3, height, width)."""
    changed = OPERATIONS[name](Image.fromarray(image.transpose(1, 2, 0).copy()), strength)
    return np.asarray(changed).transpose(2, 0, 1)


def augmented(images: np.ndarray, seed: int) -> np.ndarray:
    return AutoAugment()(torch.from_numpy(images), np.random.RandomState(seed)).numpy()


def test_draws_come_from_the_generator_alone():
    before = IMAGES.copy()
    found = augmented(IMAGES, 3)
    np.testing.assert_array_equal(IMAGES, before)
    assert found.shape == IMAGES.shape and found.dtype == IMAGES.dtype
    np.random.seed(99)
    np.testing.assert_array_equal(augmented(IMAGES, 3), found)
    assert (augmented(IMAGES, 4) != found).any()
    changed = (found != IMAGES).any((1, 2, 3)).mean()
    # Both operations of a pair are left out with this chance; some others change nothing.
    idle = np.mean([(1 - first[1]) * (1 - second[1]) for first, second in POLICY])
    assert 0.6 < changed < 1 - idle + 0.1


def test_operations_follow_the_policy(monkeypatch):
    """Each operation and strength comes as often as the policy says, either way equally."""
    count, used = 20_000, Counter()
    for name in OPERATIONS:
        def record(image, strength, name=name):
            used[name, round(abs(strength) * 9)] += 1
            used[strength > 0] += strength != 0
            return image
        monkeypatch.setitem(autoaugment.OPERATIONS, name, record)
    augmented(np.zeros((count, 3, 1, 1), np.uint8), 0)
    expected = Counter()
    for pair in POLICY:
        for name, probability, level in pair:
            expected[name, level] += count * probability / len(POLICY)
    assert len(POLICY) == 25 and {name for name, _ in expected} == set(OPERATIONS)
    for key, times in expected.items():
        assert abs(used[key] - times) < 5 * np.sqrt(times) + 1, key
    assert abs(used[True] / (used[True] + used[False]) - 0.5) < 0.02


def test_random_operations_are_equally_likely(monkeypatch):
    """Their strengths are about the magnitude, either way, and no stronger than the strongest; some are left out."""
    count, used = 20_000, {name: [] for name in OPERATIONS}
    for name in OPERATIONS:
        def record(image, strength, name=name):
            used[name].append(strength)
            return image
        monkeypatch.setitem(autoaugment.OPERATIONS, name, record)
    images = torch.zeros((count // 2, 3, 1, 1), dtype=torch.uint8)
    RandAugment(count=2, magnitude=8, deviation=1.5, probability=0.7)(images, np.random.RandomState(5))
    expected = 0.7 * count / len(OPERATIONS)
    for name, strengths in used.items():
        assert abs(len(strengths) - expected) < 5 * np.sqrt(expected), name
    strengths = np.concatenate(list(used.values()))
    assert abs((strengths > 0).mean() - 0.5) < 0.02 and np.abs(strengths).max() == 1
    assert abs(np.median(np.abs(strengths)) - 0.8) < 0.01 and 0.11 < np.abs(strengths).std() < 0.15


def test_random_operations_change_images():
    before = IMAGES.copy()
    found = RandAugment()(torch.from_numpy(IMAGES), np.random.RandomState(3)).numpy()
    np.testing.assert_array_equal(IMAGES, before)
    np.testing.assert_array_equal(RandAugment()(torch.from_numpy(IMAGES), np.random.RandomState(3)).numpy(), found)
    assert 0.35 < (found != IMAGES).any((1, 2, 3)).mean() < 0.55
    unused = RandAugment(probability=0.0)(torch.from_numpy(IMAGES), np.random.RandomState(3)).numpy()
    np.testing.assert_array_equal(unused, IMAGES)


@pytest.mark.parametrize(("options", "message"), [
    ({"count": 0}, "count must be an integer of 1 or more, not 0"),
    ({"magnitude": 11}, r"magnitude must be in 0\.\.10, not 11"),
    ({"deviation": -1}, "deviation must be 0 or more, not -1"),
    ({"probability": 1.1}, r"probability must be in 0\.\.1, not 1\.1"),
])
def test_wrong_options_of_random_operations_are_refused(options, message):
    with pytest.raises(ValueError, match=f"training.augmentations.randaugment: {message}"):
        create_augmentations({"randaugment": options})


def test_operations():
    image = IMAGES[0]
    np.testing.assert_array_equal(apply("invert", 0, image), 255 - image)
    np.testing.assert_array_equal(apply("solarize", -2 / 3, image), np.where(image >= 85, 255 - image, image))
    np.testing.assert_array_equal(apply("posterize", 7 / 9, image), image & 0xF8)
    moved = apply("translate_x", 1, image)
    np.testing.assert_array_equal(moved[..., :18], image[..., 14:])
    assert not moved[..., 18:].any()
    moved = apply("translate_y", -8 / 9, image)
    np.testing.assert_array_equal(moved[:, 12:], image[:, :20])
    assert not moved[:, :12].any()
    np.testing.assert_array_equal(apply("rotate", 3, image), np.rot90(image, axes=(1, 2)))
    sheared = apply("shear_y", 1, image)
    for x in range(32):
        down = int(np.floor(0.3 * (x + 0.5) + 0.5))
        np.testing.assert_array_equal(sheared[:, : 32 - down, x], image[:, down:, x])
    for name in ("brightness", "color", "contrast", "sharpness"):
        np.testing.assert_array_equal(apply(name, 0, image), image)
    np.testing.assert_array_equal(apply("brightness", 1 / 0.9, image), np.minimum(2 * image.astype(int), 255))
    grey = np.repeat(image[:1], 3, 0)
    np.testing.assert_array_equal(apply("color", 0.5, grey), grey)
    flat = np.full_like(image, 77)
    np.testing.assert_array_equal(apply("sharpness", 1, flat), flat)
    assert apply("contrast", 1, image).std() > image.std() > apply("contrast", -1, image).std()
    dim = image // 4 + 20
    for name in ("autocontrast", "equalize"):
        assert apply(name, 0, dim).max() == 255 and apply(name, 0, dim).min() == 0


@pytest.mark.parametrize("inputs", [
    np.zeros((2, 1, 4, 4), np.uint8), np.zeros((2, 3, 4, 4), np.float32), np.zeros((2, 5, 3, 4, 4), np.uint8),
])
def test_only_rgb_images_are_taken(inputs):
    for augment, name in ((AutoAugment(), "autoaugment"), (RandAugment(), "randaugment")):
        with pytest.raises(ValueError, match=name + r" needs 8-bit RGB images .*, not (uint8|float32) \(2, "):
            augment(torch.from_numpy(inputs), np.random.RandomState(0))


def test_images_of_fewer_bits_are_refused():
    with pytest.raises(RecipeError, match=r"autoaugment needs data\.bits = 8, not 4"):
        load_recipe("mnist", ["training.augmentations.autoaugment={}"])


def test_a_missing_pillow_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"PIL.Image is needed: .* spikeplane\[data\]"):
        augmented(IMAGES[:1], 0)
