"""Programs that torch.export saved; but for the last test these need torch (an optional package)."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload.importers.torch_export import load_program
from pimlab.workload.model import ModelError

X = np.random.default_rng(0).standard_normal((5, 3, 8, 8)).astype(np.float32)


def saved(path, *, batch="open", inputs=1):
    """A small network as torch.export saves it."""
    import torch

    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Linear(256, 7)

        def forward(self, x, y=None):
            x = torch.relu(self.conv(x if y is None else x + y))
            return torch.softmax(self.fc(x.flatten(1)), dim=1)

    given = tuple(torch.from_numpy(X[:2]) for _ in range(inputs))
    shapes = tuple({0: torch.export.Dim("batch")} for _ in given) if batch == "open" else None
    net = Net().eval()
    torch.export.save(torch.export.export(net, given, dynamic_shapes=shapes), path)
    return net


@pytest.mark.full
@pytest.mark.torch
def test_a_program_runs_as_torch_runs_it(tmp_path):
    import torch

    net = saved(tmp_path / "net.pt2")
    model = pim.load_model(tmp_path / "net.pt2")
    expected = net(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(model.execute(X, model.exact), expected, rtol=1e-5, atol=1e-6)
    assert [(op.name, op.m, op.k, op.n) for op in model.mac_ops] == [
        ("conv", 64, 27, 4), ("fc", 1, 256, 7),
    ]  # fmt: skip
    ds = pim.run(model, pim.target("warboy"))
    assert set(ds.layer.values) >= {"conv", "fc"}
    np.testing.assert_array_equal(
        pim.load_model(tmp_path / "net.pt2").weights["fc"], model.weights["fc"]
    )


@pytest.mark.full
@pytest.mark.torch
def test_weights_that_are_no_matrices_to_multiply_are_read(tmp_path):
    """PReLU reads a parameter of two axes, and bicubic sizes a table of positions."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bent = torch.nn.Conv2d(3, 4, 3), torch.nn.PReLU(4)
            self.places = torch.nn.Parameter(torch.randn(1, 4, 3, 3))

        def forward(self, x):
            wide = torch.nn.functional.interpolate(self.places, size=(6, 6), mode="bicubic")
            return self.bent(self.conv(x)) + wide

    net, batch = Net().eval(), {0: torch.export.Dim("batch")}
    program = torch.export.export(net, (torch.from_numpy(X[:2]),), dynamic_shapes=(batch,))
    torch.export.save(program, tmp_path / "net.pt2")
    model = pim.load_model(tmp_path / "net.pt2")
    expected = net(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(model.execute(X, model.exact), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.full
@pytest.mark.torch
def test_several_inputs_have_the_names_of_the_file(tmp_path):
    import torch

    net = saved(tmp_path / "two.pt2", inputs=2)
    model = pim.load_model(tmp_path / "two.pt2")
    assert [one.name for one in model.inputs] == ["x", "y"]
    given = {"x": X, "y": X[::-1]}
    expected = net(*(torch.from_numpy(v.copy()) for v in given.values())).detach().numpy()
    np.testing.assert_allclose(model.execute(given, model.exact), expected, rtol=1e-5, atol=1e-6)
    again = pim.load_model(tmp_path / "two.pt2", example={"y": X[:1], "x": X[:1]})
    assert again.mac_ops == model.mac_ops


@pytest.mark.full
@pytest.mark.torch
def test_programs_that_cannot_be_taken_are_refused_by_name(tmp_path):
    saved(tmp_path / "fixed.pt2", batch="fixed")
    with pytest.raises(
        ModelError, match=r"fixed.pt2: input 'x' has the fixed shape \(2, 3, 8, 8\)"
    ):
        load_program(tmp_path / "fixed.pt2")
    saved(tmp_path / "two.pt2", inputs=2)
    with pytest.raises(ModelError, match=r"two.pt2: takes the inputs x, y; example= gives z"):
        load_program(tmp_path / "two.pt2", {"z": X})
    saved(tmp_path / "whole.pt2")
    content = (tmp_path / "whole.pt2").read_bytes()
    (tmp_path / "cut.pt2").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r"cut.pt2: is no program that torch.export.save wrote"):
        load_program(tmp_path / "cut.pt2")
    with pytest.raises(FileNotFoundError, match=r"none.pt2: no such file"):
        load_program(tmp_path / "none.pt2")


def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="torch models need torch: pip install torch=="):
        pim.load_model(tmp_path / "net.pt2")
    with pytest.raises(ModelError, match="with output='y': only ONNX files take output"):
        pim.load_model(tmp_path / "net.pt2", output="y")
