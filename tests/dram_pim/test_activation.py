"""Do tables in the banks answer GDDR6-AiM's activation functions, in bfloat16, at a cost that follows the timing symbols?"""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pimlab.dram_pim as pim
from pimlab.dram_pim import aim
from pimlab.dram_pim.activation import FUNCTIONS
from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.reference import bf16_tree

REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "dram_pim" / "aim_cycles.csv"
TARGET = pim.TARGETS["gddr6-aim"]()
X = np.linspace(-12, 12, 4001, dtype=np.float32)


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_tables_follow_the_function_to_bfloat16(kind):
    exact = FUNCTIONS[kind][0](bf16_tree.to_bf16(X).astype(np.float64))
    # half a unit of bfloat16 in each of the two entries and once more in the result; the step is 1 / 64
    bound = 2**-8 * np.abs(exact) + 2**-8 * (1 / 64) + 4e-4
    assert (np.abs(pim.activate(kind, X) - exact) <= 1.5 * bound).all()


@given(st.floats(width=32, allow_nan=False))
def test_rectifiers_are_exact(x):
    brain = bf16_tree.to_bf16(np.array([x], np.float32))
    np.testing.assert_array_equal(pim.activate("relu", [x]), np.maximum(brain, 0))


def test_one_interpolation_by_hand():
    # entries at 0 and 1/64: tanh(1/64) = 0.015623 rounds to 0.015625 in bfloat16; 1/128 lies half way
    assert pim.activate("tanh", [1 / 128])[0] == 0.0078125
    assert pim.activate("tanh", [1 / 64])[0] == 0.015625
    assert pim.activate("tanh", [1 / 200], pim.LookUp(rule="nearest"))[0] == 0


def test_beyond_the_table_the_ends_go_on():
    ends = np.array([-np.inf, -100, 100, np.inf], np.float32)
    np.testing.assert_array_equal(pim.activate("tanh", ends), [-1, -1, 1, 1])
    np.testing.assert_allclose(pim.activate("gelu", ends), [0, 0, 100, np.inf], atol=1e-14)
    np.testing.assert_array_equal(pim.activate("relu", ends), [0, 0, 100, np.inf])
    assert pim.activate("leakyrelu", [-100])[0] == pytest.approx(-1, rel=2**-8)
    assert np.isnan(pim.activate("sigmoid", [np.nan]))[0]


def test_more_entries_are_never_worse():
    exact = np.tanh(X.astype(np.float64))
    errors = [
        np.abs(pim.activate("tanh", X, pim.LookUp(entries=n)) - exact).mean() for n in (9, 65, 1025)
    ]
    assert errors == sorted(errors, reverse=True)
    assert np.abs(pim.activate("tanh", X, pim.LookUp(rule="nearest")) - exact).mean() > errors[2]


@pytest.mark.parametrize("kind", sorted(FUNCTIONS))
def test_cycles_follow_the_symbols(kind):
    for change in ({}, {"tRCDAF": 120}, {"tMOD": 40}, {"tREG": 11}):
        t = TARGET.timing.but(**change)
        steps = 5  # each 512 elements: one accumulator a bank
        ours = pim.elementwise(TARGET.but(timing=t), kind, 512 * steps - 3, refresh=False)
        first = 1 + t.tMOD + max(t.tRCDAF, 2 * t.tMOD + 2)
        one = 3 * t.tMOD + 2 + t.tREG
        assert int(ours.commands.sel(command="AF16")) == steps
        assert int(ours.cycles) == first + (steps - 1) * one + 1 + t.tMOD + t.tREG
        assert float(ours.utilisation) == (512 * steps - 3) / (512 * steps)


