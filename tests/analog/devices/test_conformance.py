"""Does the suite of a device's promises notice a device that breaks one?"""

import numpy as np
import pytest

import pimlab as pim
from pimlab.analog.devices import Device, Drift, GaussianReadNoise, device, device_names
from pimlab.analog.devices.conformance import ConformanceError, check

PROMISES = (
    "repeats",
    "differs",
    "stays physical",
    "starts at zero",
    "parts are apart",
    "moments hold",
)


@pytest.mark.parametrize("name", device_names())
def test_every_device_of_the_catalogue_keeps_all_of_them(name):
    assert check(device(name)) == PROMISES


class Jumps(Drift):
    """Changes conductances at time 0 already."""

    def after(self, g, seconds, key, target):
        return g * 0.9


class Falls(Drift):
    """Goes below zero."""

    def after(self, g, seconds, key, target):
        return g - seconds


class Louder(GaussianReadNoise):
    """Reads twice as far from the mean as it states."""

    def seen(self, g, sigma, z):
        return super().seen(g, 2 * sigma, z)


class Restless(Device):
    """Programs other cells whenever it is asked."""

    def program(self, g, key=0):
        self.asked.append(0)
        return np.asarray(g, float) * (1 + 1e-3 * len(self.asked))

    asked = []


def cell(kind=Device, **parts):
    return kind(name="mine", g_min=0.0, g_max=1e-5, **parts)


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (cell(drift=Jumps()), "drift has changed conductances at time 0"),
        (cell(drift=Falls()), "below 0 S"),
        (cell(read_noise=Louder(absolute=1e-8)), "spread of reads"),
        (cell(Restless), "the same key gave other conductances"),
    ],
)
def test_a_broken_promise_is_named(broken, what):
    with pytest.raises(ConformanceError, match=what):
        check(broken)


def test_a_name_is_no_device():
    with pytest.raises(TypeError, match=r"write pim\.device\('pcm-hermes'\)"):
        pim.check("pcm-hermes")
