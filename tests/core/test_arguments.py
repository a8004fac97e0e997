"""Does every public function refuse each bad argument in words: which argument, what it was, what is allowed?"""

import importlib
import inspect
import math
import pkgutil
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import pimlab
import pimlab as pim
from pimlab import analog, cluster, dram_pim, formats, plan
from pimlab.analog import devices
from pimlab.arguments import named, typed
from pimlab.keys import Key
from pimlab.machine.protocol import MacOp
from pimlab.studies.run import run
from pimlab.workload import transform
from pimlab.workload.language.shape import DecoderShape


class Alien:
    """An object that no parameter of the project takes."""

    def __repr__(self):
        return "<alien>"


ROOMS = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(pimlab.__path__, "pimlab.")
    if not module.name.startswith(("pimlab.kernels", "pimlab.reference", "pimlab.__main__"))
]


def _public():
    """Name -> function, of all that some room's `__all__` names."""
    found = {}
    for room in [pimlab, *ROOMS]:
        for name in getattr(room, "__all__", ()):
            one = getattr(room, name)
            if inspect.isfunction(one) and one not in found.values():
                found[f"{room.__name__}.{name}".removeprefix("pimlab.")] = one
    return found


PUBLIC = _public()
NOTHING = {name for name, one in PUBLIC.items() if not inspect.signature(one).parameters}

G = np.full((3, 2), 1e-5)
X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
W = np.linspace(-0.5, 1, 6, dtype=np.float32).reshape(3, 2)
WIDE = np.linspace(-1, 1, 32 * 4, dtype=np.float32).reshape(32, 4)
SEEN = np.linspace(-1, 1, 8 * 32, dtype=np.float32).reshape(8, 32)


@cache
def made(what):
    """The larger objects that examples hold, each made once."""
    shape = DecoderShape(
        vocabulary=96, width=64, layers=2, heads=4, kv_heads=2, head_width=16, hidden=96, context=64
    )
    makers = {
        "shape": lambda: shape,
        "rack": lambda: pim.Cluster(chip=pim.target("rngd"), chips=2, link=pim.link("pcie5-x16")),
        "training": lambda: cluster.Training(sequences=2, tokens=8, bandwidth=1e12),
        "device": lambda: devices.device("pcm-joshi2020"),
        "updates": lambda: analog.update_device(analog.update_device_names()[0]),
        "model": lambda: pim.load_model("digits-mlp"),
        "data": lambda: pim.load_data("digits", limit=3),
        "train data": lambda: pim.load_data("digits", split="calibration", limit=8),
        "npu": lambda: pim.target("warboy"),
        "pim": lambda: pim.target("gddr6-aim"),
        "analog": lambda: pim.target("pcm-hermes"),
        "plan": lambda: plan.planned(made("model"), made("npu")),
        "answer": lambda: run(made("model"), made("npu"), made("data")),
        "busy": lambda: pim.schedule(made("model"), made("npu"), 4),
        "explained": lambda: pim.explain(made("model"), made("pim"), made("data")),
        "problem": lambda: cluster.placement.LayerPlacement(
            layers=1, rates={"a": {1: 1.0}}, links={}, source={"a": 1.0}, sink={"a": 1.0}
        ),
        "banks": lambda: dram_pim.Banks(
            channels=1, ranks=1, banks=16, bank_groups=4, rows=64, columns=32, access_bits=256
        ),
        "timing": lambda: dram_pim.timing("hbm2"),
        "trace": lambda: dram_pim.trace("hbm-pim", "gemv", m=64, k=64),
        "language": lambda: pim.load_model("small-lm"),
        "text": lambda: pim.load_data("kjv", limit=1),
        "onnx": lambda: pim.load_model("fashion-cnn"),
    }
    return makers[what]()


NOTHING_IN_IT = np.array([])
"""An array has all methods of a number; one of no entries is none."""
WIRES = analog.Wires(r_in=1, r_out=1)
CIRCUIT = {"g": G, "v": np.ones(3), "wires": WIRES}


