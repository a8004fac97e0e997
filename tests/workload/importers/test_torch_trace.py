"""Torch modules, every product caught; needs torch (an optional package), so not part of the default run."""

import numpy as np
import pytest

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

    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(8, 4, batch_first=True)

        def forward(self, x):
            return self.lstm(x)[0]

    with pytest.raises(
        ModelError, match="operator 'mkldnn_rnn_layer' multiplies and adds where no target can"
    ):
        TorchModel(Recurrent(), RNG.random((1, 5, 8), dtype=np.float32))


def test_weights_that_are_not_finite_are_refused(torch):
    from pimlab.workload.importers.torch_trace import TorchModel

    module = torch.nn.Linear(3, 2)
    with torch.no_grad():
        module.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="non-finite weights"):
        TorchModel(torch.nn.Sequential(module), np.zeros((1, 3), np.float32))
