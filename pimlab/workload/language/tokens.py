"""Which integers stand for a text? Byte-pair encoding: every text is tokens, and the tokens are the
text again.

`BytePairs` is the project's own (merges learnt by datasets/train/train_small_lm.py);
`gguf_tokenizer` in `gguf_tokens` builds the one a GGUF file describes. Both have `name`, `size`,
`encode(text)` and `decode(tokens)`.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np

_WORD = re.compile(r" ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s")
"""A merge never crosses these pieces: a word with the space before it, a digit, a run of marks, one
white space.
"""


class Tokenizer(Protocol):
    """What a language model needs of a tokenizer."""

    name: str
    size: int
    start: int | None
    """Token that texts begin with where the model was trained so; `encode` leaves it out. None: no
    such token.
    """

    def encode(self, text: str) -> np.ndarray:
        """int32, shape (tokens,) of a text."""

    def decode(self, tokens: np.ndarray) -> str:
        """The text of int, shape (tokens,)."""


class BytePairs:
    """Byte-level byte-pair encoding: tokens 0..255 are bytes, token 256 + i joins the pair
    `merges[i]`.

    name : names the vocabulary, so that data made with another one is refused.
    merges : int, shape (merges, 2), earlier merges apply first (Sennrich et al. 2016, algorithm 1).
    """

    start: int | None = None

    def __init__(self, name: str, merges: np.ndarray):
        self.name, self.merges, self.size = (
            name,
            np.asarray(merges, dtype=np.int32).reshape(-1, 2),
            256 + len(merges),
        )
        self._pieces = [bytes([b]) for b in range(256)]
        for new, (left, right) in enumerate(self.merges.tolist(), start=256):
            if max(left, right) >= new or min(left, right) < 0:
                raise ValueError(
                    f"tokenizer {name!r}: merge {new - 256} joins {left} and {right}; allowed: "
                    f"tokens 0..{new - 1}"
                )
            self._pieces.append(self._pieces[left] + self._pieces[right])
        self._rank = {
            (left, right): rank for rank, (left, right) in enumerate(self.merges.tolist())
        }
        self._word = lru_cache(maxsize=65536)(self._encode_word)

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.name, self.merges))

    def encode(self, text: str) -> np.ndarray:
        """int32, shape (tokens,) of a text; `decode` gives the text back."""
        return np.array(
            [token for piece in _WORD.findall(text) for token in self._word(piece)], dtype=np.int32
        )

    def decode(self, tokens: np.ndarray) -> str:
        """The text of int, shape (tokens,); bytes that are no UTF-8 become the replacement
        character.
        """
        return b"".join(self._pieces[int(token)] for token in tokens).decode(
            "utf-8", errors="replace"
        )

    def _encode_word(self, word: str) -> tuple[int, ...]:
        tokens = list(word.encode("utf-8"))
        while len(tokens) > 1:
            rank, place = min(
                (self._rank.get(pair, len(self._rank)), i)
                for i, pair in enumerate(pairwise(tokens))
            )
            if rank == len(self._rank):
                break
            tokens[place : place + 2] = [256 + rank]
        return tuple(tokens)


def learn_merges(text: str, count: int) -> np.ndarray:
    """int32, shape (count, 2): the merges that byte-pair encoding learns from a text, most frequent
    pair first.

    Ties go to the smaller pair of token numbers. Fewer come back when no pair occurs twice.
    """
    words = {tuple(word.encode("utf-8")): n for word, n in Counter(_WORD.findall(text)).items()}
    merges: list[tuple[int, int]] = []
    while len(merges) < count:
        pairs: Counter[tuple[int, int]] = Counter()
        for word, n in words.items():
            for pair in pairwise(word):
                pairs[pair] += n
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            break
        words = _joined(words, best, 256 + len(merges))
        merges.append(best)
    return np.array(merges, dtype=np.int32).reshape(-1, 2)


def _joined(
    words: dict[tuple[int, ...], int], pair: tuple[int, int], new: int
) -> dict[tuple[int, ...], int]:
    return {_merge(word, pair, new) if pair[0] in word else word: n for word, n in words.items()}


def _merge(word: tuple[int, ...], pair: tuple[int, int], new: int) -> tuple[int, ...]:
    merged: list[int] = []
    i = 0
    while i < len(word):
        both = word[i : i + 2] == pair
        merged.append(new if both else word[i])
        i += 2 if both else 1
    return tuple(merged)
