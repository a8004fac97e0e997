"""Is every field of another program's configuration known, taken over, or named?"""

import pytest

from pimlab.interchange.settings import CLASS, Settings, read

USUAL = {"size": 4, "noise": {"scale": 1.0, "kind": "none"}, "code": None}


def test_what_nothing_takes_is_listed():
    given = {"size": 8, "noise": {"scale": 2.0, "kind": "none"}, "code": 3}
    settings = Settings(given, USUAL, "other")
    assert settings.number("size") == 8
    assert settings.part("noise")["kind"] == "none"
    settings.part("noise").note("kind", "as it is")
    assert settings.unmatched() == {
        "other.code": "3: no counterpart in pimlab",
        "other.noise.kind": "'none': as it is",
        "other.noise.scale": "2.0: no counterpart in pimlab",
    }


def test_a_part_that_nobody_looks_at_is_listed_too():
    settings = Settings({"noise": {"scale": 2.0}}, USUAL, "other")
    assert list(settings.unmatched()) == ["other.noise.scale"]
    assert Settings({"noise": {"scale": 1.0}}, USUAL, "other").unmatched() == {}
    with pytest.raises(ValueError, match="other.noise: field 'scal' is not known; did you mean"):
        Settings({"noise": {"scal": 2.0}}, USUAL, "other").unmatched()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sise": 8}, "other: field 'sise' is not known; did you mean 'size'"),
        (3, "other=3 is no table"),
    ],
)
def test_a_wrong_table_is_refused(given, told):
    with pytest.raises(ValueError, match=told):
        Settings(given, USUAL, "other")


def test_a_number_is_a_number():
    for wrong in ("4", True, None):
        with pytest.raises(ValueError, match="other.size=.* is no number"):
            Settings({"size": wrong}, USUAL, "other").number("size")


def test_texts_of_four_kinds_are_read(tmp_path):
    table = {"a": {"b": 1.5}}
    (tmp_path / "c.json").write_text('{"a": {"b": 1.5}}')
    (tmp_path / "c.yaml").write_text("a:\n  b: 1.5\n")
    for source in (
        table,
        '{"a": {"b": 1.5}}',
        tmp_path / "c.json",
        str(tmp_path / "c.yaml"),
        "a:\n  b: 1.5",
    ):
        assert read(source, "other") == table
    printed = "Config(\n    a=Part(b=-1.5, kind=Kind.LAST),\n    of=Tile)"
    inside = {CLASS: "Part", "b": -1.5, "kind": "LAST"}
    assert read(printed, "other") == {CLASS: "Config", "a": inside, "of": "Tile"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": ', "the text is no JSON"),
        ("a: [", "the text is no YAML"),
        ("- 1\n- 2", "is no JSON, YAML or printed"),
        ("Config(3)", "arguments without names"),
        ("Config(a=1 + x)", "is no value"),
    ],
)
def test_a_damaged_text_is_refused(text, told):
    with pytest.raises(ValueError, match=told):
        read(text, "other")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match="config.json is no text"):
        read(path, "other")
