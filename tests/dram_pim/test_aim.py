"""Does GDDR6-AiM take the reference simulator's cycles, and follow its timing symbols?"""

import csv
from pathlib import Path

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.dram_pim import aim
from pimlab.reference import bf16_tree

REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "dram_pim" / "aim_cycles.csv"
TARGET = pim.TARGETS["gddr6-aim"]()


def _rows(kind):
    return [
        row
        for row in csv.DictReader(REFERENCE.read_text().splitlines())
        if row["kernel"].startswith(kind)
    ]


def _target(row):
    loop = {"gemv_A": "outputs first", "gemv_B": "inputs first"}[row["kernel"]]
    return TARGET.but(organisation=TARGET.organisation.but(loop=loop))


@pytest.mark.parametrize(
    "row",
    _rows("gemv"),
    ids=lambda r: "-".join([r["kernel"], r["m_or_n"], r["k_or_rows"], r["batch"]]),
)
def test_cycles_and_commands_equal_the_simulator(row):
    m, k, batch = int(row["m_or_n"]), int(row["k_or_rows"]), int(row["batch"])
    ours = pim.gemv(_target(row), m, k, batch, compat="aim_simulator")
    assert int(ours.cycles) == int(row["memory_system_cycles"])
    for command, column in (
        ("ACT16", "ch0_act16"),
        ("MAC16", "ch0_mac16"),
        ("WRGB", "ch0_wrgb"),
        ("TMOD", "ch0_tmod"),
        ("RDMAC16", "ch0_rdmac16"),
    ):
        assert int(ours.commands.sel(command=command)) == int(row[column])


@pytest.mark.parametrize("row", _rows("ewmul"), ids=lambda r: r["kernel"])
def test_element_wise_products_are_within_a_percent(row):
    elements = 32 * 4 * 16 * int(row["m_or_n"]) * int(row["k_or_rows"])
    assert int(
        pim.elementwise(TARGET, "mul", elements, compat="aim_simulator").cycles
    ) == pytest.approx(int(row["memory_system_cycles"]), rel=0.01)


def test_closed_form_follows_the_symbols():
    for change in ({}, {"tRCDMAC": 70}, {"tMOD": 40}, {"tRP": 40, "tRC": 94}, {"tCCDL": 4}):
        t = TARGET.timing.but(**change)
        m, k, batch = 5000, 3000, 2
        groups, reads = TARGET.organisation.chunks(m, k)
        bus = max(t.burst, t.tCCDS)
        per_chunk = (reads - 1) * (bus + t.tCCDL) + 2 + 2 * t.tMOD + t.tRP + t.tRCDMAC
        first = 1 + t.tMOD - t.tRP
        cycles = int(pim.gemv(TARGET.but(timing=t), m, k, batch, refresh=False).cycles)
        assert cycles == first + batch * groups * (bus + t.tREG + int(per_chunk.sum()))


def test_refresh_is_on_unless_the_tools_fault_is_asked_for():
    right, tool = pim.gemv(TARGET, 4096, 4096), pim.gemv(TARGET, 4096, 4096, compat="aim_simulator")
    assert int(right.commands.sel(command="REFAB")) == int(tool.cycles) // TARGET.timing.tREFI + 1
    assert int(tool.commands.sel(command="REFAB")) == 0
    assert 1.05 < int(right.cycles) / int(tool.cycles) < 1.08


@pytest.mark.parametrize("loop", ["outputs first", "inputs first"])
def test_emitted_traces_are_valid_and_broken_ones_are_not(loop):
    target = TARGET.but(organisation=TARGET.organisation.but(loop=loop))
    trace = pim.trace(target, "gemv", m=1500, k=3000, batch=3)
    assert pim.validate(trace, target.timing) == trace.sizes["index"]
    with pytest.raises(pim.TraceError, match="tRCDMAC"):
        pim.validate(trace, target.timing.but(tRCDMAC=57))
    broken = trace.isel(index=trace.command != "ACT16")
    with pytest.raises(pim.TraceError, match="all banks are closed"):
        pim.validate(broken, target.timing)