@pytest.mark.parametrize("loop", ["outputs first", "inputs first"])
def test_products_are_looked_up_before_they_are_read(loop):
    target, t = TARGET.but(organisation=TARGET.organisation.but(loop=loop)), TARGET.timing
    m, k, batch = 1200, 3000, 2  # three groups of outputs
    plain, looked = (
        pim.gemv(target, m, k, batch, refresh=False, activation=a) for a in (None, "gelu")
    )
    # the row of weights closes, the tables' row opens: not once a chunk, but once a group of outputs
    assert int(looked.cycles) - int(plain.cycles) == 3 * batch * (t.tRTPL + t.tRP + t.tRCDAF)
    for command, more in (("AF16", 6), ("RDAF16", 6), ("RDMAC16", -6), ("ACT16", 6), ("MAC16", 0)):
        assert int((looked.commands - plain.commands).sel(command=command)) == more
    fused = target.but(organisation=target.organisation.but(after="look up"))
    trace = pim.trace(fused, "gemv", m=m, k=k, batch=batch)
    assert pim.validate(trace, t) == trace.sizes["index"]


def test_traces_are_valid_and_refreshed():
    trace = pim.trace(TARGET, "gelu", n=200_000)
    assert pim.validate(trace, TARGET.timing) == trace.sizes["index"]
    refreshes = trace.cycle.values[trace.command.values == "REFAB"]
    assert len(refreshes) >= int(trace.cycle[-1]) // TARGET.timing.tREFI - 1
    with pytest.raises(pim.TraceError, match="tRCDAF"):
        pim.validate(trace, TARGET.timing.but(tRCDAF=87))
    with pytest.raises(pim.TraceError, match="all banks are closed"):
        pim.validate(trace.isel(index=trace.command != "ACT16"), TARGET.timing)


def test_look_ups_alone_are_near_the_simulator():
    # the tool opens no row for its tables; it waits two or three cycles more than our rules after each read of the results
    row = next(
        r for r in csv.DictReader(REFERENCE.read_text().splitlines()) if r["kernel"] == "af_rdaf"
    )
    count = int(row["ch0_af16"])
    commands = np.tile(np.r_[aim.AF16, aim.TMOD, aim.RDAF, aim.TMOD], count)[:-1]
    cycles = aim.issue(commands, np.zeros(0, np.int64), TARGET.timing, refresh=False).cycles
    assert cycles == pytest.approx(int(row["memory_system_cycles"]), rel=0.035)


def test_targets_serve_what_their_banks_have():
    gelu, softmax = (
        VectorOp(name="gelu", kind="gelu", elements=4096),
        VectorOp(name="softmax", kind="softmax", elements=4096),
    )
    assert not TARGET.serves(gelu)
    banks = TARGET.but(activations="banks")
    assert banks.serves(gelu)
    assert not banks.serves(softmax)
    assert banks.serves(MacOp(name="fc", m=1, k=8, n=8)) == TARGET.serves(
        MacOp(name="fc", m=1, k=8, n=8)
    )
    assert banks.events(gelu)["in-bank MAC"] == 4096
    assert sum(banks.latency(gelu).values()) == pytest.approx(
        float(pim.elementwise(TARGET, "gelu", 4096).seconds)
    )
    assert set(banks.events(gelu)) <= set(banks.prices)
    relu = VectorOp(name="relu", kind="relu", elements=4096)
    samsung = pim.TARGETS["hbm-pim"]().but(activations="banks")
    assert samsung.serves(relu)
    assert not samsung.serves(gelu)
    assert sum(samsung.latency(relu).values()) == pytest.approx(
        float(pim.elementwise("hbm-pim", "relu", 4096).seconds)
    )


def test_what_does_not_exist_is_refused_by_name():
    with pytest.raises(ValueError, match="did you mean 'gelu'"):
        pim.activate("gelo", X)
    with pytest.raises(ValueError, match="did you mean 'gelu'"):
        pim.gemv(TARGET, 8, 8, activation="gelo")
    with pytest.raises(
        ValueError, match="hbm-pim: activation function after a product 'relu' is not known"
    ):
        pim.gemv("hbm-pim", 8, 8, activation="relu")
    with pytest.raises(ValueError, match="one entry is at 0"):
        pim.LookUp(entries=1024)
    with pytest.raises(TypeError, match="did you mean 'entries'"):
        pim.LookUp(entrys=9)
    with pytest.raises(ValueError, match="has no activation function"):
        pim.TARGETS["upmem"]().but(activations="banks")
    with pytest.raises(ValueError, match="does not serve 'softmax'"):
        TARGET.but(activations="banks").events(VectorOp(name="softmax", kind="softmax", elements=8))
