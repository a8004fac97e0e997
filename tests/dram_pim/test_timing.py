"""Does a timing table refuse to contradict itself, and do the closed forms follow its symbols?"""

import csv
from pathlib import Path

import pytest

from pimlab.dram_pim import TARGETS, closed_form, timing

REFERENCE = Path(__file__).parents[2] / "datasets" / "reference" / "dram_pim"
HBM2, ORGANISATION = timing("hbm2"), TARGETS["hbm-pim"]().organisation


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"tRC": 46}, "tRC >= tRAS"),
        ({"tCCDL": 1}, "tCCDL >= tCCDS"),
        ({"tREFI": 360}, "tREFI > tRFC"),
        ({"tRAS": 13, "tRC": 60}, "tRAS >= tRCDRD"),
        ({"tRRDL": 3}, "tRRDL >= tRRDS"),
        ({"tWTRL": 3}, "tWTRL >= tWTRS"),
        ({"BL": 8}, "tCCDS >= BL"),
        ({"tREFI": 411}, "tREFI > tRFC [+] tRC [+] tRCD"),
    ],
)
def test_contradictions_name_the_rule(change, rule):
    with pytest.raises(ValueError, match=rule):
        HBM2.but(**change)


def test_misspelt_symbol_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean 'tWR'"):
        HBM2.but(tWRT=18)


def _gemv_rows():
    rows = list(csv.DictReader((REFERENCE / "hbm_pim_cycles.csv").read_text().splitlines()))
    return [r for r in rows if r["kernel"] == "pim_gemv" and r["refresh"] == "0"]


@pytest.mark.parametrize("row", _gemv_rows(), ids=lambda r: f"{r['m_or_n']}x{r['k']}x{r['batch']}")
def test_closed_form_equals_the_simulator(row):
    cycles = closed_form.gemv_cycles(
        HBM2, ORGANISATION, int(row["m_or_n"]), int(row["k"]), int(row["batch"])
    )
    assert sum(cycles.values()) == int(row["cycles"])


def test_closed_form_is_the_documented_fit():
    for outputs, inputs, batch in [(4096, 384, 1), (5000, 1000, 3), (12000, 640, 2)]:
        no, ni = -(-outputs // 4096), -(-inputs // 128)
        fit = 331 + no * batch * (729 * (ni // 2) + (419 if ni % 2 else 78))
        assert (
            sum(closed_form.gemv_cycles(HBM2, ORGANISATION, outputs, inputs, batch).values()) == fit
        )


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="rows a bank"):
        ORGANISATION.tiles(4096 * 100, 128 * 200)