@cache
def examples():
    """Public function -> arguments that it takes, each parameter once."""
    m = made
    return {
        "add_catalogue": {"path": Path(__file__).parents[2] / "pimlab/catalogue/npu"},
        "analog.adc_energy": {"enob": 6.0, "rate": 1e8, "node": 22e-9, "model": "envelope"},
        "analog.adc_price": {"enob": 6.0, "rate": 1e8, "node": 22e-9},
        "analog.array_area": {"name": "generic-22nm", "rows": 8, "cols": 8, "columns_an_adc": 2},
        "analog.dissipation": CIRCUIT,
        "analog.effective_conductance": {
            "g": G,
            "r_in": 1.0,
            "r_out": 1.0,
            "rs_in": 0.5,
            "rs_out": 0.5,
            "g_negative": G,
            "sense": "last",
        },
        "analog.first_order_loss": {"r": 1.0, "g": 1e-5, "n": 8},
        "analog.learning.read_pass": {"name": "rpu-gokmen2017", "direction": "backward"},
        "analog.learning.reference_cell": {"device": m("updates"), "reference": m("updates")},
        "analog.learning.tile": {"device": m("updates"), "shape": (2, 3), "key": Key(seed=0)},
        "analog.lifetime": {"device": m("device"), "interval": 1.0},
        "analog.lossless_bits": {"rows": 8, "weight_bits": 2, "input_bits": 2, "signed": True},
        "analog.node_voltages": CIRCUIT,
        "analog.nonlinear_currents": {
            **CIRCUIT,
            "a2": 0.0,
            "a3": 1e-6,
            "supply": 1.0,
            "tolerance": 1e-9,
            "iterations": 50,
            "odd": True,
        },
        "analog.power_matrices": {"g": G, "wires": WIRES},
        "analog.programming_energy": {"device": m("device"), "cells": 3},
        "analog.read_time": {"bits": 3, "tau": 1e-9},
        "analog.read_variance": {**CIRCUIT, "sigma": G / 10},
        "analog.sampled_voltage": {"capacitance": 1e-12, "temperature": 300.0},
        "analog.sampling_energy": {"bits": 4.0, "full_scale": 1.0, "temperature": 300.0},
        "analog.settling_time": {"r": 1.0, "c": 1e-15, "n": 8},
        "analog.shot_current": {"current": 1e-6, "bandwidth": 1e6},
        "analog.target": {"name": "pcm-hermes"},
        "analog.thermal_current": {"g": 1e-5, "bandwidth": 1e6, "temperature": 300.0},
        "analog.update_device": {"name": analog.update_device_names()[0]},
        "analog.variance_matrix": {
            "g": G,
            "sigma": G / 10,
            "wires": WIRES,
            "typical": np.ones(3),
        },
        "analog.wire_currents": {
            "g": G,
            "v": np.ones(3),
            "r_in": 1.0,
            "r_out": 1.0,
            "rs_in": 0.5,
            "rs_out": 0.5,
            "topology": "A",
            "sense": "last",
        },
        "assumed": {
            "name": "a",
            "value": 1.0,
            "unit": "J",
            "reason": "an example",
            "low": 0.5,
            "high": 2.0,
        },
        "catalogue.entry": {"kind": "npu", "name": "warboy"},
        "catalogue.load": {"path": Path(analog.__file__).parents[1] / "catalogue/npu/warboy.toml"},
        "catalogue.names": {"kind": "npu"},
        "catalogue.parse": {"name": "a file", "text": 'model = "a"'},
        "check": {"device": m("device")},
        "cite": {"answer": m("npu")},
        "cluster.best_training": {
            "shape": m("shape"),
            "cluster": m("rack"),
            "template": m("training"),
        },
        "cluster.placement.maximum_flow": {"problem": m("problem"), "runs": {}},
        "cluster.placement.read_lp": {"path": Path("nothing.lp")},
        "cluster.placement.solve": {"problem": m("problem"), "seed": 0, "gap": 1e-5, "limit": 1.0},
        "cluster.rounds": {"operation": "all-reduce", "algorithm": "ring", "workers": 2},
        "cluster.step_costs": {
            "shape": m("shape"),
            "cluster": m("rack"),
            "degrees": cluster.Degrees(),
            "batch": [1],
            "context": [8],
            "queries": [1],
        },
        "cluster.training_step": {
            "shape": m("shape"),
            "rack": m("rack"),
            "training": m("training"),
        },
        "compare": {
            "models": ["digits-mlp"],
            "targets": ["warboy"],
            "data": {"digits-mlp": "digits"},
            "at": 0.0,
            "seed": 0,
            "limit": 2,
            "rule": "minmax",
            "progress": False,
        },
        "compare_results": {"a": m("answer"), "b": m("answer")},
        "decisive": {
            "model": "digits-mlp",
            "targets": ["warboy", "hbm-pim"],
            "status": "assumed",
            "batch": 1,
        },
        "plot.causes": {"story": pim.explain(m("model"), m("pim"), m("data"), shapley=True)},
        "plot.differences": {"why": pim.compare_results(m("answer"), m("answer")), "most": 3},
        "plot.prices": {"found": pim.decisive("digits-mlp", ["warboy", "hbm-pim"]), "most": 3},
        "cost.price": {"counts": {"vector.op": 3}, "prices": m("npu").prices},
        "crossings": {"machines": {"a": m("busy"), "b": m("busy")}, "lowest": 1.0},
        "device": {"name": "pcm-joshi2020"},
        "dram_pim.activate": {"op": "relu", "x": X},
        "dram_pim.combine": {"op": "add"},
        "dram_pim.decode_layer": {
            "target": "hbm-pim",
            "width": 64,
            "hidden": 64,
            "heads": 2,
            "context": 4,
            "batch": 1,
            "kv_heads": 1,
        },
        "dram_pim.elementwise": {"target": "hbm-pim", "op": "add", "n": 64, "refresh": True},
        "dram_pim.gemv": {"target": "hbm-pim", "m": 64, "k": 64, "batch": 1, "refresh": True},
        "dram_pim.host_read": {"target": "hbm-pim", "bytes": 64, "refresh": True},
        "dram_pim.host_write": {"target": "hbm-pim", "bytes": 64, "refresh": True},
        "dram_pim.load": {"target": "hbm-pim", "m": 64, "k": 64, "refresh": True},
        "dram_pim.matmul": {"x": X, "w": W, "target": "hbm-pim", "return_lanes": False},
        "dram_pim.read_results": {"target": "hbm-pim", "m": 64, "k": 64, "batch": 1},
        "dram_pim.schedule": {
            "timing": m("timing"),
            "banks": m("banks"),
            **dict.fromkeys(("write", "bank", "row", "column"), np.zeros(2, np.int64)),
            "refresh": True,
        },
        "dram_pim.timing": {"name": "hbm2"},
        "dram_pim.trace": {"target": "hbm-pim", "m": 64, "k": 64, "refresh": True},
        "dram_pim.validate": {
            "trace": m("trace"),
            "timing": m("timing"),
            "banks": 16,
            "bank_groups": 4,
            "rows": 2**14,
            "columns": 32,
            "refresh": True,
        },
        "energy_at": {"busy": m("busy"), "rate": 1.0},
        "explain": {
            "model": m("model"),
            "target": m("npu"),
            "data": m("data"),
            "at": 0.0,
            "seed": 0,
            "rule": "minmax",
            "chunk": 3,
        },
        "formats.accumulated": {"x": X, "w": W, "accumulator": formats.FloatAccumulator()},
        "formats.affine": {"low": -1.0, "high": 1.0, "format": formats.format("int8")},
        "formats.cast": {
            "x": X,
            "format": "fp16",
            "rounding": "nearest",
            "saturate": True,
            "seed": 0,
            "axis": -1,
        },
        "formats.format": {"name": "int8"},
        "formats.overflows": {"x": X, "format": "fp16"},
        "formats.product": {
            "x": X,
            "w": W,
            "format_x": "fp16",
            "format_w": "fp16",
            "accumulator": formats.FloatAccumulator(),
        },
        "formats.quantize": {
            "x": WIDE,
            "format": "int8",
            "axis": 0,
            "group": 8,
            "symmetric": True,
        },
        "formats.symmetric": {"largest": 1.0, "format": formats.format("int8")},
        "link": {"name": "cxl"},
        "interchange.as_json": {"answer": m("answer")},
        "interchange.from_toml": {"text": 'class = "pimlab.analog.converters:ADC"'},
        "interchange.spice_netlist": {"g": G, "v": np.ones(3), "wires": WIRES, "g_negative": None},
        "interchange.to_toml": {"value": m("npu")},
        "interchange.numbers": {"answer": m("answer")},
        "interchange.table": {"answer": m("answer")},
        "interchange.writable": {"path": Path("a.csv")},
        "interchange.write_answer": {"answer": m("answer"), "path": Path("no/such/a.csv")},
        "scores": {"names": ["halo"]},
        "load_data": {"name": "digits", "split": "test", "limit": 2},
        "load_model": {"name": "digits-mlp"},
        "network": {"name": "dgx-a100"},
        "npu.attainable": {"npu": m("npu"), "intensity": 1.0},
        "npu.chip": {"name": "warboy", "format": "int8"},
        "npu.gemm_cycles": {
            "m": 4,
            "n": 4,
            "k": 4,
            "rows": 4,
            "cols": 4,
            "dataflow": "ws",
            "groups": 1,
            "arrays": 1,
            "overlap": False,
        },
        "npu.matmul": {"x": X, "w": W, "format_x": "int8", "format_w": "int8", "zero_x": 0},
        "npu.requantize": {
            "acc": np.arange(6, dtype=np.int32),
            "scale": 0.01,
            "zero_point": 0,
            "rule": "onnx",
            "bits": 8,
            "signed": True,
        },
        "npu.ridge": {"npu": m("npu")},
        "npu.roofline": {"npu": m("npu"), "ops": [MacOp(name="a", m=2, k=3, n=4)]},
        "parallelise": {
            "model": m("shape"),
            "cluster": m("rack"),
            "objective": "latency",
            "batch": 1,
            "context": 8,
            "phase": "decode",
        },
        "place": {
            "model": m("model"),
            "targets": [m("npu"), m("pim")],
            "objective": "energy",
            "accuracy_drop": 0.9,
            "data": m("data"),
            "links": {},
            "shared": (),
            "seed": 0,
        },
        "plan.check_fits": {"plan": m("plan")},
        "plan.chips_needed": {"plan": m("plan")},
        "plan.chips_text": {"plan": m("plan")},
        "plan.machine_text": {"plan": m("plan")},
        "plan.planned": {"model": m("model"), "target": m("npu"), "batch": 1},
        "plan.shortage": {"plan": m("plan")},
        "plan.with_chips": {"plan": m("plan"), "chips": 1},
        "plot.energy_breakdown": {"ds": m("answer")},
        "plot.save": {"fig": Figure(), "path": Path("figure")},
        "plot.timeline": {"busy": m("busy"), "inferences": 2},
        "plot.waterfall": {"explained": m("explained"), "metric": "accuracy"},
        "run": {
            "model": m("model"),
            "target": m("npu"),
            "data": m("data"),
            "at": 0.0,
            "seed": 0,
            "batch": 1,
            "chips": 1,
            "rule": "minmax",
            "chunk": 3,
        },
        "schedule.schedule": {
            "model": m("model"),
            "target": m("npu"),
            "inferences": 2,
            "overlap": True,
            "slices": 2,
            "buffers": 2,
            "replicas": "balanced",
        },
        "streamed": {"machine": m("npu"), "columns": 64},
        "study": {"function": len},
        "summary": {"answer": m("answer")},
        "sweep": {"study": pim.study(lambda x: x)},
        "target": {"name": "warboy"},
        "target_of": {"result": m("answer")},
        "train": {
            "model": m("model"),
            "target": m("npu"),
            "data": m("train data"),
            "epochs": 1,
            "rate": 0.01,
            "seed": 0,
            "batch": 8,
            "at": 0.0,
            "rule": "minmax",
            "start": "model",
        },
        "workload.calibrate": {
            "model": m("model"),
            "data": m("data"),
            "rule": "minmax",
            "format": "int8",
        },
        "workload.language.hyperscale": {"name": "llama2-7b"},
        "workload.language.compressed_by": {
            "model": m("model"),
            "data": m("data"),
            "method": lambda w, x: transform.round_to_nearest(w),
            "name": "small",
        },
        "workload.language.load_gguf": {"path": Path("nothing.gguf")},
        "workload.language.outlier_aware": {
            "model": m("model"),
            "data": m("data"),
            "digital": 0,
            "smoothing": 0.5,
            "per_token": True,
            "centred": False,
        },
        "workload.services": {"field": None},
        "workload.training.cross_entropy": {"outputs": X, "labels": np.arange(4) % 3},
        "workload.training.ctc": {
            "outputs": np.zeros((2, 5, 4), np.float32),
            "labels": np.array([[1, 2], [3, 0]]),
        },
        "workload.training.trained": {
            "model": m("onnx"),
            "weights": {},
            "biases": {},
            "name": "again",
            "history": xr.Dataset(),
        },
        "workload.transform.awq": {
            "w": WIDE,
            "x": SEEN,
            "format": "int4",
            "group": 8,
            "clip": True,
        },
        "workload.transform.gptq": {
            "w": WIDE,
            "x": SEEN,
            "format": "int4",
            "group": 8,
            "damping": 0.01,
        },
        "workload.transform.magnitude": {"w": WIDE, "pattern": 0.5},
        "workload.transform.output_error": {
            "x": SEEN,
            "w": WIDE,
            "compressed": transform.round_to_nearest(WIDE),
        },
        "workload.transform.round_to_nearest": {"w": WIDE, "format": "int4", "group": 8},
        "workload.transform.smooth_quant": {"w": WIDE, "x": SEEN, "alpha": 0.5},
        "workload.transform.sparse_gpt": {"w": WIDE, "x": SEEN, "pattern": 0.5, "damping": 0.01},
        "workload.transform.wanda": {"w": WIDE, "x": SEEN, "pattern": 0.5, "power": 0.5},
        "write_trace": {"busy": m("busy"), "path": "trace.json"},
    }


