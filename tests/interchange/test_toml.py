"""Does every machine and device come back from its TOML file, to the bit, and does a typo teach?"""

import pytest

import pimlab as pim
from pimlab import analog
from pimlab.interchange import from_toml, to_toml
from pimlab.values import digest


@pytest.mark.parametrize("name", pim.targets())
def test_every_machine_comes_back(name):
    machine = pim.target(name)
    again = from_toml(to_toml(machine))
    assert again == machine
    assert digest(again) == digest(machine)


def test_every_device_comes_back():
    every = [pim.device(name) for name in analog.device_names()]
    every += [analog.update_device(name) for name in analog.update_device_names()]
    for one in every:
        assert digest(from_toml(to_toml(one))) == digest(one)


def test_absent_parts_and_infinities_come_back():
    machine = pim.target("pcm-hermes").but(adc=None, host=None, cell=None)
    assert from_toml(to_toml(machine)) == machine
    curve = analog.devices.curves.Polynomial(coefficients=(1.0, -2.0), low=0.0)
    assert from_toml(to_toml(curve)) == curve


def test_a_person_may_edit_it():
    text = to_toml(pim.target("warboy"))
    assert 'voltage = "0.8 V"' in text
    edited = from_toml(text.replace('voltage = "0.8 V"', 'voltage = "750 mV"'))
    assert edited == pim.target("warboy").but(voltage=0.75)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bits = ", "is no TOML"),
        ("bits = 6", "no class; write for example"),
        ('class = "pimlab.analog.converters:ADC"\nbit = 6', "did you mean 'bits'"),
        ('class = "pimlab.analog.converters:ADC"\nbits = 99', "outside 1..24"),
        ('class = "pimlab.analog.converters:ABC"\nbits = 6', "is not known here"),
        ('class = "os:system"', "of Python itself"),
        ('class = "pimlab.analog.converters:ADC"\nbits = 1979-05-27', "is a date"),
    ],
)
def test_wrong_files_teach(text, told):
    with pytest.raises(ValueError, match=told):
        from_toml(text)
