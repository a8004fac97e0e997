"""Does the validator accept what the scheduler emits, and refuse every broken rule?"""

import contextlib

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pimlab.dram_pim as pim

TARGET = pim.TARGETS["hbm-pim"]()
HBM2 = TARGET.timing


@pytest.mark.parametrize(
    "change", [{}, {"tXAW": 40}, {"tRP": 22, "tRC": 55}, {"tREFI": 900}, {"tRTPL": 9}], ids=str
)
@pytest.mark.parametrize(
    ("op", "sizes"),
    [
        ("gemv", {"m": 100, "k": 700, "batch": 2}),
        ("add", {"n": 300000}),
        ("read", {"bytes": 1 << 21}),
        ("write", {"bytes": 1 << 21}),
    ],
    ids=str,
)
def test_emitted_traces_keep_every_rule(op, sizes, change):
    timing = HBM2.but(**change)
    trace = pim.trace(TARGET.but(timing=timing), op, **sizes)
    assert pim.validate(trace, timing) == trace.sizes["index"]


@pytest.mark.parametrize("op", ["gemv", "read"])
@pytest.mark.parametrize("name", ["hbm-pim", "gddr6-aim"])
def test_a_trace_may_be_a_data_frame_or_plain_rows(name, op):
    machine = pim.TARGETS[name]()
    trace = pim.trace(machine, op, **({"m": 100, "k": 300} if op == "gemv" else {"bytes": 1 << 18}))
    frame = trace.to_dataframe()
    assert (
        pim.validate(frame, machine.timing)
        == pim.validate(frame.values.tolist(), machine.timing)
        == trace.sizes["index"]
    )


@settings(max_examples=15, deadline=None)
@given(
    rcd=st.integers(6, 30),
    rp=st.integers(5, 30),
    ccd=st.integers(4, 9),
    wr=st.integers(4, 40),
    wtr=st.integers(4, 20),
    xaw=st.integers(8, 60),
)
def test_any_timing_table_gives_a_valid_trace(rcd, rp, ccd, wr, wtr, xaw):
    timing = HBM2.but(
        tRCDRD=rcd,
        tRCDWR=rcd,
        tRP=rp,
        tRAS=rcd + 20,
        tRC=rcd + 20 + rp,
        tCCDL=ccd,
        tWR=wr,
        tWTRL=wtr,
        tXAW=xaw,
        tREFI=1500,
    )
    pim.validate(pim.trace(TARGET.but(timing=timing), "gemv", m=64, k=256), timing)
    pim.validate(pim.trace(TARGET.but(timing=timing), "write", bytes=1 << 20), timing)


@st.composite
def _tables(draw):
    """Any table that does not contradict itself, far beyond real parts; refresh may leave time for one row only."""

    def cycles(low, high):
        return draw(st.integers(low, high))

    burst, rcd, wcd, rp, rfc = (
        cycles(1, 8),
        cycles(1, 60),
        cycles(1, 60),
        cycles(1, 60),
        cycles(1, 800),
    )
    ccd, rrd, wtr, ras = (
        burst + cycles(0, 4),
        cycles(1, 20),
        cycles(1, 15),
        max(rcd, wcd) + cycles(0, 60),
    )
    rc = ras + rp + cycles(0, 30)
    return {
        "BL": 2 * burst,
        "RL": cycles(1, 60),
        "WL": cycles(1, 60),
        "tCCDS": ccd,
        "tCCDL": ccd + cycles(0, 8),
        "tRCDRD": rcd,
        "tRCDWR": wcd,
        "tRAS": ras,
        "tRC": rc,
        "tRP": rp,
        "tRRDS": rrd,
        "tRRDL": rrd + cycles(0, 10),
        "tRTPL": cycles(1, 30),
        "tWR": cycles(1, 60),
        "tWTRS": wtr,
        "tWTRL": wtr + cycles(0, 15),
        "XAW": cycles(1, 8),
        "tXAW": rrd + cycles(0, 120),
        "tRTRS": cycles(0, 6),
        "tRFC": rfc,
        "tREFI": rfc + rc + max(rcd, wcd) + 1 + cycles(0, 3000),
        "read_precharge": draw(st.sampled_from(["command", "burst"])),
    }