def bad(example):
    """Values that are not allowed where `example` is."""
    if isinstance(example, bool):
        return [Alien(), "no", 3.5]
    if isinstance(example, int | float):
        return [Alien(), math.nan, "nonesuch", NOTHING_IN_IT]
    if isinstance(example, str):
        return [Alien(), 3.5, "nonesuch"]
    if isinstance(example, np.ndarray):
        return [Alien(), "nonesuch", np.where(example > -9, np.nan, 0)]
    return [Alien(), 3.5, "nonesuch"]


ANY_TEXT = {
    ("assumed", "name"),
    ("assumed", "reason"),
    ("catalogue.parse", "text"),
    ("catalogue.parse", "name"),
    ("plot.save", "path"),
    ("workload.language.compressed_by", "name"),
    ("workload.training.trained", "name"),
    ("write_trace", "path"),
}
"""Arguments that any text may be."""
ANY_NUMBER = {
    ("dram_pim.activate", "x"),
    ("formats.accumulated", "x"),
    ("formats.accumulated", "w"),
    ("formats.cast", "x"),
    ("formats.overflows", "x"),
}
"""Arrays in which NaN is a number like others: floating-point formats hold it."""

ANY_SHAPE = {
    ("formats.affine", "low"),
    ("formats.affine", "high"),
    ("formats.symmetric", "largest"),
    ("npu.matmul", "zero_x"),
}
"""Numbers that may be arrays as well, one of no entries among them where others fit it."""


