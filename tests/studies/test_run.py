"""Does one verb answer for every pair, with the same bits however it is cut, and refuse what it cannot answer?"""

import inspect
import re
from types import SimpleNamespace

import numba
import numpy as np
import pytest
import xarray as xr
from onnx_graphs import node, write
from threadpoolctl import threadpool_limits

import pimlab as pim
from pimlab.machine.protocol import MacOp
from pimlab.plan import planned
from pimlab.plan.costs import costs
from pimlab.studies import provenance

PAIRS = {
    "fashion-cnn": ("fashion-mnist", 20),
    "digits-mlp": ("digits", 30),
    "cancer-mlp": ("breast-cancer", 30),
    "magika": ("magika-files", 2),
}
TARGETS = {"warboy": 1, "hbm-pim": 2, "pcm-hermes": 3}
# What a perfect classifier of the project reaches on these few samples; a stage may cost this much of it here.
AT_LEAST = {"fashion-cnn": 0.7, "digits-mlp": 0.8, "cancer-mlp": 0.8, "magika": 0.5}


@pytest.fixture(scope="module")
def loaded():
    return {
        name: (pim.load_model(name), pim.load_data(data, split="test", limit=limit))
        for name, (data, limit) in PAIRS.items()
    }


@pytest.fixture(scope="module")
def digits(loaded):
    return loaded["digits-mlp"]


@pytest.fixture(
    scope="module", params=[(model, target) for model in PAIRS for target in TARGETS], ids="-".join
)
def result(request, loaded):
    model, target = request.param
    return pim.run(loaded[model][0], pim.target(target), loaded[model][1], at="1 day", seed=3)


def with_threads(threads, call):
    before = numba.get_num_threads()
    numba.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads):  # of BLAS
            return call()
    finally:
        numba.set_num_threads(before)


# --- what an answer holds -----------------------------------------------------------------------------------------------------------


def test_every_pair_answers(result):
    assert result.attrs["stage"] == TARGETS[result.attrs["target"]]
    assert AT_LEAST[result.attrs["model"]] <= float(result.accuracy) <= 1
    assert float(result.accuracy_low) <= float(result.accuracy) <= float(result.accuracy_high)
    assert float(result["at"]) == 86400
    assert int(result.seed) == 3


def test_energy_lies_between_low_and_high_and_adds_up(result):
    assert (result.energy_low <= result.energy).all()
    assert (result.energy <= result.energy_high).all()
    assert (result.energy_low >= 0).all()
    assert (
        0
        < float(result.energy_low.sum())
        < float(result.energy.sum())
        < float(result.energy_high.sum())
        < 1
    )
    assert 0 <= float(result.assumed_share) <= 1


def test_latency_is_the_sum_of_its_phases(result):
    np.testing.assert_array_equal(result.latency, result.phase_latency.sum("phase"))
    assert (result.phase_latency >= 0).all()
    assert 0 < float(result.latency.sum()) < 1


def test_counts_and_macs_are_the_models(result, loaded):
    model = loaded[result.attrs["model"]][0]
    assert result.events.dtype.kind == "i"
    assert (result.events >= 0).all()
    assert {
        str(name): int(value)
        for name, value in zip(result.layer.values, result.macs.values, strict=True)
        if value
    } == {op.name: op.macs for op in model.mac_ops}
    named = [name for name in result.layer.values if not name.startswith("static ")]
    assert named == [op.name for op in (*model.mac_ops, *model.vector_ops)]
    assert (
        result.executor.sel(
            layer=[op.name for op in model.mac_ops if result.attrs["target"] == "warboy"]
        )
        == "warboy"
    ).all()


def test_every_variable_says_its_name_and_unit(result):
    for name, variable in result.variables.items():
        assert variable.attrs.get("long_name"), name
        if name in result.data_vars or name in ("at", "seed"):
            assert variable.attrs.get("units") in ("1", "J", "s", "1/s"), name
    assert {name for name in result.data_vars if result[name].attrs["units"] == "J"} == {
        "energy",
        "energy_low",
        "energy_high",
    }
    assert (
        result.latency.attrs["units"]
        == result.phase_latency.attrs["units"]
        == result["at"].attrs["units"]
        == "s"
    )


def test_attributes_tell_where_it_comes_from(result, loaded):
    model, data = loaded[result.attrs["model"]]
    told = result.attrs
    assert (told["model_sha256"], told["data"], told["data_sha256"]) == (
        model.sha256,
        data.name,
        data.sha256,
    )
    assert (told["data_split"], told["samples"], told["seed"]) == ("test", len(data), 3)
    assert told["pimlab"] == pim.__version__
    assert told["lock"] == provenance.lock()
    assert re.fullmatch(r"unknown|[0-9a-f]{40}(-dirty)?", told["commit"])
    assert re.fullmatch(r"unknown|[0-9a-f]{64}", told["lock"])
    assert told["sources"]


