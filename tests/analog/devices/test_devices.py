"""Is a memory cell found by its name or by a file of one's own?"""

import pytest

from pimlab.analog import device, device_names


def test_names_are_those_of_the_catalogue():
    assert {"pcm-hermes", "reram-wan2022"} <= set(device_names())
    assert device("pcm-hermes").name == "pcm-hermes"


def test_a_typo_is_told_the_nearest():
    with pytest.raises(ValueError, match="pcm-herme.*pcm-hermes"):
        device("pcm-herme")


@pytest.mark.parametrize("wrong", [3, None, 2.5])
def test_what_is_no_name_is_refused(wrong):
    with pytest.raises(TypeError, match=r"is not a name; write for example pimlab\.device"):
        device(wrong)


def test_a_file_of_ones_own_is_called_after_itself(tmp_path):
    path = tmp_path / "mine.toml"
    parts = '[{}]\nvalue = "{}"\nstatus = "assumed"\nreason = "a test"\n'
    path.write_text(
        'model = "generic"\n' + parts.format("g_min", "0 S") + parts.format("g_max", "9 uS")
    )
    assert device(path).name == device(str(path)).name == "mine"
