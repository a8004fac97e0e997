"""Do AccelForge's and Timeloop's files hold the sizes, units and prices of our models and NPUs?

AccelForge 1.0.467 itself loaded and evaluated these files when this was written; it is no package
of the tests.
"""

import math

import pytest
import yaml

import pimlab as pim
from pimlab.interchange import (
    accelforge_architecture,
    accelforge_workload,
    timeloop_architecture,
    timeloop_problem,
)

MODEL = pim.load_model("digits-mlp")
NPUS = [name for name in pim.targets() if pim.target(name).stage == 1]


class Tagged(yaml.SafeLoader):
    """Keeps the tags, such as !Memory, as a field."""


def _tagged(loader, tag, node):
    return {"tag": tag, **loader.construct_mapping(node, deep=True)}


Tagged.add_multi_constructor("!", _tagged)


def _read(text):
    return yaml.load(text, Tagged)


def test_einsums_have_the_sizes_of_the_operators():
    workload = _read(accelforge_workload(MODEL, bits=4))["workload"]
    sizes = {k: int(v.split("<")[-1]) for k, v in workload["iteration_space_shape"].items()}
    macs = 0
    for einsum in workload["einsums"]:
        ranks = {rank for one in einsum["tensor_accesses"] for rank in one["projection"]}
        macs += math.prod(sizes[rank] for rank in ranks)
        assert [one.get("output") for one in einsum["tensor_accesses"]] == [None, None, True]
    assert macs == MODEL.macs
    assert workload["bits_per_value"] == {"All": 4}
    with pytest.raises(ValueError, match="bits=0; allowed: an integer, 1 or more"):
        accelforge_workload(MODEL, bits=0)


@pytest.mark.parametrize("name", NPUS)
def test_accelforge_gets_our_prices_and_peaks(name):
    npu = pim.target(name)
    dram, sram, arrays, mac = _read(accelforge_architecture(npu))["arch"]["nodes"]
    assert [one["tag"] for one in (dram, sram, arrays, mac)] == [
        "Memory", "Memory", "Container", "Compute",
    ]  # fmt: skip
    assert float(dram["actions"][0]["throughput"]) == npu.memory.bandwidth
    assert float(dram["leak_power"]) == npu.prices["static"].constant.value
    assert float(sram["actions"][0]["energy"]) == npu.prices["sram.read"].constant.value
    units = math.prod(one["fanout"] for one in arrays["spatial"])
    rate = float(mac["actions"][0]["throughput"])
    dense = npu.but(sparsity=None) if npu.sparsity is not None else npu
    assert 2 * units * rate == pytest.approx(dense.peak())


@pytest.mark.parametrize("name", NPUS)
def test_timeloop_gets_components_and_words_a_cycle(name):
    npu = pim.target(name)
    text = _read(timeloop_architecture(npu))["architecture"]
    assert text["version"] == 0.4
    nodes = {one["name"]: one for one in text["nodes"]}
    outside = nodes["DRAM"]["attributes"]
    words = float(outside["read_bandwidth"]) * outside["datawidth"]
    assert words * npu.array.clock == pytest.approx(npu.memory.bandwidth)
    inside = nodes["SRAM"]["attributes"]
    assert inside["depth"] * inside["width"] == pytest.approx(npu.memory.sram, rel=1e-6)
    assert nodes["mac"]["class"] in ("intmac", "fpmac")


def test_a_problem_has_the_dimensions_of_its_operands():
    op = MODEL.mac_ops[0]
    problem = _read(timeloop_problem(op))["problem"]
    assert math.prod(problem["instance"].values()) == op.macs
    spaces = {one["name"]: one for one in problem["shape"]["data_spaces"]}
    assert spaces["Inputs"]["projection"] == [[["G"]], [["M"]], [["K"]]]
    assert spaces["Outputs"]["read_write"] is True
