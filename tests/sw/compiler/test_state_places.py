"""The state memory: streams share places when they are not needed together, potentials share theirs with nothing."""

from dataclasses import replace

import numpy as np
import pytest
import spilled_networks
from spikeplane.compiler.compile import compile_network, random_samples
from spikeplane.compiler.image import ImageError
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.moves import stream_words
from spikeplane.compiler.place import place
from spikeplane.compiler.state_places import StoredLayer, place_states, spillable_streams
from spikeplane_hw.memory_map import Space

NETWORK, CONFIG = spilled_networks.three_streams()


def chunks(placement, name: str) -> range:
    """Return the chunks of what a layer stores."""
    placed = next(each for each in placement.layers if each.layer.name == name)
    return range(placed.state_base, placed.state_end(placement.config))


def test_only_streams_that_are_needed_together_lie_beside_each_other():
    whole, reused = place(NETWORK, CONFIG), place(NETWORK, CONFIG, keep_maps=False)
    every = [chunks(whole, name) for name in "abc"]
    assert [each.start for each in every[1:]] == [each.stop for each in every[:-1]]
    assert every[0].start == CONFIG.chunks
    held = {name: chunks(reused, name) for name in "abc"}
    assert not set(held["a"]) & {*held["b"], *held["c"]} and not set(held["b"]) & set(held["c"])
    # Where "a" has left, "b" lies.
    less = place(NETWORK, CONFIG, keep_maps=False, spilled=frozenset("a"))
    assert chunks(less, "b") == chunks(less, "a")
    assert less.occupied_words()[Space.STATES] < reused.occupied_words()[Space.STATES]


def test_what_lasts_is_never_overwritten():
    stored = [
        StoredLayer(name="a", chunks=2 * CONFIG.chunks, unit=CONFIG.chunks, stream=stream())
        if name == "a" else StoredLayer(name=name, chunks=CONFIG.chunks + 1, unit=1, stream=None)
        for name in ("a", "of b", "of c", "of a")
    ]
    placed = place_states(NETWORK, stored, CONFIG, keep=False, spilled=frozenset("a"), first_burst=7)
    parts = [range(placed.bases[each.name], placed.bases[each.name] + each.chunks) for each in stored]
    parts += [range(each.base * CONFIG.chunks, (each.base + each.slots) * CONFIG.chunks)
              for each in placed.streams.loaded(NETWORK.names.index("of a")).values()]
    lasting = parts[1:4]
    assert min(each.start for each in parts) >= CONFIG.chunks
    for index, own in enumerate(lasting):
        assert all(not set(own) & set(other) for other in [*lasting[index + 1:], parts[0], *parts[4:]])
    assert placed.spilled == {"a": 7} and placed.bursts == 7 + stream_words(stream(), CONFIG)


def stream():
    """Return the shape of a stream of two channel groups."""
    (placed,) = [each.stream for each in place(NETWORK, CONFIG).layers if each.layer.name == "a"]
    assert placed is not None
    return replace(placed, base=0, steps=1, height=2, width=1, pixel_slots=1)


def test_only_a_stream_that_is_not_read_for_a_while_can_be_spilled():
    assert spillable_streams(NETWORK) == ["a"]


def test_a_network_whose_streams_do_not_fit_says_so():
    least = place(NETWORK, CONFIG, keep_maps=False, spilled=frozenset("abc"), pieces=True)
    chunks = least.occupied_words()[Space.STATES] // CONFIG.updates
    assert place(NETWORK, replace(CONFIG, state_depth=chunks), keep_maps=False).in_pieces
    small = replace(CONFIG, state_depth=chunks - CONFIG.chunks)
    with pytest.raises(CompileError, match="state chunks"):
        place(NETWORK, small, keep_maps=False)


def test_an_image_that_says_another_place_of_a_stream_is_refused():
    samples = random_samples(NETWORK.input, 1, 0.4)
    image = compile_network(NETWORK, CONFIG, keep_maps=False, spilled=frozenset("a"), samples=samples)
    image.verify()
    for index, change, text in (
        (0, {"spilled": False}, "spilled is False"),
        (0, {"state_base": CONFIG.chunks}, "keeps all on the chip"),
        (5, {"reloads": ()}, "load nothing that the image names"),
    ):
        layers = list(image.layers)
        layers[index] = replace(layers[index], **change)
        with pytest.raises(ImageError, match=text):
            replace(image, layers=layers).verify()
    assert [info.state_base is None for info in image.layers[:4]] == [True, True, True, True]
    assert np.array_equal(image.vectors[0].sample, samples[0])
