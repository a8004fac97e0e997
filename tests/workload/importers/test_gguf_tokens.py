"""Tokenizers of GGUF files: pieces cut as their rules say, scores joined as SentencePiece joins them."""

import itertools

import pytest

from pimlab.workload.importers.gguf_model import load_gguf
from pimlab.workload.importers.gguf_tokens import RULES, extra, gguf_tokenizer
from pimlab.workload.model import ModelError
from tests.workload.importers.test_gguf_model import BYTES, MERGES, tensors_of, write

PIECES = ["<unk>", "<0x41>", "<0xC3>", "<0xA9>", "▁", "a", "b", "c", "ab", "bc", "▁a", "▁ab", "abc"]
SCORES = [0.0, 0.0, 0.0, 0.0, -9.0, -10.0, -11.0, -12.0, -2.0, -1.0, -3.0, -4.0, -5.0]


class _Header:
    name = "x.gguf"

    def __init__(self, **keys):
        self.keys = {f"tokenizer.ggml.{key}": value for key, value in keys.items()}

    def needed(self, key):
        return self.keys[key]

    def get(self, key, default=None):
        return self.keys.get(key, default)


def test_the_tokenizer_of_the_file_is_used(tmp_path):
    tokenizer = load_gguf(write(tmp_path / "tiny.gguf", tensors_of("F32"))).tokenizer
    assert tokenizer.encode("the 42").tolist() == [
        BYTES.index(word) for word in ("t", "he", "Ġ", "4", "2")
    ]
    assert tokenizer.encode(" the").tolist() == [BYTES.index("Ġthe")]
    assert tokenizer.decode(tokenizer.encode("the heathen\n42")) == "the heathen\n42"


@pytest.mark.parametrize(
    ("keys", "start"),
    [
        ({"bos_token_id": 5}, 5),
        ({"bos_token_id": 5, "add_bos_token": False}, None),
        ({"add_bos_token": True}, None),
    ],
)
def test_sentence_pieces_begin_with_the_token_that_the_file_names(keys, start):
    header = _Header(model="llama", tokens=PIECES, scores=SCORES, **keys)
    tokenizer = gguf_tokenizer(header, "x")
    assert tokenizer.start == start
    assert 5 not in tokenizer.encode("bc")


def test_a_first_token_that_is_none_is_refused():
    for bad in (13, -1, "one"):
        header = _Header(model="llama", tokens=PIECES, scores=SCORES, bos_token_id=bad)
        with pytest.raises(ModelError, match=r"bos_token_id=.* is not a token 0..12"):
            gguf_tokenizer(header, "x")


def _joined(text):
    """The pair of neighbours with the highest score first, again and again, as SentencePiece does."""
    parts = list(text)
    while True:
        pairs = [a + b for a, b in itertools.pairwise(parts)]
        known = [(-SCORES[PIECES.index(p)], i) for i, p in enumerate(pairs) if p in PIECES]
        if not known:
            return parts
        _, i = min(known)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


@pytest.mark.parametrize("text", ["abc", "a ab", "cab abcabc", " b  abab", "bcbc"])
def test_scores_join_the_best_pair_first(text):
    tokenizer = gguf_tokenizer(_Header(model="llama", tokens=PIECES, scores=SCORES), "x")
    tokens = tokenizer.encode(text)
    wanted = _joined("▁" + text.replace(" ", "▁"))
    assert [PIECES[i] for i in tokens] == wanted
    assert tokenizer.decode(tokens) == text


def test_characters_without_a_token_become_bytes():
    tokenizer = gguf_tokenizer(_Header(model="llama", tokens=PIECES, scores=SCORES), "x")
    assert [PIECES[i] for i in tokenizer.encode("é")] == ["▁", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(tokenizer.encode("aé")) == "aé"


@pytest.mark.parametrize(("rule", "digits"), [
    ("llama-bpe", 2), ("dbrx", 2), ("qwen2", 4), ("deepseek-r1-qwen", 4), ("tekken", 4),
    ("gpt-2", 1),
])  # fmt: skip
def test_digits_are_cut_as_the_rule_says(rule, digits):
    tokens = [*BYTES, "42", "424", "4242"]
    merges = [*MERGES, "4 2", "42 4", "42 42"]
    header = _Header(model="gpt2", pre=rule, tokens=tokens, merges=merges)
    tokenizer = gguf_tokenizer(header, "x")
    assert len(tokenizer.encode("4242")) == digits
    text = "the 42 hens'll\n\n  ate"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_tekken_cuts_before_capitals():
    tokens = [*BYTES, "aB"]
    for rule, count in (("tekken", 2), ("qwen2", 1)):
        header = _Header(model="gpt2", pre=rule, tokens=tokens, merges=[*MERGES, "a B"])
        assert len(gguf_tokenizer(header, "x").encode("aB")) == count, rule


def test_kinds_that_are_not_read_are_named():
    with pytest.raises(ModelError, match=r"'gpt2' with rule 'qwen'; did you mean 'qwen2'"):
        gguf_tokenizer(_Header(model="gpt2", pre="qwen", tokens=BYTES, merges=[]), "x")
    with pytest.raises(ModelError, match=r"tokenizer model 'bert'"):
        gguf_tokenizer(_Header(model="bert", tokens=BYTES), "x")
    with pytest.raises(ModelError, match=r"has 1 scores for 13 tokens"):
        gguf_tokenizer(_Header(model="llama", tokens=PIECES, scores=[0.0]), "x")
    assert "smollm" in RULES


def test_a_missing_package_says_what_to_install():
    with pytest.raises(
        ImportError,
        match=r"reading a GGUF file needs the package 'gguf_missing': pip install pimlab\[llm\]",
    ):
        extra("gguf_missing", "reading a GGUF file")
