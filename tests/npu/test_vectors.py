"""Is no operator free but those that only move data?"""

from pimlab import catalogue
from pimlab.machine.protocol import VectorOp
from pimlab.npu.vectors import operations


def test_each_result_costs_what_the_catalogue_says():
    table = catalogue.entry("energy", "vector-operations")
    for kind, constant in table.items():
        op = VectorOp(name="v", kind=kind, elements=70)
        assert operations(op) == 70 * round(constant.value)


def test_an_unlisted_kind_counts_one_a_result_and_softmax_more_than_relu():
    assert operations(VectorOp(name="v", kind="never heard of", elements=9)) == 9
    one = {
        kind: operations(VectorOp(name="v", kind=kind, elements=1)) for kind in ("relu", "softmax")
    }
    assert one["softmax"] > one["relu"] >= 1
