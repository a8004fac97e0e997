"""Can a page still be read? Lines of text drawn with pixel noise, and PP-OCRv4's recogniser that
reads them.

The lines are rendered, not scanned: verses of the King James Bible in DejaVu Sans, black on white,
with Gaussian noise of a stated deviation (of 255) on every pixel. So they say how a recogniser's
arithmetic bears noise, not how well it reads handwriting or photographs.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from pimlab.keys import Key
from pimlab.workload import files
from pimlab.workload.model import Model
from pimlab.workload.zoo.packages import installed

HEIGHT, WIDTH = 48, 320
"""Pixels of a line."""

LETTERS = 20
"""Characters of a line at most."""

COUNT = {"test": 100, "calibration": 16, "train": 256}
"""Lines of a split."""

_SIZE, _MARGIN = 30, 2
_PACKAGE = {
    "requirement": "rapidocr-onnxruntime==1.4.4",
    "install": "pip install --no-deps rapidocr-onnxruntime==1.4.4",
}


def _file() -> Path:
    return installed(
        path="rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        **_PACKAGE,
        sha256="48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
    )


def recogniser(dims: dict[str, int] | None = None) -> Model:
    """PP-OCRv4's recogniser (38 convolutions, 2 attention layers, 6625 characters); ImportError
    says what to install.
    """
    from pimlab.workload.importers.onnx_split import OnnxModel

    return OnnxModel(
        _file(),
        name="ocr",
        dims=dims or {"?": HEIGHT, "p2o.DynamicDimension.1": WIDTH},
        finish=best_characters,
    )


def best_characters(scores: np.ndarray, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """int64, shape (n, steps): the likeliest character at each step of scores (n, steps,
    characters); 0 is the blank.
    """
    return scores.argmax(axis=2)


@functools.cache
def characters() -> tuple[str, ...]:
    """The recogniser's characters by number: the blank, those its file names, and the space."""
    import onnx

    found = {entry.key: entry.value for entry in onnx.load(_file()).metadata_props}
    return ("", *found["character"].split("\n"), " ")


def rendered(deviation: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Lines float32, shape (n, 3, HEIGHT, WIDTH) in -1..1 and their characters' numbers int64,
    shape (n, LETTERS), 0 behind the end.
    """
    texts = _texts(split)
    number = {character: index for index, character in enumerate(characters())}
    labels = np.zeros((len(texts), LETTERS), np.int64)
    for row, text in enumerate(texts):
        labels[row, : len(text)] = [number[character] for character in text]
    noise = np.random.default_rng(list(Key(seed=0).child("line noise", split).words))
    x = np.zeros(
        (len(texts), 3, HEIGHT, WIDTH), np.float32
    )  # the recogniser's own padding: mid-grey right of the line
    for row, text in enumerate(texts):
        page = _drawn(text)
        page = np.clip(page + deviation * noise.standard_normal(page.shape), 0, 255).round()
        x[row, :, :, : page.shape[1]] = page / 127.5 - 1
    return x, labels


def _texts(split: str) -> list[str]:
    """The first lines of the split's book, broken at words."""
    import textwrap

    from pimlab.workload.zoo import kjv
    from pimlab.workload.zoo.language_models import TEXT

    text = " ".join(kjv.text(files.verified(TEXT), split).split())
    return textwrap.wrap(text[: 2 * LETTERS * COUNT[split]], LETTERS, break_long_words=True)[
        : COUNT[split]
    ]


@functools.cache
def _font() -> object:
    import importlib.metadata

    from PIL import ImageFont

    path = importlib.metadata.distribution("matplotlib").locate_file(
        "matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf"
    )
    return ImageFont.truetype(str(path), _SIZE)


def _drawn(text: str) -> np.ndarray:
    """float64, shape (HEIGHT, up to WIDTH), 255 where white, as tight as a detector's box; a longer
    line is squeezed.
    """
    from PIL import Image, ImageDraw

    font = _font()
    wide = 2 * _MARGIN + int(font.getlength(text))  # type: ignore[attr-defined]
    page = Image.new("L", (wide, HEIGHT), 255)
    pen = ImageDraw.Draw(page)
    pen.text((_MARGIN, HEIGHT // 2), text, fill=0, font=font, anchor="lm")  # type: ignore[arg-type]
    return np.asarray(
        page.resize((min(wide, WIDTH), HEIGHT), Image.Resampling.BILINEAR), np.float64
    )