SIZES = st.sampled_from([1, 7, 13, 64, 257, 1021])


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["hbm-pim", "lpddr-pim", "gddr6-aim"]),
    table=_tables(),
    m=SIZES,
    k=SIZES,
    batch=st.integers(1, 3),
    refresh=st.booleans(),
)
def test_no_table_and_no_shape_breaks_a_rule(name, table, m, k, batch, refresh):
    # refreshes every few cycles draw more than packages may: no limit here, the rules are of time
    base = pim.TARGETS[name]().but(channel_limit=None)
    target = base.but(timing=base.timing.but(**table))
    operator = target.organisation.operators[m % len(target.organisation.operators)]
    for op, sizes in (
        ("gemv", {"m": m, "k": k, "batch": batch}),
        (operator, {"n": 300 * k}),
        ("write", {"bytes": 400 * m}),
    ):
        trace = pim.trace(target, op, refresh=refresh, **sizes)
        assert pim.validate(trace, target.timing) == trace.sizes["index"]
    if (
        name != "gddr6-aim"
    ):  # a tool's rules may break JEDEC's, but must come to an end: with an answer, or an error that says why
        with contextlib.suppress(ValueError):
            assert int(pim.gemv(target, m, k, batch, refresh, "pimsimulator").cycles) > 0


@pytest.mark.parametrize("units", [1, 2, 3, 16])
@pytest.mark.parametrize(("groups", "columns", "registers"), [(1, 4, 1), (2, 16, 16)])
def test_other_organisations_keep_every_rule(units, groups, columns, registers):
    shape = {
        "units": units,
        "banks": 2 * units,
        "bank_groups": groups,
        "columns": columns,
        "registers": registers,
        "lanes": 4,
        "channels": 2,
    }
    target = TARGET.but(organisation=TARGET.organisation.but(**shape))
    for op, sizes in (
        ("gemv", {"m": 100, "k": 130, "batch": 2}),
        ("mad", {"n": 3000}),
        ("read", {"bytes": 5000}),
        ("write", {"bytes": 5000}),
    ):
        trace = pim.trace(target, op, **sizes)
        assert pim.validate(trace, HBM2) == trace.sizes["index"]


def test_a_tool_that_never_gets_past_refresh_says_so():
    change = {
        "BL": 4,
        "RL": 25,
        "WL": 17,
        "tCCDS": 2,
        "tCCDL": 4,
        "tRCDRD": 23,
        "tRCDWR": 5,
        "tRAS": 23,
        "tRP": 26,
        "tRC": 51,
        "tRRDS": 17,
        "tRRDL": 21,
        "tRTPL": 14,
        "tWR": 20,
        "tWTRS": 9,
        "tWTRL": 10,
        "tXAW": 87,
        "XAW": 1,
        "tRTRS": 0,
        "tRFC": 222,
        "tREFI": 297,
    }
    base = pim.TARGETS["lpddr-pim"]()
    target = base.but(timing=base.timing.but(**change))
    assert pim.validate(pim.trace(target, 4096, 13), target.timing) > 0
    with pytest.raises(
        ValueError, match="refreshes of 222 cycles every 297 leave no time for data"
    ):
        pim.gemv(target, 4096, 13, compat="pimsimulator")


