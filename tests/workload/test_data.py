"""Do one's own samples work in one line, and is what does not fit refused by name?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload import DataError
from pimlab.workload.data import held_out

MODEL = pim.load_model("digits-mlp")
DIGITS = pim.load_data("digits", limit=60)
X, Y = DIGITS.inputs, DIGITS.labels


def test_one_line_scores_ones_own_samples():
    out = pim.run(MODEL, pim.target("warboy"), pim.Data(X, Y))
    assert out.attrs["data"] == "own data"
    assert out.attrs["samples"] == 54
    assert 0.8 < float(out.accuracy) <= 1
    assert out.accuracy.attrs["better"] == "higher"


def test_calibration_samples_are_taken_out_and_never_scored():
    data = pim.Data(X, Y)
    assert (len(data), len(data.calibration)) == (54, 6)
    assert data.calibration.split == "calibration"
    scored = {row.tobytes() for row in data.inputs}
    assert not any(row.tobytes() in scored for row in data.calibration.inputs)
    both = np.concatenate([data.inputs, data.calibration.inputs])
    assert {r.tobytes() for r in both} == {r.tobytes() for r in X}
    assert "54 samples (64,), accuracy; 6 calibrate" in repr(data)


@pytest.mark.parametrize(("n", "count"), [(1, 0), (2, 1), (19, 1), (100, 10), (10_000, 512)])
def test_every_tenth_sample_calibrates(n, count):
    picked = held_out(n)
    assert len(picked) == count
    assert len(set(picked.tolist())) == count
    assert all(0 <= i < n for i in picked)
    if count > 1:
        assert np.ptp(np.diff(picked)) <= 1


def test_calibration_samples_of_ones_own_are_used():
    data = pim.Data(X, Y, calibration=X[:5] / 2)
    assert (len(data), len(data.calibration)) == (60, 5)
    machine = pim.target("warboy")
    halved = pim.run(MODEL, machine, data)
    assert int(halved.clipped.sum()) > int(pim.run(MODEL, machine, pim.Data(X, Y)).clipped.sum())
    training = DIGITS.calibration
    other = pim.Data(X, Y, calibration=training)
    assert other.calibration is training
    assert len({data.sha256, other.sha256, pim.Data(X, Y, calibration=X[:5]).sha256}) == 3


def test_the_same_samples_by_hand_and_by_name_give_the_same_answer():
    own = pim.Data(X, Y, calibration=DIGITS.calibration)
    one, two = (pim.run(MODEL, pim.target("pcm-hermes"), data) for data in (own, DIGITS))
    for name in ("accuracy", "energy"):
        np.testing.assert_array_equal(one[name], two[name])


def test_a_name_of_ones_own_may_be_any():
    data = pim.Data(X, Y, name="mine", licence="MIT", source="here", note="small")
    assert "mine" in repr(data)
    assert "MIT" in repr(data)
    assert pim.run(MODEL, pim.target("t4"), data).attrs["data"] == "mine"


def test_slices_keep_what_calibrates_and_data_stay_as_they_are():
    data = pim.Data(X, Y)
    assert data[:3].calibration is data.calibration
    assert data.but(name="other").calibration is data.calibration
    with pytest.raises(AttributeError, match=r"is frozen; write data.but\(labels=...\)"):
        data.labels = Y
    with pytest.raises(TypeError, match="Data has no 'label'; did you mean 'labels'"):
        data.but(label=Y)


def _with(values, at, value):
    changed = np.array(values, float if isinstance(value, float) else None)
    changed.flat[at] = value
    return changed


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ((X, Y[:5]), DataError, "60 inputs and 5 labels"),
        ((X[:0], Y[:0]), DataError, r"inputs \(0, 64\) are empty"),
        ((X[:1], Y[:1]), DataError, "one sample cannot both calibrate and be scored"),
        ((None, Y), DataError, r"inputs are object \(None\)"),
        (("mine.csv", Y), DataError, "inputs are <U8"),
        ((3.0, Y), DataError, "inputs are one number"),
        (([[1, 2], [3]], [0, 1]), DataError, "inputs are no array"),
        ((_with(X, 5, np.nan), Y), DataError, "inputs hold 1 values that float32 cannot, such as nan"),
        ((X.astype(float) * 1e300, Y), DataError, "that float32 cannot, such as "),
        ((X, None), DataError, "labels None; allowed"),
        ((X, _with(Y, 3, -1)), DataError, r"labels\[3\]=-1 is no class \(1 of 60"),
        ((X, _with(Y, 3, 0.5)), DataError, r"labels\[3\]=0.5 is no class"),
        ((X, _with(Y, 3, np.nan)), DataError, r"labels\[3\]=nan is no class"),
        ((X, np.array(["cat"] * 60)), DataError, r"such as \['cat'\].*return_inverse"),
        ((X, np.eye(10)[Y]), DataError, r"labels \(60, 10\).*argmax"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_does_not_fit_is_named(arguments, kind, says):
    with pytest.raises(kind, match=says):
        pim.Data(*arguments)


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"calibration": X[:, :3]}, DataError, r"calibration has samples \(3,\), inputs \(64,\)"),
        ({"calibration": X[:0]}, DataError, "calibration .* are empty"),
        ({"name": None}, TypeError, "data name=None is not a text"),
        ({"note": 3}, TypeError, "data note=3 is not a text"),
        ({"metric": "acuracy"}, ValueError, "metric 'acuracy' is not known; did you mean 'accuracy'"),
        ({"metric": None}, TypeError, "metric=None; allowed"),
        ({"metric": len}, ValueError, "say which way is better"),
        ({"better": "up"}, ValueError, "better='up'; allowed: 'higher' or 'lower'"),
        ({"better": "lower"}, ValueError, "better='lower', but higher is better of accuracy"),
    ],
)  # fmt: skip
def test_a_bad_keyword_is_named(given, kind, says):
    with pytest.raises(kind, match=says):
        pim.Data(X, Y, **given)


def test_labels_beyond_the_classes_are_refused_when_the_model_is_known():
    data = pim.Data(X, _with(Y, 0, 10))
    with pytest.raises(ValueError, match=r"labels\[0\]=10, and the model has 10 outputs; .*0\.\.9"):
        pim.run(MODEL, pim.target("warboy"), data)


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, x=X, y=Y, calibration=X[:4], metric="top-3", licence="CC0")
    data = pim.load_data(path, limit=10)
    assert (data.name, len(data), len(data.calibration)) == ("mine", 10, 4)
    assert data.metric.name == "top_3_accuracy"
    assert pim.load_data(str(path)).licence == "CC0"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"text", "is no .npz file of arrays"),
        (b"", "is no .npz file of arrays"),
        ({"x": X}, "has no array 'labels'"),
        ({"x": X, "y": Y, "z": Y}, "array 'z' is not known"),
        ({"x": X, "y": np.array([None] * 60)}, "is no .npz file of arrays"),
    ],
    ids=["missing", "text", "empty", "no labels", "more", "objects"],
)
def test_a_file_that_holds_no_data_is_named(tmp_path, content, says):
    path = tmp_path / "mine.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.savez(path, **content)
    with pytest.raises(DataError, match=rf"mine\.npz:? {says}"):
        pim.load_data(path)
    with pytest.raises(DataError, match="a file holds one split"):
        pim.load_data(path, split="train")


def _two_inputs(tmp_path):
    from tests.onnx_graphs import node, write

    rng = np.random.default_rng(0)
    constants = {"u": rng.standard_normal((6, 3)), "v": rng.standard_normal((4, 3))}
    constants = {name: w.astype(np.float32) for name, w in constants.items()}
    nodes = [
        node("MatMul", ["a", "u"], "p", name="first"),
        node("MatMul", ["b", "v"], "q", name="second"),
        node("Add", ["p", "q"], "y", name="sum"),
    ]
    inputs = {"a": ("n", 6), "b": ("n", 4)}
    given = {name: rng.standard_normal((20, size)) for name, (_, size) in inputs.items()}
    return pim.load_model(write(tmp_path / "m.onnx", nodes, inputs, constants)), given


def test_named_arrays_are_the_inputs_of_a_model_with_several(tmp_path):
    model, given = _two_inputs(tmp_path)
    labels = np.arange(20) % 3
    data = pim.Data(given, labels)
    assert (len(data), len(data.calibration)) == (18, 2)
    assert "18 samples {'a': (6,), 'b': (4,)}" in repr(data)
    out = pim.run(model, pim.target("warboy"), data, chunk=7)
    y = model.execute(data.inputs, model.exact)
    assert abs(float(out.accuracy) - (y.argmax(axis=1) == data.labels).mean()) < 0.12
    named = {f"inputs.{name}": array for name, array in given.items()}
    few = {f"calibration.{name}": array[:3] for name, array in given.items()}
    np.savez(tmp_path / "mine.npz", **named, **few, y=labels)
    read = pim.load_data(tmp_path / "mine.npz")
    assert (len(read), len(read.calibration)) == (20, 3)
    assert read.sha256 != data.sha256 == pim.Data(given, labels).sha256
    np.testing.assert_array_equal(read.inputs["b"], given["b"])


def test_named_arrays_that_do_not_fit_are_named(tmp_path):
    model, given = _two_inputs(tmp_path)
    labels = np.zeros(20, int)
    with pytest.raises(
        DataError, match=r"inputs have {'a': 20, 'b': 19} samples; allowed: the same"
    ):
        pim.Data(given | {"b": given["b"][:19]}, labels)
    with pytest.raises(DataError, match=r"inputs\['a'\] hold 1 values that float32 cannot"):
        pim.Data(given | {"a": np.where(np.arange(120) == 7, np.nan, 0).reshape(20, 6)}, labels)
    with pytest.raises(DataError, match="name no array"):
        pim.Data({}, labels)
    with pytest.raises(DataError, match=r"calibration has samples {'a': \(6,\)}, inputs"):
        pim.Data(given, labels, calibration={"a": given["a"]})
    with pytest.raises(pim.workload.ModelError, match=r"inputs \['a'\] given; the model has"):
        pim.run(model, pim.target("warboy"), pim.Data({"a": given["a"]}, labels))


def test_a_column_of_labels_is_told_so():
    with pytest.raises(DataError, match=r"of one column take labels\[:, 0\]"):
        pim.Data(X, Y[:, None])
