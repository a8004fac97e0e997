"""Cycles and traffic of systolic arrays: SCALE-Sim's count to the access, and the corrected one by enumeration."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab import npu

REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "npu"
COUNTS = (
    "total_cycles",
    "sram_ifmap_reads",
    "sram_filter_reads",
    "sram_ofmap_writes",
    "dram_ifmap_reads",
    "dram_filter_reads",
    "dram_ofmap_writes",
)
SIZES = st.integers(1, 90)


def rows(name):
    with (REFERENCE / name).open() as file:
        return list(csv.DictReader(file))


def test_equals_scalesim_on_every_row_of_the_reference():
    table = rows("scalesim_calc.csv")
    assert len(table) == 84
    for row in table:
        size = int(row["array"])
        answer = npu.gemm_cycles(
            int(row["m"]),
            int(row["n"]),
            int(row["k"]),
            rows=size,
            cols=size,
            dataflow=row["dataflow"],
            compat="scalesim",
        )
        assert {name: getattr(answer, name) for name in COUNTS} == {
            name: int(row[name]) for name in COUNTS
        }, row
        assert 100 * answer.utilisation == pytest.approx(float(row["overall_util_pct"]), rel=1e-12)


def test_equals_scalesim_on_odd_arrays_and_overflowing_buffers():
    for row in rows("scalesim_small.csv"):
        buffers = npu.Buffers(
            **{name: int(row[f"{name}_words"]) for name in ("ifmap", "filter", "ofmap")}
        )
        answer = npu.gemm_cycles(
            int(row["m"]),
            int(row["n"]),
            int(row["k"]),
            rows=int(row["rows"]),
            cols=int(row["cols"]),
            dataflow=row["dataflow"],
            compat="scalesim",
            buffers=buffers,
        )
        assert {name: getattr(answer, name) for name in COUNTS} == {
            name: int(row[name]) for name in COUNTS
        }, row


def enumerated(m, n, k, rows, cols, dataflow, buffers):
    """Words moved, fold by fold: an operand tile is fetched unless it is still held in half of its buffer."""
    moved = dict.fromkeys(
        ("x", "w", "y_read", "y_write", "dram_x", "dram_w", "dram_y_read", "dram_y_write"), 0
    )
    on_rows, on_cols = {"ws": (k, n), "is": (k, m), "os": (m, n)}[dataflow]
    streamed = {"ws": m, "is": n, "os": k}[dataflow]
    held_x, held_w = set(), set()
    for c in range(0, on_cols, cols):
        width = min(cols, on_cols - c)
        for r in range(0, on_rows, rows):
            height = min(rows, on_rows - r)
            part, first, last = (r, c), r == 0, r + rows >= on_rows
            if dataflow == "ws":
                x, w, y = (("x", r), m * height), (("w", *part), height * width), m * width
            elif dataflow == "is":
                x, w, y = (("x", *part), height * width), (("w", r), n * height), n * width
            else:
                x, w, y = (("x", r), k * height), (("w", c), k * width), height * width
            again = dataflow != "os"
            spills = again and streamed * min(cols, on_cols) > buffers.ofmap // 2
            moved["x"] += x[1]
            moved["w"] += w[1]
            moved["y_write"] += y
            moved["y_read"] += y if again and not first else 0
            moved["dram_y_write"] += y if spills or last or not again else 0
            moved["dram_y_read"] += y if spills and not first else 0
            moved["dram_x"] += 0 if x[0] in held_x else x[1]
            moved["dram_w"] += 0 if w[0] in held_w else w[1]
            held_x |= {x[0]} if m * k <= buffers.ifmap // 2 else set()
            if dataflow == "os" and min(cols, n) * k <= buffers.filter // 2:
                held_w = {w[0]}
            elif dataflow != "os" and k * n <= buffers.filter // 2:
                held_w |= {w[0]}
    return moved


@settings(deadline=None)
@given(
    SIZES,
    SIZES,
    SIZES,
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["ws", "os", "is"]),
    st.lists(st.integers(2, 9000), min_size=3, max_size=3),
)
def test_corrected_traffic_equals_an_enumeration_of_folds(m, n, k, rows, cols, dataflow, words):
    buffers = npu.Buffers(ifmap=words[0], filter=words[1], ofmap=words[2])
    answer = npu.gemm_cycles(m, n, k, rows=rows, cols=cols, dataflow=dataflow, buffers=buffers)
    moved = enumerated(m, n, k, rows, cols, dataflow, buffers)
    assert (answer.sram_ifmap_reads, answer.sram_filter_reads) == (moved["x"], moved["w"])
    assert (answer.sram_ofmap_reads, answer.sram_ofmap_writes) == (
        moved["y_read"],
        moved["y_write"],
    )
    assert (answer.dram_ifmap_reads, answer.dram_filter_reads) == (moved["dram_x"], moved["dram_w"])
    assert (answer.dram_ofmap_reads, answer.dram_ofmap_writes) == (
        moved["dram_y_read"],
        moved["dram_y_write"],
    )


def last_result(rows, cols, streamed, dataflow):
    """Cycles of one fold, from when the last result leaves the array: a wavefront that moves one place a cycle."""
    if dataflow == "os":
        meets = max(t + i + j for t in range(streamed) for i in range(rows) for j in range(cols))
        return meets + 1 + rows  # the sums leave through the rows
    enters = rows + max(t for t in range(streamed))  # after the stationary tile is in place
    return enters + (rows - 1) + (cols - 1) + 1


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_one_fold_ends_when_its_last_result_leaves(dataflow):
    rows, cols, streamed = 5, 3, 7
    sizes = {"ws": (7, 3, 5), "is": (3, 7, 5), "os": (5, 3, 7)}[dataflow]
    answer = npu.gemm_cycles(*sizes, rows=rows, cols=cols, dataflow=dataflow)
    assert answer.total_cycles == last_result(rows, cols, streamed, dataflow)


@settings(deadline=None)
@given(
    SIZES,
    SIZES,
    SIZES,
    st.integers(1, 20),
    st.integers(1, 20),
    st.sampled_from(["ws", "os", "is"]),
    st.integers(1, 9),
)
def test_utilisation_is_at_most_one_and_arrays_share_the_folds(
    m, n, k, rows, cols, dataflow, arrays
):
    one = npu.gemm_cycles(m, n, k, rows=rows, cols=cols, dataflow=dataflow)
    many = npu.gemm_cycles(m, n, k, rows=rows, cols=cols, dataflow=dataflow, arrays=arrays)
    assert 0 < many.utilisation <= 1
    assert one.total_cycles <= many.total_cycles * arrays
    assert many.total_cycles <= one.total_cycles
    again = many.folds // one.folds  # how often each stationary tile (ws, is) was placed
    fixed = {"ws": "sram_ifmap_reads", "is": "sram_filter_reads", "os": "sram_filter_reads"}
    placed = {"ws": "sram_filter_reads", "is": "sram_ifmap_reads", "os": "sram_ofmap_writes"}
    assert getattr(many, fixed[dataflow]) == getattr(one, fixed[dataflow])
    assert getattr(many, placed[dataflow]) == again * getattr(one, placed[dataflow])
    for name in COUNTS[4:]:
        assert getattr(many, name) == getattr(one, name)


@settings(deadline=None)
@given(
    SIZES, SIZES, SIZES, st.integers(1, 20), st.integers(1, 20), st.sampled_from(["ws", "os", "is"])
)
def test_overlapping_folds_save_all_but_one_filling(m, n, k, rows, cols, dataflow):
    """Tile i is in place R cycles after tile i - 1, and streams when it is in place and the one before has streamed."""
    streamed = {"ws": m, "is": n, "os": k}[dataflow]
    serial = npu.gemm_cycles(m, n, k, rows=rows, cols=cols, dataflow=dataflow)
    placed, free = 0, 0
    for _ in range(serial.folds):
        placed = max(placed + rows, free)
        free = placed + streamed
    overlapped = npu.gemm_cycles(m, n, k, rows=rows, cols=cols, dataflow=dataflow, overlap=True)
    assert overlapped.total_cycles == free + rows + cols - 2
    assert overlapped.total_cycles <= serial.total_cycles
    assert overlapped.utilisation <= 1


@pytest.mark.parametrize("compat", [None, "scalesim"])
def test_numpys_integers_do_not_overflow(compat):
    for kind, size in ((np.int8, 100), (np.uint8, 200), (np.int32, 100_000)):
        sizes = kind(size), kind(size), kind(size)
        answer = npu.gemm_cycles(*sizes, rows=kind(32), cols=kind(32), compat=compat)
        assert answer == npu.gemm_cycles(size, size, size, rows=32, cols=32, compat=compat)
        assert type(answer.total_cycles) is int


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_groups_are_folds_of_one_job(dataflow):
    one = npu.gemm_cycles(9, 20, 30, rows=8, cols=8, dataflow=dataflow)
    many = npu.gemm_cycles(9, 20, 30, rows=8, cols=8, dataflow=dataflow, groups=6)
    assert many.total_cycles == 6 * one.total_cycles
    assert many.utilisation == pytest.approx(one.utilisation)
    assert many.dram_filter_reads == 6 * one.dram_filter_reads
    assert (
        npu.gemm_cycles(
            9, 20, 30, rows=8, cols=8, dataflow=dataflow, groups=6, arrays=6
        ).total_cycles
        == one.total_cycles
    )


def test_a_long_stream_amortises_fill_and_drain():
    utilisation = [
        npu.gemm_cycles(m, 128, 128, rows=128, cols=128).utilisation
        for m in (1, 100, 10_000, 1_000_000)
    ]
    assert utilisation == sorted(utilisation)
    assert utilisation[-1] > 0.999


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"dataflow": "rs"}, ValueError, "dataflow 'rs' is not known.*known: is, os, ws"),
        ({"compat": "scale-sim"}, ValueError, "compat='scale-sim'"),
        ({"dataflow": np.array([])}, ValueError, "dataflow array.* is not known"),
        ({"compat": np.array([])}, ValueError, "compat=array.* is not known"),
        ({"m": 0}, ValueError, "m=0 is outside 1.."),
        ({"k": -3}, ValueError, "k=-3"),
        ({"n": 2**40}, ValueError, "n=1099511627776"),
        ({"rows": 0}, ValueError, "rows=0"),
        ({"n": 3.5}, TypeError, "n=3.5 is not an integer"),
        ({"k": True}, TypeError, "k=True"),
        ({"arrays": 2, "compat": "scalesim"}, ValueError, "one array"),
        ({"overlap": True, "compat": "scalesim"}, ValueError, "no overlap"),
        ({"groups": 0}, ValueError, "groups=0"),
        ({"overlap": "no"}, TypeError, "overlap='no' is not True or False"),
        ({"buffers": 1024}, TypeError, "buffers=1024 is not Buffers"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    with pytest.raises(error, match=message):
        npu.gemm_cycles(**{"m": 4, "n": 4, "k": 4, "rows": 4, "cols": 4, **change})


def test_a_buffer_of_one_word_is_refused():
    with pytest.raises(ValueError, match="Buffers ifmap=1 is outside 2"):
        npu.Buffers(ifmap=1)


@pytest.mark.parametrize("arrays", [2, 8, 108, 132])
@pytest.mark.parametrize(("m", "n", "k"), [(4096, 4096, 4096), (12544, 64, 147), (1, 4096, 4096)])
def test_layers_of_usual_sizes_fill_the_arrays(m, n, k, arrays):
    """Cycles are at most 4 % above work over arrays, filling, and the lines of sums that k's parts add."""
    got = npu.gemm_cycles(m, n, k, rows=32, cols=64, arrays=arrays, overlap=True)
    folds = -(-k // 32) * -(-n // 64) * max(m, 32)
    lines = m * -(-n // 64)
    assert got.total_cycles <= 1.04 * folds / arrays + 2 * 32 + 64 + 32 + lines


def test_a_layer_of_few_folds_is_shared_by_all_arrays():
    """ResNet-50's 64 x 64 layer has two folds; 108 arrays share its 3136 rows of inputs, not two folds."""
    layer = {"m": 56 * 56, "n": 64, "k": 64, "rows": 32, "cols": 64, "overlap": True}
    alone, shared = (npu.gemm_cycles(**layer, arrays=arrays) for arrays in (1, 108))
    assert (alone.total_cycles, alone.folds, alone.arrays) == (2 * 32 + 64 + 2 * 3136 - 2, 2, 1)
    assert shared.total_cycles == 2 * 32 + 64 + 2 * 30 + 2 - 2
    assert (shared.arrays, shared.folds) == (108, 2 * 108)
    assert shared.sram_filter_reads == 108 * alone.sram_filter_reads
    assert shared.sram_ifmap_reads == alone.sram_ifmap_reads


def test_partial_sums_of_a_split_k_are_added():
    """Two arrays, one column of outputs, k of two folds: one fold each, then each adds half of the other's sums."""
    layer = {"m": 10, "n": 8, "k": 8, "rows": 4, "cols": 8}
    split = npu.gemm_cycles(**layer, arrays=2)
    assert split.total_cycles == (2 * 4 + 8 + 10 - 2) + 10 // 2
    assert (split.arrays, split.folds) == (2, 2)
    assert npu.gemm_cycles(**layer).total_cycles == 2 * (2 * 4 + 8 + 10 - 2)


def longest(m, n, k, groups, rows, cols, dataflow, arrays, overlap, parts, pieces):
    """Cycles of the busiest array of one division, counted array by array."""
    on_rows, on_cols, streamed = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[dataflow]
    down, across = -(-on_rows // rows), -(-on_cols // cols)
    if dataflow == "os":
        units, each, length = groups * down * across, 1, -(-k // parts)
    else:
        units, each, length = groups * across * pieces, -(-down // parts), -(-streamed // pieces)
    load = [0] * arrays
    for job in range(units * parts):
        load[job % arrays] += 1
    alone = 2 * rows + cols + length - 2
    following = max(rows, length) if overlap else alone
    lines = load[0] * (rows if dataflow == "os" else length)
    return alone + (load[0] * each - 1) * following + -(-lines * (parts - 1) // parts)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 3),
    st.integers(1, 5), st.integers(1, 5), st.sampled_from(["ws", "os", "is"]),
    st.integers(2, 7), st.booleans(),
)  # fmt: skip
def test_no_other_division_is_much_faster(m, n, k, groups, rows, cols, dataflow, arrays, overlap):
    shape = (m, n, k, groups, rows, cols, dataflow, arrays, overlap)
    got = npu.gemm_cycles(
        m, n, k, rows=rows, cols=cols, dataflow=dataflow, groups=groups, arrays=arrays,
        overlap=overlap,
    )  # fmt: skip
    streamed = {"ws": m, "is": n, "os": 1}[dataflow]
    sums = k if dataflow == "os" else -(-k // rows)
    best = min(
        longest(*shape, parts, pieces)
        for parts in range(1, min(sums, arrays) + 1)
        for pieces in range(1, streamed + 1)
    )
    assert best <= got.total_cycles <= 1.125 * best  # tiny sizes; see the next test
    alone = npu.gemm_cycles(
        m, n, k, rows=rows, cols=cols, dataflow=dataflow, groups=groups, overlap=overlap
    )
    assert got.total_cycles <= alone.total_cycles <= arrays * got.total_cycles
    assert 0 < got.utilisation <= 1
