"""Images whose weights stream in are checked as all others: those that shortcuts share too."""

from dataclasses import replace

import pytest
import ragged_networks
import residual_networks
import streamed_networks
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import ImageError
from spikeplane.compiler.place import place
from spikeplane.compiler.weight_words import from_stream
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import Register, Space


def test_weights_of_shortcuts_are_checked_in_every_group():
    config = replace(ragged_networks.CORES[1], external_depth=streamed_networks.EXTERNAL_DEPTH)
    found = 0
    for seed in range(40):
        network = residual_networks.network(seed, most_terms=config.term_count)
        if not any(term.shares for placed in place(network, config, check=False).layers for term in placed.terms):
            continue
        small = streamed_networks.shrunk(network, ragged_networks.CORES[1], Schedule.REGISTERS)
        if small is None:
            continue
        image = compile_network(network, small)
        image.verify()
        words = image.contents[Space.EXTERNAL][1]
        first = next(  # slot of the stream where a layer's shared weights begin
            sum(each.groups * each.stream_group for each in layers[:index])
            for layers in [place(network, small).layers] for index, placed in enumerate(layers)
            if any(term.shares for term in placed.terms)
        )
        assert (from_stream(words, image.registers[Register.STREAM_SLOTS], small)[first].any(axis=1)).all()
        damaged = words.copy()
        damaged[first * len(words) // image.registers[Register.STREAM_SLOTS], 0] ^= 1
        wrong = replace(image, contents=image.contents | {Space.EXTERNAL: (0, damaged)})
        with pytest.raises(ImageError, match=rf"EXTERNAL: slots {first} to [0-9]+ are not those of shortcuts"):
            wrong.verify()
        found += 1
        if found == 3:
            return
    raise AssertionError("no network with shortcuts streams")
