"""Are the programme's rules what was published, and rules that cannot be kept refused?"""

import pytest

from pimlab import farm


def test_k_cloud_as_published():
    periods = farm.k_cloud()
    assert [(p.start, p.end, p.years) for p in periods] == [
        (2023, 2025, 3),
        (2026, 2028, 3),
        (2029, 2030, 2),
    ]
    assert all((p.rules.vendors, p.rules.clouds) == (2, 2) for p in periods)
    assert sum(p.rules.budget for p in periods) == pytest.approx(826.2e9)
    assert [p.rules.domestic for p in periods] == [0.23, 0.5, 0.8]
    assert periods[0].rules.operations == pytest.approx(19.95e15)


def test_k_cloud_with_other_rules():
    assert all(p.rules.budget is None for p in farm.k_cloud(budget=None))
    with pytest.raises(TypeError, match="Rules has no 'vendor'; did you mean 'vendors'"):
        farm.k_cloud(vendor=3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"vendors": 3, "least": 0.4}, "vendors=3 with least=0.4 each are more than the whole"),
        ({"clouds": 11}, "clouds=11 with least=0.1"),
        ({"domestic": 1.2}, "outside 0..1"),
        ({"spare": "chip"}, "not one of none, card, rack"),
    ],
)
def test_bad_rules_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        farm.Rules(**change)


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="end=2024 is before start=2025"):
        farm.Period(name="p", start=2025, end=2024)
