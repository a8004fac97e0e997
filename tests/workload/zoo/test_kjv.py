"""Are whole books kept apart, so that no test verse was trained on?"""

import lzma

import pytest

from pimlab.workload.zoo import kjv


@pytest.fixture
def bible(tmp_path):
    path = tmp_path / "bible.xz"
    verses = "Ge1:1 In the\nEx1:1 Now these\nRuth1:1 Now it\n1Sam1:1 Now there\nJonah1:1 Now the\n"
    path.write_bytes(lzma.compress(verses.encode()))
    return path


def test_every_verse_is_in_one_split(bible):
    assert kjv.text(bible, "test") == "In the\n"
    assert kjv.text(bible, "calibration") == "Now it\nNow the\n"
    assert kjv.text(bible, "train") == "Now these\nNow there\n"


def test_unknown_splits_and_damaged_files_are_refused(bible, tmp_path):
    with pytest.raises(ValueError, match="split of kjv"):
        kjv.text(bible, "validation")
    bad = tmp_path / "bad.xz"
    bad.write_bytes(lzma.compress(b"no verse\n"))
    with pytest.raises(ValueError, match="is no verse"):
        kjv.text(bad, "test")
