"""Are words that verbs share read as they are meant?"""

import pytest

from pimlab import cli


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "adc.bits"), "write FIELD=VALUE, such as adc.bits=6"),
        (("--set", "adc.bit=6"), "did you mean 'bits'"),
        (("--set", "=6"), "write FIELD=VALUE"),
        (("--out", "no/such/place.csv"), "in a folder that exists"),
    ],
)
def test_wrong_words_are_one_line(capsys, words, told):
    assert cli.main(["run", "digits-mlp", "pcm-hermes", *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_json_and_csv_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run", "digits-mlp", "warboy", "--json", "--csv"])
    assert "not allowed with argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rnu"], "'rnu' is not known; did you mean 'run'?"),
        (["compare", "digits-mlp", "--lmit", "3"], "--lmit is no option; did you mean '--limit'?"),
        (["run", "digits-mlp", "warboy", "--sed=3"], "--sed is no option; did you mean '--seed'?"),
        (["run", "digits-mlp", "warboy", "--jsn"], "--jsn is no option; did you mean '--json'?"),
    ],
)
def test_a_misspelt_verb_or_option_is_told_the_nearest(words, told, capsys):
    with pytest.raises(SystemExit):
        cli.main(words)
    assert told in capsys.readouterr().err
