"""Is a variance in steps the exact one to four digits, and when are inputs too fine for it?"""

import numpy as np
import pytest

from pimlab.analog import ADC, DAC, Crossbar, device
from pimlab.analog.read import packed
from pimlab.analog.variances import coarse_variance

RNG = np.random.default_rng(3)
PCM = device("pcm-hermes")


def _design(**dac):
    return Crossbar(rows=64, cell=PCM, dac=DAC(**dac), adc=ADC(bits=8))


@pytest.mark.parametrize("rows", [slice(0, 64), slice(64, 101), slice(100, 101)])
def test_products_are_exact_to_four_digits(rows):
    variance = RNG.random((rows.stop - rows.start, 21)).astype(np.float32)
    codes = RNG.integers(-127, 128, (5, 101)).astype(np.float32)
    found = np.empty((5, 21), np.float32)
    coarse_variance(packed(variance), rows, _design(bits=8)).product(codes, found)
    exact = codes[:, rows].astype(float) ** 2 @ variance
    np.testing.assert_allclose(found, exact, rtol=1e-4 if len(variance) > 1 else 0.02, atol=2)


@pytest.mark.parametrize(
    ("dac", "taken"),
    [
        ({"bits": 8}, True),
        ({"bits": 8, "codes": "complement", "encoding": "bit serial"}, True),
        ({"bits": 9}, False),
        ({"bits": 8, "codes": "offset binary"}, False),
        ({"bits": 9, "encoding": "bit serial"}, True),
        ({"bits": 8, "gain_error": 0.01}, False),
    ],
)
def test_inputs_are_whole_codes_of_at_most_128(dac, taken):
    found = coarse_variance(packed(np.ones((4, 3))), slice(0, 4), _design(**dac))
    assert (found is not None) is taken


def test_the_largest_code_does_not_overflow():
    variance = packed(np.full((64, 2), 0.3))
    found = np.empty((1, 2), np.float32)
    coarse = coarse_variance(variance, slice(0, 64), _design(bits=8))
    coarse.product(np.full((1, 64), -128, np.float32), found)
    assert found == pytest.approx(64 * 128**2 * 0.3, rel=1e-6)


def test_noise_has_the_spread_of_the_cells():
    """The spread of an output over 4,000 reads is that of a design whose variances are exact."""
    w = RNG.standard_normal((40, 6)).astype(np.float32)
    x = np.repeat(RNG.standard_normal((1, 40)).astype(np.float32), 4000, axis=0)
    noise = PCM.read_noise.but(process="white")
    spread = [
        Crossbar(rows=64, cell=PCM.but(read_noise=noise), dac=DAC(bits=bits))
        .program(w, 2)
        .matmul(x, 1)
        .std(axis=0)
        for bits in (8, 9)
    ]
    np.testing.assert_allclose(*spread, rtol=5 / np.sqrt(2 * 4000))