A, R, W, P, F = "ACT", "RD", "WR", "PRE", "REF"
BROKEN = {
    "tRCDRD": [(0, A, 0, 5), (13, R, 0, 5)],
    "tRCDWR": [(0, A, 0, 5), (9, W, 0, 5)],
    "tRAS": [(0, A, 0, 5), (32, P, 0, 5)],
    "tRP": [(0, A, 0, 5), (40, P, 0, 5), (53, A, 0, 6)],
    "tRC": [(0, A, 0, 5), (33, P, 0, 5), (46, A, 0, 6)],
    "tRRDS": [(0, A, 0, 5), (3, A, 4, 5)],
    "tRRDL": [(0, A, 0, 5), (5, A, 1, 5)],
    "tCCDS": [(0, A, 0, 5), (4, A, 4, 5), (30, R, 0, 5), (31, R, 4, 5)],
    "tCCDLW": [(0, A, 0, 5), (30, W, 0, 5), (33, W, 0, 5)],
    "tCCDL:": [(0, A, 0, 5), (30, R, 0, 5), (33, R, 0, 5)],
    "read to write": [(0, A, 0, 5), (30, R, 0, 5), (44, W, 0, 5)],
    "tWTRL": [(0, A, 0, 5), (30, W, 0, 5), (48, R, 0, 5)],
    "tWTRS": [(0, A, 0, 5), (4, A, 4, 5), (30, W, 0, 5), (43, R, 4, 5)],
    "tRTP": [(0, A, 0, 5), (40, R, 0, 5), (42, P, 0, 5)],
    "tWR": [(0, A, 0, 5), (40, W, 0, 5), (65, P, 0, 5)],
    "tRFC": [(0, F, 0, 0), (349, A, 0, 5)],
    "tRP: REF": [(0, A, 0, 5), (40, P, 0, 5), (53, F, 0, 0)],
    "still has row 5 open": [(0, A, 0, 5), (40, F, 0, 0)],
    "is closed": [(0, R, 0, 5)],
    "has row 5 open": [(0, A, 0, 5), (20, R, 0, 6)],
    "out of order": [(10, A, 0, 5), (9, R, 0, 5)],
    "tREFI": [(0, F, 0, 0), (3900 * 9 + 1, F, 0, 0)],
    "did you mean 'PRE'": [(0, "PREA", 0, 0)],
    "outside 0..15": [(0, A, 16, 0)],
    "bank 3 is closed already": [(0, P, 3, 0)],
    "tRC: REF": [(0, A, 0, 5), (33, P, 0, 5), (47, F, 0, 0)],
    "tPPD": [(0, A, 0, 5), (4, A, 4, 5), (37, P, 0, 5), (38, P, 4, 5)],
    "open since cycle 400; at most 35100": [(0, F, 0, 0), (400, A, 0, 5), (36000, P, 0, 5)],
}  # fmt: skip


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_traces_name_the_rule(rule):
    with pytest.raises(pim.TraceError, match=rule):
        pim.validate(BROKEN[rule], HBM2.but(tPPD=2, tRC=48))


@pytest.mark.parametrize(
    ("trace", "error", "text"),
    [
        (None, TypeError, "trace=None is no trace"),
        (3, TypeError, "trace=3 is no trace"),
        ([(0, A, 0)], pim.TraceError, "fewer fields than four"),
        ([(1.5, A, 0, 5)], pim.TraceError, "cycle=1.5 is not an integer"),
        ([("x", A, 0, 5)], pim.TraceError, "cycle='x' is not an integer"),
        ([(0, A, 0, -3)], pim.TraceError, "row=-3"),
        ([(0, A, 0, 5, 0, 7)], pim.TraceError, "mode=7"),
        ({"cycle": [0], "command": [A], "bank": [0]}, pim.TraceError, "no column 'row'"),
    ],
)
def test_what_is_no_trace_is_refused(trace, error, text):
    with pytest.raises(error, match=text):
        pim.validate(trace, HBM2)


