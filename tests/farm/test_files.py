"""Is a farm read from a TOML file, and is what is wrong with one named with the file?"""

import subprocess
import sys

import pytest

import pimlab as pim
from pimlab import cli
from pimlab.farm.files import FarmFileError, provision_file

FARM = """
offers = ["warboy", "atom"]

[rules]
vendors = 2
clouds = 2

[[service]]
name = "digits"
model = "digits-mlp"
rate = "2 MHz"
latency = "1 ms"

[[cloud]]
name = "kt"
power = "100 kW"
racks = 5

[[cloud]]
name = "nhn"
power = "100 kW"
racks = 5
rack = { power = "10 kW" }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "farm.toml"
    path.write_text(FARM)
    return path


def test_a_file_is_the_farm_it_describes(file):
    plan = provision_file(file, baseline=())
    assert {one.name for one in plan.question.offers} == {"warboy", "atom"}
    assert plan.question.clouds[1].rack.power.value == 10e3
    assert plan.question.periods[0].rules.vendors == 2
    assert float(plan.answer.served.sum()) == pytest.approx(2e6)


def test_periods_and_the_programme(file):
    periods = '[[period]]\nname = "p"\nstart = 2025\nend = 2026\n[period.rules]\nvendors = 2\n'
    file.write_text(
        periods + FARM.replace("[rules]\nvendors = 2\nclouds = 2\n", "").replace("offers", "#", 1)
    )
    text = FARM.replace("[rules]\nvendors = 2\nclouds = 2\n", "") + periods
    file.write_text(text)
    assert provision_file(file, baseline=()).question.periods[0].years == 2


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("offers", "offer", "no part 'offer'; did you mean 'offers'"),
        ("latency", "latencies", "Service has no 'latencies'; did you mean 'latency'"),
        ("[[cloud]]\nname = \"kt\"", "[cloud]\nname = \"kt\"", "not TOML"),
        ("[rules]", "rules = 3\n[period]", "period is no list of tables"),
        ("racks = 5\n\n", "racks = 0\n\n", "Cloud racks=0"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named(file, old, new, says):
    file.write_text(FARM.replace(old, new, 1))
    with pytest.raises(FarmFileError, match=rf"farm\.toml: .*{says}"):
        provision_file(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FarmFileError, match="none.toml: No such file"):
        provision_file(tmp_path / "none.toml")


def test_the_command_line(file, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pimlab",
        "provision",
        str(file),
        "--manifests",
        str(tmp_path / "k8s"),
        "--out",
        str(tmp_path / "farm.nc"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "digits by" in done.stdout
    assert len(list((tmp_path / "k8s").glob("*.json"))) == 2
    import xarray as xr

    assert "served" in xr.load_dataset(tmp_path / "farm.nc")
    file.write_text("offers = 3")
    assert cli.main(command[3:]) == 2
    assert pim.__version__
