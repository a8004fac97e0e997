"""What runs token by token? Language models: their shapes, the decoder, tokenizers, texts and perplexity.

`MODELS` and `TEXTS` name what `pimlab.load_model` and `pimlab.load_data` find here. One inference is one decoding step.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pimlab.workload.language.gguf_model import BlockWeights, load_gguf
    from pimlab.workload.language.known import MODELS, TEXTS
    from pimlab.workload.language.light import lightweight
    from pimlab.workload.language.model import LanguageModel
    from pimlab.workload.language.outliers import outlier_aware
    from pimlab.workload.language.perplexity import Perplexity
    from pimlab.workload.language.published import HyperscaleModel, hyperscale
    from pimlab.workload.language.shape import DecoderShape
    from pimlab.workload.language.streaming import streamed

_EXPORTS = {
    "BlockWeights": "gguf_model", "load_gguf": "gguf_model", "HyperscaleModel": "published", "hyperscale": "published",
    "MODELS": "known", "TEXTS": "known", "LanguageModel": "model", "Perplexity": "perplexity", "DecoderShape": "shape",
    "lightweight": "light", "outlier_aware": "outliers", "streamed": "streaming",
}  # fmt: skip

__all__ = [
    "MODELS",
    "TEXTS",
    "BlockWeights",
    "DecoderShape",
    "HyperscaleModel",
    "LanguageModel",
    "Perplexity",
    "hyperscale",
    "lightweight",
    "load_gguf",
    "outlier_aware",
    "streamed",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        from pimlab.values import nearest

        raise AttributeError(f"pimlab.workload.language has no {name!r}{nearest(name, _EXPORTS)}")
    globals()[name] = getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    return globals()[name]
