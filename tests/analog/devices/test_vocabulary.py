"""Is a misspelt constant of a device's file refused by name?"""

import pytest

from pimlab.analog import device
from pimlab.catalogue import CatalogueError

FILE = """
title = "A cell of a test"
model = "generic"
[g_min]
value = "0 S"
status = "assumed"
reason = "a test"
[g_max]
value = "10 uS"
status = "assumed"
reason = "a test"
"""


def table(name, value):
    return f'[{name}]\nvalue = {value}\nstatus = "assumed"\nreason = "a test"\n'


def read(tmp_path, more="", whole=FILE):
    path = tmp_path / "mine.toml"
    path.write_text(whole + more)
    return device(path)


def test_a_range_is_enough(tmp_path):
    assert read(tmp_path).g_max == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (table("drift_tme", '"1 s"'), r"\[drift_tme\] is no constant of a device.*drift_time"),
        (table("drift_time", "0.5"), r"\[drift_time\] is in no unit; allowed: s"),
        (table("drift_time", '"20 s"'), r"the curve 'drift_mean' is missing; write \[drift_mean\]"),
    ],
)
def test_what_is_misspelt_is_named(tmp_path, more, message):
    with pytest.raises(CatalogueError, match=message):
        read(tmp_path, more)


def test_constants_that_belong_to_nothing_are_named(tmp_path):
    with pytest.raises(CatalogueError, match=r"\[activation_energy\] makes no part of the device"):
        read(tmp_path, table("activation_energy", '"0.2 eV"'))


def test_text_and_values_that_stand_by_themselves(tmp_path):
    with pytest.raises(CatalogueError, match="stands by itself"):
        read(tmp_path, whole='drift_time = "20 s"\n' + FILE)
    with pytest.raises(CatalogueError, match="titel='x' is not known.*title"):
        read(tmp_path, whole='titel = "x"\n' + FILE)


def test_a_range_without_an_end(tmp_path):
    with pytest.raises(CatalogueError, match=r"\[g_max\] is missing"):
        read(tmp_path, whole=FILE.split("[g_max]")[0])
