"""Does the widget show what the public calls answer, for every slider that moves?"""

import numpy as np
import pytest
import xarray as xr

import pimlab as pim
from pimlab.studies.operating import operating_points


@pytest.fixture(scope="module")
def explorer():
    return pim.explore("digits-mlp", ["warboy", "pcm-hermes"], samples=30)


def test_the_answer_is_that_of_the_public_call(explorer):
    explorer.move("machine", "pcm-hermes")
    explorer.move("adc.bits", 4)
    explorer.move("time", "1 day")
    pcm = pim.target("pcm-hermes")
    machine = pcm.but(adc=pcm.adc.but(bits=4))
    data = pim.load_data("digits", limit=30)
    alone = operating_points(explorer.model, machine, data, at="1 day", chips="needed")
    xr.testing.assert_identical(explorer.answer, alone)


def test_the_printed_program_gives_the_same_answer(explorer):
    explorer.move("machine", "warboy")
    explorer.move("format", "int4")
    names = {"model": explorer.model, "data": explorer.data}
    exec(explorer.code, names)
    xr.testing.assert_identical(names["answer"], explorer.answer)


def test_numbers_and_figure_change_with_a_slider(explorer):
    explorer.move("machine", "pcm-hermes")
    explorer.move("adc.bits", 8)
    before = explorer._table.value, explorer._picture.value
    explorer.move("adc.bits", 3)
    assert explorer._table.value != before[0]
    assert explorer._picture.value != before[1]
    assert before[1][:4] == b"\x89PNG"


def test_pins_stay_beside_the_design_in_sight(explorer):
    explorer.forget()
    explorer.move("time", "0 s")
    explorer.move("machine", "warboy")
    explorer.pin()
    explorer.move("format", "fp16")
    found = explorer.designs
    assert found.design.values.tolist() == ["warboy", "now"]
    assert float(found.energy[0]) != float(found.energy[1])
    explorer.forget()
    assert explorer.designs.design.values.tolist() == ["now"]


def test_an_answer_is_remembered(explorer):
    assert explorer.answer is explorer.answer


def test_what_a_machine_refuses_is_said_where_the_numbers_stand():
    explorer = pim.explore("digits-mlp", ["hbm-pim"], samples=10)
    explorer.move("timing.tRAS", 9)
    assert "tRAS" in explorer._label.value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"targets": []}, "one machine or more"),
        ({"targets": ["warboi"]}, "warboy"),
        ({"targets": [None]}, "is not a text or a Target or a list, each a text or a Target"),
        ({"samples": 0}, "samples=0"),
        ({"samples": np.array([])}, "samples=array"),
    ],
)
def test_bad_arguments_are_refused_by_name(given, said):
    with pytest.raises((ValueError, TypeError), match=said):
        pim.explore("digits-mlp", **given)


def test_a_slider_that_is_not_there_and_a_value_not_offered(explorer):
    with pytest.raises(KeyError, match="no slider 'bits'"):
        explorer.move("bits", 3)
    with pytest.raises(ValueError, match="machine='x' is not one of"):
        explorer.move("machine", "x")
