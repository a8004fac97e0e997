"""Is the cheapest rearrangement that meets a bound found, and are others told what is out of reach?"""

import pytest

import pimlab as pim
from pimlab.analog.design import IDEAL_CELL
from pimlab.analog.devices.curves import Polynomial
from pimlab.analog.devices.programming import ProgrammingError
from pimlab.studies.outlier_search import Choice
from pimlab.workload.language import outlier_aware as rearranged

MODEL, DATA = pim.load_model("digits-mlp"), pim.load_data("digits", limit=60)
INT2 = pim.target("warboy").but(
    name="int3", arithmetic=pim.target("warboy").arithmetic.but(weights="int3", activations="int3")
)


@pytest.fixture(scope="module")
def every():
    """(accuracy, energy) of each of the 16 choices, by brute force."""
    return {
        Choice(digital, centred, smoothing, per_token): pim.run(
            rearranged(
                MODEL,
                DATA,
                digital=digital,
                centred=centred,
                smoothing=smoothing,
                per_token=per_token,
            ),
            INT2,
            DATA,
        )
        for digital in (0, 2)
        for centred in (False, True)
        for smoothing in (None, 0.5)
        for per_token in (False, True)
    }


def test_no_cheaper_choice_meets_the_bound(every):
    values = {choice: float(answer.accuracy) for choice, answer in every.items()}
    joules = {choice: float(answer.energy.sum()) for choice, answer in every.items()}
    for bound in sorted(set(values.values()))[1:]:
        found = pim.outlier_aware(MODEL, INT2, DATA, bound, digital=(0, 2))
        able = [choice for choice, value in values.items() if value >= bound]
        least = min(joules[choice] for choice in able)
        assert found.quality >= bound
        assert found.energy == pytest.approx(least, rel=1e-6)
        same = [c for c in able if joules[c] == pytest.approx(least, rel=1e-6)]
        assert found.quality == max(values[c] for c in same)
        assert found.choice in same


def test_the_model_that_is_found_runs_and_says_why(every):
    found = pim.outlier_aware(MODEL, INT2, DATA, 0.0, digital=(0,))
    assert float(pim.run(found.model, INT2, DATA).accuracy) == found.quality
    assert str(found.choice) in found.why
    assert found.tried.sizes["choice"] == 4
    assert pim.cite(found.tried)


def test_what_is_out_of_reach_names_the_best():
    with pytest.raises(ValueError, match=r"accuracy 1.1 is out of reach of 8 rearrangements"):
        pim.outlier_aware(MODEL, INT2, DATA, 1.1, digital=(0,))


def test_numbers_that_no_operator_can_spare():
    with pytest.raises(ValueError, match=r"digital=\(-1, 64\); allowed: numbers within 0..63"):
        pim.outlier_aware(MODEL, INT2, DATA, 0.5, digital=(-1, 64))
    with pytest.raises(ValueError, match="bound=nan"):
        pim.outlier_aware(MODEL, INT2, DATA, float("nan"))


ERROR = ProgrammingError(sigma=Polynomial(coefficients=(5e-6,)), g_reference=1e-5)
COARSE = pim.Crossbar(name="coarse", cell=IDEAL_CELL.but(name="coarse", programming=ERROR))


def test_layers_move_to_the_host_until_the_bound_is_met():
    """By brute force over every set of layers, each tried with the plan that puts it there."""
    npu = pim.target("warboy")
    plan = pim.Plan(model=MODEL, machines=[COARSE, npu])
    answers = {
        moved: pim.run(MODEL, plan.but(owners=dict.fromkeys(moved, "warboy")), DATA, chips="needed")
        for moved in ((), ("fc1",), ("fc2",), ("fc1", "fc2"))
    }
    values = {moved: float(one.accuracy) for moved, one in answers.items()}
    found = pim.outlier_aware(MODEL, plan, DATA, 0.9, digital=(0,), hosted=(0, 1, 2))
    assert values[()] < 0.9 <= found.quality
    able = [moved for moved, value in values.items() if value >= 0.9]
    least = min(float(answers[moved].energy.sum()) for moved in able)
    assert found.energy <= least * (1 + 1e-6)
    assert all(found.plan.owners[name] == "warboy" for name in found.choice.hosted)
    assert "on the host" in found.why
    again = pim.run(found.model, found.plan, DATA, chips="needed")
    assert float(again.accuracy) == found.quality


def test_more_layers_than_there_are():
    with pytest.raises(
        ValueError, match=r"hosted=\(3,\); allowed: numbers within 0..0, the layers"
    ):
        pim.outlier_aware(MODEL, INT2, DATA, 0.5, digital=(0,), hosted=(3,))


def test_choices_read_as_what_is_done():
    assert str(Choice(0, False, None, False)) == "as it was"
    assert str(Choice(4, True, 0.5, True)) == (
        "4 digital features, centred inputs, smoothing 0.5, scaled tokens"
    )