def test_many_batches_are_repeated():
    whole = TARGET.organisation.gemv(TARGET.timing, 4096, 4096, 120, True, None).cycles
    assert int(pim.gemv(TARGET, 4096, 4096, 120).cycles) == pytest.approx(whole, rel=1e-3)


def test_host_reads_move_at_the_pins_rate():
    answer = pim.host_read(TARGET, 1 << 24, refresh=False)
    # 256 bits a channel in two cycles of 0.5 ns
    assert (1 << 24) / float(answer.seconds) == pytest.approx(32 * 32 / 1e-9, rel=0.05)


def _operands():
    rng = np.random.default_rng(3)
    return rng.standard_normal((4, 100)).astype(np.float32), rng.standard_normal((100, 20)).astype(
        np.float32
    )


def test_values_are_trees_of_sixteen_products():
    x, w = _operands()
    for tree in ("float32", "bf16"):
        for accumulator in ("float32", "bf16"):
            target = TARGET.but(arithmetic=pim.Bf16Tree(tree=tree, accumulator=accumulator))
            steps = np.zeros((4, 112), np.float32), np.zeros((112, 20), np.float32)
            steps[0][:, :100], steps[1][:100] = bf16_tree.to_bf16(x), bf16_tree.to_bf16(w)
            expected = bf16_tree.matmul(
                steps[0].reshape(4, 7, 16),
                steps[1].reshape(7, 16, 20),
                tree == "bf16",
                accumulator == "bf16",
            )
            np.testing.assert_array_equal(pim.matmul(x, w, target), bf16_tree.to_bf16(expected))


def test_narrower_accumulators_are_never_better():
    rng = np.random.default_rng(5)
    x, w = (
        np.abs(rng.standard_normal((8, 2048))).astype(np.float32),
        np.abs(rng.standard_normal((2048, 16))).astype(np.float32),
    )
    exact = x.astype(np.float64) @ w
    errors = [
        np.abs(
            pim.matmul(x, w, TARGET.but(arithmetic=TARGET.arithmetic.but(**change))) - exact
        ).mean()
        for change in ({}, {"accumulator": "bf16"}, {"tree": "bf16", "accumulator": "bf16"})
    ]
    assert errors[0] < min(errors[1:])
    np.testing.assert_array_equal(
        pim.matmul(x, w, TARGET.with_causes(())), pim.matmul(x, w, TARGET.with_causes(()))
    )


def test_wrong_parts_are_refused():
    with pytest.raises(TypeError, match="not an AimTiming"):
        pim.gemv(TARGET.but(timing=pim.timing("hbm2")), 5, 5)
    with pytest.raises(ValueError, match="did you mean 'aim_simulator'"):
        pim.gemv(TARGET, 5, 5, compat="aim_simulater")
    with pytest.raises(ValueError, match="rows a bank"):
        pim.gemv(TARGET, 10**7, 10**5)
    assert aim.COMMANDS[aim.REFAB] == "REFAB"


@pytest.mark.parametrize("loop", ["outputs first", "inputs first"])
@pytest.mark.parametrize("after", ["read", "look up"])
def test_a_trace_names_the_rows_and_columns_that_are_read(loop, after):
    machine = pim.TARGETS["gddr6-aim"]()
    machine = machine.but(organisation=machine.organisation.but(loop=loop, after=after))
    table = pim.trace(
        machine, 600, 2100, 3
    ).to_dataframe()  # two groups of outputs, three chunks of inputs, the last of four columns
    groups = table[table.command == "MAC16"].groupby("row", sort=True).column.apply(list)
    assert list(groups.index) == list(range(6))
    for row, columns in groups.items():
        assert columns == 3 * list(range(64 if row % 3 < 2 else 4))
    assert set(table[table.command == "AF16"].row) == (
        {machine.organisation.rows - 1} if after == "look up" else set()
    )
    fills = table[table.command == "WRGB"].column
    assert (fills.min(), fills.max()) == (0, 63)
    assert table.row.max() < machine.organisation.rows


