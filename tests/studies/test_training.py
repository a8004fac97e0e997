"""Does `train` find weights that serve the machine better, keep them in a file, count its pulses, and refuse what it cannot do?"""

import numba
import numpy as np
import onnx
import onnx_graphs
import pytest
from threadpoolctl import threadpool_limits
from training_examples import INT3, MODEL, NPU, PCM, TEST, TRAIN, accuracy, parameters

import pimlab as pim
from pimlab.analog.learning import (
    SGD,
    TikiTaka,
    TikiTakaV2,
    UpdateDevice,
    update_device,
)


@pytest.fixture(scope="module")
def quantised():
    return pim.train(MODEL, INT3, TRAIN, epochs=2, rate=2e-3, batch=64)


def test_training_through_the_quantiser_wins_back_accuracy(quantised):
    before, after = accuracy(MODEL, INT3), accuracy(quantised, INT3)
    assert before == pytest.approx(0.949, abs=0.005)
    assert after > before + 0.015  # 7 images of 450; three seeds gained 0.018 to 0.033


def test_an_int4_machine_loses_nothing_by_it():
    int4 = NPU.but(name="int4", arithmetic=NPU.arithmetic.but(weights="int4", activations="int4"))
    trained = pim.train(MODEL, int4, TRAIN, epochs=2, batch=64)
    assert accuracy(trained, int4) >= accuracy(MODEL, int4)


def test_training_through_noise_helps_ten_years_later():
    """Mean over six seeds and 450 images: a gain of 0.005, whose error over seeds is 0.0011."""
    gains = []
    for seed in range(6):
        trained = pim.train(
            MODEL, PCM, TRAIN[:512], epochs=1, rate=2e-3, batch=64, at="10 years", seed=seed
        )
        before, after = (accuracy(one, PCM, seed, at="10 years") for one in (MODEL, trained))
        gains.append(after - before)
    assert np.mean(gains) > 0.003


def test_a_trained_network_is_an_onnx_file(tmp_path, quantised):
    path = tmp_path / "trained.onnx"
    onnx.save(quantised.whole, path)
    again = pim.load_model(path)
    inputs = TEST.inputs[:20]
    expected = quantised.execute(inputs, quantised.exact)
    assert np.array_equal(again.execute(inputs, again.exact), expected)
    np.testing.assert_allclose(
        again.oracle(inputs), expected, rtol=1e-5, atol=1e-6
    )  # ONNX Runtime on the file's own operators
    assert not np.array_equal(expected, MODEL.execute(inputs, MODEL.exact))
    assert parameters(again) == parameters(quantised)


@pytest.mark.parametrize("name", ["fashion-cnn", "cancer-mlp"])
def test_other_networks_keep_their_layout(name):
    model = pim.load_model(name)
    data = (
        pim.load_data("fashion-mnist", "calibration", limit=8)
        if name == "fashion-cnn"
        else pim.load_data("breast-cancer", "train", limit=8)
    )
    trained = pim.train(
        model, NPU, data, rate=1e-9
    )  # next to nothing moves: each weight is still in its place
    for op in model.mac_ops:
        np.testing.assert_allclose(trained.weights[op.name], model.weights[op.name], atol=1e-6)
    np.testing.assert_allclose(
        trained.oracle(data.inputs), model.oracle(data.inputs), rtol=1e-3, atol=1e-3
    )
    assert trained.mac_ops == model.mac_ops


def test_one_seed_one_result_and_threads_do_not_matter():
    def made(seed, target=PCM, **settings):
        return parameters(
            pim.train(MODEL, target, TRAIN[:96], epochs=1, batch=32, seed=seed, **settings)
        )

    rule = TikiTakaV2(device=update_device("reram-om-gong2022"))
    before, found = numba.get_num_threads(), {}
    for threads in (1, before):
        numba.set_num_threads(threads)
        with threadpool_limits(limits=threads):
            found[threads] = made(1), made(1, rule, rate=0.02)
    numba.set_num_threads(before)
    assert found[1] == found[before]
    assert made(2) != found[1][0]
    assert made(2, rule, rate=0.02) != found[1][1]


def test_a_trained_network_runs_anywhere(quantised):
    out = pim.run(quantised, PCM, TEST, at="1 day")
    assert out.accuracy > 0.9
    assert out.attrs["model"] == "digits-mlp for int3"


