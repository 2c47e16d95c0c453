"""NIR files: what each node means, against plain loops of NIR's equations, and what is refused by name."""

import h5py
import nir
import numpy as np
import pytest
import torch
from nir_networks import SHAPE, affine, convolution, if_neurons, lif_neurons, write
from spikeplane.importing.chain import predict_chain, run_stage
from spikeplane.importing.nir_file import Meaning, read_nir
from spikeplane.network.checks import NetworkError
from spikeplane_hw.neuron import Reset
from torch.nn import functional

MEANING = Meaning(time_step=0.001)


def spikes(count=4, steps=12, shape=SHAPE, seed=0) -> torch.Tensor:
    return torch.from_numpy((np.random.RandomState(seed).random((count, steps, *shape)) < 0.3).astype(np.uint8))


def answer(chain, values: torch.Tensor) -> torch.Tensor:
    for stage in chain.stages:
        values = run_stage(stage, values)
    return values if values.ndim == 2 else values.double().sum((1, 3, 4))


def plain(nodes, values: torch.Tensor, step=0.001, at=False, subtract=False, exponential=False) -> torch.Tensor:
    """Run nodes one after the other and step by step, as NIR's equations say."""
    state = {}
    total = 0
    for time in range(values.shape[1]):
        x = values[:, time].float()
        for index, node in enumerate(nodes):
            if isinstance(node, nir.Conv2d):
                x = functional.conv2d(x, *map(torch.as_tensor, (node.weight, node.bias)), tuple(node.stride),
                                      tuple(node.padding), tuple(node.dilation), node.groups)
            elif isinstance(node, nir.Affine):
                x = x.flatten(1) @ torch.as_tensor(node.weight).T + torch.as_tensor(node.bias)
            elif isinstance(node, nir.Linear):
                x = x.flatten(1) @ torch.as_tensor(node.weight).T
            elif isinstance(node, nir.SumPool2d | nir.AvgPool2d):
                x = functional.avg_pool2d(x, tuple(node.kernel_size), tuple(node.stride))
                x = x * (np.prod(node.kernel_size) if isinstance(node, nir.SumPool2d) else 1)
            elif isinstance(node, nir.Scale):
                x = x * torch.as_tensor(node.scale)
            elif isinstance(node, nir.IF | nir.LIF | nir.CubaLIF):
                v = state.get(index, torch.zeros_like(x))
                if isinstance(node, nir.IF):
                    v = v + torch.as_tensor(node.r) * x
                else:
                    tau = torch.as_tensor(node.tau if isinstance(node, nir.LIF) else node.tau_mem)
                    x = x if isinstance(node, nir.LIF) else x * torch.as_tensor(node.w_in)
                    part = 1 - torch.exp(-step / tau) if exponential else step / tau
                    v = v + part * (torch.as_tensor(node.v_leak) - v + torch.as_tensor(node.r) * x)
                threshold = torch.as_tensor(node.v_threshold)
                fired = v >= threshold if at else v > threshold
                state[index] = v - fired * threshold if subtract else v * ~fired
                x = fired.float()
        total = total + x.flatten(1).double()
    return total


def pool(kind, size=2):
    return kind(kernel_size=np.array([size, size]), stride=np.array([size, size]), padding=np.array([0, 0]))


def flatten(*shape):
    return nir.Flatten(input_type=np.array(shape), start_dim=0, end_dim=-1)


