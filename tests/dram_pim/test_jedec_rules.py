"""Does every rule of a data sheet that the timing tables name bind in the schedule, and is a table that cannot be refused?"""

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab.dram_pim import engine, streams
from pimlab.dram_pim.geometry import Banks
from pimlab.kernels.dram_timing import ACTIVATE, PRECHARGE, READ, REFRESH, REFRESH_BANK, WRITE

CHANNEL = Banks(
    channels=1, ranks=1, banks=16, bank_groups=4, rows=4096, columns=32, access_bits=512
)
FAMILIES = ["ddr5", "lpddr5", "hbm2-jedec", "hbm3", "gddr6"]


def _random(count, writes=0.0, banks=16, rows=4096, seed=0):
    rng = np.random.default_rng(seed)
    kind = (rng.random(count) < writes).astype(int)
    zeros = np.zeros(count, int)
    table = (kind, rng.integers(0, banks, count), rng.integers(0, rows, count), zeros, zeros, zeros)
    return streams.Stream(np.stack(table, axis=1).astype(np.int64), zeros, zeros + 4)


def _run(name, stream, refreshed=True, **controller):
    return engine.run(
        stream, pim.timing(name), CHANNEL, refreshed, None, engine.Controller(**controller)
    )


def _cycles(run, command):
    return run.trace[run.trace[:, 1] == command, 0]


@pytest.mark.parametrize(
    ("name", "symbol", "cycles"),
    [
        ("ddr5", "tXAW", 32),
        ("ddr5", "tPPD", 2),
        ("hbm3", "tPPD", 2),
        ("gddr6", "tPPD", 2),
        ("lpddr5", "tPPD", 2),
        ("lpddr5", "write_to_read", 23),
        ("lpddr5", "read_to_write", 12),
        ("gddr6", "read_to_write", 25),
        ("hbm2-jedec", "read_to_write", 13),
        ("hbm2-jedec", "read_to_precharge", 5),
        ("hbm2", "read_to_precharge", 3),
        ("ddr5", "act_cycles", 2),
        ("ddr5", "column_cycles", 2),
        ("lpddr5", "tAAD", 8),
        ("lpddr5", "WCK", 4),
        ("hbm3", "act_cycles", 2),
    ],
)
def test_tables_hold_what_the_data_sheets_say(name, symbol, cycles):
    assert getattr(pim.timing(name), symbol) == cycles


def test_four_activates_of_ddr5_take_32_cycles():
    # 49 cycles made random reads 1.53 times too slow
    activates = _cycles(_run("ddr5", _random(2000), refreshed=False), ACTIVATE)
    windows = activates[4:] - activates[:-4]
    assert windows.min() == np.bincount(windows).argmax() == 32


def test_a_precharge_takes_no_cycle_of_an_activate():
    # an activate of DDR5 takes two cycles of the bus; a precharge in the first of them put it off by
    # two, and 62 % of the activates were tRRD apart
    run = _run("ddr5", _random(2000), refreshed=False)
    gaps = np.diff(_cycles(run, ACTIVATE))
    assert gaps.min() == pim.timing("ddr5").tRRDS
    assert (gaps == gaps.min()).mean() > 0.75


@pytest.mark.parametrize("name", FAMILIES)
def test_precharges_are_tppd_apart(name):
    run = _run(name, _random(2000), refreshed=False)
    assert np.diff(_cycles(run, PRECHARGE)).min() >= pim.timing(name).tPPD


@pytest.mark.parametrize("name", ["ddr5", "lpddr5"])
def test_long_commands_occupy_the_bus(name):
    t, trace = pim.timing(name), _run(name, _random(500), refreshed=False).trace
    own = np.where(
        trace[:, 1] == ACTIVATE,
        t.act_cycles,
        np.where(trace[:, 1] <= WRITE, t.column_cycles, 1),
    )
    assert (np.diff(trace[:, 0]) >= own[1:]).all()
    assert (np.diff(trace[:, 0]) < 2).any() or t.column_cycles == 2


def test_a_stopped_write_clock_is_started_before_a_column():
    t = pim.timing("lpddr5")
    trace = _run("lpddr5", _random(2000, writes=1 / 3), refreshed=False).trace
    columns = np.flatnonzero(trace[:, 1] <= WRITE)
    cycle, latency = trace[columns, 0], np.where(trace[columns, 1] == READ, t.RL, t.WL)
    runs = np.maximum.accumulate(cycle + latency + t.WCK)
    started = np.flatnonzero(cycle[1:] > runs[:-1]) + 1
    assert len(started) > 10
    assert (cycle[started] - trace[columns[started] - 1, 0] > 1).all()


