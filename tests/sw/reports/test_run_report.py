"""The report of a training."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from spikeplane import cli
from spikeplane.compiler.compile import compile_network
from spikeplane.data.sets.datasets import DataRecipe
from spikeplane.network.schedule import Schedule
from spikeplane.reports import run_report
from spikeplane.reports.energy import checkpoint_cost
from spikeplane.reports.report import Report
from spikeplane.reports.run_figures import run_figures
from spikeplane.reports.run_report import JSON_NAME, PAGE_NAME, report_names, write_run_report
from spikeplane.training.net.export import export_network
from spikeplane.training.net.networks import LayerRecipe
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.recipe import recipes
from spikeplane.training.run import evaluate as evaluation
from spikeplane.training.run.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from spikeplane.training.run.evaluate import batches, compare, predict, predict_integer
from spikeplane.training.run.train import train
from spikeplane_hw.config import CONFIGS
from training_samples import EVENTS, offer_sample, recipe, samples
from typer.testing import CliRunner


@pytest.fixture(scope="module", autouse=True)
def sample_data():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        offer_sample(
            patch, lambda recipe, root, part: samples(seed={"train": 0, "test": 1}[part]),
        )
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sample_data):
    """Checkpoints of a network and of its float32 twin."""
    folder = tmp_path_factory.mktemp("run")
    chosen = recipe(epochs=3, augmentations={})
    return (train(chosen, folder / "network", progress=False),
            train(chosen.float32(), folder / "twin", progress=False))


@pytest.fixture(scope="module")
def reported(tmp_path_factory, trained):
    """Folder of their report, and the figures of both."""
    folder = tmp_path_factory.mktemp("report")
    return folder, *write_run_report(trained[0], folder, float32=trained[1])


def sections(page: str) -> list[str]:
    return re.findall("<h2>(.*?)</h2>", page)


def cells(page: str, first: str) -> list[str]:
    """Return the cells of the first row that begins with ``first``."""
    row = re.search(rf"<tr>\s*<td>{re.escape(first)}</td>(.*?)</tr>", page, re.DOTALL)
    assert row, first
    return re.findall("<td[^>]*>(.*?)</td>", row[1])


def test_page_and_json_tell_what_the_functions_return(trained, reported):
    path = trained[0]
    folder, figures, twin = reported
    page = (folder / PAGE_NAME).read_text()
    found = json.loads((folder / JSON_NAME).read_text())
    integers = export_network(load_checkpoint(path).network)
    test = samples(seed=1)
    predictions = predict_integer(integers, test.inputs)
    right = float((predictions == test.labels).mean())
    assert found["network"]["accuracy"]["integer"] == right == figures.evaluation.integer
    assert cells(page, "accuracy of the integer model") == [f"{right:.2%}", "-"]
    confusion = np.array(found["network"]["confusion"])
    for label in range(4):
        for predicted in range(4):
            count = ((test.labels == label) & (predictions == predicted)).sum()
            assert confusion[label, predicted] == count
    assert found["float32"]["accuracy"]["trained"] == twin.evaluation.trained
    assert found["network"]["lost_points"] == pytest.approx(
        100 * (found["network"]["accuracy"]["trained"] - right)
    )
    spent = checkpoint_cost(path)
    assert found["network"]["cost"]["energy_nj"] == pytest.approx(spent.energy_nj)
    assert found["network"]["cost"]["size_bits"]["total"] == spent.size_bits.total
    assert found["network"]["cost"]["size_bits"]["parts"] == spent.size_bits.parts
    assert found["network"]["cost"]["operations"]["inner"]["accumulates"] == (
        spent.operations["inner"].accumulates
    )
    assert cells(page, "accumulates a sample")[0] == f"{spent.accumulates:,.0f}"
    assert [entry["loss"] for entry in found["network"]["history"]] == [
        entry["loss"] for entry in load_checkpoint(path).history
    ]
    for title in ("Results", "Training", "Confusion matrix", "Layers", "Weights", "Potentials",
                  "Size in bytes, by formula", "Memory of the core, measured",
                  "Operations and energy of a sample, sample",
                  "Operations and energy of a sample, sample-float32",
                  "One-bit operations and cycles of a sample in the core",
                  "Checkpoint of sample", "Checkpoint of sample-float32"):
        assert title in sections(page)
    assert "http" not in page
    assert "Horowitz" in page and "0.9 pJ" in page and "4.6 pJ" in page


def test_memory_of_the_core_is_that_of_the_image(reported):
    folder, figures, _ = reported
    found = json.loads((folder / JSON_NAME).read_text())["network"]
    taken = {(each["config"], each["schedule"]): each for each in found["core"]}
    refused = {(each["config"], each["schedule"]) for each in found["refusals"]}
    assert set(taken) | refused == {(name, each.value) for name in CONFIGS for each in Schedule}
    assert taken
    integers = export_network(figures.checkpoint.network)
    for (name, schedule), each in taken.items():
        image = compile_network(integers, CONFIGS[name], Schedule(schedule), keep_maps=False)
        for space, (_, words) in image.contents.items():
            assert each["words"][space.name.lower()] == len(words)
        assert each["float32_ratio"] == pytest.approx(
            figures.cost.float32_bits.total / sum(each["bits"].values())
        )
        assert each["total_cycles"] == pytest.approx(sum(each["cycles"].values()))


def test_rates_by_layer_and_test_accuracy_of_the_history_are_drawn(tmp_path, trained, monkeypatch):
    drawn = {}
    curves = run_report.curves
    monkeypatch.setattr(run_report, "curves", lambda panels, across: drawn.update(panels) or
                        curves(panels, across))
    checkpoint = load_checkpoint(trained[0])
    for epoch, entry in enumerate(checkpoint.history):
        entry.pop("rates", None)
        if epoch:
            entry["rates"] = {"first": 0.1 * epoch, "inner": 0.2}
    checkpoint.history[-1]["test_accuracy"] = 0.5
    save_checkpoint(checkpoint, tmp_path / "checkpoint.safetensors")
    run_report._curves(Report(title=""), [run_figures(tmp_path / "checkpoint.safetensors")])
    assert set(drawn) == {"loss", "accuracy", "rates by layer"}
    assert drawn["rates by layer"] == {"first": [(2, 0.1), (3, 0.2)], "inner": [(2, 0.2), (3, 0.2)]}
    assert drawn["accuracy"]["test accuracy"] == [(3, 0.5)]
    assert len(drawn["loss"]["loss"]) == 3


def test_an_untrained_network_has_no_curves(tmp_path):
    data = samples()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(Checkpoint.start(recipe(), data.input, data.classes), path)
    write_run_report(path, page=False)
    assert (tmp_path / JSON_NAME).exists() and not (tmp_path / PAGE_NAME).exists()
    write_run_report(path)
    page = (tmp_path / PAGE_NAME).read_text()
    assert "Training" not in sections(page) and "Confusion matrix" in sections(page)


def test_a_network_without_integers_says_why(tmp_path):
    layers = [
        LayerRecipe(name="first", kind="conv", channels=6, weights="absmax", weight_bits=8),
        LayerRecipe(name="block", kind="block", channels=8, stride=2, shortcut="conv"),
        LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8),
    ]
    path = train(replace(recipe(epochs=1), layers=layers).float32(), tmp_path, progress=False)
    figures, _ = write_run_report(path)
    assert figures.evaluation.integer is None and figures.lost_points is None
    page = (tmp_path / PAGE_NAME).read_text()
    assert "There is no integer model (layer &#39;first&#39;: FloatWeight weights have no integer form" in page
    assert not {"Memory of the core, measured", "Configurations that are too small",
                "One-bit operations and cycles of a sample in the core"} & set(sections(page))
    assert {"Operations and energy of a sample, sample-float32", "Potentials"} <= set(sections(page))
    found = json.loads((tmp_path / JSON_NAME).read_text())["network"]
    assert found["core"] == [] and found["cost"]["core_operations"] is None
    assert found["cost"]["operations"]["block.shortcut"]["accumulates"] > 0


def test_residual_networks_run_on_cores_of_several_terms(tmp_path):
    layers = [
        LayerRecipe(name="first", kind="conv", channels=6, weights="absmax", weight_bits=8),
        LayerRecipe(name="block", kind="block", channels=8, stride=2, shortcut="conv"),
        LayerRecipe(name="classifier", kind="classifier", weights="absmax", weight_bits=8),
    ]
    path = train(replace(recipe(epochs=1), layers=layers), tmp_path, progress=False)
    figures, _ = write_run_report(path)
    assert figures.lost_points is not None and abs(figures.lost_points) < 2
    page = (tmp_path / PAGE_NAME).read_text()
    assert "tiny" in page and "terms (a shortcut" not in page and "2 needed, limit 1" in page
    found = json.loads((tmp_path / JSON_NAME).read_text())["network"]
    assert {each["config"] for each in found["core"]} == {"compact", "small", "large", "huge"}
    assert found["cost"]["core_operations"]["block"] > 0
    assert found["cost"]["operations"]["block.shortcut"]["accumulates"] > 0


def test_batches_shrink_with_the_neurons(trained, monkeypatch):
    network, test = load_checkpoint(trained[0]).network, samples(seed=1)
    integers = export_network(network)
    whole = predict(network, test.inputs), compare(network, integers, test.inputs)
    sizes = [len(part) for part in batches(network, test.inputs)]
    assert sizes == [len(test.inputs)]
    monkeypatch.setattr(evaluation, "SPIKES", 7 * EVENTS.steps * network.neuron_count + 1)
    sizes = [len(part) for part in batches(network, test.inputs)]
    assert max(sizes) == 7 and sum(sizes) == len(test.inputs)
    np.testing.assert_array_equal(predict(network, test.inputs), whole[0])
    assert compare(network, integers, test.inputs) == whole[1]


def test_only_some_test_samples(trained):
    figures = run_figures(trained[0], test_samples=11)
    assert figures.evaluation.samples == figures.confusion.sum() == figures.cost.samples == 11


def test_memory_free_networks_store_input_spikes(tmp_path):
    free = replace(recipe(epochs=1), neuron=NeuronRecipe(dynamics="memory_free", taps=2))
    figures, _ = write_run_report(train(free, tmp_path, progress=False))
    assert figures.cost.missing == ""
    page = (tmp_path / PAGE_NAME).read_text()
    assert ">stored input spikes<" in page and ">stored potentials<" not in page
    assert figures.cost.size_bits.parts["input_spikes"] > 0


def test_a_wrong_twin_is_refused(tmp_path, trained):
    path, twin = trained
    with pytest.raises(CheckpointError, match="no float32 network: layer 'first' has absmax weights"):
        write_run_report(path, tmp_path, float32=path)
    other = replace(recipe(epochs=1).float32(), data=DataRecipe(name="sample", steps=9))
    data = samples()
    save_checkpoint(Checkpoint.start(other, data.input, data.classes), tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="its data are"):
        write_run_report(path, tmp_path, float32=tmp_path / "other.safetensors")
    assert not (tmp_path / PAGE_NAME).exists()
    with pytest.raises(CheckpointError, match=r"absent\.safetensors: no such file"):
        write_run_report(twin.parent / "absent.safetensors", tmp_path)


def test_a_training_ends_in_its_report(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "load_recipe", lambda name, overrides: recipe(epochs=1))
    command = ["train", "any", "--out", str(tmp_path / "run"), "--device", "cpu"]
    runner = CliRunner()
    assert runner.invoke(cli.app, [*command, "--no-report"]).exit_code == 0
    assert not (tmp_path / "run" / PAGE_NAME).exists()
    done = runner.invoke(cli.app, command, env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    assert "Report of sample" in done.output
    assert "Confusion matrix" in sections((tmp_path / "run" / PAGE_NAME).read_text())


def test_what_reports_need_is_asked_for_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "load_recipe", lambda name, overrides: recipe(epochs=1))
    monkeypatch.delitem(sys.modules, "spikeplane.reports.report", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = CliRunner().invoke(cli.app, ["train", "any", "--out", str(tmp_path / "run")])
    assert isinstance(done.exception, ValueError)
    assert "jinja2 is needed for a report" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_command(tmp_path, trained):
    path, twin = trained
    done = CliRunner().invoke(cli.app, [
        "report", str(path), "--out", str(tmp_path), "--float32", str(twin), "--samples", "20",
    ], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    page_name, json_name = report_names(20)
    found = json.loads((tmp_path / json_name).read_text())
    assert found["network"]["test_samples"] == 20
    assert f"{found['network']['accuracy']['integer']:.2%}" in done.output
    assert "energy, 45 nm estimate" in done.output and "sample-float32" in done.output
    assert str(tmp_path / page_name) in done.output.replace("\n", "")
    # A report on all samples is never replaced by one on some.
    assert {page_name, json_name}.isdisjoint(report_names()) and not (tmp_path / JSON_NAME).exists()
    assert len({*report_names(), *report_names(19), *report_names(20)}) == 6
