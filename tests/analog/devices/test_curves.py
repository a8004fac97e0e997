"""Does each published shape give what its formula says, inside its bounds and outside?"""

import numpy as np
import pytest

from pimlab.analog.devices import FlickerNoise, PowerLawDrift, ProgrammingError, curves
from pimlab.keys import Key
from pimlab.reference import cells

U = np.array([0, 1e-9, 0.1, 0.5, 1.0, 2.0])


def test_a_polynomial_holds_below_and_beyond():
    curve = curves.Polynomial(coefficients=(1.0, -2.0, 0.5), low=-0.2, until=1.0)
    np.testing.assert_allclose(curve(U), [1, 1 - 2e-9, 0.805, 0.125, -0.2, -0.2])
    np.testing.assert_allclose(curves.Polynomial(coefficients=(3.0,))(U), 3)


def test_logs_and_powers_are_clipped_and_finite_at_zero():
    log = curves.ClippedLog(slope=-0.5, offset=0.1, low=0.0, high=2.0)
    np.testing.assert_allclose(log(U[2:]), np.clip(0.1 - 0.5 * np.log(U[2:]), 0, 2))
    assert log(U[:1]) == 2.0
    power = curves.ClippedPower(factor=2.0, exponent=-0.5, low=0.5, high=5.0)
    np.testing.assert_allclose(power(U[2:]), np.clip(2 / np.sqrt(U[2:]), 0.5, 5))
    assert power(U[:1]) == 5.0


def test_saturation_rises_linearly_and_ends_at_its_top():
    curve = curves.Saturating(top=3.0, width=0.25)
    assert curve(np.float64(1e-6)) == pytest.approx(3e-6 / 0.25, rel=1e-5)
    assert curve(np.float64(100)) == 3.0
    assert (np.diff(curve(U)) > 0).all()


def test_a_split_takes_one_curve_below_and_the_other_from_there_on():
    curve = curves.Split(
        at=0.5,
        below=curves.ClippedPower(factor=1.0, exponent=1.0, low=0.0, high=9.0),
        above=curves.Polynomial(coefficients=(7.0,)),
    )
    np.testing.assert_allclose(curve(np.array([0.1, 0.49, 0.5, 0.8])), [0.1, 0.49, 7, 7])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: curves.Polynomial(coefficients=()), "one finite number"),
        (lambda: curves.Polynomial(coefficients=(np.nan,)), "finite"),
        (lambda: curves.Polynomial(coefficients=(1.0,), until=np.nan), "until=nan"),
        (lambda: curves.ClippedLog(slope=1, offset=0, low=2, high=1), "low <= high"),
        (lambda: curves.Saturating(top=1, width=0), "width"),
    ],
)
def test_curves_that_cannot_be_are_refused(make, match):
    with pytest.raises(ValueError, match=match):
        make()


SHAPES = (
    curves.Polynomial(coefficients=(1.0, -2.0, 0.5), low=-0.2, until=1.0),
    curves.ClippedLog(slope=-0.5, offset=0.1, low=0.0, high=2.0),
    curves.ClippedPower(factor=2.0, exponent=-0.5, low=0.5, high=5.0),
    curves.Saturating(top=3.0, width=0.25),
    curves.Split(
        at=0.5,
        below=curves.ClippedPower(factor=1.0, exponent=1.5, low=0.0, high=9.0),
        above=curves.Polynomial(coefficients=(7.0, 1.0)),
    ),
)


@pytest.mark.parametrize("curve", SHAPES)
def test_a_table_says_what_the_curve_says(curve):
    np.testing.assert_allclose(cells.curve(curves.table(curve), U), curve(U), rtol=1e-14)


def test_a_curve_of_a_users_own_class_has_no_table_and_is_asked_itself():
    class Twice(curves.Polynomial):
        def __call__(self, u):
            return 2 * super().__call__(u)

    own = Twice(coefficients=(0.02, 0.01))
    assert curves.table(own) is None
    assert curves.table(curves.Split(at=0.5, below=own, above=SHAPES[0])) is None
    plain = curves.Polynomial(coefficients=(0.04, 0.02))
    g, z = np.linspace(0, 1, 9), np.linspace(-2, 2, 9).astype(np.float32)
    for law in (
        lambda curve: ProgrammingError(sigma=curve, g_reference=1.0).written(g, z),
        lambda curve: PowerLawDrift(time=20.0, mean=curve, sigma=curve, g_reference=1.0).after(
            g, 1e4, Key(seed=3), g
        ),
        lambda curve: FlickerNoise(
            strength=curve, start=1.0, g_reference=1.0, read_time=1e-6
        ).spread(g, 1e4, g),
    ):
        np.testing.assert_allclose(law(own), law(plain), rtol=1e-13)
