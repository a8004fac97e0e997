"""Does the sum of timing symbols give the scheduler's count, for tables that it was not written with?"""

import pytest

import pimlab as pim
from pimlab.dram_pim.closed_form import gemv_cycles, park

HBM = pim.target("hbm-pim")
SIZES = [(1, 1, 1), (4096, 128, 1), (4097, 300, 2)]


@pytest.mark.parametrize("change", [{}, {"tRCDRD": 20}, {"tCCDL": 6}, {"tRP": 22, "tRC": 60}])
@pytest.mark.parametrize(("outputs", "inputs", "batch"), SIZES)
def test_the_sum_is_the_schedule(change, outputs, inputs, batch):
    org, t = HBM.organisation, HBM.timing.but(**change)
    phases = gemv_cycles(t, org, outputs, inputs, batch)
    traced = org.gemv(t, outputs, inputs, batch, False, "pimsimulator")
    # of tables in which row cycles bind it leaves out the few cycles that a mode switch then waits
    assert 0 <= traced.cycles - sum(phases.values()) <= (4 if change else 0)


def test_longer_activations_park_longer():
    org, t = HBM.organisation, HBM.timing
    assert park(t.but(tRRDS=t.tRRDS + 1), org) == park(t, org) + org.banks - 2
