"""What does one decoded token cost in products and bytes? The shape of a decoder-only language
model answers.

One inference of a language model is one decoding step: `batch` sequences, each holding `context`
tokens in its key-value cache (the new one included), emit one token each. The formulas need no
weights, so a shape whose weights nobody has is a workload for energy and latency all the same.
"""

from __future__ import annotations

import itertools

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.units import is_integer
from pimlab.values import Value, choice, integer, number, part, truth
from pimlab.workload.graph import Edge, Graph
from pimlab.workload.language.rotary import Divisors, Rotary


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
    rotary: Rotary = part(Rotary, default=Rotary())
    gate: str = choice("silu", "gelu", default="silu", doc="activation of SwiGLU's gate; GeGLU's")
    qk_norm: bool = False
    """Whether queries and keys are normalised, head by head (Qwen3, Gemma 3)."""
    post_norms: bool = False
    """Whether what attention and feed-forward make is normalised too (Gemma 2 and 3)."""
    window: int | None = integer(
        1, default=None, doc="tokens that a local layer looks at, its own included; None: all"
    )
    global_every: int | None = integer(
        2,
        default=None,
        doc="every so manieth layer looks at all; None: where there is a window, none",
    )
    local_rope_base: float | None = number(
        above=0, default=None, doc="of local layers, whose angles are not scaled; None: rope_base"
    )
    attention_scale: float | None = number(
        above=0, default=None, doc="what multiplies scores; None: head_width**-0.5"
    )
    attention_cap: float | None = number(
        above=0, default=None, doc="scores are cap tanh(score / cap); None: as they are"
    )
    logit_cap: float | None = number(above=0, default=None, doc="the same for logits")
    embedding_scale: float = number(above=0, default=1.0)

    def check(self) -> None:
        """Query heads share key-value heads evenly; rotary pairs need an even head width."""
        truth("DecoderShape qk_norm", self.qk_norm)
        truth("DecoderShape post_norms", self.post_norms)
        if self.heads % self.kv_heads:
            raise ValueError(
                f"DecoderShape heads={self.heads} is no multiple of kv_heads={self.kv_heads}"
            )
        if self.head_width % 2:
            raise ValueError(
                f"DecoderShape head_width={self.head_width} is odd; rotary positions turn pairs of "
                "features"
            )
        _check_rotary(self.rotary, self.head_width)

    def is_local(self, layer: int) -> bool:
        """Whether a layer looks at the last `window` tokens alone."""
        every = self.global_every
        return self.window is not None and (every is None or (layer + 1) % every != 0)

    def span(self, layer: int, context: int) -> int:
        """Keys that a layer looks at for the last of `context` tokens (unit: keys)."""
        return min(context, self.window) if self.window and self.is_local(layer) else context

    @property
    def gains(self) -> dict[str, int]:
        """Normalisations of one layer by name, and the features each has a gain for (unit:
        features).
        """
        found = {"attention_norm": self.width}
        if self.qk_norm:
            found |= {"q_norm": self.head_width, "k_norm": self.head_width}
        if self.post_norms:
            found |= {"attention_post_norm": self.width, "ffn_post_norm": self.width}
        return found | {"ffn_norm": self.width}

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The shape (k, n) of the weight matrices of one layer, by name."""
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
    def expert_count(self) -> int:
        """Feed-forward networks of a layer that a router chooses from (unit: networks); 0 without a
        router.
        """
        return 0

    def routed(self, tokens: int, chips: int = 1, every: bool = False) -> tuple[int, int]:
        """(feed-forward networks, tokens of each) on one chip; `language.experts` has several.
        Unit: networks, and tokens.
        """
        return 1, tokens

    @property
    def layer_weights(self) -> int:
        """Weights of the linear layers, without the head (unit: weights)."""
        return self.layers * sum(k * n for k, n in self.matrices.values())

    @property
    def head_weights(self) -> int:
        """Weights of the language-model head (the embedding's, where they are tied) (unit:
        weights).
        """
        return self.width * self.vocabulary

    def kv_bytes(self, context: int, batch: int = 1, bytes_a_value: float = 2.0) -> float:
        """Bytes of the key-value cache: 2 layers kv_heads head_width context batch
        bytes_a_value. Unit: bytes.
        """
        return 2 * self.layers * self.kv_heads * self.head_width * context * batch * bytes_a_value

    def weight_bytes(self, bytes_a_weight: float = 2.0) -> float:
        """Bytes of every weight a decoded token reads once: linear layers and head (unit:
        bytes).
        """
        return (self.layer_weights + self.head_weights) * bytes_a_weight

    def macs(self, context: int, batch: int = 1) -> int:
        """Multiply-accumulates of one decoding step, from the operators (unit: MACs)."""
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
        (Williams 2009). Unit: 1/s.
        """
        return (
            batch
            * bandwidth
            / (self.weight_bytes(bytes_a_weight) + self.kv_bytes(context, batch, bytes_a_value))
        )


