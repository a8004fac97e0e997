"""What runs token by token? Language models: their shapes, the decoder, tokenizers, texts and
perplexity.

`MODELS` and `TEXTS` name what `pimlab.load_model` and `pimlab.load_data` find here. One inference
is one decoding step.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pimlab.machine.streamed import streamed
    from pimlab.workload.importers.gguf_model import BlockWeights, load_gguf
    from pimlab.workload.language.model import LanguageModel
    from pimlab.workload.language.perplexity import Perplexity
    from pimlab.workload.language.shape import DecoderShape
    from pimlab.workload.transform.compressed import compressed_by
    from pimlab.workload.transform.outliers import outlier_aware
    from pimlab.workload.zoo.hyperscale import HyperscaleModel, hyperscale
    from pimlab.workload.zoo.language_models import MODELS, TEXTS

_EXPORTS = {
    "BlockWeights": "pimlab.workload.importers.gguf_model",
    "load_gguf": "pimlab.workload.importers.gguf_model",
    "HyperscaleModel": "pimlab.workload.zoo.hyperscale",
    "hyperscale": "pimlab.workload.zoo.hyperscale",
    "MODELS": "pimlab.workload.zoo.language_models",
    "TEXTS": "pimlab.workload.zoo.language_models",
    "LanguageModel": "pimlab.workload.language.model",
    "Perplexity": "pimlab.workload.language.perplexity",
    "DecoderShape": "pimlab.workload.language.shape",
    "compressed_by": "pimlab.workload.transform.compressed",
    "outlier_aware": "pimlab.workload.transform.outliers",
    "streamed": "pimlab.machine.streamed",
}

__all__ = [
    "MODELS",
    "TEXTS",
    "BlockWeights",
    "DecoderShape",
    "HyperscaleModel",
    "LanguageModel",
    "Perplexity",
    "compressed_by",
    "hyperscale",
    "load_gguf",
    "outlier_aware",
    "streamed",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        from pimlab.values import nearest

        raise AttributeError(f"pimlab.workload.language has no {name!r}{nearest(name, _EXPORTS)}")
    globals()[name] = getattr(importlib.import_module(_EXPORTS[name]), name)
    return globals()[name]
