"""Which layers does a LLaMA-style decoder consist of? The same as `language.decoder`, each with its
way back.
"""

from __future__ import annotations

import numpy as np

from pimlab.machine.protocol import MacOp
from pimlab.workload.importers.products import WeightProduct
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.model import ModelError
from pimlab.workload.training.attention import Attention, Heads, Turned
from pimlab.workload.training.layers import Gradients, Layer, Mac, Sum
from pimlab.workload.training.layout import Chosen
from pimlab.workload.training.norms import LayerNorm
from pimlab.workload.training.pointwise import (
    GELU_TANH,
    SWISH,
    Arithmetic,
    Curve,
    Pointwise,
)
from pimlab.workload.training.reading import Reading

TOKENS, LOGITS = "tokens", "logits"
_GATES = {"silu": SWISH, "gelu": GELU_TANH}


class _Decoder:
    """The layers of a shape, added one after the other; each method answers with the name of the
    tensor it made.
    """

    def __init__(self, model: LanguageModel):
        self.shape: DecoderShape = model.shape
        self.ops: dict[str, MacOp] = {op.name: op for op in model.mac_ops}
        self.weights = model.weights
        self.layers: list[Layer] = []

    def add(self, layer: Layer) -> str:
        self.layers.append(layer)
        return layer.output

    def linear(self, name: str, x: str) -> str:
        return self.add(Mac(WeightProduct(name, x, f"{name}.y", self.weights[name][0])))

    def normed(self, i: int, name: str, x: str) -> str:
        if name not in self.shape.gains:
            return x
        return self.norm(f"layer{i}.{name}", x)

    def norm(self, gain: str, x: str) -> str:
        epsilon = self.shape.norm_epsilon
        name, output = f"norm {gain}", f"{gain}.{x}"
        return self.add(LayerNorm(name, (x, gain), output, epsilon=epsilon, centred=False))

    def sum(self, name: str, a: str, b: str) -> str:
        return self.add(Sum(name, (a, b), name))

    def heads(self, i: int, name: str, x: str) -> str:
        label = f"layer{i}.{name}"
        y = self.add(
            Heads(f"{label}.heads", (self.linear(label, x),), label, self.shape.head_width)
        )
        if name == "v":
            return y
        y = self.normed(i, f"{name}_norm", y)
        local = self.shape.is_local(i)
        return self.add(Turned(f"{label}.turned", (y,), f"{label}.turned", self.shape, local))

    def block(self, i: int, x: str) -> str:
        y = self.normed(i, "attention_norm", x)
        q, k, v = (self.heads(i, name, y) for name in "qkv")
        attended = self.add(Attention(i, (q, k, v), f"layer{i}.attended", self.shape))
        y = self.normed(i, "attention_post_norm", self.linear(f"layer{i}.o", attended))
        x = self.sum(f"layer{i}.middle", x, y)
        y = self.normed(i, "ffn_norm", x)
        opened = self.pointwise(f"layer{i}.open", self.linear(f"layer{i}.gate", y), self._gate)
        up = self.linear(f"layer{i}.up", y)
        product = Arithmetic(f"layer{i}.gated", (opened, up), f"layer{i}.gated", "Mul")
        down = self.linear(f"layer{i}.down", self.add(product))
        return self.sum(f"layer{i}.end", x, self.normed(i, "ffn_post_norm", down))

    @property
    def _gate(self) -> Curve:
        return _GATES[self.shape.gate]

    def pointwise(self, name: str, x: str, curve: Curve) -> str:
        return self.add(Pointwise(name, (x,), name, curve))


class _Times(Layer):
    """x times a number."""

    def __init__(self, name: str, inputs: tuple[str, ...], output: str, factor: float):
        super().__init__(name, inputs, output)
        self.factor = np.float32(factor)

    def forward(self, *values: np.ndarray) -> np.ndarray:
        return values[0] * self.factor

    def backward(self, dy: np.ndarray) -> Gradients:
        return [dy * self.factor]


def read_decoder(model: LanguageModel) -> Reading:
    """The layers of a language model, from tokens int, shape (windows, tokens) to logits float32,
    shape (windows, tokens, vocabulary). ModelError for feed-forward networks that a router
    chooses.
    """
    shape = model.shape
    if shape.expert_count or shape.feed_forward != "swiglu":
        raise ModelError(
            f"{model.name}: its layers have a router or no gate, through which no loss is followed "
            "back; allowed: gated feed-forward networks"
        )
    made = _Decoder(model)
    x = made.add(Chosen("embedding", ("embedding", TOKENS), "x", 0))
    if shape.embedding_scale != 1:
        x = made.add(_Times("embedding scale", (x,), "scaled x", shape.embedding_scale))
    for i in range(shape.layers):
        x = made.block(i, x)
    logits = made.linear("head", made.norm("norm", x))
    if shape.logit_cap is not None:
        cap = np.float32(shape.logit_cap)
        capped = Curve(lambda z: cap * np.tanh(z / cap), lambda z, y: 1 - np.square(y / cap))
        logits = made.pointwise(LOGITS, logits, capped)
    return Reading(made.layers, TOKENS, logits, model.parameters, tuple(model.parameters))
