"""The whole demo on a little training: what it reports, and that the device agrees."""

import json
from dataclasses import replace

import pytest
import spikeplane
import torch
from spikeplane.demo import run_demo
from spikeplane_hw.config import TINY

# The demo stores the potentials of all layers, to compare them.
CONFIG = replace(TINY, name="tiny_states", state_depth=8192)


def test_the_demo_shows_what_the_core_counts(tmp_path):
    with pytest.raises(ValueError, match=r"^config must have statistics, which the report shows; 'tiny' has none$"):
        run_demo(tmp_path, replace(TINY, statistics=False))
    assert not list(tmp_path.iterdir())


def test_the_demo_reports_every_layer(tmp_path):
    threads = torch.get_num_threads()
    try:
        results = run_demo(
            tmp_path, CONFIG, overrides=("training.epochs=1",), samples=2, progress=False
        )
    finally:
        torch.set_num_threads(threads)
    assert results == json.loads((tmp_path / "report-first-2.json").read_text())
    assert results["weight_bits"] == [8, 1, 1, 1, 8]
    assert results["state_bits"] == [4, 4, 4, 2]
    sizes = [16 * 8 * 8, 32 * 8 * 8, 64 * 4 * 4, 80 * 2 * 2]
    assert results["state_memory_bits"] == sum(
        bits * size for bits, size in zip(results["state_bits"], sizes, strict=True)
    )
    assert results["samples"] == 2 and results["mismatches"] == 0
    assert all(results["compared"].values())
    assert results["accuracy"]["device"] == results["accuracy"]["integer"]
    page = (tmp_path / "report-first-2.html").read_text()
    assert "4, 4, 4, 2" in page and "2-bit potentials" in page
    for title in ("Confusion matrix", "Recordings and what the device said", "Time of a recording", "Lane utilization"):
        assert f"<h2>{title}" in page
    assert sum(map(sum, results["confusion"])) == 2 and results["classes"] == [str(digit) for digit in range(10)]
    assert results["run"]["version"] == spikeplane.__version__ and results["run"]["seed"] == 1
    # 2 input channels for 2 banks, 16 channels for 16 lanes; 10 classes leave lanes without a channel.
    assert results["utilization"]["banks"]["conv1"] == 1 and results["utilization"]["lanes"]["conv1"] == 1
    assert results["utilization"]["lanes"]["classifier"] == 10 / 16
    assert results["utilization"]["overall"] > 0.5, "docs/start.md says so of narrow cores"
    latency = results["latency_cycles"]
    assert latency["50 %"] <= latency["greatest"] and sum(latency.values()) > 0
    for board in results["boards"].values():
        assert not board["counted"] and board["milliseconds"]["greatest"] > 0
    energy = results["energy_nj"]
    assert energy["network"] == pytest.approx(sum(spiking for spiking, _ in energy["layers"].values()))
    # The twin was trained beside it, by another process.
    assert len(list(tmp_path.glob("*/checkpoint.safetensors"))) == 2
