"""Does a path of fields change a machine, and does a wrong one teach?"""

import pytest

import pimlab as pim
from pimlab.studies.variants import variant


def test_fields_of_parts_change_and_the_variant_is_named_after_them():
    hermes = pim.target("pcm-hermes")
    changed = variant(hermes, {"adc.bits": "6", "host": "rngd", "cell": "pcm-joshi2020"})
    assert changed.adc == hermes.adc.but(bits=6)
    assert changed.host.name == "rngd"
    assert changed.cell == pim.device("pcm-joshi2020")
    assert changed.name == "pcm-hermes (adc.bits=6, host=rngd, cell=pcm-joshi2020)"


def test_text_is_read_as_the_field_is():
    warboy = variant(
        pim.target("warboy"), {"array.clock": "1 GHz", "memory.prefetch": "no", "name": "mine"}
    )
    assert (warboy.array.clock, warboy.memory.prefetch, warboy.name) == (1e9, False, "mine")
    assert variant(pim.target("pcm-hermes"), {"adc": "none"}).adc is None
    assert variant(warboy, {}) is warboy


@pytest.mark.parametrize(
    ("changes", "kind", "told"),
    [
        ({"adc.bit": "6"}, TypeError, "ADC has no 'bit'; did you mean 'bits'"),
        ({"adc.bits": "many"}, ValueError, "adc.bits=many is not an integer"),
        ({"adc.bits": "99"}, ValueError, "outside 1..24"),
        ({"adc": "good"}, ValueError, "set its fields, such as adc.bits"),
        ({"wires.r_in": "1"}, ValueError, "wires of this Crossbar is absent"),
        ({"rows.x": "1"}, ValueError, "rows of this Crossbar is no part with fields"),
        ({"host": "warboi"}, ValueError, "did you mean 'warboy'"),
        ({"host.memory.prefetch": "maybe"}, ValueError, "allowed: true, yes, false, no"),
    ],
)
def test_wrong_changes_teach(changes, kind, told):
    with pytest.raises(kind, match=told):
        variant(pim.target("pcm-hermes"), changes)
