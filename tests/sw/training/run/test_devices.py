"""Devices and the precision of products."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from spikeplane.training.net.neuron import SpikingNeurons
from spikeplane.training.net.neurons import NeuronRecipe
from spikeplane.training.net.quantizers import WeightQuantizer
from spikeplane.training.recipe.answers import BatchAnswers
from spikeplane.training.recipe.losses import TetLoss
from spikeplane.training.recipe.regularizers import SpikeRegulation
from spikeplane.training.run import train as training
from spikeplane.training.run.checkpoint import CheckpointError, load_checkpoint
from spikeplane.training.run.devices import Precision, choose_device
from spikeplane.training.run.evaluate import evaluate
from spikeplane.training.run.norms import use_norms
from spikeplane.training.run.options import AMP, RunOptions
from spikeplane.training.run.processes import Processes
from spikeplane.training.run.train import train
from training_process import sample_data
from training_samples import EVENTS, IMAGE, network, offer_sample, recipe, samples

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def use_samples(monkeypatch):
    offer_sample(monkeypatch, sample_data)


def test_devices(monkeypatch):
    assert choose_device("cpu") == CPU
    for name in ("tpu", "cpu:0", "cuda:", "cuda:x", ""):
        with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:N, not"):
            choose_device(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(ValueError, match=r"device cuda: PyTorch .* finds no GPU here"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    assert choose_device("auto", 1) == torch.device("cuda:1")
    with pytest.raises(ValueError, match="device cuda:2: there are 2 GPUs here"):
        choose_device("cuda:2")
    with pytest.raises(ValueError, match="each takes its own GPU, say cuda"):
        choose_device("cuda:1", 0)


@pytest.mark.parametrize("form", [EVENTS, IMAGE], ids=["events", "image"])
@pytest.mark.parametrize("options", [
    {}, {"reset": "soft"}, {"inner": "odd", "bits": 2}, {"inner": "absmax", "bits": 4},
    {"dynamics": "memory_free", "taps": 3, "learned_taps": True},
], ids=str)
def test_nothing_of_a_network_stays_on_the_cpu(monkeypatch, form, options):
    """The device "meta" computes shapes only; like a GPU it refuses tensors of the CPU."""
    # It has no automatic types to turn off.
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    net = network(form, **options).to("meta")
    use_norms(net, Processes(torch.device("meta")))
    logits, spikes = net(torch.from_numpy(samples(form).inputs).to("meta"))
    loss = TetLoss()(BatchAnswers(logits=logits, labels=torch.zeros(96, dtype=torch.int64, device="meta")))
    penalty = SpikeRegulation()(torch.stack([maps.mean() for maps in spikes.values()]))
    (loss + penalty).backward()
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)
    with torch.no_grad():
        assert net.eval()(torch.from_numpy(samples(form).inputs).to("meta"))[0].is_meta


@pytest.mark.parametrize("amp", AMP)
@pytest.mark.parametrize("neurons", [{}, {"dynamics": "memory_free", "taps": 2}], ids=["leaky", "memory_free"])
def test_neurons_and_quantizers_are_exact_beside_rough_products(amp, neurons):
    torch.manual_seed(1)
    net = network(**neurons)
    use_norms(net, Processes(CPU))
    seen = {"neurons": 0, "quantizers": 0, "products": 0}

    def check_neurons(module, arguments, spikes):
        currents, steps = arguments
        seen["neurons"] += 1
        assert currents.dtype == spikes.dtype == torch.float32
        with torch.autocast("cpu", enabled=False):
            assert torch.equal(module.forward(currents, steps), spikes)

    def check_quantizers(module, arguments, weights):
        seen["quantizers"] += 1
        with torch.autocast("cpu", enabled=False):
            assert weights.dtype == torch.float32
            assert torch.equal(module.forward(*arguments), weights)

    def check_products(module, arguments):
        (sums,) = arguments
        exact = sums.to(getattr(torch, amp)).to(sums.dtype)
        seen["products"] += int(torch.equal(sums, exact))

    for module in net.modules():
        if isinstance(module, SpikingNeurons):
            module.register_forward_hook(check_neurons)
        if isinstance(module, WeightQuantizer):
            module.register_forward_hook(check_quantizers)
        if isinstance(module, torch.nn.BatchNorm2d) and not neurons:
            module.register_forward_pre_hook(check_products)
    with Precision(RunOptions(amp=amp), CPU).products():
        net(torch.from_numpy(samples().inputs))
    assert seen["neurons"] == 3 and seen["quantizers"] == 4
    assert seen["products"] == (0 if neurons else 3)


@pytest.mark.parametrize("amp", AMP)
def test_taps_are_exact(amp):
    neurons = NeuronRecipe(dynamics="memory_free", taps=3).create()
    sums = torch.randn(3, 4, 5, 2, 2)
    with Precision(RunOptions(amp=amp), CPU).products():
        mixed = neurons.mix(sums)
    assert torch.equal(mixed, neurons.mix(sums))


@pytest.mark.parametrize("amp", AMP)
def test_training_with_rough_products(tmp_path, monkeypatch, amp):
    chosen, options = recipe(epochs=12, augmentations={}), RunOptions(device="cpu", amp=amp, save_every=0)
    whole = train(chosen, tmp_path / "whole", progress=False, options=options)
    assert evaluate(whole).trained > 0.8
    batch = training._Training._batch

    def stop_in_the_tenth(self, *arguments):
        if self.done == 9:
            raise InterruptedError
        return batch(self, *arguments)

    monkeypatch.setattr(training._Training, "_batch", stop_in_the_tenth)
    with pytest.raises(InterruptedError):
        train(chosen, tmp_path / "cut", progress=False, options=options)
    monkeypatch.setattr(training._Training, "_batch", batch)
    path = tmp_path / "cut" / whole.name
    assert bool(load_checkpoint(path).scaler) == (amp == "float16")
    with pytest.raises(CheckpointError, match=f"begun with amp {amp}, must go on with it, not with no"):
        train(chosen, tmp_path / "cut", progress=False, options=RunOptions(device="cpu"))
    train(chosen, tmp_path / "cut", progress=False, options=options)
    assert path.read_bytes() == whole.read_bytes()


def test_the_scale_of_gradients_is_restored(tmp_path, monkeypatch):
    """A scale of 2**40 overflows: steps are left out and the scale falls; a resumed training knows."""
    options = RunOptions(device="cpu", amp="float16", save_every=0)
    create = torch.amp.GradScaler
    monkeypatch.setattr(
        torch.amp, "GradScaler", lambda *a, **k: create(*a, **k, init_scale=2.0**40)
    )
    batch = training._Training._batch
    scales = []

    def note(self, *arguments):
        scales.append(self.precision.scaler.get_scale())
        if len(scales) == 4:
            raise InterruptedError
        return batch(self, *arguments)

    monkeypatch.setattr(training._Training, "_batch", note)
    with pytest.raises(InterruptedError):
        train(recipe(epochs=1), tmp_path, progress=False, options=options)
    train(recipe(epochs=1), tmp_path, progress=False, options=options)
    np.testing.assert_array_equal(scales[:4], 2.0 ** np.array([40, 39, 38, 37]))
    assert scales[4] == scales[3]
