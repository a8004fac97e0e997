"""How good must a memory cell be for this network? Its accuracy over window, programming error,
read noise and drift, and which cells keep what floating point has.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.analog.compensation import DriftCompensation
from pimlab.analog.converters import ADC, DAC
from pimlab.analog.crossbar import Crossbar
from pimlab.analog.devices import Device, GaussianReadNoise, PowerLawDrift, ProgrammingError
from pimlab.analog.devices.curves import Polynomial
from pimlab.arguments import typed
from pimlab.machine import presets
from pimlab.result import finished
from pimlab.studies.run import checked, run

G_MAX = 25e-6
"""Largest conductance of the cells compared [S]; only ratios to it reach an accuracy."""
DRIFT_START = 20.0
"""Seconds [s] after programming from which drift is counted: PCM's (Nandakumar et al. 2019)."""
AXES = ("window", "programming", "read", "drift")


def spec_cell(
    window: float, programming: float, read: float, drift: float, spread: float
) -> Device:
    """A cell by four numbers: largest over smallest conductance, standard deviations of programming
    and of a read relative to the largest conductance, and the mean exponent of power-law drift,
    whose standard deviation over cells is `spread` of it. Unit 1.

    A number that is 0 leaves its part out. TypeError for what is no number; ValueError for a window
    of 1 or less, or a negative number.
    """
    given = {"window": window, "programming": programming, "read": read, "drift": drift}
    for name, value in {**given, "spread": spread}.items():
        if not units.is_number(value):
            raise TypeError(f"device_spec_map {name}={value!r:.60} is no number")
        low = 1.0 if name == "window" else 0.0
        finite = math.isfinite(units.parse(value, "", f"device_spec_map {name}"))
        if not (finite and (value > low or (low == 0.0 and value == 0.0))):
            allowed = "above 1" if name == "window" else "0 or more"
            raise ValueError(f"device_spec_map {name}={value!r}; allowed: finite, {allowed}")
    window, programming, read, drift = (float(one) for one in given.values())

    def curve(value: float) -> Polynomial:
        return Polynomial(coefficients=(value,))

    error = ProgrammingError(sigma=curve(programming * G_MAX), g_reference=G_MAX)
    law = PowerLawDrift(
        time=DRIFT_START, mean=curve(drift), sigma=curve(spread * drift), g_reference=G_MAX
    )
    return Device(
        name=f"window {window:g}, programming {programming:g}, read {read:g}, drift {drift:g}",
        g_min=G_MAX / window,
        g_max=G_MAX,
        programming=error if programming else None,
        read_noise=GaussianReadNoise(absolute=read * G_MAX) if read else None,
        drift=law if drift else None,
    )


def spec_machine() -> Crossbar:
    """The array that `device_spec_map` puts cells into unless another is given: 256 x 256
    differential pairs, 8-bit converters, one gain a column against drift, and an NPU beside it.
    """
    return Crossbar(
        name="spec map",
        host=presets.target("warboy"),
        rows=256,
        cols=256,
        dac=DAC(bits=8),
        adc=ADC(bits=8),
        compensation=DriftCompensation(per="column"),
    )


@typed
def device_spec_map(
    model: Any,
    data: Any,
    *,
    window: Sequence[float] = (10.0, 100.0),
    programming: Sequence[float] = (0.0, 0.01, 0.02, 0.05, 0.1),
    read: Sequence[float] = (0.0, 0.01, 0.03),
    drift: Sequence[float] = (0.0, 0.05, 0.1),
    spread: float = 0.3,
    at: str | float = "1 year",
    tolerance: float = 0.01,
    seeds: Sequence[int] = (0,),
    machine: Any = None,
) -> xr.Dataset:
    """The metric of `data` for every combination of four numbers of a cell, and which of them keep
    what floating point has.

    window : largest conductance over the smallest.  programming, read : standard deviations of
    writing and of one read, relative to the largest conductance.  drift : mean exponents of
    g (1 + t / 20 s)^-nu;  spread : standard deviation of the exponent over cells, relative to it.
    at : time of the reads, seconds [s] or text.  tolerance : by how much the metric may be worse
    than in floating point and count as kept, relative.  seeds : chips that are averaged.
    machine : a `Crossbar` whose cell is replaced; by default that of `spec_machine`.
    Returns a Dataset over (window, programming, read, drift, seed) with the metric, `exact` (in
    floating point) and `kept`, over all but the seed. ValueError for numbers that make no cell;
    TypeError for a machine without cells.

    >>> digits = pim.load_data("digits", limit=60)
    >>> ds = pim.device_spec_map(pim.load_model("digits-mlp"), digits, window=[100.0],
    ...                          programming=[0.0, 0.1], read=[0.0], drift=[0.0])
    >>> ds.kept.dims
    ('window', 'programming', 'read', 'drift')
    """
    own = spec_machine() if machine is None else machine
    if not isinstance(own, Crossbar):
        raise TypeError(f"machine={own!r:.80} has no cells; allowed: a pimlab.Crossbar")
    checked(model, own, data, 64)
    if data is None:
        raise TypeError(
            "device_spec_map data=None has no metric; write for example pimlab.load_data('digits')"
        )
    values = dict(zip(AXES, (window, programming, read, drift), strict=True))
    values |= {"seed": seeds}
    for name, listed in values.items():
        if not len(listed):
            raise ValueError(f"device_spec_map {name}=[] names no value; allowed: one or more")
    name, better, exact = _exact(model, data)
    seconds = units.seconds(at)
    cells = [
        own.but(cell=spec_cell(w, p, r, d, spread))
        for w, p, r, d in itertools.product(window, programming, read, drift)
    ]
    scores = [
        float(run(model, one, data, at=seconds, seed=seed)[name])
        for one, seed in itertools.product(cells, seeds)
    ]
    sizes = [len(listed) for listed in values.values()]
    meaning = data.metric.long_name
    coords = {axis: list(map(float, listed)) for axis, listed in values.items() if axis in AXES}
    answer = xr.Dataset(
        {name: (tuple(values), np.reshape(scores, sizes), {"units": "1", "long_name": meaning})},
        coords={**coords, "seed": list(seeds)},
        attrs={"model": model.name, "data": data.name, "at": seconds, "tolerance": tolerance},
    )
    answer[name].attrs["better"] = better
    answer["exact"] = ((), exact, {"units": "1", "long_name": f"{meaning}, in floating point"})
    mean, worst = answer[name].mean("seed"), tolerance * abs(exact)
    kept = mean >= exact - worst if better == "higher" else mean <= exact + worst
    answer["kept"] = kept.assign_attrs(
        units="1", long_name="whether the cell keeps floating point's"
    )
    return finished(answer, own.cited)


def _exact(model: Any, data: Any) -> tuple[str, str, float]:
    """The metric's name and direction, and its value in floating point."""
    outputs = model.execute(data.inputs, model.exact)
    contributions = data.metric.contributions(outputs, data.labels)
    return data.metric.name, data.metric.better, float(data.metric.summarise(contributions)[0])
