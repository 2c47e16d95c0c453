"""Every field of an image is checked against every other, before a core can run what is wrong."""

import re
from dataclasses import replace

import numpy as np
import pytest
import ragged_networks
import streamed_networks
import transformer_networks
from ragged_networks import CORES, network
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.image import (
    FILE_KIND,
    FILE_VERSION,
    ImageError,
    LayerInfo,
    check_network,
    load_image,
    save_image,
)
from spikeplane.compiler.limits import CompileError
from spikeplane.compiler.program import decode_jobs
from spikeplane.network.container import read_container, write_container
from spikeplane.network.file import load_network, network_digest, save_network
from spikeplane.network.schedule import Schedule
from spikeplane_hw.config import CONFIGS
from spikeplane_hw.descriptor import PROGRAM_WIDTH, descriptor_words, job_layout
from spikeplane_hw.memory_map import Counter, Register, Space


def chosen(schedule=Schedule.STORED, **options):
    """Return an image with stored, quantized potentials, several layers and kept spikes."""
    for seed in range(200):
        net = network(seed)
        image = compile_network(net, CORES[2], schedule, **options)
        first = image.layers[0]
        if len(image.layers) > 2 and first.state_bits in range(2, 9) and first.state_pack and net.input.steps > 2:
            return image
    raise AssertionError("no such network")


@pytest.fixture(scope="module")
def image():
    return chosen()


def registers(image, **values):
    return replace(image, registers=image.registers | {Register[name]: value for name, value in values.items()})


def layers(image, index, **values):
    found = list(image.layers)
    found[index] = LayerInfo(**vars(found[index]) | values)
    return replace(image, layers=found)


def contents(image, space, change):
    address, words = image.contents[space]
    return replace(image, contents=image.contents | {space: change(address, words.copy())})


def vectors(image, **values):
    return replace(image, vectors=[replace(image.vectors[0], **values)])