def test_files_give_the_same_dataset_back(result, tmp_path):
    result.to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "r.nc"), result)
    result.to_zarr(tmp_path / "r.zarr", consolidated=False, zarr_format=2)
    xr.testing.assert_identical(
        xr.open_zarr(tmp_path / "r.zarr", consolidated=False).load(), result
    )


# --- what does not change it --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["digits-mlp", "fashion-cnn"])
def test_chunks_and_threads_do_not_change_a_bit(loaded, name, target):
    model, data = loaded[name]

    def asked(batch):
        return pim.run(model, pim.target(target), data, at=["1 h", "1 year"], seed=1, chunk=batch)

    whole = asked(250)
    for batch in (1, 7):
        xr.testing.assert_identical(asked(batch), whole)
    for threads in (1, numba.config.NUMBA_NUM_THREADS):
        xr.testing.assert_identical(with_threads(threads, lambda: asked(11)), whole)


def test_seeds_change_the_analog_stage_alone(digits):
    for target in TARGETS:
        one, other, again = (
            pim.run(digits[0], pim.target(target), digits[1], seed=seed) for seed in (1, 2, 1)
        )
        xr.testing.assert_identical(one, again)
        assert one.drop_vars("seed").equals(other.drop_vars("seed")) == (target != "pcm-hermes")


@pytest.mark.parametrize("target", TARGETS)
def test_a_list_of_times_is_each_time_alone(digits, target):
    times = ["0 s", "1 day", "1 year"]
    every = pim.run(digits[0], pim.target(target), digits[1], at=times)
    assert every["at"].values.tolist() == [0, 86400, 31557600]
    for i, at in enumerate(times):
        one = pim.run(digits[0], pim.target(target), digits[1], at=at)
        assert one["at"].shape == ()
        xr.testing.assert_identical(every.isel(at=i)[_SCORES], one[_SCORES])
    costs = [name for name in one.data_vars if name not in _SCORES]
    xr.testing.assert_identical(every[costs], one[costs].drop_vars("at"))


_SCORES = ["accuracy", "accuracy_low", "accuracy_high", "clipped"]


def test_times_may_be_numbers_text_and_arrays(digits):
    npu = pim.target("warboy")
    whole = pim.run(*_in(digits, npu), at=[3600, "1 day"])
    xr.testing.assert_identical(whole, pim.run(*_in(digits, npu), at=np.array([3600, 86400])))
    xr.testing.assert_identical(whole, pim.run(*_in(digits, npu), at=("1 h", 86400.0)))
    assert pim.run(*_in(digits, npu), at=np.float64(5))["at"].shape == ()


def _in(pair, target):
    return pair[0], target, pair[1]


def test_without_data_there_are_costs_alone(digits):
    told = pim.run(digits[0], pim.target("warboy"))
    assert "accuracy" not in told
    assert told.attrs["data"] == "none"
    xr.testing.assert_equal(
        told.energy, pim.run(*_in(digits, pim.target("warboy"))).energy.drop_vars(["at", "seed"])
    )


def test_a_machine_without_host_gets_one(digits):
    macro = pim.Crossbar(
        rows=256,
        cols=256,
        cell=pim.device("pcm-joshi2020"),
        dac=pim.DAC(bits=8),
        adc=pim.ADC(bits=8),
    )
    result = pim.run(digits[0], macro, digits[1])
    assert set(result.executor.values) == {"crossbar", "warboy"}
    assert float(result.accuracy) > 0.8