NETWORKS = {
    "if": [convolution(), if_neurons(6, 8, 8), flatten(6, 8, 8), affine(4, 384), if_neurons(4)],
    "sum pool": [convolution(bias=False), if_neurons(6, 8, 8), pool(nir.SumPool2d), convolution(5, 6, side=4),
                 if_neurons(5, 4, 4), flatten(5, 4, 4), affine(4, 80), if_neurons(4)],
    "average pool, dense": [convolution(), if_neurons(6, 8, 8, r=0.7), pool(nir.AvgPool2d), flatten(6, 4, 4),
                            affine(4, 96), if_neurons(4, threshold=0.5)],
    "pool of currents": [convolution(), pool(nir.AvgPool2d), if_neurons(6, 4, 4), flatten(6, 4, 4), affine(4, 96)],
    "batch normalization": [
        convolution(), convolution(6, 1, 1, groups=6, padding=(0, 0), seed=3), if_neurons(6, 8, 8),
        flatten(6, 8, 8), nir.Linear(weight=np.random.RandomState(1).normal(size=(4, 384)).astype(np.float32) / 3),
        nir.Scale(scale=np.array([0.5, 1, 2, 1], np.float32)), if_neurons(4),
    ],
    "lif": [convolution(), lif_neurons(6, 8, 8, tau=0.004, leak=0.3, r=4.0), flatten(6, 8, 8), affine(4, 384),
            lif_neurons(4, tau=0.004, threshold=0.3)],
    "dilation and stride": [convolution(dilation=(2, 2), stride=(2, 2), padding=(2, 2)), if_neurons(6, 4, 4),
                            flatten(6, 4, 4), affine(4, 96)],
    "current-based": [flatten(*SHAPE), affine(4, 128), nir.CubaLIF(
        tau_syn=np.full(4, 0.001), tau_mem=np.full(4, 0.002), r=np.ones(4), v_leak=np.zeros(4),
        v_threshold=np.full(4, 0.5), w_in=np.array(3.0),
    )],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_nodes_mean_what_nir_says(tmp_path, name):
    chain = read_nir(write(tmp_path / "a.nir", *NETWORKS[name]), MEANING)
    expected = plain(NETWORKS[name], spikes())
    found = answer(chain, spikes())
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    labels = np.concatenate(list(predict_chain(chain, spikes().numpy(), 1.0, batch=3)))
    np.testing.assert_array_equal(labels, expected.argmax(1).numpy())


@pytest.mark.parametrize(("meaning", "options"), [
    (Meaning(time_step=0.001, strict=False), {"at": True}),
    (Meaning(time_step=0.001, reset=Reset.SOFT), {"subtract": True}),
    (Meaning(time_step=0.001, discretization="exponential"), {"exponential": True}),
    (Meaning(time_step=0.0005), {"step": 0.0005}),
])
def test_what_files_do_not_say_is_as_asked_for(tmp_path, meaning, options):
    # Weights of eighths meet the threshold exactly.
    exact = nir.Affine(weight=np.random.RandomState(0).randint(-4, 5, (4, 128)).astype(np.float32) / 8,
                       bias=np.zeros(4, np.float32))
    nodes = [flatten(*SHAPE), exact, lif_neurons(4, tau=0.001 if options.get("at") else 0.004, threshold=0.5)]
    path = write(tmp_path / "a.nir", *nodes)
    expected = plain(nodes, spikes(), **options)
    torch.testing.assert_close(answer(read_nir(path, meaning), spikes()), expected)
    assert (plain(nodes, spikes()) != expected).any()


def test_the_table_says_what_became_of_each_node(tmp_path):
    rows = read_nir(write(tmp_path / "a.nir", *NETWORKS["sum pool"]), MEANING).rows
    assert [row[0] for row in rows[:8]] == list("01234567")
    assert rows[2] == ("2", "SumPool2d 2 x 2", "folded into the next weights")
    assert rows[7][1] == "IF 4", "it has as few neurons as a kernel has sides"
    assert rows[3][2] == "weights, one convolution with the nodes before"
    assert rows[8] == ("(output)", "spikes of the last neurons", "counted over all steps")
    assert ("(all neurons)", "fire where", "v > threshold") in rows
    other = read_nir(tmp_path / "a.nir", Meaning(strict=False, reset=Reset.SOFT)).rows
    assert ("(all neurons)", "both of these", "chosen, other than NIR's definition") in other


def cuba(**changes):
    values = {"tau_syn": 0.002, "tau_mem": 0.002, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0} | changes
    return nir.CubaLIF(**{name: np.full(4, value) for name, value in values.items()})


def refractory():
    return nir.Delay(delay=np.array([1.0]))


LEFT = [flatten(*SHAPE), affine(4, 128)]


@pytest.mark.parametrize(("nodes", "message"), [
    ([*LEFT, if_neurons(4, reset=0.5)], r"node '2' \(IF\): v_reset is 0.5, must be 0"),
    ([*LEFT, if_neurons(4, threshold=0.0)], r"node '2' \(IF\): v_threshold 0 of a channel, must be above 0"),
    ([*LEFT, cuba()], r"node '2' \(CubaLIF\): 0.5 of its synaptic current is left after a step"),
    ([*LEFT, cuba(tau_mem=0.0005)], r"node '2' \(CubaLIF\): tau_mem is 0.0005 s, below the time step of 0.001 s"),
    ([*LEFT, nir.LI(tau=np.ones(4), r=np.ones(4), v_leak=np.zeros(4))],
     r"node '2' \(LI\): nodes of this kind have no exact counterpart; known are Conv2d, Affine"),
    ([*LEFT, refractory()], r"node '2' \(Delay\): nodes of this kind have no exact counterpart"),
    ([affine(4, 128), if_neurons(4)], r"node '0' \(Affine\): it takes a vector, .* a Flatten is missing"),
    ([flatten(*SHAPE), affine(4, 100), if_neurons(4)], r"node '1' \(Affine\): its weights \(4, 100\) do not take the"),
    ([convolution(), nir.IF(r=np.ones((6, 8, 8)), v_threshold=np.random.RandomState(0).random((6, 8, 8)) + 1)],
     r"node '1' \(IF\): v_threshold differs within channel 0; it must be one value a channel"),
    ([*LEFT, nir.LIF(tau=np.array([1, 2, 3, 4.0]), r=np.ones(4), v_leak=np.zeros(4), v_threshold=np.ones(4))],
     r"node '2' \(LIF\): its neurons leak differently, .* all neurons of a layer have one leak"),
    ([convolution(stride=(1, 2)), if_neurons(6, 8, 4)], r"node '0' \(Conv2d\): stride is 1 by 2, must be the same"),
    ([convolution(), if_neurons(5, 8, 8)], r"node '1' \(IF\): v_threshold has the shape \(5, 8, 8\), the map before"),
    ([nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([1, 1])), *LEFT],
     r"node '0' \(AvgPool2d\): its padding is \[1, 1\], must be 0"),
    ([convolution(), convolution(6, 6, seed=2), if_neurons(6, 8, 8)], r"node '1' \(Conv2d\): it pads what a bias was"),
    ([*LEFT, nir.IF(r=np.full(4, np.nan), v_threshold=np.ones(4))], r"node '2' \(IF\): r has a value that is not fin"),
    ([], "the network has no weights"),
])
def test_what_has_no_counterpart_is_refused_by_name(tmp_path, nodes, message):
    path = write(tmp_path / "a.nir", *nodes)
    with pytest.raises(NetworkError, match=f"^{path}: {message}"):
        read_nir(path, MEANING)


