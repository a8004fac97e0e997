"""Which operators does one chip run when a layer is cut among several? The shards of a decoder.

Tensor parallelism as in Megatron-LM (Shoeybi et al. 2019): query, key, value, gate and up matrices
are cut by columns, the output and down matrices by rows, heads are dealt out; after each of the two
halves of a layer the partial sums are added over the chips (one all-reduce). Heads must divide; a
feed-forward width that does not is padded. Where there are fewer key-value heads than chips, the
heads are held more than once. The embedding and the head of the model are cut by vocabulary.

With attention by "sequences", heads are not dealt out but the sequences of the batch: each stays
whole, with its cache, on one chip, which the products before it are gathered to.
"""

from __future__ import annotations

from functools import lru_cache

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.values import Value, integer
from pimlab.workload.language.shape import (
    FEED_FORWARD,
    DecoderShape,
    network_vectors,
    products,
    rows_of,
)

Op = MacOp | VectorOp


class Work(Value):
    """What one step does: `batch` sequences bring `queries` new tokens each and look back on
    `context` tokens, the new ones included.
    """

    batch: int = integer(1)
    queries: int = integer(1, default=1)
    context: int = integer(1)

    def check(self) -> None:
        """The new tokens are part of the context."""
        if self.queries > self.context:
            raise ValueError(
                f"Work queries={self.queries} are more than context={self.context}, which holds "
                "them"
            )

    @property
    def tokens(self) -> int:
        """New tokens of the step (unit: tokens)."""
        return self.batch * self.queries

    @property
    def seen(self) -> int:
        """Keys that a query looks at, on average: the causal mask leaves out those behind it (unit:
        keys).
        """
        return -(-(2 * self.context - self.queries + 1) // 2)


def tensor_degrees(shape: DecoderShape, most: int) -> tuple[int, ...]:
    """The tensor degrees up to `most` that divide the query heads (unit: chips)."""
    return tuple(t for t in range(1, most + 1) if shape.heads % t == 0)


def check_tensor(shape: DecoderShape, tensor: int) -> None:
    """ValueError where `tensor` chips do not share the query heads evenly."""
    if shape.heads % tensor:
        allowed = ", ".join(map(str, tensor_degrees(shape, shape.heads)))
        raise ValueError(
            f"tensor={tensor} does not divide {shape.heads} heads of the model; allowed: {allowed}"
        )


def expert_degrees(shape: DecoderShape, tensor: int) -> tuple[int, ...]:
    """Over how many of `tensor` chips the experts can be dealt out evenly."""
    most = max(1, shape.expert_count)
    return tuple(e for e in range(1, min(tensor, most) + 1) if tensor % e == 0 and most % e == 0)


def check_expert(shape: DecoderShape, tensor: int, expert: int) -> None:
    """ValueError where the experts are not dealt out evenly over chips of the stage."""
    allowed = expert_degrees(shape, tensor)
    if expert not in allowed:
        raise ValueError(
            f"expert={expert} does not divide {shape.expert_count} experts and tensor={tensor}; "
            f"allowed: {', '.join(map(str, allowed))}"
        )


@lru_cache(maxsize=16384)
def layer_macs(
    shape: DecoderShape,
    work: Work,
    tensor: int = 1,
    attention: str = "heads",
    expert: int = 1,
    every: bool = False,
) -> tuple[MacOp, ...]:
    """The MAC operators of one layer on one of `tensor` chips, in the order they run; attention is
    dealt out by "heads" or by "sequences", experts over `expert` of the chips.

    every : products of all experts, for what a chip holds; else of those that a token chooses. Unit
    of a size: values, after the cut.
    """
    held = max(1, shape.kv_heads // tensor)
    heads, size, m = shape.heads // tensor, shape.head_width, work.tokens
    cut = {"q": heads * size, "k": held * size, "v": held * size}
    hidden = -(-shape.hidden // (tensor // expert))
    cut |= dict.fromkeys(("gate", "up"), hidden)
    networks, rows = shape.routed(m, expert, every)
    ops = {
        name: MacOp(name=name, m=m, k=k, n=cut.get(name, n))
        for name, (_, _, k, n) in products(shape, m).items()
    }
    for name in FEED_FORWARD:
        if name in ops:
            ops[name] = ops[name].but(m=rows, groups=networks)
    ops["o"] = ops["o"].but(k=heads * size)
    ops["down"] = ops["down"].but(k=hidden)
    whole = attention == "sequences"
    cached = MacOp(
        name="scores",
        k=size,
        n=work.seen,
        m=work.queries * (shape.heads // shape.kv_heads if whole else heads // held),
        groups=-(-work.batch // tensor) * shape.kv_heads if whole else work.batch * held,
        kind="activations",
        cached=True,
        appended=size * work.queries,
    )
    values = cached.but(name="values", k=work.seen, n=size)
    first = [ops.pop(name) for name in ("q", "k", "v")]
    return (*first, cached, values, *ops.values())


@lru_cache(maxsize=16384)
def layer_vectors(
    shape: DecoderShape,
    work: Work,
    tensor: int = 1,
    sequence: bool = False,
    attention: str = "heads",
    expert: int = 1,
) -> tuple[VectorOp, ...]:
    """The operators of one layer that are no MAC, on one of `tensor` chips.

    sequence : norms and residual additions are cut by tokens as well (sequence parallelism,
    Korthikanti et al. 2022); else every chip does them for all tokens. Unit of a size: values,
    after the cut.
    """
    m, whole = work.tokens, -(-work.tokens // tensor) if sequence else work.tokens
    heads, held = shape.heads // tensor, max(1, shape.kv_heads // tensor)
    gated = shape.feed_forward == "swiglu"
    norm = "rmsnormalization" if gated else "layernormalization"
    networks, rows = shape.routed(m, expert)
    hidden = -(-shape.hidden // (tensor // expert))
    looking = shape.heads * -(-work.batch // tensor) * work.queries
    looking = looking if attention == "sequences" else heads * m
    q, k = heads * shape.head_width * m, held * shape.head_width * m
    each = [
        ("attention_norm", norm, shape.width * whole),
        *([("q_norm", norm, q), ("k_norm", norm, k)] if shape.qk_norm else []),
        *([("rotaryembedding", "rotaryembedding", q + k)] if gated else []),
        *([("cap", "tanh", looking * work.seen)] if shape.attention_cap else []),
        ("softmax", "softmax", looking * work.seen),
        *([("attention_post_norm", norm, shape.width * whole)] if shape.post_norms else []),
        ("attention_add", "add", shape.width * whole),
        ("ffn_norm", norm, shape.width * whole),
        *network_vectors(shape, m, networks * rows, hidden),
        *([("ffn_post_norm", norm, shape.width * whole)] if shape.post_norms else []),
        ("ffn_add", "add", shape.width * whole),
    ]
    return tuple(
        VectorOp(name=name, kind=kind, elements=n, rows=rows_of(kind, m)) for name, kind, n in each
    )


@lru_cache(maxsize=16384)
def first_ops(shape: DecoderShape, work: Work) -> tuple[Op, ...]:
    """What the first stage does before its layers: look the tokens up."""
    tokens = work.tokens
    return (VectorOp(name="embedding", kind="gather", elements=tokens * shape.width, rows=tokens),)


@lru_cache(maxsize=16384)
def last_ops(shape: DecoderShape, work: Work, tensor: int = 1) -> tuple[Op, ...]:
    """What the last stage does after its layers, for the last token of every sequence: the norm and
    the head of the model.
    """
    gated = shape.feed_forward == "swiglu"
    norm = "rmsnormalization" if gated else "layernormalization"
    head = MacOp(name="head", m=work.batch, k=shape.width, n=-(-shape.vocabulary // tensor))
    last = VectorOp(name="norm", kind=norm, elements=work.batch * shape.width, rows=work.batch)
    return (last, head)


def layer_weight_count(shape: DecoderShape, tensor: int = 1) -> int:
    """Weights of one layer on one of `tensor` chips, heads that are held twice counted twice (unit:
    weights).
    """
    work = Work(batch=1, context=1)
    return sum(op.k * op.n for op in layer_macs(shape, work, tensor) if op.kind == "weights")


def vocabulary_weight_count(shape: DecoderShape, tensor: int = 1) -> int:
    """Weights of the embedding, or of the head, on one of `tensor` chips (unit: weights)."""
    return shape.width * -(-shape.vocabulary // tensor)


def cache_values(shape: DecoderShape, tensor: int = 1) -> int:
    """Cached values of one token and layer on one of `tensor` chips (unit: values)."""
    return 2 * max(1, shape.kv_heads // tensor) * shape.head_width
