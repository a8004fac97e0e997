"""Are answers of serve and provision written as every answer is?"""

import pandas as pd

import pimlab as pim
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


SERVE = ["serve", "digits-mlp", "warboy", "--count", "6"]


def test_a_closed_loop_of_users(capsys):
    assert cli.main([*SERVE, "--users", "2"]) == 0
    assert "ttft" in capsys.readouterr().out
    assert cli.main([*SERVE, "--users", "2", "--rate", "1 Hz"]) == 2
    assert "a closed loop has the rate of its answers" in capsys.readouterr().err


def test_a_draft_guesses_ahead(capsys):
    words = ["serve", "llama2-13b", "h100", "--rate", "2 Hz", "--count", "4", "--input", "64"]
    words += ["--output", "8", "--batch", "4"]
    assert cli.main([*words, "--draft", "llama2-7b", "--acceptance", "1", "--ahead", "3"]) == 0
    told = capsys.readouterr().out
    assert "round_tokens" in told
    assert cli.main([*words, "--draft", "llama2-7b"]) == 2
    assert "needs --acceptance" in capsys.readouterr().err
    assert cli.main([*words, "--acceptance", "0.5"]) == 2
    assert "add --draft MODEL" in capsys.readouterr().err


FARM = """
offers = ["warboy", "analog-pcm"]
[[period]]
name = "2029"
start = 2029
end = 2029
[[service]]
name = "digits"
model = "digits-mlp"
rate = "2 MHz"
since = 2029
latency = "1 ms"
metric = "accuracy"
floor = FLOOR
[[cloud]]
name = "kt"
power = "100 kW"
racks = 5
"""


def test_the_score_of_a_run_decides_which_offer_may_serve(tmp_path, capsys):
    offers = {pim.offer(name).target.name: name for name in ("warboy", "analog-pcm")}
    machines = [pim.offer(name).target for name in offers.values()]
    scores = pim.compare(["digits-mlp"], machines, limit=60).accuracy.squeeze("model")
    worse, better = sorted(offers, key=lambda name: float(scores.sel(target=name).mean()))
    least, most = (float(scores.sel(target=name).mean()) for name in (worse, better))
    assert least < most
    for floor, refused in (((least + most) / 2, True), (least - 0.01, False)):
        file = tmp_path / f"{refused}.toml"
        file.write_text(FARM.replace("FLOOR", str(floor)))
        assert cli.main(["provision", str(file), "--samples", "60", "--gap", "0.05"]) == 0
        told = capsys.readouterr().out
        assert (f"accuracy {least:.4g} misses the floor {floor:.4g}" in told) == refused
        assert (f"{offers[worse]} does not serve digits" in told) == refused