TAUGHT = ("allowed:", "write for example", " takes ")
"""Words of an error that says what to write, for those that name the kind of a value and not the value itself."""


def others(name):
    """Arguments of a function beside a bad one: its example, or else an alien for each that it needs."""
    parameters = inspect.signature(PUBLIC[name]).parameters.values()
    needed = [one.name for one in parameters if one.default is one.empty and one.kind not in MANY]
    return examples().get(name) or dict.fromkeys(needed, Alien())


MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def failing(name, parameter, value):
    """What is wrong with how the function refuses it, or ""."""
    try:
        PUBLIC[name](**{**others(name), parameter: value})
    except Exception as error:
        text = f"{error}"
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        if not isinstance(error, ValueError | TypeError | OSError) or isinstance(
            error, UnicodeError
        ):
            return f"{type(error).__name__}: {text}"
        if "pimlab" not in last and not isinstance(error, OSError):
            return f"{type(error).__name__} from {Path(last).name}: {text}"
        named = parameter in text or repr(value)[:30] in text or str(value)[:30] in text
        taught = type(value).__name__ in text and any(words in text for words in TAUGHT)
        return "" if named or taught else f"names neither argument nor value: {text}"
    return "is accepted"


def cases(name):
    """(parameter, value) of every bad argument of a function; of one without an example, an alien for all it needs."""
    if name not in examples():
        parameters = inspect.signature(PUBLIC[name]).parameters
        yield next(iter(parameters)), Alien()
        return
    for parameter, example in examples()[name].items():
        for value in bad(example):
            text, array = isinstance(value, str), isinstance(value, np.ndarray)
            allowed = (text and ANY_TEXT) or (array and ANY_NUMBER | ANY_SHAPE) or ()
            if (name, parameter) not in allowed:
                yield parameter, value


