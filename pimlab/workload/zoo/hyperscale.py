"""What does a token of a hyperscale model cost, when nobody has its weights? Its shape tells
operators and bytes.

Shapes come from `catalogue/shapes`. Accuracy is absent: executing such a model is refused, not
invented.
"""

from __future__ import annotations

import hashlib
from typing import Any, NoReturn

from pimlab import catalogue
from pimlab.arguments import named
from pimlab.workload.language.experts import ExpertShape
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.language.step import CountedStep
from pimlab.workload.model import ModelError

UNPUBLISHED = {
    "hyperclova-204b": "no division of it into layers, width and heads was found in print "
    "(searched in 2026), so it has no costs here; "
    "known of the family is the 82-billion-parameter model, total published and division assumed: "
    "'hyperclova-82b'",
}
"""Models that were announced without a shape, and what is known instead."""


class HyperscaleModel(CountedStep):
    """The shape of a published decoder as a workload: operators of one decoding step, no weights.

    context, batch : the decoding step that is counted; `at(context=, batch=)` gives another.
    """

    def __init__(self, name: str, shape: DecoderShape, context: int | None = None, batch: int = 1):
        self.name, self.shape = name, shape
        self.sha256 = hashlib.sha256(repr(shape).encode()).hexdigest()
        self.weights, self.biases, self.stored, self.rectified = {}, {}, {}, frozenset()
        self._count(shape.context if context is None else context, batch)

    def execute(self, *_: object, **__: object) -> NoReturn:
        """ModelError: nobody gave weights, so there are no outputs."""
        raise ModelError(
            f"{self.name}: its weights are not here, so it has costs and no accuracy; "
            "for a language model that executes write load_model('small-lm')"
        )


@named
def hyperscale(name: str) -> HyperscaleModel:
    """The shape `name` of the catalogue, such as "llama2-70b"; ValueError with the nearest name, or
    why there is none.
    """
    if name in UNPUBLISHED:
        raise ModelError(f"{name}: {UNPUBLISHED[name]}")
    entry = catalogue.entry("shapes", name)
    sizes: dict[str, Any] = {
        field: int(entry[field].value)
        for field in ("vocabulary", "width", "layers", "heads", "kv_heads", "hidden", "context")
    }
    given: dict[str, Any] = {
        **sizes,
        "head_width": sizes["width"] // sizes["heads"],
        "feed_forward": entry.meta["feed_forward"],
    }
    if "experts" in entry:
        experts: dict[str, Any] = {word: int(entry[word].value) for word in ("experts", "active")}
        return HyperscaleModel(name, ExpertShape(**given, **experts))
    return HyperscaleModel(name, DecoderShape(**given))