_OPENED = [
    (2, "ACT", 0, 7),
    (6, "ACT", 4, 7),
    (10, "ACT", 8, 7),
    (50, "RD", 8, 7),
]
"""Three rows of LPDDR5 and a read, after which the write clock runs until 50 + 17 + 4."""


def test_no_row_opens_between_the_halves_of_an_activate():
    t = pim.timing("lpddr5")
    after = [*_OPENED, (60, "ACT", 12, 7), (61, "PRE", 0, 7), (62, "RD", 8, 7)]
    assert pim.validate([*after, (64, "ACT", 1, 7)], t, refresh=False) == 8
    with pytest.raises(pim.TraceError, match="64 finds no free cycle before it for its first half"):
        pim.validate([*after, (63, "PRE", 4, 7), (64, "ACT", 1, 7)], t, refresh=False)


def test_a_trace_needs_a_free_cycle_to_start_the_write_clock():
    t = pim.timing("lpddr5")
    runs = [*_OPENED, (70, "PRE", 0, 7), (71, "RD", 8, 7)]
    assert pim.validate(runs, t, refresh=False) == 6
    stopped = [*_OPENED, (71, "PRE", 0, 7), (72, "RD", 8, 7)]
    with pytest.raises(pim.TraceError, match="RD at cycle 72 .* that starts the write clock"):
        pim.validate(stopped, t, refresh=False)
    assert pim.validate(stopped, t.but(WCK=None), refresh=False) == 6
    assert pim.validate([*stopped[:-1], (73, "RD", 8, 7)], t, refresh=False) == 6
    with pytest.raises(ValueError, match="WCK=4, buses='row and column' break the rule"):
        t.but(buses="row and column")


def test_row_and_column_commands_go_out_together_on_two_buses():
    trace = _run("hbm3", _random(2000), refreshed=False).trace
    together = np.flatnonzero(np.diff(trace[:, 0]) == 0)
    assert len(together) > 10
    kinds = trace[:, 1] <= WRITE
    assert (kinds[together] != kinds[together + 1]).all()


def test_refresh_waits_for_the_row_cycle():
    # tRAS + tRP = 20 + 10 of a table whose tRC is 80: the refresh waits for tRC
    table = pim.timing("hbm3").but(tRAS=31, tRC=200, tREFI=800, tRFC=100)
    run = engine.run(_random(400), table, CHANNEL)
    activates, refreshes = _cycles(run, ACTIVATE), _cycles(run, REFRESH)
    last = [activates[activates < cycle].max() for cycle in refreshes]
    assert min(refreshes - last) >= 200
    assert pim.validate(_rows(run), table) == len(run.trace)


