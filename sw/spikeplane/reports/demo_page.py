"""The page of the demo: what the device predicted, how long it took, what that costs, and why."""

from collections.abc import Sequence

import numpy as np
from spikeplane_hw.memory_map import EXACT_COUNTERS

from ..data.sets.dataset import Dataset
from ..information import network_rows
from ..network import model
from ..network.graph import IntegerNetwork
from ..quantiles import QUANTILES
from .report import Report, bars, event_picture, gallery, heat_map, histograms, raster
from .run_report import ENERGY_NOTE

__all__ = ["demo_page", "demo_rows"]

WRONG, SHOWN = 6, 12
"""Recordings that are shown with their predictions: at most so many wrong ones, so many in all."""
BINS = 30
LANES_NOTE = (
    "The peak is a one-bit addition of every lane from every bank in every cycle. An output channel has one lane, an "
    "input channel one bank: a layer with fewer channels than that leaves the others idle, whatever it does. This "
    "network is small, so that the demo is short: its first layer has 2 input channels. What remains is told by the "
    "last column: cycles in which banks wait for the one with most events, and those that end a pass, update neurons "
    "and begin a layer."
)


def demo_rows(results: dict) -> list[list]:
    """Return the main figures of ``report.json``, a name and a value each."""
    rows = [[f"accuracy, {stage}", f"{value:.2%}"] for stage, value in results["accuracy"].items()]
    rows += [
        ["mismatches, device against integer model", results["mismatches"]],
        ["recordings", results["samples"]],
        *([f"cycles a recording, {name}", round(value)] for name, value in results["latency_cycles"].items()),
        ["synaptic operations a recording", round(results["synaptic_operations_per_sample"])],
        ["energy a recording, 45 nm estimate", f"{results['energy_nj']['network']:,.1f} nJ"],
        ["energy, dense float32, same estimate", f"{results['energy_nj']['dense']:,.1f} nJ"],
        ["lane utilization", f"{results['utilization']['overall']:.1%}"],
        ["bits of weights, layer by layer", _listed(results["weight_bits"])],
        ["bits of membrane potentials, layer by layer", _listed(results["state_bits"])],
        ["weights", f"{results['weight_memory_bits'] / 8 / 1024:.1f} KiB"],
        ["membrane potentials", f"{results['state_memory_bits'] / 8 / 1024:.1f} KiB"],
    ]
    for name, board in results["boards"].items():
        rows.append([
            f"a recording on {name} ({board['configuration']}, {board['clock_mhz']:g} MHz), {_origin(board)}",
            f"{board['milliseconds']['50 %']:.3f} ms, 99 %: {board['milliseconds']['99 %']:.3f} ms",
        ])
    return rows


def demo_page(
    results: dict, test: Dataset, network: IntegerNetwork, predictions: Sequence[int], cycles: np.ndarray
) -> Report:
    """Return the page of ``results``; ``test`` are the recordings, int64 ``cycles`` (recordings,) the device's."""
    sample = test.inputs[:1]
    traced = model.run(network, sample, counters=False, trace=True)
    names = results["classes"]
    report = Report(
        title="Spikeplane: digits on the simulated board",
        summary=(
            f"{results['samples']} recordings of handwritten digits, streamed as events through the "
            f"host driver to the core ({results['configuration']}) in Verilog. Every value below "
            f"\"device\" was compared with the integer model: {results['mismatches']} mismatches."
        ),
    )
    report.table("Results", ["figure", "value"], demo_rows(results))
    report.table("Run", ["what", "value"], list(map(list, results["run"].items())))
    report.table("Network", ["what", "value"], network_rows(network))
    report.picture("Accuracy at each stage", bars(
        {stage: 100 * value for stage, value in results["accuracy"].items()}, "%", (0, 112)
    ))
    report.picture(
        "Confusion matrix", heat_map(np.array(results["confusion"]), "class", "predicted class", names),
        "All recordings, as the device predicted them.",
    )
    chosen = _examples(test.labels, predictions)
    report.picture(
        "Recordings and what the device said", gallery({
            index: (test.inputs[index], f"{names[test.labels[index]]}, said {names[predictions[index]]}",
                    predictions[index] == test.labels[index])
            for index in chosen
        }),
        f"The time step with most events, off events blue, on events red. First come at most {WRONG} wrong ones, red.",
    )
    report.picture(
        "Spikes of the first recording", raster({
            name: spikes[0].numpy() for name, spikes in traced.spikes.items()
        }), f"It is a {names[test.labels[0]]}. Its events:",
    )
    report.picture("Events of the first recording", event_picture(sample[0]))
    _latency(report, results, cycles)
    _lanes(report, results)
    _energy(report, results)
    report.table(
        "What was compared", ["kind", "values", "mismatches"],
        [[kind, results["compared"][kind], results["mismatches_by_kind"][kind]]
         for kind in results["compared"]],
        f"Counters: {', '.join(counter.name for counter in EXACT_COUNTERS)}, each layer.",
    )
    return report


def _examples(labels: np.ndarray, predictions: Sequence[int]) -> list[int]:
    """Return the recordings to show: wrong ones, then the first right one of each class."""
    right = np.asarray(predictions) == labels[: len(predictions)]
    wrong = np.flatnonzero(~right)[:WRONG].tolist()
    first = np.unique(labels[: len(predictions)][right], return_index=True)[1]
    return (wrong + np.flatnonzero(right)[first].tolist())[:SHOWN]


def _latency(report: Report, results: dict, cycles: np.ndarray) -> None:
    counts, edges = np.histogram(cycles, BINS)
    report.picture(
        "Cycles a recording", histograms({"device": {
            "share of recordings": (float(edges[0]), float(edges[1] - edges[0]), counts.tolist()),
        }}),
        "Counted by the core, from the start of a run to its logits. More events take more cycles.",
    )
    report.table(
        "Time of a recording, ms", ["board", "configuration", "MHz", *QUANTILES, "recordings", "how"],
        [
            [name, board["configuration"], board["clock_mhz"], *board["milliseconds"].values(), board["recordings"],
             _origin(board)]
            for name, board in results["boards"].items()
        ],
        "The core's time, without the link to the host. Predicted by the cycle model where the simulated board has "
        "another configuration.",
    )
    report.picture("Cycles by layer", bars(results["cycles_by_layer"], "cycles a recording"))


def _lanes(report: Report, results: dict) -> None:
    found = results["utilization"]
    report.table(
        "Lane utilization",
        ["layer", "of the peak", "lanes with a channel", "banks with a channel", "of these lanes and banks"],
        [
            [name, f"{value:.1%}", f"{found['lanes'][name]:.0%}", f"{found['banks'][name]:.0%}",
             f"{value / (found['lanes'][name] * found['banks'][name]):.1%}"]
            for name, value in found["layers"].items()
        ],
        LANES_NOTE,
    )


def _energy(report: Report, results: dict) -> None:
    found = results["energy_nj"]
    report.table(
        "Energy of a recording, nJ", ["layer", "spiking", "dense float32"],
        [*([name, *values] for name, values in found["layers"].items()), ["total", found["network"], found["dense"]]],
        f"{ENERGY_NOTE} Mean of {found['recordings']} recordings.",
    )


def _origin(board: dict) -> str:
    return "counted" if board["counted"] else "predicted"


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values))
