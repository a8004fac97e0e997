"""Does a name give its machine, with a host where it needs one, and any other a clear error?"""

import pytest

import pimlab as pim
from pimlab.machine import presets
from pimlab.machine.protocol import Target


@pytest.mark.parametrize("name", pim.targets())
def test_each_name_gives_the_machine_of_that_name(name):
    machine = pim.target(name)
    assert isinstance(machine, Target)
    assert machine.name == name
    assert machine is pim.target(name)
    assert machine.stage == 1 or machine.host is not None


def test_a_wrong_name_is_told_the_nearest():
    with pytest.raises(ValueError, match="target 'warboi' is not known; did you mean 'warboy'"):
        pim.target("warboi")


@pytest.mark.parametrize("name", [None, 3, ["warboy"], {}])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(
        TypeError, match=r"target .* is not a name; write for example pimlab\.target\('warboy'\)"
    ):
        pim.target(name)


def test_a_repr_is_the_preset_and_what_differs():
    pcm = pim.target("pcm-hermes")
    assert repr(pcm) == "pim.target('pcm-hermes')"
    assert repr(pcm.but(adc=pim.ADC(bits=6))) == "pim.target('pcm-hermes').but(adc=ADC(bits=6))"
    assert repr(pcm.cell) == "pim.device('pcm-hermes-pair')"
    assert "host=pim.target('warboy')" in repr(pcm.but(name="mine"))
    assert repr(pim.target("warboy").memory).startswith("Memory(sram='256 Mbit'")


@pytest.mark.parametrize("name", pim.targets())
def test_every_preset_and_variant_has_a_repr_that_builds_it_again(name):
    machine = pim.target(name)
    assert eval(repr(machine)) == machine
    variant = machine.but(host=pim.target("rngd"))
    assert eval(repr(variant)) == variant


def test_a_preset_whose_file_is_refused_still_has_a_repr(tmp_path, monkeypatch):
    machine = pim.target("warboy").but(voltage="0.75 V")

    def refused(name):
        raise ValueError(name)

    monkeypatch.setattr(presets, "target", refused)
    assert repr(machine).startswith("Npu(name='warboy'")
    assert "voltage='750 mV'" in repr(machine)
