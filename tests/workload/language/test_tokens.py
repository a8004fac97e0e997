"""Every text is tokens and back, by the merges that were learnt, in their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.workload.language.tokens import BytePairs, learn_merges

AB, BC, ABC = (97, 98), (98, 99), (256, 99)


def test_earlier_merges_apply_first():
    tokenizer = BytePairs("three", np.array([AB, BC, ABC]))
    assert tokenizer.encode("abc").tolist() == [258]
    assert tokenizer.encode("bcab").tolist() == [257, 256]
    assert tokenizer.encode("ab c").tolist() == [256, 32, 99], "a merge stays inside a word"
    assert tokenizer.size == 259


@given(st.text(max_size=60))
def test_a_text_comes_back(text):
    tokenizer = BytePairs("three", np.array([AB, BC, ABC]))
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_most_frequent_pair_is_learnt_first():
    assert learn_merges("abab abab", 2).tolist() == [[97, 98], [256, 256]]
    assert learn_merges("aaaa", 1).tolist() == [[97, 97]]
    assert learn_merges("abc", 5).shape == (0, 2), "nothing occurs twice"


@given(st.text(alphabet="abc ", min_size=10, max_size=80), st.integers(0, 12))
def test_learnt_merges_shorten_and_come_back(text, count):
    tokenizer = BytePairs("learnt", learn_merges(text, count))
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert len(tokens) <= len(text)


def test_a_merge_of_later_tokens_is_refused():
    with pytest.raises(ValueError, match=r"merge 0 joins 300 and 97; allowed: tokens 0\.\.255"):
        BytePairs("bad", np.array([[300, 97]]))


def test_damaged_bytes_become_the_replacement_character():
    assert BytePairs("bytes", np.empty((0, 2))).decode(np.array([0xFF, 65])) == "�A"
