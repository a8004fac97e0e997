"""Is every number in the catalogue cited, and is one without a source refused?"""

import pytest

from pimlab import catalogue
from pimlab.constants import assumed, derive

GOOD = """
source = "stillmaker2017"
[g_max]
value = "10.35 uS"
low = "10 uS"
where = "Table 1"
status = "published"
[energy.adc]
value = "1 pJ"
status = "assumed"
reason = "no figure found"
[row]
value = [1.5, 2]
unit = "uS"
where = "eq. 1"
status = "digitised"
"""


def test_a_cited_number_is_read_in_si():
    entry = catalogue.parse("x", GOOD)
    g_max = entry["g_max"]
    assert (g_max.value, g_max.low, g_max.high, g_max.unit, g_max.printed) == (
        10.35e-6,
        1e-5,
        10.35e-6,
        "S",
        "10.35 uS",
    )
    assert entry["energy.adc"].unit == "J"
    assert entry["energy.adc"].sources == ()
    assert entry.row("row") == (1.5e-6, 2e-6)
    with pytest.raises(KeyError, match="has no .gmax.; it has .g_max."):
        entry["gmax"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('where = "Table 1"\n', "", r"\[g_max\] is published and names no where"),
        ('source = "stillmaker2017"\n', "", "names no source"),
        ('reason = "no figure found"\n', "", r"\[energy.adc\] is assumed and gives no reason"),
        ('status = "published"', 'status = "sure"', "status='sure'"),
        ('value = "10.35 uS"', 'value = "10.35 furlong"', "unknown unit"),
        ("stillmaker2017", "stillmaker2071", "did you mean 'stillmaker2017'"),
        ('low = "10 uS"', 'lowest = "10 uS"', "has no 'lowest'; did you mean 'low'"),
        ('source = "stillmaker2017"', "loose = 3", "loose=3 is a number without source"),
        ('low = "10 uS"', 'low = "11 uS"', "low <= value <= high"),
        ("[g_max]", "[g_max", "not TOML"),
    ],
)
def test_a_number_that_may_not_be_used_is_refused(old, new, text):
    assert old in GOOD
    with pytest.raises(ValueError, match=text):
        catalogue.parse("x", GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("kind", "name"), [(k, n) for k in catalogue.kinds() for n in catalogue.names(k)]
)
def test_every_file_of_the_catalogue_loads(kind, name):
    entry = catalogue.entry(kind, name)
    assert len(entry) > 0
    assert all(c.reason for c in entry.values() if c.status in ("assumed", "derived"))


def test_an_unknown_entry_answers_with_the_nearest():
    kind, name = next((kind, name) for kind in catalogue.kinds() for name in catalogue.names(kind))
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        catalogue.entry(kind, name + "x")
    with pytest.raises(ValueError, match="catalogue kind 'devicez' is not known"):
        catalogue.names("devicez")


def test_every_source_has_a_title_and_a_year():
    for key, fields in catalogue.sources().items():
        assert fields.get("title"), key
        assert fields.get("year") or fields.get("note") or fields.get("howpublished"), key


def test_derived_constants_keep_interval_sources_and_weakness():
    a = catalogue.parse("x", GOOD)["g_max"]
    b = assumed("v", 0.2, "V", "a choice", low=0.1, high=0.3)
    power = derive("p", lambda g, v: g * v * v, a, b, unit="W", reason="V^2 G")
    assert power.value == a.value * 0.2 * 0.2
    assert (power.low, power.high) == pytest.approx((1e-5 * 0.01, 10.35e-6 * 0.09))
    assert power.status == "assumed"
    assert power.sources == ("stillmaker2017",)
    assert "a choice" in power.reason
    with pytest.raises(ValueError, match="needs a reason"):
        assumed("v", 1.0, "V", "")
