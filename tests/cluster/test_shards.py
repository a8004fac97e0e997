"""Do the shards of a layer add up to the layer, and does one chip run what the workload says?"""

import pytest
from cluster_examples import EXPERTS, SMALL
from hypothesis import given
from hypothesis import strategies as st

from pimlab.cluster import Work
from pimlab.cluster.shards import (
    cache_values,
    check_expert,
    check_tensor,
    expert_degrees,
    first_ops,
    last_ops,
    layer_macs,
    layer_vectors,
    layer_weight_count,
    tensor_degrees,
    vocabulary_weight_count,
)
from pimlab.workload.language.shape import mac_ops, vector_ops


def plain(ops):
    return [op.but(name=op.name.removeprefix("layer0.")) for op in ops]


@given(batch=st.integers(1, 5), context=st.integers(1, 128))
def test_one_chip_decodes_what_the_workload_says(batch, context):
    work = Work(batch=batch, context=context)
    whole = mac_ops(SMALL, context, batch)
    assert list(layer_macs(SMALL, work)) == plain(whole[: len(whole) // SMALL.layers])
    vectors = vector_ops(SMALL, context, batch)
    each = [op for op in vectors if op.name.startswith("layer0.")]
    assert list(layer_vectors(SMALL, work)) == plain(each)
    assert first_ops(SMALL, work) == vectors[:1]
    assert last_ops(SMALL, work) == (vectors[-1], whole[-1])


@pytest.mark.parametrize("tensor", [1, 2, 4])
@pytest.mark.parametrize("queries", [1, 8])
def test_shards_add_up_to_the_layer(tensor, queries):
    work = Work(batch=3, queries=queries, context=64)
    macs = [sum(op.macs for op in layer_macs(SMALL, work, t)) for t in (1, tensor)]
    assert tensor * macs[1] == macs[0]
    assert tensor * layer_weight_count(SMALL, tensor) == layer_weight_count(SMALL)
    assert tensor * cache_values(SMALL, tensor) == cache_values(SMALL)


def test_heads_are_held_twice_where_there_are_fewer_than_chips():
    assert cache_values(SMALL, 8) == cache_values(SMALL, 4) == 2 * 8
    names = {op.name: op for op in layer_macs(SMALL, Work(batch=1, context=64), 8)}
    assert names["k"].n == 8
    assert names["scores"].groups == names["scores"].m == 1


def test_a_prompt_looks_at_half_of_itself():
    """64 queries over 64 keys: query i sees i + 1 of them, 32.5 on average."""
    names = {op.name: op for op in layer_macs(SMALL, Work(batch=1, queries=64, context=64))}
    assert names["scores"].n == names["values"].k == 33
    assert names["q"].m == 64


def test_sequence_parallelism_cuts_norms_by_tokens():
    work = Work(batch=8, context=16)
    plain, cut = (layer_vectors(SMALL, work, 4, sequence) for sequence in (False, True))
    for a, b in zip(plain, cut, strict=True):
        shared = a.name.endswith(("norm", "_add"))
        assert a.elements == (4 if shared else 1) * b.elements


def test_degrees_divide_heads_and_widths_are_padded():
    assert tensor_degrees(SMALL, 100) == (1, 2, 4, 8)
    with pytest.raises(
        ValueError, match="tensor=3 does not divide 8 heads of the model; allowed: 1, 2"
    ):
        check_tensor(SMALL, 3)
    padded = {op.name: op for op in layer_macs(SMALL.but(hidden=92), Work(batch=1, context=1), 8)}
    assert padded["up"].n == padded["down"].k == 12


def test_the_vocabulary_is_cut_upwards():
    assert vocabulary_weight_count(SMALL.but(vocabulary=97), 8) == 64 * 13


def test_a_step_brings_no_more_than_it_looks_at():
    with pytest.raises(ValueError, match="Work queries=5 are more than context=4"):
        Work(batch=1, queries=5, context=4)


def test_attention_by_sequences_keeps_heads_together():
    """Five sequences over two chips: three on the fuller one, with all of their heads."""
    work = Work(batch=5, context=64)
    names = {op.name: op for op in layer_macs(SMALL, work, 2, "sequences")}
    assert (names["scores"].groups, names["scores"].m) == (3 * 4, 2)
    assert names["q"].n == 32
    softmax = next(
        op for op in layer_vectors(SMALL, work, 2, False, "sequences") if op.kind == "softmax"
    )
    assert softmax.elements == 8 * 3 * 64
    assert layer_macs(SMALL, work, 1, "sequences") == layer_macs(SMALL, work)


@pytest.mark.parametrize("expert", [1, 2, 4])
def test_experts_dealt_out_do_the_same_work(expert):
    """64 tokens touch every expert: over four chips the products add up, however they are cut."""
    work = Work(batch=64, context=64)
    whole = {op.name: op.macs for op in layer_macs(EXPERTS, work)}
    shard = {op.name: op for op in layer_macs(EXPERTS, work, 4, expert=expert)}
    for name in ("gate", "up", "down"):
        assert shard[name].groups == 8 // expert
        assert 4 * shard[name].macs == whole[name]
    held = {op.name: op for op in layer_macs(EXPERTS, Work(batch=1, context=1), 4, every=True)}
    assert held["gate"].groups == 8


def test_experts_that_chips_cannot_share_are_refused():
    assert expert_degrees(EXPERTS, 4) == (1, 2, 4)
    assert expert_degrees(SMALL, 4) == (1,)
    with pytest.raises(ValueError, match="expert=3 does not divide 8 experts and tensor=4"):
        check_expert(EXPERTS, 4, 3)


@pytest.mark.parametrize(
    "shape",
    [SMALL.but(qk_norm=True, post_norms=True, attention_cap=50.0, gate="gelu"), EXPERTS],
)
def test_one_chip_does_every_vector_operator_of_the_workload(shape):
    ours = {op.name: op.elements for op in layer_vectors(shape, Work(batch=2, context=16))}
    theirs = {op.name: op.elements for op in vector_ops(shape, 16, 2)}
    assert ours == {
        name.removeprefix("layer0."): n for name, n in theirs.items() if name.startswith("layer0.")
    }
