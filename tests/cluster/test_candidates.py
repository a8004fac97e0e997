"""Is every way to cut a model over the chips tried, and none that does not go?"""

from cluster_examples import SMALL

from pimlab.cluster import Degrees, Work
from pimlab.cluster.candidates import candidates

WORK = Work(batch=4, context=64)


def test_every_cut_fits_on_the_chips_and_divides_the_heads():
    options = list(candidates(SMALL, 8, WORK, {}))
    assert len(options) == len(set(options))
    assert all(one.chips <= 8 and SMALL.heads % one.tensor == 0 for one in options)
    assert Degrees() in options
    assert Degrees(tensor=2, pipeline=2, data=2, microbatches=2) in options


def test_degrees_that_are_given_are_kept():
    assert {one.tensor for one in candidates(SMALL, 8, WORK, {"tensor": 4})} == {4}
    lone = list(candidates(SMALL, 8, WORK, {"tensor": 1, "pipeline": 1, "data": 1}))
    assert lone == [Degrees()]
