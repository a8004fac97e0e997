"""What does one decoded token cost in products and bytes? The shape of a decoder-only language
model answers.

One inference of a language model is one decoding step: `batch` sequences, each holding `context`
tokens in its key-value cache (the new one included), emit one token each. The formulas need no
weights, so a shape whose weights nobody has is a workload for energy and latency all the same.
"""

from __future__ import annotations

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.values import Value, choice, integer, number
from pimlab.workload.graph import Edge, Graph


class DecoderShape(Value):
    """Sizes of a decoder-only transformer (Vaswani et al. 2017; Touvron et al. 2023 for the LLaMA
    family).
    """

    vocabulary: int = integer(1)
    width: int = integer(1, doc="model dimension d")
    layers: int = integer(1)
    heads: int = integer(1, doc="query heads")
    kv_heads: int = integer(1, doc="key-value heads; fewer than `heads` is grouped-query attention")
    head_width: int = integer(2, doc="features of one head")
    hidden: int = integer(1, doc="width of the feed-forward layer")
    context: int = integer(1, doc="longest context the model was trained for, tokens")
    feed_forward: str = choice(
        "swiglu", "gelu", default="swiglu", doc="three matrices (gate, up, down) or two (up, down)"
    )
    rope_base: float = number(above=0, default=10000.0, doc="base of the rotary angles")
    norm_epsilon: float = number(above=0, default=1e-5)

    def check(self) -> None:
        """Query heads share key-value heads evenly; rotary pairs need an even head width."""
        if self.heads % self.kv_heads:
            raise ValueError(
                f"DecoderShape heads={self.heads} is no multiple of kv_heads={self.kv_heads}"
            )
        if self.head_width % 2:
            raise ValueError(
                f"DecoderShape head_width={self.head_width} is odd; rotary positions turn pairs of "
                "features"
            )

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """(k, n) of the weight matrices of one layer by name."""
        d, q, kv, f = (
            self.width,
            self.heads * self.head_width,
            self.kv_heads * self.head_width,
            self.hidden,
        )
        attention = {"q": (d, q), "k": (d, kv), "v": (d, kv), "o": (q, d)}
        gate = {"gate": (d, f)} if self.feed_forward == "swiglu" else {}
        return attention | gate | {"up": (d, f), "down": (f, d)}

    @property
    def layer_weights(self) -> int:
        """Weights of the linear layers, without the head."""
        return self.layers * sum(k * n for k, n in self.matrices.values())

    @property
    def head_weights(self) -> int:
        """Weights of the language-model head (the embedding's, where they are tied)."""
        return self.width * self.vocabulary

    def kv_bytes(self, context: int, batch: int = 1, bytes_a_value: float = 2.0) -> float:
        """Bytes of the key-value cache: 2 layers kv_heads head_width context batch
        bytes_a_value.
        """
        return 2 * self.layers * self.kv_heads * self.head_width * context * batch * bytes_a_value

    def weight_bytes(self, bytes_a_weight: float = 2.0) -> float:
        """Bytes of every weight a decoded token reads once: linear layers and head."""
        return (self.layer_weights + self.head_weights) * bytes_a_weight

    def macs(self, context: int, batch: int = 1) -> int:
        """Multiply-accumulates of one decoding step, from the operators."""
        return sum(op.macs for op in mac_ops(self, context, batch))

    def tokens_per_second(
        self,
        bandwidth: float,
        context: int,
        batch: int = 1,
        *,
        bytes_a_weight: float = 2.0,
        bytes_a_value: float = 2.0,
    ) -> float:
        """Upper bound on tokens a second of memory with `bandwidth` B/s: weights read once a step,
        each cache once.

        batch bandwidth / (weight bytes + KV bytes of the batch): the memory side of the roofline
        (Williams 2009).
        """
        return (
            batch
            * bandwidth
            / (self.weight_bytes(bytes_a_weight) + self.kv_bytes(context, batch, bytes_a_value))
        )


def weight_intensity(batch: int, bytes_a_weight: float = 2.0) -> float:
    """Arithmetic intensity of decoding a linear layer, op/B: 2 batch / bytes a weight (activations
    not counted).
    """
    return 2 * batch / bytes_a_weight


def attention_intensity(shape: DecoderShape, bytes_a_value: float = 2.0) -> float:
    """Arithmetic intensity of decoding attention, op/B: 2 (heads / kv_heads) / bytes a value, for
    any batch.
    """
    return 2 * shape.heads / shape.kv_heads / bytes_a_value


