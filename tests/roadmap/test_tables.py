"""Do the tables of the roadmap study say what its numbers say?"""

import pandas as pd
import pytest

from pimlab.roadmap import tables


@pytest.fixture
def summary():
    found = []
    for target, joules, share in (("npu", 2e-6, 0.9), ("pcm", 5e-6, 0.5)):
        for at in (0.0, 3600.0) if target == "pcm" else (0.0,):
            for traffic, factor in (("one request", 1), ("1 % load", 50), ("saturation", 0.1)):
                part = factor * (joules if target == "npu" or traffic != "saturation" else 1e-6)
                found.append(
                    {
                        "workload": "cnn",
                        "target": target,
                        "at_s": at,
                        "metric": "accuracy",
                        "accuracy": 0.91234 - at / 1e5,
                        "accuracy_low": 0.9 - at / 1e5,
                        "accuracy_high": 0.95,
                        "accuracy_exact": 0.93,
                        "traffic": traffic,
                        "energy_J": part,
                        "energy_low_J": part / 2,
                        "energy_high_J": 4 * part,
                        "dynamic_J": 1e-7,
                        "latency_s": 1e-3,
                        "rate_Hz": 2e3 if traffic == "saturation" else 1e3,
                        "chips": 1576,
                        "assumed_share": share,
                    }
                )
    return pd.DataFrame(found)


def test_quality_has_a_row_a_time(summary):
    table = tables.quality(summary)
    assert table.after.tolist() == ["0 s", "0 s", "1 h"]
    assert table["on the machine"].tolist()[0] == "0.912 (0.9 to 0.95)"
    assert table["on the machine"].tolist()[2] == "0.876 (0.864 to 0.95)"
    assert set(table.float) == {"0.93"}
    assert tables.quality(summary.assign(metric="none")).empty


def test_energy_has_its_interval_at_each_operating_point(summary):
    row = tables.energy(summary).iloc[0]
    assert row["one request"] == "2 uJ (1 uJ to 8 uJ)"
    assert row["saturation"] == "200 nJ (100 nJ to 800 nJ)"
    assert (row.chips, row.dynamic, row.latency, row.rate) == (
        "1,576",
        "100 nJ",
        "1 ms",
        "2 kHz",
    )


def test_the_cheapest_machine_stands_with_its_assumed_share(summary):
    table = tables.assumed(summary)
    assert table.iloc[0].tolist() == ["cnn", "npu, 90%", "npu, 90%", "pcm, 50%"]
    assert table.iloc[1].tolist()[1:] == ["70%", "70%", "70%"]
    assert next(iter(tables.texts(table))) == table.iloc[0].tolist()
