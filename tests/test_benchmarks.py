"""Does `python -m benchmarks` measure what it is asked, beside sgemm, and say what is missed? No test asserts on a time."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pimlab
from benchmarks import __main__ as command
from benchmarks import bounds, scenarios, timing
from benchmarks.cases import Case, cases
from benchmarks.resnet import OPERATORS, resnet50

ROOT = Path(__file__).parents[1]


def test_the_command_prints_a_table():
    words = [
        sys.executable,
        "-m",
        "benchmarks",
        "scaled input",
        "--repeat",
        "1",
        "--size",
        "small",
        "--threads",
        "1",
    ]
    out = subprocess.run(
        words, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert out[1].split() == ["kernel", "shape", "time", "sgemm", "ratio", "elements", "bound"]
    assert out[2].startswith("scaled input")
    assert len(out) == 3


def test_rows_are_json_too(capsys):
    assert (
        command.main(["int8.gemm", "SCALE-Sim", "--repeat", "1", "--size", "tiny", "--json"]) == 0
    )
    rows = {row["kernel"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(rows) == {
        "int8.gemm",
        "int8.gemm.fastest",
        "int8.gemm_wide",
        "SCALE-Sim's count of one product",
    }
    assert all(row["seconds"] > 0 for row in rows.values())


def test_a_large_case_stands_beside_sgemm():
    case = Case(lambda x: x, lambda x: x, lambda rng, size: (rng.random(8),), gemm=(2, 3, 4))
    row = timing.measured("copy", case, 2)
    assert row["ratio"] == row["seconds"] / row["sgemm_seconds"]
    assert row["shape"] == "2 x 3 x 4"
    assert "ratio" not in timing.measured("copy", case, 1, "small")


def test_turns_are_interleaved_and_the_first_does_not_count():
    turns = []
    times = timing.best(2, lambda: turns.append("a"), lambda: turns.append("b"))
    assert turns == ["a", "b"] * 3
    assert len(times) == 2


def test_sgemm_multiplies_the_stated_shape():
    out = timing.sgemm((2, 3, 4))()
    assert (out.shape, out.dtype) == ((2, 4), np.float32)


def test_every_bound_belongs_to_a_measurement():
    known = {*cases(), *scenarios.TIMED, *scenarios.PROCESSES}
    assert {*bounds.RATIO, *bounds.RATE, *bounds.SECONDS, *bounds.BYTES, *bounds.STEPS} <= known
    assert all(cases()[name].gemm for name in bounds.RATIO)


@pytest.mark.parametrize(
    ("row", "reached"),
    [
        ({"kernel": "int8.gemm", "ratio": 1.4}, True),
        ({"kernel": "int8.gemm", "ratio": 1.6}, False),
        ({"kernel": "cast.nearest fp8_e4m3", "elements_per_second": 2e8}, False),
        ({"kernel": "import pimlab", "seconds": 0.6}, False),
        ({"kernel": "hardware-aware step", "ratio": 3.1}, False),
        ({"kernel": "memory of a noisy read", "bytes": 3e8}, False),
        ({"kernel": "square", "seconds": 1e9}, True),
    ],
)
def test_what_is_missed_is_said(row, reached):
    assert command.bound(row)[1] is reached
    line = command._line({"seconds": 1.0, **row} if "bytes" not in row else row)
    assert line.endswith("MISSED") is not reached


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--repeat", "0"], "--repeat 0 is outside 1.."),
        (["--threads", "99999"], "--threads 99999 is outside 1.."),
    ],
)
def test_wrong_options_are_refused(words, text, capsys):
    with pytest.raises(SystemExit):
        command.main(words)
    assert text in capsys.readouterr().err


def test_an_unknown_name_is_answered(capsys):
    assert command.main(["int8.gemn"]) == 2
    assert (
        "no benchmark has 'int8.gemn' in its name; did you mean 'int8.gemm'?"
        in capsys.readouterr().err
    )


def test_resnet_50_has_the_published_operators(tmp_path):
    model = pimlab.load_model(str(resnet50(tmp_path / "narrow.onnx", narrower=16)))
    ops = [*model.mac_ops, *model.vector_ops]
    assert (len(model.mac_ops), len(ops)) == (54, OPERATORS)
    first, last = model.mac_ops[0], model.mac_ops[-1]
    assert (first.m, first.k, first.n) == (112 * 112, 3 * 7 * 7, 4)
    assert (last.m, last.k, last.n) == (1, 128, 1000)
    busy = pimlab.schedule(model, pimlab.target("warboy"), inferences=20)
    assert float(busy.interval_bound) <= float(busy.interval) < float(busy.latency)


@pytest.mark.full
def test_resnet_50_has_the_published_size(tmp_path):
    model = pimlab.load_model(str(resnet50(tmp_path / "resnet50.onnx")))
    assert sum(op.macs for op in model.mac_ops) == pytest.approx(4.1e9, rel=0.01)
    assert sum(op.k * op.n * op.groups for op in model.mac_ops) == pytest.approx(25.5e6, rel=0.01)
