"""Do converters and noise of a read of the whole array have the size that was asked for?"""

import numpy as np
import pytest

from pimlab import catalogue
from pimlab.analog.learning import ReadPass, read_pass
from pimlab.keys import Key

KEY = Key(seed=8)
RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, (300, 20)).astype(np.float32)
W = RNG.uniform(-0.5, 0.5, (20, 15)).astype(np.float32)


def test_an_ideal_pass_is_the_product():
    assert ReadPass(scaled=False).product(X, W, KEY) == pytest.approx(X @ W, abs=1e-6)
    assert ReadPass().product(3 * X, W, KEY) == pytest.approx(3 * X @ W, abs=1e-5)
    assert (ReadPass().product(0 * X, W, KEY) == 0).all()


def test_inputs_and_outputs_stand_on_codes():
    coarse = ReadPass(input_bits=3, output_bits=4, bound=7.0, scaled=False)
    codes = np.clip(np.rint(X * 3), -3, 3) / 3
    wanted = np.clip(np.rint(codes @ W), -7, 7)
    assert coarse.product(X, W, KEY) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("cause", ["input_noise", "output_noise", "weight_noise"])
def test_noise_has_its_size_and_grows_with_the_scale(cause):
    found = ReadPass(**{cause: 0.1}).product(2 * X, W, KEY) - 2 * X @ W
    top = 2 * np.abs(X).max(axis=1, keepdims=True)
    size = {
        "input_noise": np.sqrt(np.square(W).sum(axis=0)),
        "output_noise": 1.0,
        "weight_noise": np.linalg.norm(2 * X / top, axis=1, keepdims=True),
    }[cause]
    z = found / (0.1 * top * size)
    assert z.mean() == pytest.approx(0, abs=4 / np.sqrt(z.size))
    assert z.std() == pytest.approx(1, rel=0.05)


def test_a_row_beyond_the_bound_is_read_again_with_half_the_inputs():
    w = np.ones((20, 2), np.float32)
    x = np.full((2, 20), 1.0, np.float32)
    x[1, 1:] = 0
    assert ReadPass(bound=6.0).product(x, w, KEY).tolist() == [[6, 6], [1, 1]]
    assert ReadPass(bound=6.0, halvings=1).product(x, w, KEY).tolist() == [[12, 12], [1, 1]]
    assert ReadPass(bound=6.0, halvings=2).product(x, w, KEY).tolist() == [[20, 20], [1, 1]]


def test_draws_are_those_of_the_row():
    noisy = read_pass("rpu-gokmen2017")
    whole = noisy.product(X, W, KEY)
    parts = [noisy.product(X[i : i + 100], W, KEY.rows(i)) for i in (0, 100, 200)]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, noisy.product(X, W, KEY.child(1)))


def test_the_published_pass():
    """7-bit inputs, 9-bit outputs within 12, noise of 0.06; bounds are not managed on the way back."""
    forward, backward = read_pass("rpu-gokmen2017"), read_pass("rpu-gokmen2017", "backward")
    assert (forward.input_bits, forward.output_bits, forward.bound) == (7, 9, 12.0)
    assert forward.output_noise == 0.06
    assert backward == forward.but(halvings=0)
    assert forward.halvings == 4
    assert set(forward.sources) <= set(catalogue.sources())


def test_wrong_passes_are_refused():
    with pytest.raises(ValueError, match="output_bits=8 without a bound"):
        ReadPass(output_bits=8)
    with pytest.raises(ValueError, match="halvings=2 without a bound"):
        ReadPass(halvings=2)
    with pytest.raises(TypeError, match="scaled='no' is not True or False"):
        ReadPass(scaled="no")
    with pytest.raises(ValueError, match="direction='both'; allowed"):
        read_pass("rpu-gokmen2017", "both")
    with pytest.raises(ValueError, match="did you mean 'rpu-gokmen2017'"):
        read_pass("rpu-gokmen201")
