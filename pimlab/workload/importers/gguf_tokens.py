"""Which tokenizer does a GGUF file describe? Byte-pair encoding of bytes (GPT-2's kind) or of
characters with scores (SentencePiece's), run by the package `tokenizers`.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from pimlab.values import nearest
from pimlab.workload.importers.gguf_header import Header
from pimlab.workload.language.tokens import Tokenizer
from pimlab.workload.model import ModelError

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Pieces that merges do not cross, as cl100k and its heirs cut a text; digits are cut otherwise."""
_CASES = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The same of Mistral's Tekken, which cuts before capitals too."""
_PIECES = {
    "llama-bpe": _WORDS % r"\p{N}{1,3}",
    "dbrx": _WORDS % r"\p{N}{1,3}",
    "qwen2": _WORDS % r"\p{N}",
    "deepseek-r1-qwen": _WORDS % r"\p{N}",
    "tekken": _CASES,
}
"""Rule -> the pieces that it cuts."""
RULES = ("smollm", "gpt-2", *_PIECES)
"""tokenizer.ggml.pre of byte-level tokenizers that are read."""
_WHOLE = ("llama-bpe", "tekken")
"""Rules by which a piece that is a token needs no merges."""


def extra(package: str, what: str) -> Any:
    """The module of an optional package; ImportError says what to install."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{what} needs the package {package!r}: pip install pimlab[llm]"
        ) from error


def gguf_tokenizer(header: Header, name: str) -> Tokenizer:
    """The tokenizer a GGUF file describes; ModelError where its kind is not read, or its parts do
    not fit together.
    """
    kind, words = header.needed("tokenizer.ggml.model"), header.needed("tokenizer.ggml.tokens")
    if kind == "llama":
        pieces = _sentence_pieces(header, words)
        return _FileTokenizer(name, pieces, len(words), _start(header, len(words), True))
    rule = header.get("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or rule not in RULES:
        raise ModelError(
            f"{header.name}: tokenizer model {kind!r} with rule {rule!r}{nearest(rule, RULES)}; "
            f"allowed: 'llama', and 'gpt2' with {', '.join(map(repr, RULES))}"
        )
    known = set(words)
    merges = [_merge(header.name, m, known) for m in header.needed("tokenizer.ggml.merges")]
    start = _start(header, len(words), rule == "llama-bpe")
    return _FileTokenizer(name, _bytes(words, merges, rule), len(words), start)


def _start(header: Header, size: int, usual: bool) -> int | None:
    """The token that texts begin with, where the file or else its kind wants one: SentencePiece's
    and Llama 3's do.
    """
    token = header.get("tokenizer.ggml.bos_token_id")
    if token is None or not header.get("tokenizer.ggml.add_bos_token", usual):
        return None
    if not isinstance(token, int) or not 0 <= token < size:
        raise ModelError(
            f"{header.name}: tokenizer.ggml.bos_token_id={token!r} is not a token 0..{size - 1}"
        )
    return token


def _merge(file: str, merge: str, words: set[str]) -> tuple[str, str]:
    """The two words of a merge, which the package `tokenizers` would refuse with an error of no
    type.
    """
    left, _, right = merge.partition(" ")
    for word in (left, right, left + right):
        if word not in words:
            raise ModelError(
                f"{file}: merge {merge!r} of the tokenizer has {word!r}, which is not among "
                f"its {len(words)} tokens"
            )
    return left, right


def _bytes(words: list[str], merges: list[tuple[str, str]], rule: str) -> Any:
    """Byte-level byte-pair encoding."""
    library = extra("tokenizers", "the tokenizer of a GGUF file")
    vocabulary = {word: i for i, word in enumerate(words)}
    whole = rule in _WHOLE
    run = library.Tokenizer(library.models.BPE(vocabulary, merges, ignore_merges=whole))
    cut, level = library.pre_tokenizers, library.pre_tokenizers.ByteLevel
    split = [cut.Digits(individual_digits=True)] if rule == "smollm" else []
    if rule in _PIECES:
        pattern = library.Regex(_PIECES[rule])
        split = [cut.Split(pattern, behavior="isolated")]
    split.append(level(add_prefix_space=False, use_regex=rule not in _PIECES))
    run.pre_tokenizer, run.decoder = cut.Sequence(split), library.decoders.ByteLevel()
    return run


def _sentence_pieces(header: Header, words: list[str]) -> Any:
    """Byte-pair encoding of SentencePiece: of all neighbours the pair whose token has the highest
    score is joined first; characters without a token become bytes.
    """
    library = extra("tokenizers", "the tokenizer of a GGUF file")
    scores = header.needed("tokenizer.ggml.scores")
    if len(scores) != len(words):
        raise ModelError(
            f"{header.name}: tokenizer has {len(scores)} scores for {len(words)} tokens"
        )
    vocabulary = {word: i for i, word in enumerate(words)}
    model = library.models.BPE(
        vocabulary, _joins(vocabulary, scores), fuse_unk=True, byte_fallback=True, unk_token=None
    )
    run, normal = library.Tokenizer(model), library.normalizers
    first = header.get("tokenizer.ggml.add_space_prefix", True)
    run.normalizer = normal.Sequence(
        [*([normal.Prepend("▁")] if first else []), normal.Replace(" ", "▁")]
    )
    back = library.decoders
    strip = [back.Strip(" ", 1, 0)] if first else []
    run.decoder = back.Sequence([back.Replace("▁", " "), back.ByteFallback(), back.Fuse(), *strip])
    return run


def _joins(vocabulary: dict[str, int], scores: list[float]) -> list[tuple[str, str]]:
    """Every way to make a token of two others, the highest score of what is made first."""
    found = [
        (-scores[token], vocabulary[word[:cut]], vocabulary[word[cut:]], word, cut)
        for word, token in vocabulary.items()
        for cut in range(1, len(word))
        if word[:cut] in vocabulary and word[cut:] in vocabulary
    ]
    return [(word[:cut], word[cut:]) for *_, word, cut in sorted(found)]


class _FileTokenizer:
    """A tokenizer of the package `tokenizers` under the name of its file."""

    def __init__(self, name: str, run: Any, size: int, start: int | None):
        self.name, self.size, self.start, self._run = name, size, start, run

    def encode(self, text: str) -> np.ndarray:
        """int32, shape (tokens,) of a text, without the one that texts begin with."""
        return np.array(self._run.encode(text).ids, dtype=np.int32)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of int, shape (tokens,)."""
        return str(self._run.decode([int(token) for token in tokens]))
