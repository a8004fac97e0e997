"""What do the cells of one plane hold, and what does a read of them see? Conductances as
programmed, drifted and noisy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimlab.analog.circuit.wired import (
    Gated,
    NonlinearWires,
    Polarities,
    Solved,
    effective,
    variance,
)
from pimlab.analog.circuit.wires import Wires
from pimlab.analog.devices import CubicCurrent, Device, ReadNoise
from pimlab.keys import Key

NonlinearTerms = list[tuple[int, np.ndarray]]
"""(power of the input, coefficients (k, n)) of each term of a nonlinear I-V beyond the linear
one.
"""
SKEWED_FROM = 32
"""Active inputs asked for by a plain Gaussian above which skewness is worth a product of its
own.
"""
KS_TOLERANCE = 0.004
"""Largest distance between the true and the Gaussian distribution of an output that is accepted
without per-cell draws.
"""


@dataclass(frozen=True)
class CellDraws:
    """Cells of a tile as a single draw sees them, for outputs whose noise is not Gaussian: float32,
    shape (k, n), in `Reading.unit`.

    With several devices a polarity the devices follow each other along k and each takes its share
    of the input.
    """

    needed: np.ndarray
    plus: np.ndarray
    plus_sigma: np.ndarray
    minus: np.ndarray
    minus_sigma: np.ndarray
    devices: int
    flip: float
    """Telegraph noise: standard normals above this lower a cell by its sigma; inf: Gaussian
    noise.
    """
    ends: np.ndarray
    """float32 (2,): where a read is cut, in `Reading.unit`."""


class CellArray:
    """Cells of one polarity: targets, shape (k, n), S, and `devices` cells that share each of them,
    (devices, k, n), S.

    key, site : of this writing, and of the cells themselves: stuck cells stay stuck however often
    they are written.
    """

    def __init__(self, cell: Device, relative: np.ndarray, key: Key, site: Key, devices: int):
        self.cell, self.key = cell, key
        self.target = cell.g_min + (cell.g_max - cell.g_min) * relative
        self.programmed = np.stack(
            [self._written(key.child(d), site.child(d)) for d in range(devices)]
        )

    def _written(self, key: Key, site: Key) -> np.ndarray:
        cell = self.cell
        g = cell.but(defects=None).program(self.target, key)
        return (
            g
            if cell.defects is None
            else cell.defects.applied(g, cell.g_min, cell.g_max, site.child("defects"))
        )

    def at(self, seconds: float, programming_temperature: bool = False) -> np.ndarray:
        """Conductances at that time without read noise, S, float64, shape (devices, k, n), at the
        temperature of use or of programming.
        """
        cell = self.cell.but(temperature=None) if programming_temperature else self.cell
        return np.stack(
            [
                cell.drifted(g, seconds, self.key.child(d), self.target)
                for d, g in enumerate(self.programmed)
            ]
        )

    def spread(self, now: np.ndarray, seconds: float) -> np.ndarray | None:
        """Standard deviation of one read before the cut at zero [S], like `now`; None without read
        noise.
        """
        noise = self.cell.read_noise
        return (
            None
            if noise is None
            else np.broadcast_to(noise.spread(now, seconds, self.target), now.shape)
        )

    def cell_moments(self, now: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of one read of cells `now` with `sigma` from `spread`, S and S^2.
        float64, shape (devices, k, n).
        """
        assert self.cell.read_noise is not None
        return self.cell.read_noise.moments(now, sigma)


@dataclass(frozen=True)
class TileMoments:
    """Mean and noise of one read of a tile's cells, in `Reading.unit`.

    mean : float64, shape (k, n);  nonlinear : (power of the input, float64, shape (k, n)) of each
    term beyond the linear one;
    variance : float64, shape (k, n) or None without read noise;  cells : for single draws, or None.
    """

    mean: np.ndarray
    nonlinear: NonlinearTerms
    variance: np.ndarray | None
    cells: CellDraws | None
    third: np.ndarray | None = None
    """float64 (k, n): third cumulants, where noise is drawn with its skewness."""
    solved: Solved | None = None
    """Wires whose inputs switch the cells, or cells of nonlinear I-V: reads are solved input by
    input, and `mean` is zero.

    `variance` is then that of ideal wires (or of linear cells): what steps of an input have in
    common.
    """


