"""Causes and randomness follow from the parts, a user's own parts included."""

import numpy as np
import pytest

from pimlab import units
from pimlab.analog import ADC, Crossbar, NonIdeal, device
from pimlab.analog.devices import Device, Drift, ReadNoise
from pimlab.values import Value, part, quantity


class Hysteresis(NonIdeal):
    """A user's own part: cells come out lower by a share that the key chooses."""

    share: float = 0.1


class Sticky(Device):
    """A user's own cell with a part that the library does not know."""

    hysteresis: Hysteresis | None = part(Hysteresis, default=None)

    def program(self, g_target, key=0):
        g = super().program(g_target, key)
        return g if self.hysteresis is None else g * (1 - self.hysteresis.share)


class Halving(Drift):
    """A user's own law of drift."""

    time: float = quantity("s", above=0)

    def after(self, g, seconds, key, target):
        return g * 0.5 ** (seconds / self.time)


class Offset(NonIdeal):
    """A deterministic part of a user's own machine."""

    amount: float = 1.0

    @property
    def varies(self):
        return False


class Shifted(Crossbar):
    offset: Offset | None = part(Offset, default=None)


STICKY = Sticky(name="sticky", g_min=0, g_max=1e-5, hysteresis=Hysteresis())
W, X = np.ones((4, 2), np.float32), np.ones((1, 4), np.float32)


def test_a_users_own_part_is_a_cause():
    machine = Crossbar(cell=STICKY, adc=ADC(bits=8))
    assert machine.causes == ("hysteresis", "adc")
    assert machine.varies
    without = machine.with_causes(("adc",))
    assert without.cell.hysteresis is None
    assert Crossbar(cell=STICKY).program(W).matmul(X)[0] == pytest.approx(3.6)
    assert without.with_causes(()).program(W).matmul(X)[0] == pytest.approx(4.0)


def test_a_users_own_drift_ages_in_an_array():
    cell = device("ideal").but(drift=Halving(time="1 day"))
    machine = Crossbar(cell=cell)
    assert machine.causes == ("drift",)
    assert machine.varies
    programmed = machine.program(W)
    assert [programmed.matmul(X, at=at)[0, 0] for at in (0.0, "1 day", "2 days")] == pytest.approx(
        [4, 2, 1]
    )


def test_a_users_own_noise_is_read_noise():
    class Tenth(ReadNoise):
        def spread(self, g, seconds, target):
            return 0.1 * np.asarray(g)

    cell = device("ideal").but(read_noise=Tenth())
    assert Crossbar(cell=cell).causes == ("read noise",)
    y = Crossbar(cell=cell).program(W).matmul(np.repeat(X, 20_000, axis=0), 1)
    assert y.std() == pytest.approx(0.1 * 2, rel=0.02)


def test_a_part_that_does_not_vary_says_so():
    machine = Shifted(offset=Offset())
    assert machine.causes == ("offset",)
    assert not machine.varies
    assert machine.with_causes(()).offset is None


def test_a_class_is_called_by_its_name_where_it_gives_no_other():
    class TrapAssisted(NonIdeal):
        pass

    assert TrapAssisted().cause == "trap assisted"
    assert Halving(time=1).cause == "drift"


def test_a_part_that_says_nothing_is_refused():
    class Mystery(Value):
        pass

    class Cell(Device):
        mystery: Mystery | None = part(Mystery, default=None)

    with pytest.raises(TypeError, match="mystery=.* derives from pimlab.analog.NonIdeal"):
        Cell(name="cell", g_min=0, g_max=1e-5, mystery=Mystery())


def test_a_cell_that_reads_the_clock_varies_by_itself():
    class Fading(Device):
        def drifted(self, g, at, key=0, target=None):
            return np.asarray(g) * (0.5 if units.seconds(at) > 0 else 1.0)

    assert Fading(name="fading", g_min=0, g_max=1e-5).varies
    assert not device("ideal").varies