def _check_rotary(rotary: Rotary, head_width: int) -> None:
    width, scaling = rotary.width or head_width, rotary.scaling
    if width > head_width or width % 2:
        raise ValueError(
            f"DecoderShape rotary width={width}; allowed: an even number up to {head_width}, the "
            "width of a head"
        )
    if isinstance(scaling, Divisors) and len(scaling.short) != width // 2:
        raise ValueError(
            f"DecoderShape rotary scaling has {len(scaling.short)} divisors; allowed: "
            f"{width // 2}, one a pair of features that turn"
        )


def weight_intensity(batch: int, bytes_a_weight: float = 2.0) -> float:
    """Arithmetic intensity of decoding a linear layer, op/B: 2 batch / bytes a weight (activations
    not counted). Unit: 1/byte.
    """
    return 2 * batch / bytes_a_weight


def attention_intensity(shape: DecoderShape, bytes_a_value: float = 2.0) -> float:
    """Arithmetic intensity of decoding attention, op/B: 2 (heads / kv_heads) / bytes a value, for
    any batch. Unit: 1/byte.
    """
    return 2 * shape.heads / shape.kv_heads / bytes_a_value


def checked_point(shape: DecoderShape, context: int, batch: int, prompt: int = 1) -> None:
    """ValueError where a context, batch or prompt is outside what the shape allows, TypeError where
    it is no integer.
    """
    for name, value in (("context", context), ("batch", batch), ("prompt", prompt)):
        if not is_integer(value):
            raise TypeError(f"{name}={value!r} is not an integer")
    if not 1 <= context <= shape.context:
        raise ValueError(
            f"context={context} is outside 1..{shape.context}, what the model was trained for"
        )
    if batch < 1:
        raise ValueError(f"batch={batch} is outside 1..; allowed: one sequence or more")
    if not 1 <= prompt <= context:
        raise ValueError(
            f"prompt={prompt} is outside 1..{context}, the context, which holds its tokens"
        )


FEED_FORWARD = ("gate", "up", "down")


def products(shape: DecoderShape, tokens: int) -> dict[str, tuple[int, int, int, int]]:
    """(networks, rows, k, n) of the products with weights of one layer by name, in order."""
    found = {}
    for name, (k, n) in shape.matrices.items():
        if shape.expert_count and name == FEED_FORWARD["gate" not in shape.matrices]:
            found["router"] = (1, tokens, shape.width, shape.expert_count)
        networks, rows = shape.routed(tokens) if name in FEED_FORWARD else (1, tokens)
        found[name] = (networks, rows, k, n)
    return found