@pytest.mark.parametrize("loop", ["outputs first", "inputs first"])
def test_short_inputs_share_rows(loop):
    # keys of 128: eight column accesses, so that a row of 64 holds those of eight groups of 512 outputs
    machine = TARGET.but(organisation=TARGET.organisation.but(loop=loop))
    packed, tool = (pim.gemv(machine, 20 * 512, 128, compat=c) for c in (None, "aim_simulator"))
    assert int(packed.commands.sel(command="ACT16")) == 3
    assert int(tool.commands.sel(command="ACT16")) == 20
    for command in ("MAC16", "RDMAC16"):
        assert int(packed.commands.sel(command=command)) == int(tool.commands.sel(command=command))
    assert int(tool.cycles) / int(packed.cycles) > (1.5 if loop == "outputs first" else 1.7)
    assert machine.organisation.occupancy(20 * 512, 128) == 3 / 16384
    table = pim.trace(machine, 20 * 512, 128)
    assert pim.validate(table, machine.timing) == table.sizes["index"]
    macs = table.to_dataframe().query("command == 'MAC16'").groupby("row").column
    assert macs.max().tolist() == [63, 63, 31]
    assert macs.count().tolist() == [64, 64, 32]


def test_a_cache_of_short_keys_fills_an_eighth_of_the_rows():
    org = TARGET.organisation
    # 16,384 rows hold the keys of 16384 x 8 x 512 positions
    assert org.occupancy(16384 * 8 * 512, 128) == 1
    with pytest.raises(ValueError, match="needs 16385 rows a bank; there are 16384"):
        pim.gemv(TARGET, 16384 * 8 * 512 + 1, 128)
    assert org.occupancy(512, 1024) == org.occupancy(512, 513) == 1 / 16384


def test_refresh_has_its_own_phase():
    right, never = (pim.gemv(TARGET, 4096, 4096, refresh=r) for r in (True, False))
    spent = int(right.phase_cycles.sel(phase="refresh"))
    assert "refresh" not in never.phase.values
    assert spent >= int(right.commands.sel(command="REFAB")) * TARGET.timing.tRFC
    assert int(right.cycles) - int(never.cycles) == pytest.approx(spent, rel=0.2)
    for phase in ("row opening", "in-bank MAC", "input broadcast"):
        assert int(right.phase_cycles.sel(phase=phase)) == pytest.approx(
            int(never.phase_cycles.sel(phase=phase)), rel=0.13
        )


def test_a_tree_of_halves_adds_what_lies_eight_apart():
    x, w = _operands()
    halves = TARGET.but(arithmetic=TARGET.arithmetic.but(order="halves", tree="bf16"))
    blocks = bf16_tree.to_bf16(np.pad(x, ((0, 0), (0, 12))).reshape(4, 7, 16))
    weights = bf16_tree.to_bf16(np.pad(w, ((0, 12), (0, 0))).reshape(7, 16, 20))
    total = np.zeros((4, 20), np.float32)
    for step in range(7):
        nodes = bf16_tree.to_bf16(blocks[:, step, :, None] * weights[step])
        while nodes.shape[1] > 1:
            half = nodes.shape[1] // 2
            nodes = bf16_tree.to_bf16(nodes[:, :half] + nodes[:, half:])
        total += nodes[:, 0]
    np.testing.assert_array_equal(pim.matmul(x, w, halves), bf16_tree.to_bf16(total))
    neighbours = TARGET.but(arithmetic=TARGET.arithmetic.but(tree="bf16"))
    assert (pim.matmul(x, w, neighbours) != pim.matmul(x, w, halves)).any()
