"""Is a problem read from an LP file as it stands there?"""

import gzip

import pytest

from pimlab.cluster.placement.lp_file import read_lp

TEXT = """\
Maximize
  obj: flow_source_0
Subject To
 node_throughput_constraint_0: flow_in_0 - 30 hold_0_1
   - 15 hold_0_2 <= 0
 node_throughput_constraint_1: flow_in_1 - 2.5e+1 hold_1_1 <= 0
 edge_flow_constr_source_0: flow_source_0 - 99 switch_source_0 <= 0
 edge_flow_constr_0_1: flow_0_1 - 10 switch_0_1 <= 0
 edge_flow_constr_1_sink: flow_1_sink - 98 switch_1_sink <= 0
 end_constraint_0: start_0 + hold_0_1 + 2 hold_0_2 <= 3
 end_constraint_1: start_1 + hold_1_1 <= 3
Bounds
 0 <= flow_0_1
End
"""


@pytest.mark.parametrize("packed", [False, True])
def test_rates_links_and_layers(tmp_path, packed):
    path = tmp_path / ("a.lp.gz" if packed else "a.lp")
    path.write_bytes(gzip.compress(TEXT.encode()) if packed else TEXT.encode())
    problem = read_lp(path)
    assert problem.layers == 3
    assert problem.rates == {"0": {1: 30.0, 2: 15.0}, "1": {1: 25.0}}
    assert problem.links == {("0", "1"): 10.0}
    assert (problem.source, problem.sink) == ({"0": 99.0}, {"1": 98.0})
    assert not problem.partial


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Maximize\n obj: x\nEnd\n", "no line 'Subject To'"),
        (TEXT.replace("end_constraint_1: start_1 + hold_1_1 <= 3", ""), None),
        (TEXT.replace("hold_1_1 <= 3", "hold_1_1 <= 4"), "2 different numbers of layers"),
    ],
)
def test_files_of_another_form(tmp_path, text, message):
    path = tmp_path / "a.lp"
    path.write_text(text)
    if message is None:
        assert read_lp(path).layers == 3
    else:
        with pytest.raises(ValueError, match=message):
            read_lp(path)
