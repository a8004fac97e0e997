"""Are traces read as they stand, and files in their forms?"""

import json

import numpy as np
import pytest

import pimlab as pim


def test_the_azure_traces_are_as_published():
    talk, code = (pim.load_requests(f"azure-{kind}-2023") for kind in ("conversation", "code"))
    assert (talk.count, code.count) == (19366, 8819)
    assert (talk.prompt[0], talk.output[0]) == (374, 44)
    assert talk.arrival[1] == pytest.approx(4.314579, abs=1e-6)
    assert talk.source == "patel2024"
    assert talk.rate == pytest.approx(19365 / talk.span)


def test_mooncake_brings_its_prefix_blocks():
    one = pim.load_requests("mooncake-conversation", limit=300)
    assert (one.count, one.block, one.prompt[0]) == (300, 512, 6758)
    assert one.first[1] == 6758 // 512  # the last, partial block is left out
    assert one.blocks[0] == one.blocks[one.first[1]]  # two prompts begin alike


def test_a_blis_file_states_prefixes_beside_the_input(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text(
        "request_id,prefix_group,prefix_length,input_tokens,output_tokens,arrival_time_us\n"
        "0,a,40,10,5,1000000\n1,,0,7,3,1500000\n2,a,32,1,1,2000000\n"
    )
    one = pim.load_requests(file)
    assert one.arrival.tolist() == pytest.approx([0, 0.5, 1.0])
    assert one.prompt.tolist() == [50, 7, 33]
    assert np.diff(one.first).tolist() == [2, 0, 2]
    assert one.blocks.tolist() == [0, 1, 0, 1]
    assert one.rate is None


def test_bad_files_are_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'azure-code-2023'"):
        pim.load_requests("azure-code-2024")
    with pytest.raises(ValueError, match="limit=0"):
        pim.load_requests("azure-code-2023", limit=0)
    odd = tmp_path / "odd.csv"
    odd.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="odd.csv has columns a, b; allowed: TIMESTAMP"):
        pim.load_requests(odd)
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(ValueError, match="ends in .csv or .jsonl"):
        pim.load_requests(tmp_path / "x.txt")
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"timestamp": 0, "input_length": 3}) + "\n")
    with pytest.raises(ValueError, match="line 1: KeyError"):
        pim.load_requests(lines)
    lines.write_text(
        '{"timestamp": 9, "input_length": 3, "output_length": 1}\n{"timestamp": 1, "input_length": 3, "output_length": 1}\n'
    )
    with pytest.raises(ValueError, match=r"arrival\[1\]=.*it comes before"):
        pim.load_requests(lines)
