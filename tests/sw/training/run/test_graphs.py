"""Steps that are replayed, on a stand-in for the GPU that records operations and does them again."""

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from spikeplane.training.run import graphs as replaying
from spikeplane.training.run import train as training
from spikeplane.training.run.checkpoint import load_checkpoint
from spikeplane.training.run.options import RunOptions
from spikeplane.training.run.train import train
from torch.utils._python_dispatch import TorchDispatchMode
from training_process import sample_data
from training_samples import offer_sample, recipe


class Recorder(TorchDispatchMode):
    """Keeps every operation with the tensors it reads and makes."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, result))
        return result


class FakeGraph:
    """Unlike a GPU, what records has computed already: the first replay does nothing."""

    def __init__(self):
        self.operations, self.replays = [], 0

    def replay(self):
        self.replays += 1
        if self.replays == 1:
            return
        for func, args, kwargs, result in self.operations:
            with torch._C._AutoDispatchBelowAutograd():
                again = func(*args, **kwargs)
            kept = result if isinstance(result, (tuple, list)) else [result]
            new = again if isinstance(again, (tuple, list)) else [again]
            for old, value in zip(kept, new, strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != value.data_ptr():
                    old.data.copy_(value)


@pytest.fixture
def fake_gpu(monkeypatch):
    """Let graphs be recorded on the CPU, from the state that they found."""
    offer_sample(monkeypatch, sample_data)

    @contextmanager
    def record(graph, **_):
        recorder = Recorder()
        with recorder:
            yield
        graph.operations = recorder.operations

    cuda = SimpleNamespace(
        Stream=lambda: SimpleNamespace(wait_stream=lambda other: None), CUDAGraph=FakeGraph,
        current_stream=lambda: SimpleNamespace(wait_stream=lambda other: None), synchronize=lambda: None,
        stream=lambda stream: nullcontext(), graph=record,
        Event=lambda: SimpleNamespace(record=lambda: None, synchronize=lambda: None),
    )
    names = {name: getattr(torch, name) for name in ("Tensor", "float64")}
    empty = lambda *size, pin_memory, **kinds: torch.empty(*size, **kinds)  # noqa: E731
    monkeypatch.setattr(replaying, "torch", SimpleNamespace(cuda=cuda, empty=empty, **names))
    monkeypatch.setattr(training._Training, "_check_options", lambda self: None)


def test_a_replayed_training_gives_the_same(tmp_path, fake_gpu, monkeypatch):
    """All that changes from batch to batch is read anew: samples, labels, rate, steepness, the optimizer's state."""
    made = []
    create = FakeGraph.__init__
    monkeypatch.setattr(FakeGraph, "__init__", lambda self: (create(self), made.append(self))[0])
    chosen = recipe(epochs=4, batch_size=32, augmentations={"flip": {}}, regularizers={"spike_limit": {"limit": 0.1}})
    whole, replayed = (
        load_checkpoint(train(chosen, tmp_path / str(graphs), progress=False, options=RunOptions(graphs=graphs)))
        for graphs in (False, True)
    )
    assert [graph.replays for graph in made] == [4 * 3 - 3]
    for once, again in zip(whole.history, replayed.history, strict=True):
        assert again["loss"] == pytest.approx(once["loss"], rel=1e-3)
        assert again["accuracy"] == pytest.approx(once["accuracy"], abs=0.02)
        assert again["rates"] == pytest.approx(once["rates"], abs=2e-3)
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(replayed.network.state_dict()[name], value, rtol=1e-2, atol=1e-3)


def test_graphs_need_a_gpu_and_adamw(tmp_path, monkeypatch):
    offer_sample(monkeypatch, sample_data)
    with pytest.raises(ValueError, match="graphs need one process on a GPU: train without graphs"):
        train(recipe(), tmp_path, progress=False, options=RunOptions(graphs=True, device="cpu"))
    with pytest.raises(ValueError, match="graphs need amp bfloat16 or none"):
        RunOptions(graphs=True, amp="float16")
