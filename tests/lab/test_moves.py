"""Can every setting of every machine be moved, and does the printed call build the same machine?"""

import pytest

import pimlab as pim
from pimlab.lab.moves import changed, code, settings
from pimlab.values import canonical


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "gddr6-aim", "upmem", "pcm-hermes"])
def test_every_setting_holds_its_own_value_and_moves(name):
    machine = pim.target(name)
    moved, refusals = 0, []
    for setting in settings(machine):
        assert setting.now is None or setting.now in setting.options, setting.path
        other = next(value for value in setting.options if value != setting.now)
        try:
            assert canonical(changed(machine, {setting.path: other})) != canonical(machine)
            moved += 1
        except ValueError as refused:  # a timing that cannot be, say; the machine says why
            refusals.append(str(refused))
    assert moved >= 8
    assert all(refusals)


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("a100", {"format": "int4", "array.rows": 128}),
        ("pcm-hermes", {"adc.bits": 6, "cell": "pcm-joshi2020", "host": "rngd", "rows": 128}),
        ("hbm-pim", {"organisation.channels": 32, "attention": "banks"}),
    ],
)
def test_the_printed_call_builds_the_same_machine(name, moved):
    names = {"pim": pim}
    exec(code(name, moved), names)
    assert canonical(names["machine"]) == canonical(changed(pim.target(name), moved))


def test_an_unknown_setting_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'adc.bits'"):
        changed(pim.target("pcm-hermes"), {"adc.bit": 6})


def test_what_is_no_machine_is_refused():
    with pytest.raises(TypeError, match="settings takes a machine"):
        settings("warboy")
