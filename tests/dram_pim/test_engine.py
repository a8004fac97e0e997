"""Do command counts and cycles follow from the timing table, equal to the reference simulator where it keeps JEDEC's rules?"""

import csv
import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.dram_pim import closed_form, engine, streams
from pimlab.kernels.dram_timing import READ, REFRESH, WRITE

REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "dram_pim"
TARGET = pim.TARGETS["hbm-pim"]()


def _rows(kind):
    lines = (REFERENCE / "hbm_pim_cycles.csv").read_text().splitlines()
    return [row for row in csv.DictReader(lines) if row["kernel"].startswith(kind)]


def _ours(row, compat=None):
    refresh = row["refresh"] == "1"
    if row["kernel"] == "pim_gemv":
        return pim.gemv(
            TARGET, int(row["m_or_n"]), int(row["k"]), int(row["batch"]), refresh, compat
        )
    return pim.elementwise(
        TARGET, row["kernel"].removeprefix("pim_"), int(row["m_or_n"]), refresh, compat
    )


def _name(row):
    return "-".join(row[key] for key in ("kernel", "m_or_n", "k", "batch", "refresh"))


@pytest.mark.parametrize("row", _rows("pim_"), ids=_name)
def test_compat_equals_the_simulator(row):
    ours = _ours(row, "pimsimulator")
    assert abs(int(ours.cycles) - int(row["cycles"])) <= 1
    for command, column in (("RD", "ch0_rd"), ("WR", "ch0_wr"), ("ACT", "ch0_act")):
        assert int(ours.commands.sel(command=command)) == int(row[column])


@pytest.mark.parametrize("row", _rows("pim_"), ids=_name)
def test_jedec_count_is_within_tolerance(row):
    # all-bank commands wait for every bank, and refresh for tRP: 13 cycles a run and as many a refresh
    reference = int(row["cycles"])
    assert int(_ours(row).cycles) == pytest.approx(
        reference, rel=0.0105 if reference > 1500 else 0.025
    )


def test_a_change_of_mode_is_not_interrupted_but_refresh_is_never_lost():
    # the third refresh falls due while the run parks: it waits, and a run of twice the length pays it
    short, longer = (pim.elementwise(TARGET, "mul", n) for n in (2097152, 4194304))
    assert int(short.commands.sel(command="REF")) == 1
    assert int(longer.commands.sel(command="REF")) == int(longer.cycles) // TARGET.timing.tREFI
    endless = np.array([[WRITE, 0, i % 3, 0, 0, 1] for i in range(6000)], np.int64)
    trace, _ = engine.issue(
        endless, engine.spacings(TARGET.timing, TARGET.organisation, True, None), 4
    )
    refreshes = trace[trace[:, 1] == REFRESH, 0]
    assert len(refreshes) > 3
    assert np.diff(refreshes).max() < 3 * TARGET.timing.tREFI


