"""Which cells can one kernel follow from their targets to what a read sees of them? Those of a
published fit whose parts are programming error, power-law drift and 1/f noise, and nothing else.

The kernel draws and computes what `Device.program`, `PowerLawDrift.after` and `FlickerNoise.spread`
do, to the bit, without an array of all cells in between.
"""

from __future__ import annotations

import numpy as np

from pimlab.analog.devices import Device, FlickerNoise, PowerLawDrift, ProgrammingError
from pimlab.analog.devices.curves import FLAT, table
from pimlab.kernels.cells import Law
from pimlab.keys import Key


def law_of(cell: Device, seconds: float, key: Key) -> Law | None:
    """What `kernels.cells.add_read` needs of cells `seconds` after programming [s], whose numbers
    `key` draws; None where they do something else too.
    """
    programming, drift, noise = cell.programming, cell.drift, cell.read_noise
    other = (cell.levels, cell.current, cell.defects, cell.temperature, cell.bounded or None)
    if type(cell) is not Device or any(part is not None for part in other):
        return None
    if type(programming) is not ProgrammingError or type(noise) is not FlickerNoise:
        return None
    if drift is None:
        drift = PowerLawDrift(time=1.0, mean=FLAT, g_reference=cell.g_max)
    if type(drift) is not PowerLawDrift:
        return None
    curves = programming.sigma, drift.mean, drift.sigma or FLAT, noise.strength
    tables = [one for one in map(table, curves) if one is not None]
    if len(tables) < len(curves):
        return None
    sigma, mean, width, strength = tables
    return Law(
        *key.child("programming").words,
        programming.g_reference,
        sigma,
        programming.floor,
        *key.child("drift").words,
        drift.g_reference,
        mean,
        width,
        drift.log_age(seconds),
        noise.g_reference,
        strength,
        noise.growth(seconds),
    )


def in_range(cell: Device, target: np.ndarray) -> bool:
    """Whether no target [S] has to be cut to the cell's range before it is programmed. Of any
    shape (...).
    """
    return bool(cell.g_min <= target.min() and target.max() <= cell.g_max)