ASKED = sorted(set(PUBLIC) - NOTHING - {"catalogue.naming"})  # that one takes any name, for errors


def test_examples_fit_their_functions():
    assert set(examples()) <= set(ASKED)
    for name, given in examples().items():
        assert given, name
        parameters = inspect.signature(PUBLIC[name]).parameters
        assert set(given) <= set(parameters) or "sizes" in parameters, name


@pytest.mark.parametrize("name", ASKED)
def test_every_bad_argument_is_refused_by_name(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    wrong = {
        f"{parameter}={value!r:.40}": found
        for parameter, value in cases(name)
        if (found := failing(name, parameter, value))
    }
    assert not wrong


def test_a_deep_error_would_be_seen(monkeypatch):
    """The check itself: an argument that fails somewhere below, and one that is not looked at, are found."""
    monkeypatch.setitem(PUBLIC, "npu.ridge", lambda npu: npu.peak)
    assert failing("npu.ridge", "npu", Alien()).startswith("AttributeError")
    monkeypatch.setitem(PUBLIC, "npu.ridge", lambda npu: 1.0)
    assert failing("npu.ridge", "npu", Alien()) == "is accepted"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: pim.run(None, None, seeds=1), "run has no argument 'seeds'; did you mean 'seed'"),
        (lambda: pim.train(None, None, epoch=1), "train has no argument 'epoch'; did you mean"),
        (lambda: pim.explain(None, None), r"explain needs data \(arguments: model, target, data"),
        (lambda: pim.serve(None), "serve needs requests"),
        (
            lambda: pim.compare([], [], lmit=3),
            "compare has no argument 'lmit'; did you mean 'limit'",
        ),
        (lambda: pim.explore_device(1, 2), "explore_device: too many positional arguments"),
    ],
)
def test_a_misspelt_or_missing_argument_is_told_by_name(call, told):
    with pytest.raises(TypeError, match=told):
        call()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([1, None], r"f items=\[1, None\] is not a list, each an integer$"),
        (range(3), ""),
        (3, r"f items=3 is not a list; write items=\[3\]"),
        ([1, 2.5], "each an integer"),
        ((1, np.int8(2)), ""),
    ],
)
def test_items_of_a_list_are_compared(value, told):
    @typed
    def f(items: "Sequence[int]") -> "int":
        return len(items)

    if not told:
        assert f(value) == len(value)
        return
    with pytest.raises(TypeError, match=told):
        f(value)