def test_a_leak_needs_the_time_step(tmp_path):
    path = write(tmp_path / "a.nir", *LEFT, lif_neurons(4))
    with pytest.raises(NetworkError, match=r"node '2' \(LIF\): its leak depends on the time step, .* name it by --dt"):
        read_nir(path, Meaning())


@pytest.mark.parametrize(("edges", "message"), [
    ([("input", "0"), ("0", "1"), ("0", "output"), ("1", "output")], r"node '0' \(Flatten\) writes to '1', 'output'"),
    ([("input", "0"), ("0", "1"), ("1", "output"), ("1", "1")], r"node '1' \(Affine\) writes to 'output', '1'"),
    ([("input", "0"), ("0", "1"), ("2", "1"), ("1", "output")], r"node '1' \(Affine\) reads '0', '2'"),
    ([("input", "0"), ("0", "output")], r"the input does not lead to the output through all nodes: node '1'"),
    ([("input", "9")], r"an edge leads from 'input' to '9', which are not both nodes"),
])
def test_branches_and_loops_are_refused_by_name(tmp_path, edges, message):
    with pytest.raises(NetworkError, match=message):
        read_nir(write(tmp_path / "a.nir", *LEFT, if_neurons(4), edges=edges), MEANING)


def test_damaged_files_are_named(tmp_path):
    path = write(tmp_path / "a.nir", *LEFT, if_neurons(4))
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"not HDF5"):
        path.write_bytes(damaged)
        with pytest.raises(NetworkError, match=f"^{path}: not a readable NIR file"):
            read_nir(path, MEANING)
    with pytest.raises(NetworkError, match=r"absent.nir: no such file"):
        read_nir(tmp_path / "absent.nir", MEANING)