def _rows(run):
    lines = run.table()
    names = np.array(lines.names)[lines.command]
    return list(
        zip(
            lines.cycle.tolist(),
            names.tolist(),
            lines.bank.tolist(),
            lines.row.tolist(),
            lines.column.tolist(),
            lines.mode.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("writes", [0.0, 0.33, 1.0])
@pytest.mark.parametrize("queue", [None, engine.WriteQueue()])
def test_every_family_keeps_its_rules_under_any_traffic(name, writes, queue):
    run = _run(name, _random(700, writes), writes=queue)
    assert pim.validate(_rows(run), pim.timing(name)) == len(run.trace)


@pytest.mark.parametrize("name", ["lpddr5", "hbm2-jedec", "hbm3", "gddr6"])
def test_banks_may_be_refreshed_one_by_one(name):
    t = pim.timing(name)
    run = _run(name, _random(4000), refresh="one bank")
    refreshed = run.trace[run.trace[:, 1] == REFRESH_BANK]
    assert len(_cycles(run, REFRESH)) == 0
    assert len(refreshed) >= run.cycles // (t.tREFI // 16) - 1
    np.testing.assert_array_equal(refreshed[:, 2], np.arange(len(refreshed)) % 16)
    assert pim.validate(_rows(run), t) == len(run.trace)
    together, never = _run(name, _random(4000)), _run(name, _random(4000), refreshed=False)
    assert never.cycles < run.cycles
    if name.startswith("hbm"):  # elsewhere 32 waiting requests do not hide a bank that is away
        assert run.cycles < together.cycles


@pytest.mark.parametrize("name", ["hbm2-jedec", "lpddr5"])
def test_a_request_whose_row_opens_makes_room_for_the_next(name):
    stream = _random(2000, writes=1 / 3)
    options = {"writes": engine.WriteQueue(), "refreshed": False, "depth": 8}
    stay, leave = (_run(name, stream, leaves=how, **options) for how in ("data go", "row opens"))
    assert leave.cycles < stay.cycles
    columns = (run.trace[run.trace[:, 1] <= WRITE, 4] for run in (stay, leave))
    assert [sorted(one) for one in columns] == [list(range(2000))] * 2
    assert pim.validate(_rows(leave), pim.timing(name)) == len(leave.trace)


def test_refresh_of_one_bank_needs_its_symbols():
    with pytest.raises(ValueError, match="'ddr5' has no refresh of one bank .tRFCpb, tRREFD"):
        _run("ddr5", _random(10), refresh="one bank")


def test_a_write_queue_turns_the_bus_less_often():
    stream = _random(3000, writes=1 / 3)
    apart, together = (
        _run("hbm2-jedec", stream, refreshed=False, writes=queue)
        for queue in (engine.WriteQueue(), None)
    )

    def turns(run):
        columns = run.trace[run.trace[:, 1] <= WRITE, 1]
        return int((np.diff(columns) != 0).sum())

    assert turns(apart) < turns(together) / 2
    columns = (run.trace[run.trace[:, 1] <= WRITE, 4] for run in (apart, together))
    assert [sorted(one) for one in columns] == [list(range(3000))] * 2
    with pytest.raises(ValueError, match="low=20 high=10 depth=32; allowed: low < high"):
        engine.WriteQueue(low=20, high=10)


@pytest.mark.parametrize("refresh", [True, False])
def test_rows_are_not_kept_open_for_requests_that_nothing_can_serve(refresh):
    # the 33rd request wants the open row, and the 32 before it another row of the same bank
    rows = np.r_[0, np.ones(32, int), 0]
    zeros = np.zeros(34, int)
    table = np.stack((zeros, zeros, rows, zeros, zeros, zeros), axis=1).astype(np.int64)
    run = engine.run(streams.Stream(table, zeros, zeros + 4), pim.timing("hbm2"), CHANNEL, refresh)
    assert run.cycles < 400
    barred = table.copy()
    barred[1, 4] = 1  # the second request goes before all later ones
    run = engine.run(streams.Stream(barred, zeros, zeros + 4), pim.timing("hbm2"), CHANNEL, refresh)
    assert run.cycles < 500


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"BL": 3}, "BL is even"),
        ({"tXAW": 3}, "tXAW >= tRRDS"),
        ({"tRCDWR": 34}, "tRAS >= tRCDWR"),
    ],
)
def test_tables_that_cannot_be_are_refused(change, rule):
    with pytest.raises(ValueError, match=rule):
        pim.timing("hbm2").but(**change)


def test_lanes_divide_an_access():
    with pytest.raises(ValueError, match="lanes=7 with access_bits=256"):
        pim.TARGETS["hbm-pim"]().organisation.but(lanes=7)


@pytest.mark.parametrize("kind", [READ, WRITE])
def test_a_controller_is_part_of_the_organisation(kind):
    base = pim.TARGETS["hbm-pim"]()
    short = base.but(
        organisation=base.organisation.but(controller=engine.Controller(depth=1, sight=1))
    )
    access = pim.host_read if kind == READ else pim.host_write
    assert int(access(short, 1 << 20).cycles) > int(access(base, 1 << 20).cycles)


def test_rows_may_stay_open_until_another_is_wanted():
    zeros = np.zeros(2, int)
    table = np.stack((zeros, np.array([0, 4]), zeros, zeros, zeros, zeros), axis=1).astype(np.int64)
    stream = streams.Stream(table, zeros, zeros + 4)
    closed, kept = (
        _run("hbm3", stream, refreshed=False, rows=rows)
        for rows in ("closed when unwanted", "open until wanted")
    )
    assert len(_cycles(closed, PRECHARGE)) == 2
    assert len(_cycles(kept, PRECHARGE)) == 0
    assert closed.cycles == kept.cycles


def test_a_refresh_may_wait_or_not():
    stream = _random(4000, rows=4)
    patient, eager = (_run("hbm3", stream, postpone=postpone) for postpone in (None, 0))
    interval = pim.timing("hbm3").tREFI
    for run, longest in ((patient, interval), (eager, 200)):
        due = interval * (1 + np.arange(len(_cycles(run, REFRESH))))
        assert (_cycles(run, REFRESH) - due).max() <= longest
    assert pim.validate(_rows(eager), pim.timing("hbm3")) == len(eager.trace)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"bank": np.array([16, 0])}, ValueError, "bank=16 is outside 0..15"),
        ({"row": np.array([0.5, 0])}, TypeError, "row has dtype float64"),
        ({"column": np.array([0])}, ValueError, "allowed: one shape"),
    ],
)
def test_streams_that_cannot_be_are_refused(change, error, text):
    zeros = np.zeros(2, int)
    parts = {"write": zeros > 0, "bank": zeros, "row": zeros, "column": zeros} | change
    with pytest.raises(error, match=text):
        pim.schedule(pim.timing("hbm3"), CHANNEL, **parts)