# --- what it refuses ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "kind", "words"),
    [
        (
            {"target": "warboy"},
            TypeError,
            ("target='warboy' is neither a Target nor a Plan", "pimlab.target('warboy')"),
        ),
        ({"model": "digits-mlp"}, TypeError, ("model='digits-mlp' is no model", "load_model")),
        ({"model": None}, TypeError, ("model=None is no model",)),
        ({"data": "digits"}, TypeError, ("data='digits' is no data", "load_data")),
        ({"at": "1 dya"}, ValueError, ("at='1 dya' is not a time", "'dya'")),
        ({"at": "25 uS"}, ValueError, ("at='25 uS' is not a time",)),
        ({"at": "soon"}, ValueError, ("at='soon' is not a time",)),
        ({"at": -1}, ValueError, ("at=-1 is not a time", "0 s or later")),
        ({"at": float("nan")}, ValueError, ("at=nan is not a time",)),
        ({"at": float("inf")}, ValueError, ("at=inf is not a time",)),
        ({"at": None}, TypeError, ("at=None is not a time",)),
        ({"at": True}, TypeError, ("at=True is not a time",)),
        ({"at": []}, ValueError, ("at=[] names no time",)),
        ({"at": ["1 h", 3600]}, ValueError, ("repeats a time",)),
        ({"at": ["1 h", None]}, TypeError, ("at=None is not a time",)),
        ({"seed": -1}, ValueError, ("seed=-1 is outside 0..",)),
        ({"seed": 1.5}, TypeError, ("seed=1.5 is not an integer",)),
        ({"seed": "a"}, TypeError, ("seed='a' is not an integer",)),
        ({"chunk": 0}, ValueError, ("chunk=0; allowed: an integer, 1 or more",)),
        ({"chunk": 2.5}, ValueError, ("chunk=2.5",)),
        ({"chunk": True}, ValueError, ("chunk=True",)),
        ({"batch": 0}, ValueError, ("batch=0 is outside 1..",)),
        ({"batch": 2.5}, TypeError, ("batch=2.5 is not an integer",)),
        ({"rule": "minmix"}, ValueError, ("'minmix'", "did you mean 'minmax'?")),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(digits, changed, kind, words):
    given = {"model": digits[0], "target": pim.target("warboy"), "data": digits[1], **changed}
    with pytest.raises(kind) as caught:
        pim.run(**given)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    for name in inspect.signature(pim.explain).parameters.keys() & changed.keys() - {"at"}:
        with pytest.raises(kind, match=re.escape(words[0])):
            pim.explain(**{**given, name: changed[name]})


def test_empty_data_are_refused(digits):
    class Empty:
        name, inputs, metric, labels = (
            "none",
            np.zeros((0, 64), np.float32),
            digits[1].metric,
            np.zeros(0, int),
        )

        def __len__(self):
            return 0

    with pytest.raises(ValueError, match="data 'none' is empty; allowed: one sample or more"):
        pim.run(digits[0], pim.target("warboy"), Empty())


def test_data_of_another_model_are_refused(digits, loaded):
    with pytest.raises(
        ValueError, match=r"digits-mlp: input 'input' has shape .*allowed \(n, 64\)"
    ):
        pim.run(digits[0], pim.target("warboy"), loaded["fashion-cnn"][1])


def test_a_model_larger_than_the_banks_says_so():
    banks = pim.target("hbm-pim").but(widest=None, attention="host")
    model = SimpleNamespace(
        name="wide",
        sha256="",
        mac_ops=[MacOp(name=f"fc{i}", m=1, k=16384, n=16384) for i in range(20)],
        vector_ops=[],
    )
    ds = costs(planned(model, banks))
    assert float(ds.occupancy.sel(layer="fc3")) == banks.occupancy(model.mac_ops[3])
    assert 1 < float(ds.occupancy.where(ds.executor == "hbm-pim").sum()) < 2
    assert not float(ds.occupancy.where(ds.executor != "hbm-pim").sum())


# --- values that float32 or a machine cannot hold -------------------------------------------------


SCALES = {
    "the second layer overflows": (1e20, 1e25, 1, "layer 'second' overflows float32: its outputs"),
    "the first layer overflows": (1e30, 1, 1e10, "layer 'first' overflows float32: its outputs"),
    "weights are subnormal": (1e-42, 1, 1, "layer 'first' underflows float32: its weights"),
    "later weights are subnormal": (1, 1e-40, 1, "layer 'second' underflows float32: its weights"),
    "inputs are subnormal": (1, 1, 1e-40, "layer 'first' underflows float32: its inputs"),
    "products are subnormal": (1e-20, 1, 1e-20, "layer 'first' underflows float32: its outputs"),
}


def two_layers(path, first, second):
    rng = np.random.default_rng(0)
    nodes = [
        node("MatMul", ["x", "a"], "h", name="first"),
        node("Relu", ["h"], "r"),
        node("MatMul", ["r", "b"], "y", name="second"),
    ]
    weights = {"a": first * rng.standard_normal((8, 6)), "b": second * rng.standard_normal((6, 3))}
    as_float = {name: w.astype(np.float32) for name, w in weights.items()}
    return pim.load_model(write(path / "two.onnx", nodes, {"x": ["batch", 8]}, as_float))


def samples(scale):
    x = np.random.default_rng(1).standard_normal((40, 8)).astype(np.float32)
    return pim.Data(x * np.float32(scale), np.arange(40) % 3)


@pytest.mark.parametrize("target", ["warboy", "hbm-pim", "pcm-hermes"])
@pytest.mark.parametrize("case", SCALES)
def test_a_layer_outside_float32_is_named(case, target, tmp_path):
    first, second, scale, message = SCALES[case]
    with pytest.raises(ValueError, match=f"model 'two': {message}"):
        pim.run(two_layers(tmp_path, first, second), pim.target(target), samples(scale))


def test_a_layer_that_overflows_on_test_samples_alone_is_named(tmp_path):
    model, data = two_layers(tmp_path, 1e15, 1e15), samples(1)
    far = pim.Data(data.inputs * np.float32(1e10), data.labels, calibration=data.inputs)
    with pytest.raises(ValueError, match="the output is not finite, because layer 'second' over"):
        pim.run(model, pim.target("gddr6-aim"), far)


@pytest.mark.parametrize("target", ["hbm-pim", "upmem-int32", "h100"])
def test_weights_that_all_vanish_in_a_machines_format_are_refused(target, tmp_path):
    machine = pim.target(target)
    if machine.stage == 1:
        machine = machine.in_format("fp16")
    with pytest.raises(ValueError, match=f"{target}.*: all weights vanish, the largest is"):
        pim.run(two_layers(tmp_path, 1e-12, 1), machine, samples(1))