def test_wrong_tables_and_groups_are_refused():
    with pytest.raises(TypeError, match="timing='hbm2' is not a Timing"):
        pim.validate([], "hbm2")
    with pytest.raises(ValueError, match="banks=16 bank_groups=5"):
        pim.validate([], HBM2, bank_groups=5)
    with pytest.raises(ValueError, match="banks=0"):
        pim.validate([], HBM2, banks=0)
    assert pim.validate([], HBM2) == 0


def test_five_activates_in_a_window_are_refused():
    activates = [(4 * i, A, 4 * i % 16 + i // 4, 5) for i in range(5)]
    assert pim.validate(activates, HBM2) == 5
    with pytest.raises(pim.TraceError, match="tXAW: ACT at cycle 16 is activate 5"):
        pim.validate(activates, HBM2.but(tXAW=17))


def test_all_bank_activates_are_checked_on_every_bank():
    trace = [(0, A, 9, 5, 0, 0), (40, P, 9, 5, 0, 0), (50, A, 1, 7, 0, 1)]
    with pytest.raises(pim.TraceError, match="tRP: ACT of bank 9"):
        pim.validate(trace, HBM2)


def test_one_command_removed_or_moved_is_noticed():
    trace = pim.trace(TARGET, "gemv", m=64, k=256).to_dataframe()
    with pytest.raises(pim.TraceError, match="is closed|still has row|has row"):
        pim.validate(trace.drop(index=trace.index[trace.command == "ACT"][5]), HBM2)
    moved = trace.copy()
    moved.loc[trace.index[trace.command == "RD"][40], "cycle"] -= 2
    with pytest.raises(pim.TraceError, match="tCCDL|tRCDRD|out of order"):
        pim.validate(moved, HBM2)


def test_a_trace_without_refresh_is_refused_unless_it_says_so():
    # 4 MB read by one channel take longer than nine intervals of refreshes
    size = 64 << 22
    bare = pim.trace(TARGET, "read", bytes=size, refresh=False)
    assert int(bare.cycle[-1]) > 9 * HBM2.tREFI
    assert pim.validate(bare, HBM2) == bare.sizes["index"]  # its attributes say so
    for trace, options in ((bare, {"refresh": True}), (bare.to_dataframe(), {})):
        with pytest.raises(
            pim.TraceError, match="tRAS: .*open since|tREFI: .*after the last refresh"
        ):
            pim.validate(trace, HBM2, **options)
    short = [(0, A, 0, 5), (40, R, 0, 5), (60, P, 0, 5)]
    assert pim.validate(short, HBM2) == 3
    with pytest.raises(pim.TraceError, match="tREFI: ACT .* 36000 cycles after the last refresh"):
        pim.validate([*short, (36000, A, 0, 5)], HBM2)


@pytest.mark.parametrize(("field", "beyond"), [("row", 16384), ("column", 32)])
def test_rows_and_columns_beyond_the_organisation_are_refused(field, beyond):
    trace = pim.trace(TARGET, "read", bytes=1 << 18)
    trace[field][5] = beyond
    with pytest.raises(pim.TraceError, match=f"{field} {beyond} is outside 0..{beyond - 1}"):
        pim.validate(trace, HBM2)
    lines = [(0, A, 0, beyond), (40, R, 0, beyond, beyond)]
    assert pim.validate(lines, HBM2) == 2  # nothing says how many there are
    with pytest.raises(pim.TraceError, match="outside 0..7"):
        pim.validate(lines, HBM2, **{f"{field}s": 8})


def test_a_precharge_of_closed_banks_is_refused_where_all_compute():
    machine = pim.TARGETS["gddr6-aim"]()
    trace = pim.trace(machine, 64, 64).to_dataframe()
    first = trace[trace.command == "ACT16"].index[0]
    extra = trace.loc[[first]].assign(command="PREA", cycle=trace.cycle[first] - 1)
    with pytest.raises(pim.TraceError, match="all banks are closed already"):
        pim.validate(
            pandas.concat([trace.loc[: first - 1], extra, trace.loc[first:]]), machine.timing
        )