def checked_point(shape: DecoderShape, context: int, batch: int) -> None:
    """ValueError where a context or batch is outside what the shape allows, TypeError where it is
    no integer.
    """
    for name, value in (("context", context), ("batch", batch)):
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError(f"{name}={value!r} is not an integer")
    if not 1 <= context <= shape.context:
        raise ValueError(
            f"context={context} is outside 1..{shape.context}, what the model was trained for"
        )
    if batch < 1:
        raise ValueError(f"batch={batch} is outside 1..; allowed: one sequence or more")


def mac_ops(shape: DecoderShape, context: int, batch: int = 1) -> tuple[MacOp, ...]:
    """The MAC operators of one decoding step, in the order they run.

    Linear layers and head: (batch, k) @ (k, n). Attention: one product a sequence and key-value
    head, whose rows are the query heads that share it: scores (heads/kv_heads, head_width) @
    (head_width, context), values back.
    """
    checked_point(shape, context, batch)
    groups, rows, size = shape.kv_heads * batch, shape.heads // shape.kv_heads, shape.head_width
    ops = []
    for i in range(shape.layers):
        linear = {
            name: MacOp(name=f"layer{i}.{name}", m=batch, k=k, n=n)
            for name, (k, n) in shape.matrices.items()
        }
        scores = MacOp(
            name=f"layer{i}.scores",
            m=rows,
            k=size,
            n=context,
            groups=groups,
            kind="activations",
            cached=True,
            appended=size,
        )
        values = MacOp(
            name=f"layer{i}.values",
            m=rows,
            k=context,
            n=size,
            groups=groups,
            kind="activations",
            cached=True,
            appended=size,
        )
        ops += [linear.pop("q"), linear.pop("k"), linear.pop("v"), scores, values, *linear.values()]
    return (*ops, MacOp(name="head", m=batch, k=shape.width, n=shape.vocabulary))


def vector_ops(shape: DecoderShape, context: int, batch: int = 1) -> tuple[VectorOp, ...]:
    """The operators of one decoding step that are no MAC: elements are outputs of the whole
    batch.
    """
    checked_point(shape, context, batch)
    gated = shape.feed_forward == "swiglu"
    norm, hidden = "rmsnormalization" if gated else "layernormalization", shape.hidden
    turned = (shape.heads + shape.kv_heads) * shape.head_width
    rotary = [("rotaryembedding", "rotaryembedding", turned)] if gated else []
    activation = [("swish", "swish", hidden), ("mul", "mul", hidden)]
    each = [
        ("attention_norm", norm, shape.width),
        *rotary,
        ("softmax", "softmax", shape.heads * context),
        ("attention_add", "add", shape.width),
        ("ffn_norm", norm, shape.width),
        *(activation if gated else [("gelu", "gelu", hidden)]),
        ("ffn_add", "add", shape.width),
    ]
    ops = [VectorOp(name="embedding", kind="gather", elements=batch * shape.width)]
    ops += [
        VectorOp(name=f"layer{i}.{name}", kind=kind, elements=batch * n)
        for i in range(shape.layers)
        for name, kind, n in each
    ]
    return (*ops, VectorOp(name="norm", kind=norm, elements=batch * shape.width))


def graph(shape: DecoderShape) -> Graph:
    """What each operator of a decoding step needs: the chain of layers, the residual connections
    around attention and feed-forward, and keys and values that go into the cache before it is read.
    """
    pairs: list[tuple[str, str]] = []
    x = "embedding"
    for i in range(shape.layers):
        layer = f"layer{i}."
        pairs += [(x, layer + "attention_norm"), (x, layer + "attention_add")]
        pairs += [(layer + a, layer + b) for a, b in _within_layer(shape)]
        x = layer + "ffn_add"
    pairs += [(x, "norm"), ("norm", "head")]
    return Graph(edges=tuple(Edge(maker=a, reader=b) for a, b in pairs), rows={})


def _within_layer(shape: DecoderShape) -> list[tuple[str, str]]:
    gated = shape.feed_forward == "swiglu"
    rotary = [("q", "rotaryembedding"), ("k", "rotaryembedding"), ("rotaryembedding", "scores")]
    pairs = [("attention_norm", name) for name in "qkv"]
    pairs += rotary if gated else [("q", "scores"), ("k", "scores")]
    pairs += [("scores", "softmax"), ("softmax", "values"), ("v", "values"), ("values", "o")]
    pairs += [("o", "attention_add"), ("attention_add", "ffn_norm"), ("ffn_norm", "up")]
    if gated:
        pairs += [("ffn_norm", "gate"), ("gate", "swish"), ("swish", "mul"), ("up", "mul")]
        pairs += [("mul", "down")]
    else:
        pairs += [("up", "gelu"), ("gelu", "down")]
    return [*pairs, ("down", "ffn_add"), ("attention_add", "ffn_add")]
