"""Are answers of serve and provision written as every answer is?"""

import pandas as pd

from pimlab import cli


def test_serve_writes_a_table(capsys, tmp_path):
    out = tmp_path / "load.csv"
    words = ["serve", "digits-mlp", "warboy", "--rate", "1 kHz", "--count", "20", "--out", str(out)]
    assert cli.main(words) == 0
    assert "ttft" in capsys.readouterr().out
    rows = pd.read_csv(out)
    assert (rows.variable == "ttft").sum() == 20


def test_a_file_that_cannot_be_written_is_said_first(capsys):
    assert cli.main(["serve", "digits-mlp", "warboy", "--rate", "1 kHz", "--out", "a.txt"]) == 2
    assert "--out a.txt; allowed: a path that ends in .nc" in capsys.readouterr().err