SOFT = UpdateDevice(name="two-step", dw_min=0.5, w_min=-1.0, w_max=1.0)
BAD = {
    "a start with a slip": (
        {"start": "randon"},
        ValueError,
        r"start 'randon' is not known.*'random'",
    ),
    "the test split": (
        {"data": TEST},
        ValueError,
        r"data 'digits' is the test split; allowed: another",
    ),
    "no epochs": ({"epochs": 0}, ValueError, "epochs=0; allowed: an integer, 1 or more"),
    "half an epoch": ({"epochs": 0.5}, ValueError, "epochs=0.5; allowed: an integer"),
    "no batch": ({"batch": 0}, ValueError, "batch=0; allowed: an integer, 1 or more"),
    "a rate of zero": ({"rate": 0}, ValueError, "rate=0; allowed: finite, above 0"),
    "a rate that is no number": (
        {"rate": float("nan")},
        ValueError,
        "rate=nan; allowed: finite, above 0",
    ),
    "an infinite rate": ({"rate": float("inf")}, ValueError, "rate=inf; allowed: finite, above 0"),
    "a rate in words": ({"rate": "fast"}, ValueError, "rate='fast'; allowed: finite, above 0"),
    "no times": ({"at": []}, ValueError, r"at=\[\] names no time"),
    "a time before programming": ({"at": "-1 h"}, ValueError, "at='-1 h'"),
    "a time for a rule": (
        {"at": "1 day", "target": SGD(device=SOFT)},
        ValueError,
        "at='1 day'.* SGD on two-step.*for machines",
    ),
    "an unknown calibration": ({"rule": "minmaxx"}, ValueError, "calibration rule 'minmaxx'"),
    "a seed in words": ({"seed": "one"}, (TypeError, ValueError), "seed='one'"),
    "a target's name": (
        {"target": "pcm-hermes"},
        TypeError,
        "target='pcm-hermes' is neither a Target, a Plan nor an UpdateRule",
    ),
    "a cell for a rule": (
        {"target": SOFT},
        TypeError,
        "is neither a Target, a Plan nor an UpdateRule",
    ),
    "an array for data": (
        {"data": TRAIN.inputs},
        TypeError,
        "has no class labels; allowed: data judged by accuracy",
    ),
    "text for data": (
        {"data": pim.load_data("kjv", "calibration")},
        TypeError,
        "has no class labels",
    ),
    "a language model": (
        {"model": pim.load_model("small-lm")},
        TypeError,
        "allowed: text for a language model, samples for a network",
    ),
    "a model's name": ({"model": "digits-mlp"}, TypeError, "model='digits-mlp' cannot be trained"),
    "images for a table": (
        {"data": pim.load_data("fashion-mnist", "calibration", limit=4)},
        ValueError,
        r"input 'input' has shape \(1, 1, 28, 28\), allowed \(n, 64\)",
    ),
    "a rate that diverges": (
        {"rate": 1e3, "epochs": 3},
        ValueError,
        "training diverges in epoch .*guessing has 2.3.*take a smaller rate",
    ),
    "pulses that diverge": (
        {"target": SGD(device=SOFT), "rate": 50.0, "batch": 256, "start": "random"},
        ValueError,
        "two-step: the updates diverge: rate=50 asks for",
    ),
    "a one-sided cell": (
        {"target": TikiTaka(device=update_device("pcm-nandakumar2020"))},
        ValueError,
        "one-sided cell has no symmetry point",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_input_is_refused_with_value_and_limit(name):
    given, error, message = BAD[name]
    arguments = {"model": MODEL, "target": NPU, "data": TRAIN[:256], "seed": 0, **given}
    model, target, data = (arguments.pop(one) for one in ("model", "target", "data"))
    with pytest.raises(error, match=message):
        pim.train(model, target, data, **arguments)


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"labels .* allowed: 0\.\.1"):
        pim.train(pim.load_model("cancer-mlp"), NPU, _relabelled())


def _relabelled():
    data = pim.load_data("breast-cancer", "train", limit=16)
    return data.but(labels=data.labels + 2)


def test_a_network_that_takes_integers_gets_them_as_its_file_says():
    """Magika's files are int16 here and int32 there: Equal takes no two kinds."""
    files = pim.load_data("magika-files", "calibration", limit=2)
    trained = pim.train(pim.load_model("magika"), NPU, files)
    assert np.isfinite(trained.history.loss.values).all()


def _one(recipe, seed=0, **settings):
    given = {"epochs": 2, "rate": 2e-3, "batch": 64, **settings}
    return pim.train(MODEL, INT3, TRAIN, seed=seed, recipe=recipe, **given)


def test_recipes_are_kept_in_the_history_and_change_what_is_learned():
    plain = parameters(_one(None, epochs=1))
    for recipe in (
        pim.Recipe(clip=2.0),
        pim.Recipe(noise=0.05),
        pim.Recipe(drop_connect=0.1),
        pim.Recipe(distil=0.5, temperature=2.0),
        pim.Recipe(schedule="constant"),
    ):
        trained = _one(recipe, epochs=1)
        assert trained.history.attrs["recipe"] == repr(recipe)
        assert parameters(trained) != plain
        assert accuracy(trained, INT3) > 0.93, recipe


def test_real_numbers_are_learned_by_mean_square():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((256, 64)).astype(np.float32)
    labels = np.stack([x[:, i] for i in range(10)], axis=1)
    data = pim.Data(x, labels, metric="rmse", split="train", name="copies")
    trained = pim.train(MODEL, NPU, data, epochs=6, rate=5e-3, batch=32, start="random")
    assert "train_accuracy" not in trained.history
    assert trained.history.loss[-1] < 0.6 * trained.history.loss[0]
    square = _one(pim.Recipe(loss="mean square"), epochs=1)  # from a network of the other loss
    assert accuracy(square, INT3) > 0.9


def test_a_language_model_learns_through_noise():
    model, text = pim.load_model("small-lm"), pim.load_data("kjv", "train", limit=4)
    few = text.inputs[:, :33]
    short = text.but(inputs=few, labels=text.labels[:, :32], calibration=few[:2])
    recipe = pim.Recipe(parameters=True, clip=2.5)
    trained = pim.train(model, PCM, short, epochs=2, rate=1e-3, batch=4, at="1 y", recipe=recipe)
    assert trained.history.loss[-1] < trained.history.loss[0]
    assert trained.sha256 != model.sha256
    assert any(not np.array_equal(trained.parameters[n], p) for n, p in model.parameters.items())
    assert set(trained.weights) == set(model.weights)
    assert trained.generate(short.inputs[:1, :4], 2).shape == (1, 2)


def test_recipes_are_refused_where_they_do_not_apply():
    with pytest.raises(TypeError, match="recipe='clip' is no Recipe"):
        pim.train(MODEL, NPU, TRAIN[:8], recipe="clip")
    with pytest.raises(ValueError, match="pulses have a rule of their own"):
        pim.train(MODEL, SGD(device=SOFT), TRAIN[:8], recipe=pim.Recipe(clip=2.5))
    with pytest.raises(TypeError, match="allowed: text for a language model"):
        pim.train(MODEL, NPU, pim.load_data("kjv", "train", limit=2))


def test_a_reader_of_lines_learns_what_they_spell(tmp_path):
    """Each step of a line shows one of 5 marks, of which 3 are characters and 2 are blanks."""
    rng = np.random.default_rng(4)
    w = {"a": 0.3 * rng.standard_normal((5, 8)), "b": 0.3 * rng.standard_normal((8, 4))}
    path = onnx_graphs.write(
        tmp_path / "reader.onnx",
        [
            onnx_graphs.node("MatMul", ["x", "a"], "h", name="first"),
            onnx_graphs.node("Relu", ["h"], "r"),
            onnx_graphs.node("MatMul", ["r", "b"], "y", name="second"),
        ],
        {"x": ["n", 6, 5]},
        {name: value.astype(np.float32) for name, value in w.items()},
    )
    marks = rng.integers(0, 5, (48, 6))
    marks[:, 1::2] = 0
    wanted = np.where(marks > 3, 0, marks)[:, ::2]
    labels = np.array([[*row[row > 0], *[0] * np.sum(row == 0)] for row in wanted])
    data = pim.Data(
        np.eye(5, dtype=np.float32)[marks], labels, metric="character_error", split="train",
        name="marks",
    )  # fmt: skip
    reader = pim.load_model(path)
    tuned = pim.train(reader, pim.Crossbar(), data, epochs=40, rate=0.05, batch=16)
    assert tuned.execute(data.inputs, tuned.exact).shape == (len(data), 6, 4)
    assert tuned.history.loss[-1] < 0.2 * tuned.history.loss[0]
    assert tuned.history.train_accuracy[-1] > 0.9
    error = float(pim.run(tuned, pim.Crossbar(), data).character_error)
    assert error < 0.05 < float(pim.run(reader, pim.Crossbar(), data).character_error)
    same = pim.train(reader, pim.Crossbar(), data, recipe=pim.Recipe(distil=1.0), rate=1e-9)
    assert float(same.history.loss[0]) == pytest.approx(0, abs=1e-6)  # its own teacher
