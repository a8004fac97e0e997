"""Does the table hold every kind of plan, in the order of the objective?"""

from cluster_examples import SMALL, cluster

import pimlab as pim
from pimlab.cluster.request_table import other_kinds


def test_the_table_is_in_order_and_holds_both_arrangements():
    plan = pim.parallelise(
        SMALL, cluster(4), "energy", batch=4, context=96, output=32, phase="both"
    )
    rows = plan.alternatives
    assert (rows.energy.diff("plan") >= 0).all()
    assert set(rows.arrangement.values) == {"together", "apart"}
    assert rows.energy.attrs["units"] == "J"
    assert len(other_kinds(rows, plan)) == 1
    assert "times as bad" in other_kinds(rows, plan)[0]
