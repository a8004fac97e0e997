"""Are codes, partial sums and blocks those of a plain product?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, device
from pimlab.analog.read import encode, packed

RNG = np.random.default_rng(4)


def test_codes_of_each_kind():
    x, full = np.array([[0.5, -1.0, 2.0]], np.float32), np.ones(1, np.float32)

    def codes(dac):
        out = np.empty_like(x)
        encode(dac, x, full, out)
        return out[0].tolist()

    assert codes(None) == [0.5, -1.0, 2.0]
    assert codes(DAC(bits=3)) == [2, -3, 3]  # 1.5 goes to the even code
    assert codes(DAC(bits=2, codes="offset binary")) == [1, -3, 3]
    with pytest.raises(ValueError, match=r"cannot drive x=-1.0"):
        codes(DAC(bits=3, codes="unsigned"))


def test_panels_hold_the_matrix():
    matrix = RNG.standard_normal((3, 21)).astype(np.float32)
    panels = packed(matrix)
    wide = panels.transpose(1, 0, 2).reshape(3, -1)
    np.testing.assert_array_equal(wide[:, :21], matrix)
    assert not wide[:, 21:].any()


@pytest.mark.parametrize("at", [0.0, "1 h"])
def test_a_batch_is_its_rows(at):
    """The bits of a row depend on no other row, so noise included, parts of a batch are the batch."""
    w = RNG.standard_normal((40, 8)).astype(np.float32)
    x = RNG.standard_normal((120, 40)).astype(np.float32)
    programmed = Crossbar(
        rows=16, cell=device("pcm-hermes"), dac=DAC(bits=6), adc=ADC(bits=7)
    ).program(w, 5)
    from pimlab.keys import Key

    key = Key(seed=9)
    whole = programmed.matmul(x, key, at)
    parts = [programmed.matmul(x[a:b], key.rows(a), at) for a, b in ((0, 1), (1, 100), (100, 120))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_partial_sums_of_tiles_add_up():
    w = RNG.integers(-3, 4, (10, 3)).astype(np.float32)
    x = RNG.integers(-2, 3, (5, 10)).astype(np.float32)
    assert Crossbar(rows=4).program(w).matmul(x) == pytest.approx(x @ w, abs=1e-4)