@pytest.mark.parametrize(("node", "values", "message"), [
    ("0", {"type": "Leaky"}, r"not a readable NIR file: node '0' is of type 'Leaky', which version .* of nir does"),
    ("0", {"type": None}, r"not a readable NIR file: node '0' is of type None"),
    ("1", {"type": "NIRNode"}, r"not a readable NIR file: node '1' \(NIRNode\): AssertionError$"),
    ("0", {"weight": None}, r"not a readable NIR file: node '0' \(Conv2d\): TypeError: .* missing 1 .* 'weight'"),
    ("0", {"groups": 0}, r"node '0' \(Conv2d\): groups is 0, must be 1 or more"),
    ("0", {"padding": np.array([-1, -1])}, r"node '0' \(Conv2d\): padding is -1 by -1, must be 0 or more"),
    ("2", {"stride": np.array([0, 0])}, r"node '2' \(AvgPool2d\): stride is 0 by 0, must be 1 or more"),
    ("2", {"kernel_size": np.array([0, 0])}, r"node '2' \(AvgPool2d\): kernel is 0 by 0, must be 1 or more"),
])
def test_values_that_no_node_has_are_named(tmp_path, node, values, message):
    path = write(tmp_path / "a.nir", convolution(), if_neurons(6, 8, 8), pool(nir.AvgPool2d))
    with h5py.File(path, "r+") as file:
        for name, value in values.items():
            del file[f"node/nodes/{node}/{name}"]
            if value is not None:
                file[f"node/nodes/{node}/{name}"] = value
    with pytest.raises(NetworkError, match=f"^{path}: {message}"):
        read_nir(path, MEANING)


def test_the_shape_of_the_input(tmp_path):
    path = write(tmp_path / "a.nir", convolution(), if_neurons(6, 8, 8), source=[1])
    assert read_nir(path, MEANING).source == SHAPE
    path = write(tmp_path / "a.nir", *LEFT, if_neurons(4), source=[1])
    with pytest.raises(NetworkError, match="it does not say the shape of its input"):
        read_nir(path, MEANING)
    assert read_nir(path, MEANING, SHAPE).source == SHAPE
    with pytest.raises(NetworkError, match=r"its input is \(2, 8, 8\), that of the data \(2, 9, 9\)"):
        read_nir(write(tmp_path / "a.nir", convolution(), if_neurons(6, 8, 8)), MEANING, (2, 9, 9))


@pytest.mark.parametrize(("settings", "message"), [
    ({"discretization": "other"}, "discretization must be euler or exponential, not 'other'"),
    ({"time_step": 0.0}, "a time step must be above 0 s, not 0.0"),
    ({"reset": Reset.NONE}, "reset must be HARD or SOFT"),
])
def test_bad_meanings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Meaning(**settings)