def _host_cycles(row, compat):
    """A host reads all operands, waits for their data, then writes the results; 2 bytes a value, 2048 an access of all channels."""
    m, k, kind = int(row["m_or_n"]), int(row["k"]), row["kernel"]
    reads, writes = {
        "read": (m / 2048, 0),
        "write": (0, m / 2048),
        "host_gemv": ((m * k + k) // 1024, m / 1024),
        "host_add_mul": (2 * m / 1024, m / 1024),
        "host_relu": (m / 1024, m / 1024),
    }[kind]
    org, t, reads, writes = (
        TARGET.organisation,
        TARGET.timing,
        int(np.ceil(reads)),
        int(np.ceil(writes)),
    )
    stream = streams.join(streams.host(org, reads), streams.host(org, writes, WRITE, reads))
    # the queue would send the first write read_to_write after the last read; the host waits for the data, and rows have closed by then
    pause = t.RL + t.burst + 2 - t.read_to_write + t.tRCDWR if reads and writes else 0
    return engine.run(stream, t, org, row["refresh"] == "1", compat).cycles + pause


HOST = [
    row for row in (*_rows("read"), *_rows("write"), *_rows("host")) if "16ch" not in row["kernel"]
]


@pytest.mark.parametrize("row", HOST, ids=_name)
def test_host_traffic_is_within_a_percent(row):
    # the tool starves refresh under a stream of writes; that one row is met within 1.2 %
    starved = row["kernel"] == "write" and row["refresh"] == "1"
    short = int(row["cycles"]) < 1024
    assert _host_cycles(row, "pimsimulator") == pytest.approx(
        int(row["cycles"]), rel=0.012 if starved else 0.03 if short else 0.01
    )


@pytest.mark.parametrize("row", [*_rows("read16ch"), *_rows("write16ch")], ids=_name)
def test_one_rank_is_refreshed_and_starved_as_by_the_simulator(row):
    # 16 channels of one rank: nothing disturbs the phase of its refreshes
    target = TARGET.but(organisation=TARGET.organisation.but(channels=16, ranks=1))
    access = pim.host_read if row["kernel"].startswith("read") else pim.host_write
    tool, right = (
        access(target, int(row["m_or_n"]), compat=compat) for compat in ("pimsimulator", None)
    )
    assert int(tool.cycles) == pytest.approx(int(row["cycles"]), rel=0.002)
    assert int(tool.commands.sel(command="ACT")) == pytest.approx(int(row["ch0_act"]), rel=0.003)
    assert int(tool.commands.sel(command="REF")) == int(row["ch0_ref"])
    assert int(right.commands.sel(command="REF")) >= int(right.cycles) // TARGET.timing.tREFI - 1


@pytest.mark.parametrize("row", HOST, ids=_name)
def test_host_traffic_by_jedec_adds_the_refreshes_that_the_tool_leaves_out(row):
    reference, t = int(row["cycles"]), TARGET.timing
    # both ranks are listed; rank 1, which does nothing, gets all of its refreshes, rank 0 half an interval earlier
    due = (reference + t.tREFI // 2) // t.tREFI if row["refresh"] == "1" else 0
    done = int(row["ch0_ref"]) - reference // t.tREFI if row["refresh"] == "1" else 0
    left_out = max(due - done, 0) * (t.tRFC + 2 * t.row_to_row)
    assert (
        (0.99 if reference > 1024 else 0.97) * reference
        < _host_cycles(row, None)
        < 1.01 * reference + left_out
    )


@pytest.mark.parametrize("row", _rows("read"), ids=_name)
def test_host_reads_by_jedec_are_within_a_percent(row):
    if row["kernel"] == "read":
        cycles = int(pim.host_read(TARGET, int(row["m_or_n"]), row["refresh"] == "1").cycles)
        assert cycles == pytest.approx(int(row["cycles"]), rel=0.01)


def test_trace_equals_the_simulators_command_for_command():
    text = gzip.decompress((REFERENCE / "hbm_pim_trace_gemv_256x256.csv.gz").read_bytes()).decode()
    reference = list(csv.DictReader(text.splitlines()))
    ours = pim.trace(TARGET, "gemv", compat="pimsimulator", m=256, k=256)
    np.testing.assert_array_equal(ours.cycle, [int(r["cycle"]) for r in reference])
    np.testing.assert_array_equal(ours.command, [r["cmd"] for r in reference])
    np.testing.assert_array_equal(ours.bank, [int(r["bank"]) for r in reference])


TABLES = [
    {},
    {"tRCDRD": 18, "tRAS": 37, "tRC": 55},
    {"tRP": 22, "tRC": 55},
    {"tCCDL": 6},
    {"tWR": 24, "tWTRL": 14},
    {"RL": 26, "WL": 10},
]


@pytest.mark.parametrize("change", TABLES, ids=str)
@pytest.mark.parametrize(("m", "k", "batch"), [(4096, 1024, 1), (5000, 640, 2)])
def test_engine_equals_the_closed_form_for_changed_tables(change, m, k, batch):
    target = TARGET.but(timing=TARGET.timing.but(**change))
    cycles = int(pim.gemv(target, m, k, batch, refresh=False, compat="pimsimulator").cycles)
    assert cycles == pytest.approx(
        sum(closed_form.gemv_cycles(target.timing, target.organisation, m, k, batch).values()),
        rel=0.005,
    )


def test_many_passes_are_repeated_within_a_tenth_of_a_percent():
    whole = TARGET.organisation.gemv(TARGET.timing, 4096, 4096, 40, True, None)
    short = pim.gemv(TARGET, 4096, 4096, 40)
    assert int(short.cycles) == pytest.approx(whole.cycles, rel=1e-3)
    assert int(short.commands.sel(command="RD")) == whole.counts()["RD"]
    assert int(short.events.sel(event="in-bank MAC")) == 40 * 4096 * 4096


def test_refresh_costs_its_share_of_time():
    with_refresh, without = (
        int(pim.gemv(TARGET, 4096, 11008, 4, refresh=r).cycles) for r in (True, False)
    )
    t = TARGET.timing
    assert (
        t.tRFC / t.tREFI
        < with_refresh / without - 1
        < (t.tRFC + 2 * t.row_to_row) / (t.tREFI - t.tRFC)
    )


def test_phases_add_up():
    run = engine.run(
        streams.gemv(TARGET.organisation, 4096, 512, 2), TARGET.timing, TARGET.organisation
    )
    assert sum(run.phases().values()) == run.cycles


def test_a_phase_owns_the_cycles_up_to_its_commands():
    """Column commands at 5 (of the first phase) and 9 (of the second); the data end at 12."""
    one = streams.host(TARGET.organisation, 2)
    phase = np.array([0, 1])
    trace = np.zeros((2, 6), np.int64)
    trace[:, 0], trace[:, 1], trace[:, 4] = [5, 9], READ, [0, 1]
    run = engine.Run(cycles=12, trace=trace, stream=replace(one, phase=phase), events={})
    assert run.phases() == {streams.PHASES[0]: 5, streams.PHASES[1]: 7}


def test_a_refresh_is_known_by_its_command_not_by_its_bank():
    """Bank 4, whose number is the code of a refresh, is read at 5 and 9: no cycle is a refresh's."""
    one = streams.host(TARGET.organisation, 2)
    trace = np.zeros((2, 6), np.int64)
    trace[:, 0], trace[:, 1], trace[:, 2], trace[:, 4] = [5, 9], READ, REFRESH, [0, 1]
    phase = np.array([0, 1])
    run = engine.Run(cycles=12, trace=trace, stream=replace(one, phase=phase), events={})
    assert run.phases() == {streams.PHASES[0]: 5, streams.PHASES[1]: 7}
    trace[0, 1:3] = REFRESH, 0
    run = engine.Run(cycles=12, trace=trace, stream=replace(one, phase=phase), events={})
    assert run.phases() == {"refresh": 12}


def test_unknown_compat_is_refused():
    with pytest.raises(ValueError, match="did you mean 'pimsimulator'"):
        pim.gemv(TARGET, 8, 8, compat="pimsim")