@dataclass(frozen=True)
class Reading:
    """How cells are read: `seconds` after programming, full input `volts`, through `wires` (or
    ideal ones) of arrays `cols` wide.

    positive : the inputs have one sign, which matters to what wires take from the noise.
    drive, width : code of a full input, and whether codes are pulse widths.
    unit : S, what results are relative to: one digit of an integer weight, or the conductance range
    of an analog one.
    """

    seconds: float
    volts: float
    wires: Wires | None
    cols: int
    positive: bool
    drive: int
    width: bool
    unit: float


def tile_moments(
    signed: list[tuple[float, CellArray]], nows: list[np.ndarray], part: slice, how: Reading
) -> TileMoments:
    """One tile of a plane whose `signed` cells have the conductances `nows` at that time.
    Conductances : float64, shape (devices, k, n) [S].
    """
    cell, seconds = signed[0][1].cell, how.seconds
    span = how.unit
    nonlinear = _nonlinear(signed, nows, part, how.volts, span)
    if how.wires is not None:
        return _through_wires(signed, nows, part, how)
    if cell.read_noise is None:
        mean = sum(
            sign * now[:, part].mean(axis=0) for (sign, _), now in zip(signed, nows, strict=True)
        )
        return TileMoments(np.asarray(mean) / span, nonlinear, None, None)
    drawn = []
    for (sign, held), now in zip(signed, nows, strict=True):
        sigma = held.spread(now, seconds)
        assert sigma is not None
        drawn.append((sign, now[:, part], sigma[:, part]))
    shape = drawn[0][1].shape[1:]
    mean, spread = np.zeros(shape), np.zeros(shape)
    higher = []
    for sign, g, sigma in drawn:
        first, second, third, fourth = cell.read_noise.cumulants(g, sigma)
        mean += sign * first.mean(axis=0)
        spread += second.sum(axis=0) / len(g) ** 2
        higher.append((sign, second / len(g) ** 2, third / len(g) ** 3, fourth / len(g) ** 4))
    edges = edgeworth(higher)
    draws = (
        _single_draws(drawn, edges.needed, cell.read_noise, span) if edges.needed.any() else None
    )
    skew = None if edges.third is None else edges.third / span**3
    return TileMoments(mean / span, nonlinear, spread / span**2, draws, third=skew)


def _through_wires(
    signed: list[tuple[float, CellArray]], nows: list[np.ndarray], part: slice, how: Reading
) -> TileMoments:
    """As `tile_moments`, solved with the wires of each array; the devices of one weight conduct
    side by side.
    """
    assert how.wires is not None
    cell, devices = signed[0][1].cell, len(nows[0])
    span = devices * how.unit
    polarities, spreads = [], None if cell.read_noise is None else list[np.ndarray]()
    for (sign, cells), now in zip(signed, nows, strict=True):
        mean, sigma = now[:, part], cells.spread(now, how.seconds)
        if sigma is not None and spreads is not None:
            mean, second = cells.cell_moments(mean, sigma[:, part])
            spreads.append(np.sqrt(second.sum(axis=0)))
        polarities.append((sign, mean.sum(axis=0)))
    if cell.current is not None:
        return _nonlinear_wires(
            cell.current, polarities, spreads, [now[:, part] for now in nows], how
        )
    if not how.wires.linear:
        shape = polarities[0][1].shape
        return TileMoments(
            np.zeros(shape),
            [],
            _ideal_wires_variance(spreads, span),
            None,
            solved=Gated(how.wires, how.cols, polarities, spreads, span),
        )
    matrix = effective(how.wires, how.cols, polarities) / span
    if spreads is None:
        return TileMoments(matrix, [], None, None)
    return TileMoments(
        matrix, [], variance(how.wires, how.cols, polarities, spreads, how.positive) / span**2, None
    )


def _nonlinear_wires(
    curve: CubicCurrent,
    polarities: Polarities,
    spreads: list[np.ndarray] | None,
    nows: list[np.ndarray],
    how: Reading,
) -> TileMoments:
    """Nonlinear cells behind wires; their noise is that of linear cells of the same
    conductances.
    """
    assert how.wires is not None
    shape, span = polarities[0][1].shape, len(nows[0]) * how.unit
    noise: np.ndarray | None
    if spreads is not None and how.wires.linear:
        noise = variance(how.wires, how.cols, polarities, spreads, how.positive) / span**2
    else:
        noise = _ideal_wires_variance(spreads, span)
    terms = []
    for now in nows:
        by_power = {power: term.sum(axis=0) for power, term in curve.terms(now)}
        terms.append((by_power.get(2, np.zeros(shape)), by_power.get(3, np.zeros(shape))))
    kept = None if noise is None else noise.astype(np.float32)
    solved = NonlinearWires(
        how.wires, how.cols, polarities, terms, how.volts, how.drive, how.width, span, kept
    )
    return TileMoments(np.zeros(shape), [], noise, None, solved=solved)