def test_words_that_an_argument_may_be():
    @typed
    def f(context: "Literal['main', 'sub']", path: "str" = "") -> "str":
        return context

    assert f("sub") == "sub"
    for value in ("man", NOTHING_IN_IT, None):
        with pytest.raises(TypeError, match="is not 'main' or 'sub'"):
            f(value)
    with pytest.raises(ValueError, match="holds a null character"):
        f("main", "a\0")


PYTHONS_WORDS = {"assumed", "summary"}
"""Functions of modules that lie below `pimlab.arguments`."""


def test_a_misspelt_argument_of_any_function_is_told():
    bare = []
    for name, function in PUBLIC.items():
        parameters = inspect.signature(function).parameters.values()
        if not parameters or any(one.kind == one.VAR_KEYWORD for one in parameters):
            continue
        with pytest.raises(TypeError) as caught:
            function(zzz_argument=1)
        if "has no argument 'zzz_argument'" not in str(caught.value):
            bare.append(name)
    assert set(bare) == PYTHONS_WORDS


def test_the_nearest_argument_is_named_and_a_fault_inside_stays_as_it_is():
    with pytest.raises(TypeError, match="target has no argument 'nam'; did you mean 'name'"):
        pim.target(nam="warboy")

    @named
    def faulty(name):
        return name + 1

    with pytest.raises(TypeError, match="can only concatenate str"):
        faulty("a")
    with pytest.raises(TypeError, match="faulty needs name"):
        faulty()
