"""Is an adapted model its own product plus the adapter's, and does the host do the latter?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.plan import planned
from pimlab.workload import ModelError
from pimlab.workload.transform.adapters import Adapted, Adapter, check_rank

RNG = np.random.default_rng(4)
MODEL = pim.load_model("digits-mlp")
DATA = pim.load_data("digits", limit=20)


def _adapters(rank=2):
    found = {}
    for op in MODEL.mac_ops:
        down = RNG.standard_normal((op.k, rank)).astype(np.float32) / 8
        found[op.name] = Adapter(down, RNG.standard_normal((rank, op.n)).astype(np.float32) / 2)
    return found


def test_it_computes_with_the_weights_and_the_adapter_together():
    adapters = _adapters()
    adapted = Adapted(MODEL, adapters)
    together = pim.load_model("digits-mlp")
    together.weights = {
        name: w + (adapters[name].down @ adapters[name].up)[None]
        for name, w in MODEL.weights.items()
    }
    np.testing.assert_allclose(
        adapted.execute(DATA.inputs, adapted.exact),
        together.execute(DATA.inputs, together.exact),
        rtol=1e-4,
        atol=1e-4,
    )


def test_the_host_multiplies_the_adapters_and_they_cost():
    adapted = Adapted(MODEL, _adapters())
    pcm = pim.target("pcm-hermes")
    owners = planned(adapted, pcm).owners
    assert owners["fc1"] == pcm.name
    assert owners["fc1.down"] == owners["fc1.up"] != pcm.name
    answer, alone = pim.run(adapted, pcm, DATA), pim.run(MODEL, pcm, DATA)
    assert int(answer.macs.sum()) > int(alone.macs.sum())
    assert float(answer.energy.sum()) > float(alone.energy.sum())
    assert adapted.sha256 != MODEL.sha256


def test_an_adapter_as_large_as_its_layer_is_refused():
    narrow = min((op for op in MODEL.mac_ops), key=lambda op: op.k * op.n / (op.k + op.n))
    most = (narrow.k * narrow.n - 1) // (narrow.k + narrow.n)
    check_rank(MODEL, most)
    with pytest.raises(ModelError, match=rf"rank {most + 1} beside layer .*allowed: 1..{most}"):
        check_rank(MODEL, most + 1)
