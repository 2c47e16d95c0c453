from dataclasses import fields, replace

import numpy as np
import pytest
from ragged_networks import CORES, network, samples
from spikeplane.compiler import image as image_module
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import Image, ImageError, load_image, save_image
from spikeplane.network.file import save_network
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CoreConfig
from spikeplane_hw.descriptor import event_layout
from spikeplane_hw.identity import interface_hash
from spikeplane_hw.memory_map import Space


def image_of(seed=0, **options) -> Image:
    net = network(seed, direct=options.pop("direct", False))
    net.metadata["trained"] = {"accuracy": 0.97}
    return compile_network(net, CORES[0], **options)


def events_image(**options) -> Image:
    seed = next(s for s in range(50) if network(s).input.channels == 2)
    return image_of(seed, **options)


def assert_same(one, other):
    for field in fields(Image):
        if field.name == "contents":
            assert one.contents.keys() == other.contents.keys()
            for space, (address, words) in one.contents.items():
                assert other.contents[space][0] == address
                assert np.array_equal(other.contents[space][1], words)
        elif field.name == "vectors":
            for a, b in zip(one.vectors, other.vectors, strict=True):
                assert all(np.array_equal(getattr(b, n), v) for n, v in vars(a).items())
        else:
            assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


@pytest.mark.parametrize("options", [
    {}, {"direct": True}, {"schedule": Schedule.STORED}, {"keep_states": True},
    {"keep_maps": False},
], ids=str)
def test_a_saved_image_is_read_back(tmp_path, options):
    image = image_of(**options)
    save_image(image, tmp_path / "a.spk")
    assert_same(load_image(tmp_path / "a.spk"), image)


def test_files_that_are_no_image_are_named(tmp_path):
    path = tmp_path / "a.spk"
    with pytest.raises(ImageError, match=r"a\.spk: no such file"):
        load_image(path)
    save_network(network(0), path)
    with pytest.raises(ImageError, match=r"a\.spk: a Spikeplane file of kind 'network'"):
        load_image(path)
    save_image(image_of(), path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    with pytest.raises(ImageError, match=r"a\.spk: truncated"):
        load_image(path)
    path.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(ImageError, match=r"a\.spk: damaged or altered"):
        load_image(path)


def test_images_of_a_version_that_meant_something_else_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.spk"
    save_image(image_of(), path)
    with monkeypatch.context() as patch:
        patch.setattr(image_module, "interface_hash", lambda config: interface_hash(config) ^ 1)
        with pytest.raises(ImageError, match=r"a\.spk: a layout that it shares with the core has changed in this "
                                             r"version: compile it again$"):
            load_image(path)
    with monkeypatch.context() as patch:
        meant = CORES[0].hash
        patch.setattr(CoreConfig, "hash", meant ^ 1)
        with pytest.raises(ImageError, match=r"a\.spk: the core's configuration means something else in this version$"):
            load_image(path)
    load_image(path)


def test_contents_that_do_not_fit_the_core_are_named():
    image = image_of()
    image.verify()
    depth = image.config.weight_depth * image.config.banks
    words = image.contents[Space.WEIGHTS][1]
    for wrong, message in [
        ((depth - 1, words), f"WEIGHTS: {len(words)} words from {depth - 1} on do not fit {depth} words"),
        ((0, words.astype(np.int64)), "WEIGHTS: words of 1 bytes were expected, not int64"),
        ((0, words.repeat(2, axis=1)), "WEIGHTS: words of 1 bytes were expected, not uint8"),
    ]:
        with pytest.raises(ImageError, match=message):
            replace(image, contents=image.contents | {Space.WEIGHTS: wrong}).verify()


def test_events_make_the_input_map():
    image = events_image()
    assert image.takes_events
    sample = image.vectors[0].sample
    address, words = image.encode_input(sample)
    assert address == 0
    slots = np.zeros((len(words) * image.config.word_slots, image.config.banks), np.uint8)
    layout = event_layout()
    events = image.encode_events(sample)
    assert len(events) == sample.sum()
    for word in events.tolist():
        event = layout.from_bits(word)
        row = event.step * image.input.height + event.y
        slots[row * image.input.width + event.x, event.polarity] = 1
    bits = np.unpackbits(words, axis=1, bitorder="little")[:, :image.config.word_width]
    assert np.array_equal(bits.reshape(slots.shape), slots)
    steps = [layout.from_bits(word).step for word in events.tolist()]
    assert steps == sorted(steps)


def test_wrong_samples_are_named():
    image = events_image()
    sample = image.vectors[0].sample
    for wrong, message in [
        (sample[:, :1], r"an input of shape \("),
        (sample.astype(float), "an input of integers or booleans was expected, not float64"),
        (sample + 1, r"the input has the value 2, limit 0\.\.1"),
        (sample.astype(int) - 1, r"the input has the value -1, limit 0\.\.1"),
    ]:
        with pytest.raises(ImageError, match=message):
            image.encode_events(wrong)
    with pytest.raises(ImageError, match="written as words, not sent as events"):
        image_of(direct=True).encode_events(samples(network(0, direct=True), 1)[0])


def test_what_is_not_kept_is_named():
    image = image_of(keep_maps=False)
    last = len(image.layers) - 1
    with pytest.raises(ImageError, match="layer 'classifier': its spikes are not kept"):
        image.map_place(last)
    with pytest.raises(ImageError, match="layer 'classifier': its potentials are not kept"):
        image.state_place(last)
