"""Are policies and SLOs checked where they are made?"""

import pytest

import pimlab as pim
from pimlab.serving import Policy


def test_a_step_has_a_token_for_each_sequence():
    with pytest.raises(ValueError, match="tokens=4 is below batch=256"):
        Policy(tokens=4)


def test_bounds_are_those_that_are_set():
    assert pim.Slo(ttft="0.5 s", tpot="50 ms").bounds == {"ttft": 0.5, "tpot": 0.05}
    assert pim.Slo().bounds == {}
    with pytest.raises(ValueError, match="Slo ttft='0 s' is outside above 0"):
        pim.Slo(ttft="0 s")


def test_misspelt_routers_get_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'least work'"):
        Policy(router="least worked")
    with pytest.raises(TypeError, match="mixed='no' is not True or False"):
        Policy(mixed="no")
