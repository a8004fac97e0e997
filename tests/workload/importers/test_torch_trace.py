"""Torch modules, every product caught; needs torch (an optional package), so not part of the default run."""

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload import ModelError

pytestmark = [pytest.mark.full, pytest.mark.torch]
RNG = np.random.default_rng(0)


@pytest.fixture
def torch():
    import torch

    torch.manual_seed(0)
    return torch


def agrees(module, x):
    from pimlab.workload.importers.torch_trace import TorchModel

    model = TorchModel(module, x[:1])
    expected = model.oracle(x)
    np.testing.assert_allclose(
        model.execute(x, model.exact), expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max()
    )
    return model


def test_convolutions_and_dense_layers(torch):
    nn = torch.nn
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(384, 10),
    )
    model = agrees(module, RNG.random((5, 3, 8, 8), dtype=np.float32))
    assert [(op.name, op.m, op.k, op.n, op.groups) for op in model.mac_ops] == [
        ("0", 64, 27, 8, 1),
        ("2", 16, 9, 1, 8),
        ("4", 16, 8, 54, 1),
        ("7", 1, 384, 10, 1),
    ]
    assert set(model.biases) == {"0", "2", "7"}
    assert [op.kind for op in model.vector_ops] == ["relu", "relu", "relu"]


def test_products_inside_attention_are_seen_and_rows_keep_their_sample(torch):
    layer = torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    x = RNG.random((5, 7, 32), dtype=np.float32)
    model = agrees(torch.nn.TransformerEncoder(layer, 2), x)
    assert len(model.mac_ops) == 12
    assert [(op.m, op.k, op.n, op.groups) for op in model.mac_ops if op.kind == "activations"] == [
        (7, 8, 7, 4),
        (7, 7, 8, 4),
    ] * 2

    def multiply(op, a, w, first):
        if w is not None:
            return a @ w
        return np.einsum("gmk,gkn->gmn", a, model.weights[op.name]) + np.sin(
            np.arange(first, first + a.shape[1])
        )[None, :, None].astype(np.float32)

    whole = model.execute(x, multiply, 3)
    parts = np.concatenate([model.execute(x[i:j], multiply, 3 + i) for i, j in ((0, 2), (2, 5))])
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-5)


def test_what_hides_its_products_is_refused(torch):
    from pimlab.workload.importers.torch_trace import TorchModel

    class Pairs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pairs = torch.nn.Bilinear(8, 8, 4)

        def forward(self, x):
            return self.pairs(x, x)

    with pytest.raises(
        ModelError, match="operator '_trilinear' multiplies and adds where no target can"
    ):
        TorchModel(Pairs(), RNG.random((1, 8), dtype=np.float32))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_steps_of_a_recurrent_layer_are_one_operator(torch, kind):
    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.memory = getattr(torch.nn, kind)(8, 4, batch_first=True, bidirectional=True)

        def forward(self, x):
            return self.memory(x)[0]

    x, gates = RNG.random((3, 5, 8), dtype=np.float32), {"LSTM": 4, "GRU": 3}[kind]
    model = agrees(Recurrent(), x)
    assert [(op.m, op.k, op.n) for op in model.mac_ops] == [
        (5, 8, 4 * gates),
        (5, 4, 4 * gates),
    ] * 2
    agrees(Recurrent(), x[:1])
    seen = []

    def multiply(op, a, w, first):
        seen.append((op.name, a.shape[1], first))
        return model.exact(op, a, w, first)

    whole = model.execute(x, multiply, 2)
    rows = [first for name, count, first in seen if name == model.mac_ops[1].name]
    assert sorted(rows) == list(range(10, 25))
    one = np.concatenate([model.execute(x[i : i + 1], model.exact) for i in range(3)])
    np.testing.assert_allclose(one, whole, atol=1e-6)


def test_several_inputs_and_weights_computed_of_weights(torch):
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.fc = torch.nn.Embedding(20, 6), torch.nn.Linear(10, 3)
            self.conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(2, 4, 3))

        def forward(self, ids, wave):
            sound = self.conv(wave).mean(-1)
            return self.fc(torch.cat([self.words(ids).mean(1), sound], 1))

    from pimlab.workload.importers.torch_trace import TorchModel

    given = {"ids": RNG.integers(0, 20, (4, 5)), "wave": RNG.random((4, 2, 9), dtype=np.float32)}
    model = TorchModel(Two(), given)
    assert [(op.m, op.k, op.n) for op in model.mac_ops] == [(7, 6, 4), (1, 10, 3)]
    expected = model.oracle(given)
    np.testing.assert_allclose(model.execute(given, model.exact), expected, atol=1e-6)
    data = pim.Data(given, expected.argmax(1))
    assert float(pim.run(model, pim.target("warboy"), data).accuracy) == 1.0
    with pytest.raises(
        ModelError, match=r"inputs \['ids'\] given; the model has \['ids', 'wave'\]"
    ):
        model.execute({"ids": given["ids"]}, model.exact)
    with pytest.raises(ModelError, match=r"allowed: one n for all"):
        model.execute({"ids": given["ids"][:2], "wave": given["wave"]}, model.exact)


def test_weights_that_are_not_finite_are_refused(torch):
    from pimlab.workload.importers.torch_trace import TorchModel

    module = torch.nn.Linear(3, 2)
    with torch.no_grad():
        module.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="non-finite weights"):
        TorchModel(torch.nn.Sequential(module), np.zeros((1, 3), np.float32))