def _ideal_wires_variance(spreads: list[np.ndarray] | None, span: float) -> np.ndarray | None:
    """Variance of a read per squared input if wires were ideal, float64, shape (k, n), relative."""
    return None if spreads is None else np.sum(np.square(spreads), axis=0) / span**2


def _nonlinear(
    signed: list[tuple[float, CellArray]],
    nows: list[np.ndarray],
    part: slice,
    volts: float,
    span: float,
) -> NonlinearTerms:
    """What a nonlinear I-V adds: coefficient times volts^(power - 1), so that it multiplies the
    relative input like a conductance.
    """
    curve = signed[0][1].cell.current
    if curve is None:
        return []
    if volts > curve.limit:
        raise ValueError(
            f"{signed[0][1].cell.name}: read voltage {volts} V is outside its I-V curve; allowed: "
            f"up to {curve.limit} V"
        )
    total: dict[int, np.ndarray] = {}
    for (sign, _), now in zip(signed, nows, strict=True):
        for power, coefficient in curve.terms(now[:, part]):
            total[power] = (
                total.get(power, 0.0)
                + sign * coefficient.mean(axis=0) * volts ** (power - 1) / span
            )
    return list(total.items())


def _single_draws(
    drawn: list[tuple[float, np.ndarray, np.ndarray]],
    needed: np.ndarray,
    noise: ReadNoise,
    span: float,
) -> CellDraws:
    flat = [
        (a.reshape(-1, a.shape[-1]) / span).astype(np.float32)
        for _, g, sigma in drawn
        for a in (g, sigma)
    ]
    if len(flat) == 2:
        flat += [np.zeros((0, flat[0].shape[1]), np.float32)] * 2
    ends = np.array(noise.ends, np.float32) / np.float32(span)
    plus, plus_sigma, minus, minus_sigma = flat
    return CellDraws(
        needed, plus, plus_sigma, minus, minus_sigma, len(drawn[0][1]), noise.flip, ends
    )


@dataclass(frozen=True)
class Edges:
    """How far a column's noise is from Gaussian.

    needed : float32, shape (n,), equal active inputs that make it Gaussian (after correction for
    skewness, if there is one);
    third : float64, shape (k, n), S^3, signed third cumulants where noise has to be drawn with its
    skewness, or None.
    """

    needed: np.ndarray
    third: np.ndarray | None


def edgeworth(
    cells: list[tuple[float, np.ndarray, np.ndarray, np.ndarray]], tolerance: float = KS_TOLERANCE
) -> Edges:
    """What it takes to draw each column's noise at once to within `tolerance` in the distribution
    function.

    cells : (sign, and the second to fourth cumulant of a read, float64, shape (devices, k, n), S^2
    to S^4) that add into one column. First terms of the Edgeworth series (Kolassa, Series
    Approximation Methods in Statistics, chapter 3): with skewness s / sqrt(n) and excess kurtosis q
    / n a Gaussian is off by at most 0.0665 s / sqrt(n) + 0.0229 q / n. Where that asks for more
    than `SKEWED_FROM` inputs, the skewness is drawn too and 0.05 s^2 / n + 0.0229 q / n is left
    (0.05 is above the
    0.032 of the second-order term and what the correction itself adds). Sums of Gaussians that are
    not cut need nothing.
    """
    k, n = cells[0][1].shape[-2:]
    second, third, fourth, signed = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros((k, n))
    for sign, c2, c3, c4 in cells:
        second += c2.reshape(-1, n).sum(axis=0)
        third += np.abs(c3).reshape(-1, n).sum(axis=0)
        fourth += np.abs(c4).reshape(-1, n).sum(axis=0)
        signed += sign * c3.sum(axis=0)
    safe = np.where(second > 0, second, 1.0)
    skew, tail = np.sqrt(k) * third / safe**1.5, k * fourth / safe**2
    plain = (
        (0.0665 * skew + np.sqrt((0.0665 * skew) ** 2 + 4 * tolerance * 0.0229 * tail))
        / (2 * tolerance)
    ) ** 2
    plain = np.where((second > 0) & (plain > 0.5), plain, 0.0)
    if plain.max(initial=0.0) <= SKEWED_FROM:
        return Edges(plain.astype(np.float32), None)
    return Edges(
        np.minimum(plain, (0.05 * skew**2 + 0.0229 * tail) / tolerance).astype(np.float32), signed
    )
