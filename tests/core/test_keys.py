"""Are keys different where causes differ, and nowhere else?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimlab.keys import Key, as_key


@given(
    st.lists(
        st.tuples(
            st.integers(0, 99),
            st.lists(st.one_of(st.text(max_size=5), st.integers(0, 9)), max_size=4),
        ),
        max_size=20,
    )
)
def test_words_differ_exactly_where_seed_or_path_differ(many):
    keys = {(seed, tuple(path)): Key(seed=seed).child(*path).words for seed, path in many}
    assert len(set(keys.values())) == len(keys)


def test_rows_keep_the_words_and_typed_paths_differ():
    key = as_key(7).child("read noise", "conv1")
    assert key.rows(500).words == key.words
    assert key.rows(500).row == 500
    assert Key(seed=0).child(1).words != Key(seed=0).child("1").words


@pytest.mark.parametrize("bad", [-1, 1.5, "0", None, True, 2**63])
def test_a_seed_is_an_integer_from_zero(bad):
    with pytest.raises((TypeError, ValueError), match="seed="):
        as_key(bad)
