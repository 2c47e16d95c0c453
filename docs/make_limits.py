"""Write docs/limits.md from the configurations and the compiler: `python docs/make_limits.py`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from spikeplane.boards import BOARDS
from spikeplane.compiler.fit import fit
from spikeplane.compiler.limits import Limit, needs
from spikeplane.compiler.place import place
from spikeplane.compiler.remedies import alternatives
from spikeplane.network.endings import Fire, Logits, Store
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import INPUT, InputFormat
from spikeplane.network.layer import Layer
from spikeplane.network.pool import Pooling
from spikeplane.network.stored import Stored
from spikeplane.network.weights import WeightKind
from spikeplane.network.window import Window
from spikeplane.training.recipe.recipes import load_recipe
from spikeplane_hw.config import CONFIGS, SMALL, CoreConfig
from spikeplane_hw.neuron import Neuron

PAGE = Path(__file__).with_name("limits.md")

NOTES = {
    Limit.LAYERS: ("convolutions, OR-pools, dense layers, the classifier; each part of one that runs in parts",
                   "strides in place of OR-pools; fewer layers"),
    Limit.PROGRAM: ("descriptors of layers and terms: half of the layers may have a second term; moves of spikes to "
                    "memory outside the chip and back", "fewer layers with several terms; smaller maps or fewer steps"),
    Limit.TERMS: ("what a layer sums up, each with its own scale: windows, shortcuts, streams", "a layer in between"),
    Limit.TABLES: ("kinds (bits and levels) of quantized potentials in one network", "the same `state_bits` and "
                   "`levels` in more layers; 0- and 16-bit potentials take none"),
    Limit.SPIKES: ("words of all spike maps, of all steps with the schedule `registers`; with memory outside the chip "
                   "and `--reuse-maps` no more than parts of layers need ([memory.md](memory.md))", "`--reuse-maps`; "
                   "`--schedule stored`; fewer steps, channels or pixels"),
    Limit.ROW_FLAGS: ("rows (step, y) of all maps whose silence is tracked", "as spike memory"),
    Limit.SIDE: ("height and width of every map", "`data.downsample` or `data.side` for recordings; larger strides"),
    Limit.STEPS: ("steps of a sample", "fewer steps"),
    Limit.RUN_STEPS: ("steps that a layer runs at once with the schedule `registers`",
                      "`--schedule stored`; fewer steps"),
    Limit.EVENT: ("columns (and rows) that an event names; only of inputs with 1 or 2 channels", "a smaller input"),
    Limit.STEP_SLOTS: ("slots of one step of a map: banks channels of a pixel each", "fewer channels or pixels"),
    Limit.WEIGHTS: ("slots of a weight bank: for each group of lanes channels and each weight bit, kernel pixels times "
                    "input slots; slot 0 is taken", "fewer channels or weight bits in the layer that takes most"),
    Limit.EXTERNAL: ("bursts of 16 bytes outside the chip, where weights lie that are more than the chip holds: they "
                     "stream in while layers run, a channel group at least at once", "fewer weights"),
    Limit.PASSES: ("input bits times weight bits (or taps times weight bits), over all layers", "fewer input bits; "
                   "fewer first-layer weight bits"),
    Limit.STRIDE: ("of pools; convolutions have 1 or 2", "a smaller stride"),
    Limit.POOL: ("windows of a row of a pool on the way out, times steps with the schedule `registers`, times lanes / "
                 "updates; 0: none are built", "`--schedule stored`; a pool of its own (`OrPool`)"),
    Limit.TAPS: ("steps that a memory-free neuron looks at; 1: none are built", "fewer taps; leaky neurons"),
    Limit.PIXEL_SLOTS: ("slots of an output pixel, banks channels each", "fewer channels"),
    Limit.LOGITS: ("classes", "fewer classes"),
    Limit.PARAMETERS: ("chunks of lanes / updates for each group of lanes channels with neurons", "fewer channels"),
    Limit.STATES: ("chunks of stored potentials: with `--schedule stored` or `--keep-states`",
                   "`--schedule registers`, which stores none; fewer potential bits, channels or pixels"),
    Limit.SUM: ("sum of weight codes, all inputs active", "fewer inputs of a sum, weight bits or input bits"),
    Limit.REFERENCE: ("inputs times the weights' zero point, all inputs active", "as the largest sum"),
    Limit.LOGIT_SUM: ("sum of a class over all pixels and steps", "fewer steps, pixels or weight bits"),
    Limit.CURRENT: ("scaled sum and bias of a channel", "a smaller bias"),
    Limit.PARTIAL: ("scaled sums of all terms of a channel, where there are several", "smaller gains, fewer inputs"),
}
"""What each limit counts, and what helps against it."""


CLASSES = 10


def network(form: InputFormat, *chain: Callable[[str], Layer]) -> IntegerNetwork:
    """Return a network of layers, each made for the name of the map that it reads."""
    nodes, source = [], INPUT
    for make in chain:
        nodes.append(make(source))
        source = nodes[-1].name
    return IntegerNetwork(input=form, nodes=nodes, logit_offset=np.zeros(CLASSES, np.int64))


def layer(
    name: str, out: int, channels: int, side: int, bits: int = 1, neurons: bool = True
) -> Callable[[str], Layer]:
    """Return what makes a layer whose weights are all -1."""
    affine = np.ones(out, np.int64) if neurons else None

    def make(source: str) -> Layer:
        window = Window(
            source=source, weight=np.full((out, channels, side, side), -1), weight_bits=bits,
            weight_kind=WeightKind.ODD if bits == 1 else WeightKind.TWOS, multiplier=affine, offset=affine,
        )
        return Layer(name=name, terms=(window,), ending=Fire(neuron=Neuron()) if neurons else Logits())

    return make


def classifier(inputs: int, side: int = 1, bits: int = 1) -> Callable[[str], Layer]:
    """Return what makes a classifier."""
    return layer("classifier", CLASSES, inputs, side, bits, neurons=False)


def limits() -> dict[str, dict[Limit, int]]:
    """Return the limits of each configuration, as the compiler asks them of small networks."""
    form = InputFormat(channels=1, height=3, width=3, steps=1)
    chain = network(form, layer("conv", 2, 1, 1), classifier(2))
    conv, head = chain.nodes
    (window,) = conv.terms
    stream = Layer(name="stream", terms=(window,), ending=Store(fraction_bits=12))
    both = Layer(name="conv", terms=(Stored(streams=("stream",)), window), ending=conv.ending)
    graph = replace(chain, nodes=[stream, both, head])
    pooled = replace(conv, ending=Fire(neuron=Neuron(), pooling=Pooling(kernel=(2, 2), stride=2)))
    chain = replace(chain, nodes=[pooled, head])
    return {
        name: {
            need.kind: need.limit
            for probe in ((graph, chain) if config.term_count > 1 else (chain,))
            for need in reversed(needs(place(probe, config, check=False)))
        }
        for name, config in CONFIGS.items()
    }


def narrow() -> list[str]:
    """Return what is said of limits that are met early."""
    wide = network(InputFormat(channels=8, height=8, width=8, steps=1), classifier(8, 8, bits=8))
    deep = network(
        InputFormat(channels=1, height=3, width=3, steps=1), layer("conv0", 2, 1, 1),
        *(layer(f"conv{index}", 2, 2, 1) for index in range(1, SMALL.layer_count)), classifier(2),
    )
    tiny = CONFIGS["tiny"]
    vgg = len(load_recipe("cifar10_vgg16_1w2u").layers)
    return [
        "- **Sums of many inputs.** Cores that sum several terms take the planes of a classifier's weights in turn "
        "where its sums are too large ([memory.md](memory.md)); `tiny` does not, and no core splits sums of neurons. "
        + said(wide, tiny, Limit.REFERENCE),
        f"- **Deep networks.** A program has {SMALL.layer_count} layers ({tiny.layer_count} in `tiny`), OR-pools "
        f"included; VGG-16 with its pools has {vgg}. " + said(deep, SMALL, Limit.LAYERS),
    ]


def said(net: IntegerNetwork, config: CoreConfig, kind: Limit) -> str:
    """Return what the compiler says of an exceeded need of a network, and its remedy."""
    found = fit(net, config)
    ((need, changes),) = [
        pair for pair in zip(found.exceeded, found.changes, strict=True) if pair[0].kind is kind
    ]
    return f"`{need}`; to make it fit: {alternatives(changes)}."


def row(*cells: object) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(map(str, cells)) + " |"


def page() -> str:
    """Return the whole page."""
    found = limits()
    boards = {
        name: ", ".join(
            f"{board.name} at {board.clock / 1e6:g} MHz" for board in BOARDS.values() if board.config == config
        )
        for name, config in CONFIGS.items()
    }
    lines = [
        "# Limits of the configurations",
        "",
        "Made by `python docs/make_limits.py`; do not edit. A test fails if this page is stale.",
        "",
        "Does a network fit? Ask before training it; no data are needed:",
        "",
        "```sh",
        ".venv/bin/spikeplane info mnist --config all                       # a recipe, untrained",
        ".venv/bin/spikeplane info mnist --config tiny --set data.bits=2    # the same with a value replaced",
        ".venv/bin/spikeplane info build/digits/checkpoint.safetensors --config small",
        "```",
        "",
        "It shows every memory and limit, cycles by layer, the time of a sample on the boards, and, for whatever is",
        "exceeded, what would make it fit. `spikeplane train` begins with a line for each configuration, and errors of",
        "`spikeplane compile` end with the remedy. In Python: `spikeplane.compiler.fit.fit(network, config)`.",
        "Predicted cycles of an untrained network are rough: it fires at other rates than a trained one.",
        "",
        row("", *(f"`{name}`" for name in CONFIGS), "what counts", "what helps"),
        row("---", *("---:" for _ in CONFIGS), "---", "---"),
        row("board", *boards.values(), "", ""),
        row("lanes x banks", *(f"{config.lanes} x {config.banks}" for config in CONFIGS.values()), "", ""),
        row("pixels at once", *(config.clusters for config in CONFIGS.values()), "", ""),
        *(
            row(
                kind.value.replace("|", "\\|"),
                *(f"{found[name][kind]:,}" if kind in found[name] else "" for name in CONFIGS), *NOTES[kind],
            )
            for kind in Limit
        ),
        "",
        "Limits of sums hold for the greatest sum that any input could give: a sum never wraps. Networks with",
        "float32 weights have no integer form. `tiny` sums one term a layer: it runs no residual",
        "blocks, attention or groups of input channels. No core runs windows on streams yet.",
        "",
        "## Limits that are met early",
        "",
        *narrow(),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