def seen(shape: DecoderShape, layer: int, context: int, prompt: int = 1) -> int:
    """Keys that each of the last `prompt` tokens of `context` looks at in a layer, on average and
    rounded up: the causal mask leaves out those behind it.
    """
    widest, first = shape.span(layer, context), context - prompt + 1
    rising = max(0, min(widest, context) - first + 1)
    total = rising * (first + first + rising - 1) // 2 + (prompt - rising) * widest
    return -(-total // prompt)


def mac_ops(
    shape: DecoderShape, context: int, batch: int = 1, prompt: int = 1
) -> tuple[MacOp, ...]:
    """The MAC operators of one step, in the order they run: a decoding step, or with a `prompt` of
    several tokens the prefill that reads the last `prompt` tokens of `context` at once.

    Linear layers: (batch prompt, k) @ (k, n); the head: the last token of each sequence. Attention:
    one product a sequence and key-value head, whose rows are the query heads that share it, token
    by token: scores (prompt heads/kv_heads, head_width) @ (head_width, keys), values back.
    """
    checked_point(shape, context, batch, prompt)
    groups, size = shape.kv_heads * batch, shape.head_width
    rows = prompt * (shape.heads // shape.kv_heads)
    ops = []
    for i in range(shape.layers):
        linear = {
            name: MacOp(name=f"layer{i}.{name}", m=m, k=k, n=n, groups=networks)
            for name, (networks, m, k, n) in products(shape, batch * prompt).items()
        }
        keys = seen(shape, i, context, prompt)
        scores = MacOp(
            name=f"layer{i}.scores",
            m=rows,
            k=size,
            n=keys,
            groups=groups,
            kind="activations",
            cached=True,
            appended=size * prompt,
        )
        values = scores.but(name=f"layer{i}.values", k=keys, n=size)
        ops += [linear.pop("q"), linear.pop("k"), linear.pop("v"), scores, values, *linear.values()]
    return (*ops, MacOp(name="head", m=batch, k=shape.width, n=shape.vocabulary))


def vector_ops(
    shape: DecoderShape, context: int, batch: int = 1, prompt: int = 1
) -> tuple[VectorOp, ...]:
    """The operators of one step that are no MAC: elements are outputs of the whole batch, of every
    token of a prompt, but for the last norm, which the head reads one token of.
    """
    checked_point(shape, context, batch, prompt)
    norm, tokens = _norm(shape), batch * prompt
    ops = [VectorOp(name="embedding", kind="gather", elements=tokens * shape.width, rows=tokens)]
    ops += [
        VectorOp(name=f"layer{i}.{name}", kind=kind, elements=n, rows=rows_of(kind, tokens))
        for i in range(shape.layers)
        for name, kind, n in _layer_vectors(shape, norm, seen(shape, i, context, prompt), tokens)
    ]
    ops += [VectorOp(name="norm", kind=norm, elements=batch * shape.width, rows=batch)]
    if shape.logit_cap is not None:
        ops += [VectorOp(name="logit_cap", kind="tanh", elements=batch * shape.vocabulary)]
    return tuple(ops)


def rows_of(kind: str, tokens: int) -> int | None:
    """Rows of an operator on `tokens` tokens: one each, but the scores of attention, of which every
    head has one (None: enough). Unit: rows.
    """
    return None if kind == "softmax" else tokens


def _norm(shape: DecoderShape) -> str:
    return "rmsnormalization" if shape.feed_forward == "swiglu" else "layernormalization"


def _layer_vectors(
    shape: DecoderShape, norm: str, keys: int, tokens: int
) -> list[tuple[str, str, int]]:
    """(name, kind, elements) of a layer's operators that are no MAC."""
    gated, width = shape.feed_forward == "swiglu", tokens * shape.width
    q, k = (tokens * heads * shape.head_width for heads in (shape.heads, shape.kv_heads))
    looking = tokens * shape.heads * keys
    networks, rows = shape.routed(tokens)
    return [
        ("attention_norm", norm, width),
        *([("q_norm", norm, q), ("k_norm", norm, k)] if shape.qk_norm else []),
        *([("rotaryembedding", "rotaryembedding", q + k)] if gated else []),
        *([("cap", "tanh", looking)] if shape.attention_cap else []),
        ("softmax", "softmax", looking),
        *([("attention_post_norm", norm, width)] if shape.post_norms else []),
        ("attention_add", "add", width),
        ("ffn_norm", norm, width),
        *network_vectors(shape, tokens, networks * rows, shape.hidden),
        *([("ffn_post_norm", norm, width)] if shape.post_norms else []),
        ("ffn_add", "add", width),
    ]


def network_vectors(
    shape: DecoderShape, tokens: int, passes: int, hidden: int
) -> list[tuple[str, str, int]]:
    """(name, kind, elements) of what the feed-forward networks of a layer do besides products, when
    `tokens` tokens make `passes` passes through networks of width `hidden`.
    """
    gated = shape.feed_forward == "swiglu"
    activation = "swish" if gated and shape.gate == "silu" else "gelu"
    inner = [(activation, activation), *([("mul", "mul")] if gated else [])]
    found = [(name, kind, hidden * passes) for name, kind in inner]
    if shape.expert_count:
        found.insert(0, ("router_softmax", "softmax", tokens * shape.expert_count))
        found.append(("combine", "add", passes * shape.width))
    return found


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
    if shape.logit_cap is not None:
        pairs.append(("head", "logit_cap"))
    return Graph(edges=tuple(Edge(maker=a, reader=b) for a, b in pairs), rows={})


def _within_layer(shape: DecoderShape) -> list[tuple[str, str]]:
    gated = shape.feed_forward == "swiglu"
    pairs = [("attention_norm", name) for name in "qkv"]
    q, k = ("q_norm", "k_norm") if shape.qk_norm else ("q", "k")
    pairs += [("q", "q_norm"), ("k", "k_norm")] if shape.qk_norm else []
    turned = "rotaryembedding" if gated else ""
    pairs += [(q, turned), (k, turned), (turned, "scores")] if gated else []
    pairs += [] if gated else [(q, "scores"), (k, "scores")]
    pairs += _chain("scores", *(["cap"] if shape.attention_cap else []), "softmax", "values", "o")
    pairs += [("v", "values")]
    pairs += _chain("o", *(["attention_post_norm"] if shape.post_norms else []), "attention_add")
    pairs += [("attention_add", "ffn_norm"), ("ffn_norm", "up")]
    if gated:
        activation = "swish" if shape.gate == "silu" else "gelu"
        pairs += [("ffn_norm", "gate"), ("gate", activation), (activation, "mul"), ("up", "mul")]
        pairs += [("mul", "down")]
    else:
        pairs += [("up", "gelu"), ("gelu", "down")]
    if shape.expert_count:
        first = ("gate", "up") if gated else ("up",)
        pairs += _chain("ffn_norm", "router", "router_softmax")
        pairs += [("router_softmax", name) for name in first]
    ends = ["combine"] if shape.expert_count else []
    ends += ["ffn_post_norm"] if shape.post_norms else []
    pairs += _chain("down", *ends, "ffn_add")
    return [*pairs, ("attention_add", "ffn_add")]


def _chain(*names: str) -> list[tuple[str, str]]:
    return list(itertools.pairwise(names))
