"""Which current is an ADC's full scale? Chosen from calibration rows, or from the weights, before
the first read.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimlab.analog.design import ArrayDesign
from pimlab.analog.draws import uniforms
from pimlab.analog.mapping import Plane, tiles
from pimlab.analog.read import encode
from pimlab.kernels.blas import one_thread
from pimlab.kernels.threads import each
from pimlab.keys import Key

_ROWS = 256
"""Input rows that stand for a calibration where there is none."""


def code_sizes(
    design: ArrayDesign,
    planes: Callable[[slice], list[Plane]],
    k: int,
    calibration: np.ndarray | None,
) -> list[list[np.ndarray]] | None:
    """Size of one ADC code for every plane, tile and column, in cells at full drive and full
    conductance: float64, shape (n,) each; None without an ADC. Where planes are added before their
    conversion: for every tile and column alone, in full weights at full drive.

    planes : gives the planes of some rows;  calibration : float32, shape (rows, k), input rows
    relative to full scale; None: inputs spread evenly over the drivers' range.
    """
    if design.adc is None:
        return None
    x = _spread_inputs(design, k) if calibration is None else calibration
    codes = np.empty_like(x)
    encode(design.dac, x, np.ones(len(x), np.float32), codes)
    full = np.float32(design.drive)
    driven = [design.effective_input(step / full) for _, step in design.phases(codes)]
    parts = tiles(k, design.rows)
    tile_by_tile = each(lambda part: _seen(design, planes(part), part, driven), parts)
    integers = design.dac is not None and design.slices is not None
    if design.combined:
        held = [plane.weight for plane in planes(slice(0, 1))]
        added = [
            [_weighted(held, part) for part in zip(*tile, strict=True)] for tile in tile_by_tile
        ]
        sums, worst = zip(*added, strict=True)
        unit = 1.0 / (design.drive * design.weight_top) if design.dac is not None else None
        return [design.adc.step(list(sums), list(worst), unit)]
    sizes = []
    for number, plane in enumerate(planes(slice(0, 1))):
        sums, worst = zip(*(tile[number] for tile in tile_by_tile), strict=True)
        unit = 1.0 / (design.drive * plane.digit) if integers else None
        sizes.append(design.adc.step(list(sums), list(worst), unit))
    return sizes


def _weighted(weights: list[float], planes: tuple[np.ndarray, ...]) -> np.ndarray:
    """Sum over planes of weight times array. Arrays of one shape."""
    return sum((weight * one for weight, one in zip(weights, planes, strict=True)), np.zeros(1))


def _seen(
    design: ArrayDesign, planes: list[Plane], part: slice, driven: list[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Column currents of `driven` in one tile, float64, shape (rows, n), and the largest magnitude
    each column can reach, shape (n,): of every plane, in full cells.
    """
    found = []
    for plane in planes:
        relative = plane.plus + (design.background if plane.minus is None else -plane.minus)
        with one_thread():
            steps = [step[:, part] @ relative for step in driven]
        sums = steps[0] if len(steps) == 1 else np.vstack(steps)
        found.append((sums, np.abs(relative).sum(axis=0)))
    return found


def _spread_inputs(design: ArrayDesign, k: int) -> np.ndarray:
    """float32, shape (256, k), relative to full scale: the first half of both signs (where drivers
    give negative inputs), the second half positive.
    """
    x = uniforms(Key(seed=0).child("range"), (_ROWS, k))
    if design.signed_inputs:
        x[: _ROWS // 2] = 2.0 * x[: _ROWS // 2] - 1.0
    return x