def flipped(words, index, bit):
    words[index, bit // 8] ^= 1 << bit % 8
    return words


WRONG = {
    "no outer steps": (lambda i: registers(i, OUTER_STEPS=0), "register OUTER_STEPS is 0, must be"),
    "a text": (lambda i: registers(i, OUTER_STEPS="x"), "register OUTER_STEPS is 'x', must be"),
    "a fraction": (lambda i: registers(i, INPUT_STEPS=3.0), "register INPUT_STEPS is 3.0, must be"),
    "one": (lambda i: registers(i, INPUT_BASE=False), "register INPUT_BASE is False, must be 0"),
    "a register of the core": (lambda i: registers(i, CONTROL=1), "register CONTROL is not one that an image sets"),
    "a register missing": (lambda i: replace(i, registers={}), "is missing"),
    "another input map": (lambda i: replace(i, input_map=replace(i.input_map, base=16)), "input_map: base is 16"),
    "an input map of texts": (lambda i: replace(i, input_map=replace(i.input_map, base="x")),
                              "input_map: base must be an integer, not 'x'"),
    "another input": (lambda i: replace(i, input=replace(i.input, height=i.input.height + 1)),
                      "input_map: height is"),
    "an input of texts": (lambda i: replace(i, input=replace(i.input, steps="x")),
                          "input: steps must be an integer, not 'x'"),
    "another schedule": (lambda i: replace(i, schedule=Schedule.REGISTERS), "register OUTER_STEPS is"),
    "scale 0": (lambda i: replace(i, logit_scale=0.0), "logit_scale must be finite and positive, not 0.0"),
    "scale NaN": (lambda i: replace(i, logit_scale=float("nan")), "logit_scale must be finite and positive, not nan"),
    "scale text": (lambda i: replace(i, logit_scale="x"), "logit_scale must be finite and positive, not 'x'"),
    "metadata": (lambda i: replace(i, metadata=[1]), "metadata must be a dict, not [1]"),
    "layers": (lambda i: replace(i, layers=[]), "the image has no layers"),
    "channels": (lambda i: layers(i, 0, channels=i.layers[0].channels + 1), "channels is"),
    "height": (lambda i: layers(i, 0, height=i.layers[0].height + 1), "height is"),
    "width": (lambda i: layers(i, 0, width=i.layers[0].width + 1), "width is"),
    "width text": (lambda i: layers(i, 0, width="x"), "width must be an integer, not 'x'"),
    "taps": (lambda i: layers(i, 0, taps=(i.layers[0].taps[0] + 1,)), "taps is"),
    "more taps": (lambda i: layers(i, 0, taps=(*i.layers[0].taps, 1)), "the number of taps is 2"),
    "sources": (lambda i: layers(i, 1, sources=()), "the number of sources is 0"),
    "source": (lambda i: layers(i, 1, sources=("x",)), "source is 'x', must be one of input"),
    "source later": (lambda i: layers(i, 0, sources=(i.layers[1].name,)), "must be one of input"),
    "source wrong": (lambda i: layers(i, 1, sources=("input",)), f"layer {'{0}'}"),
    "name twice": (lambda i: layers(i, 1, name=i.layers[0].name), "is empty or another map's"),
    "name number": (lambda i: layers(i, 0, name=3), "name must be a text, not 3"),
    "state base": (lambda i: layers(i, 0, state_base=0), "state_base is 0, by its descriptor"),
    "state base none": (lambda i: layers(i, 0, state_base=None), "state_base is None, by its descriptor"),
    "state pack": (lambda i: layers(i, 0, state_pack=0), "state_pack is 0, by its descriptor"),
    "state bits": (lambda i: layers(i, 0, state_bits=16), "state_bits is 16, its descriptor's potentials"),
    "state bits other": (lambda i: layers(i, 0, state_bits=10 - i.layers[0].state_bits), "its table's greatest code"),
    "spikes": (lambda i: layers(i, 0, spikes=replace(i.layers[0].spikes, base=0)), "spikes are at"),
    "spikes of a classifier": (lambda i: layers(i, -1, spikes=i.layers[0].spikes), "spikes are at"),
    "logit_offset": (lambda i: replace(i, logit_offset=i.logit_offset[1:]), "logit_offset has shape"),
    "logit_offset type": (lambda i: replace(i, logit_offset=i.logit_offset * 1.0), "logit_offset must be an integer"),
    "logit_offset wide": (lambda i: replace(i, logit_offset=i.logit_offset + (1 << 40)), "limit 32 signed bits"),
    "address": (lambda i: contents(i, Space.WEIGHTS, lambda at, words: (1, words)), "WEIGHTS: the first address is 1"),
    "address text": (lambda i: contents(i, Space.WEIGHTS, lambda at, words: ("x", words)), "from 'x' on do not fit"),
    "fewer weights": (lambda i: contents(i, Space.WEIGHTS, lambda at, words: (at, words[:-2])), "WEIGHTS"),
    "fewer passes": (lambda i: contents(i, Space.PASSES, lambda at, words: (at, words[:-1])), "pass_last is"),
    "fewer tables": (lambda i: contents(i, Space.TABLES, lambda at, words: (at, words[:-1])), "it takes TABLES up to"),
    "fewer parameters": (lambda i: contents(i, Space.PARAMETERS, lambda at, words: (at, words[:-1])),
                         "it takes PARAMETERS up to"),
    "half a program": (lambda i: contents(i, Space.PROGRAM, lambda at, words: (at, words[:-1])),
                       "PROGRAM: it is cut at word"),
    "more program": (lambda i: contents(i, Space.PROGRAM, lambda at, words: (at, np.concatenate([words, words[:1]]))),
                     "PROGRAM: it ends at word"),
    "no job": (lambda i: contents(i, Space.PROGRAM, lambda at, words: (at, flipped(flipped(words, 0, 1), 0, 2))),
               "PROGRAM: no job begins at word 0"),
    "no layer": (lambda i: contents(i, Space.PROGRAM, lambda at, words: (at, flipped(words, 0, 0))),
                 "PROGRAM: the END at word 0 has more than 3 bits"),
    "a walk": (lambda i: contents(i, Space.PROGRAM, lambda at, words: (at, np.concatenate([words[-2:-1], words]))),
               "PROGRAM: WALK follows at word 0, where LAYER must"),
    "group lanes": (lambda i: layers(i, 0, group_lanes=1), "group_lanes is 1, by its descriptor"),
    "operands": (lambda i: layers(i, 0, operands=("x",)), "it has 0 loads, the image names 1 operands"),
    "no program": (lambda i: replace(i, contents={}), "no words are there"),
    "logits": (lambda i: replace(i, contents=i.contents | {Space.LOGITS: (0, np.zeros((1, 4), np.uint8))}),
               "LOGITS: not a memory that an image fills"),
    "sums type": (lambda i: vectors(i, sums=i.vectors[0].sums.astype(np.int32)), "the type of sums is 'int32'"),
    "sums wide": (lambda i: vectors(i, sums=i.vectors[0].sums + (1 << 40)), "self-test vector 0: sums reach from"),
    "sums shape": (lambda i: vectors(i, sums=i.vectors[0].sums[1:]), "the shape of sums is"),
    "counters": (lambda i: vectors(i, counters=i.vectors[0].counters - 1), "self-test vector 0: counters reach from"),
    "cycles": (lambda i: vectors(i, counters=i.vectors[0].counters + (np.arange(len(Counter)) == 0)),
               "counters have CYCLES"),
    "sample": (lambda i: vectors(i, sample=i.vectors[0].sample + 1), "self-test vector 0: the input has the value"),
    "sample type": (lambda i: vectors(i, sample=i.vectors[0].sample.astype(int)), "the type of sample is 'int64'"),
    "digest": (lambda i: replace(i, network_digest="x"), "network_digest must be a SHA-256 in hexadecimal, not 'x'"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_named(image, change, message):
    image.verify()
    if "{0}" in message:
        message = message.format(repr(image.layers[1].name))
    with pytest.raises(ImageError, match=re.escape(message)) as error:
        change(image).verify()
    assert "\n" not in str(error.value)


def bit_names(image) -> list[str]:
    """Return of each bit of the program the name of its field."""
    names = []
    words = [int.from_bytes(word.tobytes(), "little") for word in image.contents[Space.PROGRAM][1]]
    for _, job, _ in decode_jobs(image.config, words):
        layout = job_layout(image.config, job)
        own = [""] * PROGRAM_WIDTH * descriptor_words(layout)
        for name, field in layout:
            own[field.offset:field.offset + field.width] = [name] * field.width
        names += own
    return names


@pytest.fixture(scope="module")
def attention():
    return compile_network(transformer_networks.attention(1, width=16, heads=2, height=2, columns=8, steps=2), CORES[2])


@pytest.mark.parametrize("kind", ["image", "attention"])
def test_bits_of_the_program_that_change_shape_or_place_are_noticed(kind, request):
    """What is not noticed are parameters of neurons and weights, and free places of maps that nobody keeps."""
    image = request.getfixturevalue(kind)
    words = image.contents[Space.PROGRAM][1]
    missed, names = set(), bit_names(image)
    for bit in range(0, 8 * words.size):
        changed = contents(image, Space.PROGRAM, lambda at, copy, bit=bit: (
            at, flipped(copy, bit // (8 * words.shape[1]), bit % (8 * words.shape[1]))))
        try:
            changed.verify()
        except ImageError:
            continue
        missed.add(names[bit])
    # A stride says nothing where there is one window.
    assert missed <= {
        "shift", "fire_above", "reset", "decode_scale", "doubled", "digit", "power", "output_base", "output_flags",
        "stride",
    }


def test_a_ring_that_is_another_one_is_named():
    net, core = streamed_networks.find(CORES[2], Schedule.REGISTERS, 0, products=True)
    image = compile_network(net, core)
    image.verify()
    with pytest.raises(ImageError, match=r"register STREAM_HALF is 0, must be 1 by input, schedule and weights"):
        registers(image, STREAM_HALF=0).verify()


@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
@pytest.mark.parametrize("seed", range(6))
def test_what_is_compiled_is_right(seed, schedule):
    for core in (CORES[seed % 4], *CONFIGS.values()):
        for options in ({}, {"keep_states": True}, {"keep_maps": False}):
            net = ragged_networks.network(seed, direct=bool(seed % 2))
            try:
                compiled = compile_network(net, core, schedule, **options)
            except CompileError:
                continue
            compiled.verify()


def test_a_files_header_of_other_types_is_named(image, tmp_path):
    path = tmp_path / "a.spk"
    save_image(image, path)
    header, tensors = read_container(path, FILE_KIND, FILE_VERSION)
    for changed in (
        {"registers": header["registers"] | {"OUTER_STEPS": 0}}, {"registers": []}, {"vectors": 10**18},
        {"vectors": "x"}, {"layers": None}, {"config": {}}, {"addresses": {"WEIGHTS": 0}}, {"logit_scale": None},
        {"config": header["config"] | {"weight_depth": 1 << 70}}, {"vectors": 0}, {"network": None},
        {"input": header["input"] | {"channels": 1 << 60}},
    ):
        write_container(path, FILE_KIND, FILE_VERSION, header | changed, tensors)
        with pytest.raises(ImageError) as error:
            load_image(path)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_an_image_knows_its_network(tmp_path):
    net, other = network(1), network(2)
    save_network(net, tmp_path / "n")
    compiled = compile_network(load_network(tmp_path / "n"), CORES[0])
    save_image(compiled, tmp_path / "a.spk")
    loaded = load_image(tmp_path / "a.spk")
    assert loaded.network_digest == network_digest(net)
    check_network(loaded, net)
    for wrong in (other, replace(net, logit_scale=2 * net.logit_scale)):
        with pytest.raises(ImageError, match=f"compiled from the network {network_digest(net)[:12]}, not from "
                                             f"{network_digest(wrong)[:12]}: compile this network"):
            check_network(loaded, wrong)
