"""Does `python -m benchmarks.peers` do the same work twice, and name what is not installed? No test asserts on a time."""

import re

import numpy as np
import pytest

from benchmarks import peers


def test_both_programs_round_to_the_same_numbers():
    theirs, ours = next(p for p in peers.PEERS if p.package == "gfloat").pair(2)
    assert np.array_equal(theirs(), ours())


def test_both_programs_run_the_same_network():
    theirs, ours = peers._onnx("digits-mlp", 3)
    np.testing.assert_allclose(theirs()[0], ours(), rtol=1e-3, atol=1e-4)


def test_a_peer_that_is_not_installed_or_refuses_is_named(monkeypatch):
    def absent(batch):
        raise ModuleNotFoundError("no", name="elsewhere")

    def other(batch):
        raise TypeError("missing argument")

    monkeypatch.setattr(
        peers,
        "PEERS",
        (peers.Peer("a", "pip install a", "w", absent), peers.Peer("b", "", "w", other)),
    )
    found = list(peers.rows((1, 8), 1, []))
    assert [row["absent"] for row in found] == [
        "no module elsewhere; pip install a",
        "another version? missing argument",
    ]


def test_long_turns_are_not_made_longer(monkeypatch):
    monkeypatch.setattr(peers, "LONG", -1.0)
    pair = peers.Peer("a", "", "w", lambda batch: (lambda: None, lambda: None))
    monkeypatch.setattr(peers, "PEERS", (pair,))
    found = list(peers.rows((1, 8), 1, []))
    assert len(found) == 2
    assert "larger batches left out" in found[1]["absent"]


def test_the_page_has_the_date_the_cpu_and_the_table(tmp_path, capsys):
    page = tmp_path / "peers.md"
    peers.main(["gfloat", "--batch", "1", "--repeat", "1", "--page", str(page)])
    text = page.read_text()
    assert re.search(r"Measured on \d\d \w+ \d{4}, one thread of .+, by", text)
    assert re.search(r"\| gfloat [\d.]+ \| 1,024 values to FP8 E4M3 \| 1 \|", text)
    assert "gfloat" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        peers.main(["--repeat", "0"])
