"""How does a language model run on a machine? Token by token, with every product handed to whoever
executes it.

One inference is one decoding step (see `shape`): the operators and their counts are of a step at
the model's `point`, a context length and a batch. Values need no decoding step each: the text is
read in windows (prefill), which gives the same numbers, and `prefill`, `decode_step` and `generate`
run the same network with a key-value cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from pimlab.machine.protocol import MacOp
from pimlab.units import is_integer
from pimlab.workload.language.decoder import Cache, capped, hidden_states
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.language.step import CountedStep
from pimlab.workload.language.tokens import Tokenizer
from pimlab.workload.model import ModelError, Multiply

ROWS = 2048
"""Token rows that run through the layers together, and
LOGITS = 2**26 logits at most at a time: they bound memory and change no result beyond float
rounding.
"""
LOGITS = 2**26
SCORED = 32
"""Rows of logits that are scored at a time."""
THREADED = 2**26
"""Multiply-accumulates of one matrix product from which BLAS gets several threads: below, waiting
for a busy second core costs more (measured 0.3 s against 1.3 to 8 s for the small model's products
on two loaded cores).
"""


class Tokens(np.ndarray):
    """Tokens that know which tokenizer made them, so that a model with another one refuses them;
    slices know it too.
    """

    tokenizer: str | None

    def __new__(cls, tokens: np.ndarray, tokenizer: str) -> Tokens:
        self = np.asarray(tokens, dtype=np.int32).view(cls)
        self.tokenizer = tokenizer
        return self

    def __array_finalize__(self, made_from: np.ndarray | None) -> None:
        self.tokenizer = getattr(made_from, "tokenizer", None)


class LanguageModel(CountedStep):
    """A LLaMA-style decoder with weights.

    weights : operator name -> float32, shape (1, k, n).  parameters : embedding (vocabulary, width)
    and norm gains.
    blocks : operator name -> the weights as a GGUF file holds them (`gguf_model.BlockWeights`),
    where they are quantised.  biases : operator name -> float32, shape (n,).
    context, batch : the decoding step that `mac_ops` and `vector_ops` count; `at(context=, batch=)`
    gives another.
    """

    def __init__(
        self,
        *,
        name: str,
        sha256: str,
        shape: DecoderShape,
        tokenizer: Tokenizer,
        weights: Mapping[str, np.ndarray],
        parameters: Mapping[str, np.ndarray],
        blocks: Mapping[str, Any] | None = None,
        biases: Mapping[str, np.ndarray] | None = None,
    ):
        self.name, self.sha256, self.shape, self.tokenizer = name, sha256, shape, tokenizer
        self.weights, self.parameters, self.blocks = weights, parameters, blocks or {}
        self.biases, self.stored, self.rectified = dict(biases or {}), {}, frozenset()
        self._count(shape.context, 1)
        _check_arrays(self)

    def _count(self, context: int, batch: int, prompt: int = 1) -> None:
        super()._count(context, batch, prompt)
        self._ops = {op.name: op for op in self.mac_ops}

    def rows(self, inputs: np.ndarray) -> int:
        """Tokens that windows of shape (windows, context + 1) predict."""
        return inputs.shape[0] * (inputs.shape[1] - 1)

    def execute(self, inputs: np.ndarray, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Surprise of each next token, -ln p, float32, shape (windows, context), of int tokens
        (windows, context + 1).

        Window i reads its first `context` tokens from an empty cache and is scored on its last
        `context` tokens.
        first : index of the first window in the whole data set; row indices given to `multiply`
        follow from it.
        """
        tokens = self._checked_tokens(inputs, extra=1)
        out = np.empty((len(tokens), tokens.shape[1] - 1), np.float32)
        for start, states in self._states(tokens[:, :-1], multiply, first):
            targets = tokens[start : start + len(states), 1:].reshape(-1)
            surprise = [
                _surprise(logits, targets[i : i + len(logits)])
                for i, logits in self._heads(states, multiply, (first + start) * out.shape[1])
            ]
            out[start : start + len(states)] = np.concatenate(surprise).reshape(len(states), -1)
        return out

    def exact(self, op: MacOp, x: np.ndarray, w: np.ndarray | None, first: int) -> np.ndarray:
        """The `multiply` of an ideal machine: float32 products, bias added. x : float32,
        shape (groups, rows, k);  returns float32, shape (groups, rows, n).
        """
        if w is not None:
            return product(x, w)
        y = product(x, self.weights[op.name])
        return y + self.biases[op.name] if op.name in self.biases else y

    def logits(
        self, inputs: np.ndarray, multiply: Multiply | None = None, first: int = 0
    ) -> np.ndarray:
        """Logits float32, shape (windows, context, vocabulary) of int tokens (windows, context)."""
        tokens, multiply = self._checked_tokens(inputs), multiply or self.exact
        parts = [
            logits
            for start, states in self._states(tokens, multiply, first)
            for _, logits in self._heads(states, multiply, (first + start) * tokens.shape[1])
        ]
        return np.concatenate(parts).reshape(*tokens.shape, -1)

    def prefill(
        self, tokens: np.ndarray, multiply: Multiply | None = None, capacity: int | None = None
    ) -> tuple[np.ndarray, Cache]:
        """Logits float32, shape (batch, vocabulary) after int tokens (batch, count), and the cache
        that decoding continues.

        capacity : tokens a sequence may grow to; the model's context unless given.
        """
        tokens = self._checked_tokens(tokens)
        capacity = self.shape.context if capacity is None else capacity
        if not is_integer(capacity) or capacity < 1:
            raise ValueError(f"prefill capacity={capacity!r}; allowed: an integer, 1 or more")
        cache = Cache(self.shape, len(tokens), capacity)
        return self._continue(tokens, cache, multiply or self.exact), cache

    def decode_step(
        self, tokens: np.ndarray, cache: Cache, multiply: Multiply | None = None
    ) -> np.ndarray:
        """Logits float32, shape (batch, vocabulary) after one more token (batch,) of each cached
        sequence.
        """
        return self._continue(
            self._checked_tokens(np.asarray(tokens)[:, None]), cache, multiply or self.exact
        )

    def generate(
        self, prompt: np.ndarray, count: int, multiply: Multiply | None = None
    ) -> np.ndarray:
        """int32, shape (batch, count): the likeliest next tokens after int tokens (batch, length),
        one after the other.
        """
        if not is_integer(count) or count < 1:
            raise ValueError(f"generate count={count!r}; allowed: an integer, 1 or more")
        logits, cache = self.prefill(prompt, multiply, capacity=np.shape(prompt)[1] + count)
        tokens = [logits.argmax(axis=-1)]
        while len(tokens) < count:
            tokens.append(self.decode_step(tokens[-1], cache, multiply).argmax(axis=-1))
        return np.stack(tokens, axis=1).astype(np.int32)

    def _continue(self, tokens: np.ndarray, cache: Cache, multiply: Multiply) -> np.ndarray:
        longest = min(cache.capacity, self.shape.context)
        if cache.length + tokens.shape[1] > longest:
            raise ModelError(
                f"{self.name}: {cache.length} cached + {tokens.shape[1]} tokens exceed the context "
                f"of {longest}"
            )
        row = cache.length * len(tokens)
        states = hidden_states(self.shape, self.parameters, self._ops, tokens, cache, multiply, row)
        y = multiply(self._ops["head"], states[None, :, -1], None, row)[0]
        return capped(y, self.shape.logit_cap)

    def _states(
        self, tokens: np.ndarray, multiply: Multiply, first: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index of the first window, states (windows, context, width)) of a few windows at a
        time.
        """
        windows, length = max(1, ROWS // tokens.shape[1]), tokens.shape[1]
        for start in range(0, len(tokens), windows):
            part = tokens[start : start + windows]
            cache = Cache(self.shape, len(part), length)
            yield (
                start,
                hidden_states(
                    self.shape,
                    self.parameters,
                    self._ops,
                    part,
                    cache,
                    multiply,
                    (first + start) * length,
                ),
            )

    def _heads(
        self, states: np.ndarray, multiply: Multiply, first: int
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index of the first row, logits, shape (rows, vocabulary)) of a few rows at a time."""
        rows, flat = max(1, LOGITS // self.shape.vocabulary), states.reshape(-1, self.shape.width)
        for i in range(0, len(flat), rows):
            y = multiply(self._ops["head"], flat[None, i : i + rows], None, first + i)[0]
            yield i, capped(y, self.shape.logit_cap)

    def _checked_tokens(self, tokens: np.ndarray, extra: int = 0) -> np.ndarray:
        maker = getattr(tokens, "tokenizer", None)
        if maker not in (None, self.tokenizer.name):
            raise ModelError(
                f"{self.name}: tokens of the tokenizer {maker!r}; allowed: "
                f"{self.tokenizer.name!r}, the model's own"
            )
        tokens = np.asarray(tokens)
        if tokens.ndim != 2 or not np.issubdtype(tokens.dtype, np.integer) or 0 in tokens.shape:
            raise ModelError(
                f"{self.name}: tokens have shape {tokens.shape}, {tokens.dtype}; allowed: integers "
                "(windows, tokens)"
            )
        if tokens.shape[1] - extra > self.shape.context or tokens.shape[1] <= extra:
            window = tokens.shape[1] - extra
            raise ModelError(
                f"{self.name}: a window of {window} tokens; allowed: 1..{self.shape.context}, the "
                "model's context"
            )
        if tokens.min() < 0 or tokens.max() >= self.shape.vocabulary:
            found = tokens.min() if tokens.min() < 0 else tokens.max()
            raise ModelError(
                f"{self.name}: token {found} is outside its vocabulary "
                f"0..{self.shape.vocabulary - 1}; "
                f"were the tokens made with the tokenizer {self.tokenizer.name!r}?"
            )
        return tokens


def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """x @ w in float32, stacks of matrices; small ones on one BLAS thread. x : float32,
    shape (..., m, k);  w : float32, shape (..., k, n).
    """
    if x.shape[-2] * w.shape[-2] * w.shape[-1] >= THREADED:
        return np.matmul(x, w)
    with _blas().limit(limits=1, user_api="blas"):
        return np.matmul(x, w)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def _surprise(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """-ln softmax(logits)[target], float32, shape (rows,) of logits (rows, vocabulary); ValueError
    where logits are not finite.
    """
    top = logits.max(axis=-1)
    if not np.isfinite(top).all():
        raise ModelError(
            f"logits of {np.count_nonzero(~np.isfinite(top))} tokens are not finite; the products "
            "overflowed"
        )
    total = np.empty_like(top)
    for start in range(0, len(top), SCORED):  # a few rows: another array of all is 0.2 GB
        rows = slice(start, start + SCORED)
        spread = logits[rows] - top[rows, None]
        total[rows] = np.exp(spread, out=spread).sum(axis=-1)
    return top + np.log(total) - logits[np.arange(len(targets)), targets]


def _check_arrays(model: LanguageModel) -> None:
    """Every operator has finite weights of its shape, every norm its gain, and the tokenizer fits
    the vocabulary.
    """
    shape = model.shape
    layers = range(shape.layers)
    gains = {f"layer{i}.{name}": (n,) for i in layers for name, n in shape.gains.items()}
    wanted: dict[str, tuple[int, ...]] = {
        op.name: (1, op.k, op.n) for op in model.mac_ops if op.kind == "weights"
    }
    wanted |= {"embedding": (shape.vocabulary, shape.width), "norm": (shape.width,), **gains}
    wanted |= {f"bias of {op.name}": (op.n,) for op in model.mac_ops if op.name in model.biases}
    held = {**model.parameters, **model.weights}
    held |= {f"bias of {name}": bias for name, bias in model.biases.items()}
    for name, size in wanted.items():
        array = held.get(name)
        if array is None or array.shape != size:
            raise ModelError(
                f"{model.name}: {name!r} has shape {None if array is None else array.shape}, "
                f"needed {size}"
            )
        if not np.isfinite(array).all():
            raise ModelError(
                f"{model.name}: {name!r} holds {np.count_nonzero(~np.isfinite(array))} values that "
                "are not finite"
            )
    if model.tokenizer.size != shape.vocabulary:
        described = f"tokenizer {model.tokenizer.name!r} has {model.tokenizer.size} tokens"
        raise ModelError(f"{model.name}: {described}, its embedding {shape.vocabulary}")
