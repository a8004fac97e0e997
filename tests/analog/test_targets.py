"""Machines of the catalogue: one file, one target; a user's own file is held to the same rules."""

from importlib import resources

import pytest

from pimlab import catalogue
from pimlab.analog import ADC, DAC, TARGETS, Slices, target
from pimlab.catalogue import CatalogueError

HERMES = (resources.files(catalogue) / "analog" / "pcm-hermes.toml").read_text(encoding="utf-8")


def test_a_file_that_names_a_cell_is_a_target():
    assert {"pcm-hermes", "pcm-hermes-one-phase"} <= set(TARGETS)
    assert "adc-survey" not in TARGETS
    assert len(TARGETS) == len(list(TARGETS))
    machine = TARGETS["pcm-hermes"]()
    assert machine == target("pcm-hermes")
    assert (machine.rows, machine.cols, machine.dac, machine.adc) == (
        256,
        256,
        DAC(bits=8, encoding="pulse width"),
        ADC(bits=8),
    )
    assert machine.costs.read_time == pytest.approx(521e-9)
    with pytest.raises(KeyError):
        TARGETS["adc-survey"]
    with pytest.raises(ValueError, match="did you mean 'pcm-hermes"):
        target("pcm-herms")


def test_a_machine_knows_all_its_sources():
    sources = target("pcm-hermes").sources
    assert {"legallo2023", "aihwkit", "joshi2020"} <= set(sources)
    assert "joshi2020" not in target("pcm-hermes").but(compensation=None, cell=None).sources
    assert set(target("pcm-hermes").costs.sources) == {
        "aihwkit",
        "khaddam2022",
        "legallo2023",
        "wan2022",
        "wang2022",
    }


def _mine(tmp_path, *changes):
    text = HERMES
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_own_machine(tmp_path):
    extra = (
        'scaling = "layer"\n[slices.bits]\nvalue = 8\nstatus = "assumed"\n'
        'reason = "test"\n[slices.per_cell]\nvalue = 2\nstatus = "assumed"\nreason = "test"\n'
    )
    path = _mine(
        tmp_path,
        ("[rows]\nvalue  = 256", "[rows]\nvalue  = 128"),
        ('dac_encoding = "pulse width"', 'dac_encoding = "bit serial"'),
    )
    texts, _, tables = path.read_text(encoding="utf-8").partition("\n[")
    path.write_text(f"{texts}\n{extra}[{tables}", encoding="utf-8")
    mine = target(path)
    assert (mine.name, mine.rows, mine.cols, mine.scaling) == ("mine", 128, 256, "layer")
    assert mine.slices == Slices(bits=8, per_cell=2)
    assert mine.dac == DAC(bits=8, encoding="bit serial")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[rows]", "[row]"), r"\[row\] is no constant of a machine; did you mean 'rows'"),
        (("cell ", "cel "), "no text `cell`"),
        (('"drift"', '"drft"'), "compensation='drft' is not one of .*; did you mean 'drift'"),
        (("[adc.bits]", "[adc.bit]"), "ADC has no 'bit'; did you mean 'bits'"),
        (("value  = 8", "value  = 8.5"), "DAC bits=8.5 is not an integer"),
        (("compensation =", 'noise = "no"\ncompensation ='), "noise='no' is not known"),
        (('"pcm-hermes-pair"', '"pcm-hermes-pare"'), "did you mean 'pcm-hermes-pair'"),
    ],
)
def test_a_file_that_would_be_read_in_part_is_refused(tmp_path, change, message):
    with pytest.raises((CatalogueError, ValueError), match=message):
        target(_mine(tmp_path, change))
