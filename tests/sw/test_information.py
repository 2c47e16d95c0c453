"""What a file holds, as text."""

from dataclasses import replace

import ragged_networks
import streamed_networks
from spikeplane.boards import BOARDS
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.stream_time import BEATS_A_CYCLE
from spikeplane.information import image_rows, weights_text
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import LARGE
from spikeplane_hw.memory_map import Register, Space


def test_where_weights_are():
    network, config = streamed_networks.find(ragged_networks.CORES[1], Schedule.STORED, 20)
    image = compile_network(network, config, Schedule.STORED)
    megabytes = image.contents[Space.EXTERNAL][1].size * network.input.steps / 1e6
    assert weights_text(image) == f"outside the chip: {megabytes:.3g} MB stream in for each input"
    assert ("weights", weights_text(image)) in image_rows(image)
    whole = compile_network(network, replace(config, external_depth=0, weight_depth=2048), Schedule.STORED)
    assert weights_text(whole) == "on the chip"
    network, config = streamed_networks.find(ragged_networks.CORES[1], Schedule.REGISTERS, 20, products=True)
    found = weights_text(compile_network(network, config))
    assert found.endswith(" MB stream in for each input; operands of products have half of the weight memory")


def test_boards_say_how_long_it_takes():
    """A slot of large is 1,024 bits, 64 beats."""
    network, config = streamed_networks.find(ragged_networks.CORES[1], Schedule.REGISTERS, 20)
    image = compile_network(network, config)
    slots = image.registers[Register.STREAM_SLOTS]
    milliseconds = slots * 64 / BEATS_A_CYCLE / BOARDS["ulx3s-85f"].clock * 1e3
    found = weights_text(replace(image, config=LARGE))
    assert found.endswith(f", {milliseconds:.3g} ms on ulx3s-85f at least")
