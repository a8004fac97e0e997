"""What do the cells of one plane hold, and what does a read of them see? Conductances as
programmed, drifted and noisy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pimlab.analog.circuit.wired import (
    Gated,
    NonlinearWires,
    Place,
    Polarities,
    SelectedReads,
    Solved,
    effective,
    variance,
)
from pimlab.analog.circuit.wires import Wires
from pimlab.analog.devices import CubicCurrent, Device, ReadNoise, SelectedCurrent, SteepCurrent
from pimlab.analog.devices.read_noise import Cumulants
from pimlab.analog.faults import CellFaults, matrix_with_gaps
from pimlab.analog.non_ideal import part_fields
from pimlab.analog.plain_cells import in_range, law_of
from pimlab.analog.recent import recent
from pimlab.kernels import clipped
from pimlab.kernels.cells import Law, add_read
from pimlab.kernels.threads import each
from pimlab.keys import Key

_ALL = slice(None)
Load = list[tuple[int, np.ndarray]]
"""(power of the input, S at full input, float64, shape (k,)) of each term of what all cells on an
input line conduct.
"""
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


_CHUNK = 1 << 15
"""Cells whose history is computed at a time: what a core's cache holds of them."""


@dataclass(frozen=True)
class CellDraws:
    """Cells of a tile as a single draw sees them, for outputs whose noise is not Gaussian.

    needed : float32, shape (n,), active inputs from which an output needs no such draw;  made :
    gives `cells`, which are asked for only where an output does;  devices : how many share each
    input;  flip : telegraph noise, standard normals above this lower a cell by its sigma (inf:
    Gaussian noise);  ends : float32, shape (2,), where a read is cut, in `Reading.unit`.
    """

    needed: np.ndarray
    made: Callable[[], list[np.ndarray]]
    devices: int
    flip: float
    ends: np.ndarray

    @cached_property
    def cells(self) -> list[np.ndarray]:
        """Plus, their sigma, minus, their sigma: float32, shape (k, n), in `Reading.unit`; minus of
        no rows for single cells. With several devices a polarity the devices follow each other
        along k and each takes its share of the input.
        """
        return self.made()


class CellArray:
    """Cells of one polarity, and `devices` cells that share each conductance.

    Nothing of them is held: what they are follows from the weights and the key, and is computed
    anew where a read at another time asks for it. relative : gives the targets of some rows,
    float64, shape (rows, n), within 0..1;  shape : (k, n);  key, site : of this writing, and of the
    cells themselves: stuck cells stay stuck however often they are written;  faults : of cells and
    lines, or None.
    """

    def __init__(
        self,
        cell: Device,
        relative: Callable[[slice], np.ndarray],
        shape: tuple[int, int],
        key: Key,
        site: Key,
        devices: int,
        faults: CellFaults | None = None,
    ):
        self.cell, self.key, self.site, self.devices = cell, key, site, devices
        self.faults = faults
        self.shape, self._relative = shape, relative
        self._whole_cell = cell if cell.defects is None else cell.but(defects=None)
        self._cool_cell = cell if cell.temperature is None else cell.but(temperature=None)
        self._by_rows = _by_rows(cell)
        self._whole = recent(self._all_at, 2)

    @property
    def target(self) -> np.ndarray:
        """What cells were to be programmed to [S], float64, shape (k, n)."""
        return self.targets(_ALL)

    def targets(self, rows: slice) -> np.ndarray:
        """What cells of `rows` were to be programmed to [S], float64, shape (rows, n)."""
        cell = self.cell
        return cell.g_min + (cell.g_max - cell.g_min) * self._relative(rows)

    @property
    def programmed(self) -> np.ndarray:
        """Conductances as programmed [S], float64, shape (devices, k, n)."""
        return _stacked(self._written(_ALL, self.target))

    def _written(self, rows: slice, target: np.ndarray) -> list[np.ndarray]:
        return [
            self._device(target, self._rows(self.key.child(d), rows), self._rows(site, rows))
            for d, site in enumerate(self.site.child(d) for d in range(self.devices))
        ]

    def _device(self, target: np.ndarray, key: Key, site: Key) -> np.ndarray:
        cell, g = self.cell, self._whole_cell.program(target, key)
        return (
            g
            if cell.defects is None
            else cell.defects.applied(g, cell.g_min, cell.g_max, site.child("defects"))
        )

    def _rows(self, key: Key, rows: slice) -> Key:
        return key.rows(key.row + (rows.start or 0))

    def chunks(self, part: slice) -> list[slice]:
        """Rows of `part` whose cells are computed at a time. Unit: rows."""
        rows = max(_CHUNK // self.shape[1], 1)
        stop = min(part.stop, self.shape[0])
        return [slice(first, min(first + rows, stop)) for first in range(part.start, stop, rows)]

    def at(
        self,
        seconds: float,
        programming_temperature: bool = False,
        rows: slice = _ALL,
        cut: bool = True,
    ) -> np.ndarray:
        """Conductances at that time without read noise, S, float64, shape (devices, rows, n), at
        the temperature of use or of programming; with faults, and (unless cut=False) 0 S behind the
        gap of a line.
        """
        if self._by_rows:
            g = self._at(seconds, programming_temperature, rows, self.targets(rows))
        else:
            g = self._whole(seconds, programming_temperature)[:, rows]
        return g if self.faults is None else self.faults.seen(g, rows, cut)

    def seen(
        self, seconds: float, programming_temperature: bool, rows: slice
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """`at` that time, and its `spread`, of which the targets are found once. S, float64,
        shape (devices, rows, n).
        """
        if not self._by_rows or self.faults is not None:
            now = self.at(seconds, programming_temperature, rows)
            return now, self.spread(now, seconds, rows)
        target = self.targets(rows)
        now = self._at(seconds, programming_temperature, rows, target)
        return now, self._spread(now, seconds, rows, target)

    def laws(self, seconds: float) -> list[Law] | None:
        """What each device of a weight does, where one kernel can compute it: `law_of`. Times in
        seconds [s].
        """
        found = [law_of(self.cell, seconds, self.key.child(d)) for d in range(self.devices)]
        if self.faults is not None or any(law is None for law in found):
            return None
        return [law for law in found if law is not None]

    def faulty(self, rows: slice) -> np.ndarray | None:
        """bool, shape (devices, rows, n): cells that are not as they were written; None: no
        faults.
        """
        return None if self.faults is None else self.faults.faulty(self.devices, rows)

    def _all_at(self, seconds: float, programming_temperature: bool) -> np.ndarray:
        return self._at(seconds, programming_temperature, _ALL, self.target)

    def _at(
        self, seconds: float, programming_temperature: bool, rows: slice, target: np.ndarray
    ) -> np.ndarray:
        cell = self._cool_cell if programming_temperature else self.cell
        return _stacked(
            [
                cell.drifted(g, seconds, self._rows(self.key.child(d), rows), target)
                for d, g in enumerate(self._written(rows, target))
            ]
        )

    def spread(self, now: np.ndarray, seconds: float, rows: slice = _ALL) -> np.ndarray | None:
        """Standard deviation of one read before the cut at zero [S], like `now`; None without read
        noise.
        """
        return self._spread(now, seconds, rows, self.targets(rows))

    def _spread(
        self, now: np.ndarray, seconds: float, rows: slice, target: np.ndarray
    ) -> np.ndarray | None:
        noise, faulty = self.cell.read_noise, self.faulty(rows)
        if noise is None:
            return None
        spread = np.broadcast_to(noise.spread(now, seconds, target), now.shape)
        return spread if faulty is None else np.where(faulty, 0.0, spread)

    def cell_moments(self, now: np.ndarray, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of one read of cells `now` with `sigma` from `spread`, S and S^2.
        float64, shape (devices, k, n).
        """
        assert self.cell.read_noise is not None
        return self.cell.read_noise.moments(now, sigma)


def _stacked(devices: list[np.ndarray]) -> np.ndarray:
    """One array, shape (devices, ...); a single device is not copied."""
    return devices[0][None] if len(devices) == 1 else np.stack(devices)


def _by_rows(cell: Device) -> bool:
    """Whether cells may be computed some rows at a time: a user's own class may draw its random
    numbers for an array as a whole.
    """
    parts = (getattr(cell, name) for name in part_fields(cell))
    return all(
        type(one).__module__.startswith("pimlab.") for one in (cell, *parts) if one is not None
    )


@dataclass(frozen=True)
class TileMoments:
    """Mean and noise of one read of a tile's cells, in `Reading.unit`.

    mean : float64, shape (k, n);  nonlinear : (power of the input, float64, shape (k, n)) of each
    term beyond the linear one;
    variance : float64, shape (k, n) or None without read noise;  cells : for single draws, or None;
    load : what input lines conduct, where wires are ideal.
    """

    mean: np.ndarray
    nonlinear: NonlinearTerms
    variance: np.ndarray | None
    cells: CellDraws | None
    load: Load = field(default_factory=list)
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
    ideal ones) of arrays that `place` describes.

    positive : the inputs have one sign, which matters to what wires take from the noise.
    drive, width : code of a full input, and whether codes are pulse widths.
    unit : S, what results are relative to: one digit of an integer weight, or the conductance range
    of an analog one.
    """

    seconds: float
    volts: float
    wires: Wires | None
    place: Place
    positive: bool
    drive: int
    width: bool
    unit: float
    programming: bool = False
    """Whether cells are at the temperature of programming."""


def tile_moments(signed: list[tuple[float, CellArray]], part: slice, how: Reading) -> TileMoments:
    """One tile, of the rows `part`, of a plane whose cells are `signed`: some rows at a time."""
    cell, curve = signed[0][1].cell, signed[0][1].cell.current
    if curve is not None:
        _check_volts(cell, how.volts)
    if how.wires is not None:
        return _through_wires(signed, part, how)
    if isinstance(curve, SelectedCurrent):
        return _selected(signed, part, how, curve)
    noise, columns = cell.read_noise, signed[0][1].shape[1]
    total = _Sums(part.stop - part.start, columns)
    laws = [cells.laws(how.seconds) for _, cells in signed]

    def one(rows: slice) -> np.ndarray:
        here, sums = slice(rows.start - part.start, rows.stop - part.start), np.zeros((3, columns))
        for (sign, cells), own in zip(signed, laws, strict=True):
            if own is not None and total.add_plain(sign, cells, own, rows, here, sums):
                continue
            now, sigma = cells.seen(how.seconds, how.programming, rows)
            faulty = cells.faulty(rows)
            total.add(sign, now, sigma, noise, here, sums)
            if curve is not None:
                total.add_nonlinear(sign, _of_sound(curve.terms(now), faulty), how.volts, here)
        return sums

    sums = sum(each(one, signed[0][1].chunks(part)), np.zeros((3, columns)))
    span = how.unit
    mean, terms = total.mean / span, [(p, term / span) for p, term in total.terms.items()]
    load = list(total.load.items())
    if noise is None:
        return TileMoments(mean, terms, None, None, load)
    edges = edgeworth(sums, total.third)
    draws = None
    if edges.needed.any():
        draws = _single_draws(signed, part, how, edges.needed, noise)
    skew = None if edges.third is None else edges.third / span**3
    return TileMoments(mean, terms, total.variance / span**2, draws, load, skew)


class _Sums:
    """Cumulants of a tile's cells: mean, variance, third : float64, shape (k, n), S to S^3;  load,
    terms : by power of the input. Several threads may add different rows.
    """

    def __init__(self, k: int, n: int):
        self.mean, self.variance, self.third = (np.zeros((k, n)) for _ in range(3))
        self.load: dict[int, np.ndarray] = {1: np.zeros(k)}
        self.terms: dict[int, np.ndarray] = {}

    def add(
        self,
        sign: float,
        now: np.ndarray,
        sigma: np.ndarray | None,
        noise: ReadNoise | None,
        rows: slice,
        sums: np.ndarray,
    ) -> None:
        """Cells of one polarity, S, float64, shape (devices, rows, n). sums : float64, shape
        (3, n), added to: variances and magnitudes of third and fourth cumulants of each column.
        """
        self.load[1][rows] += now.sum(axis=(0, 2))
        if noise is None or sigma is None:
            self.mean[rows] += sign * now.mean(axis=0)
        elif type(noise).cumulants is ReadNoise.cumulants:
            arrays = self.mean[rows], self.variance[rows], self.third[rows], sums
            for g, spread in zip(now, sigma, strict=True):
                spread = np.ascontiguousarray(spread, np.float64)
                clipped.add_cells(g, spread, *noise.ends, sign, float(len(now)), *arrays)
        else:
            self._add_any(sign, noise.cumulants(now, sigma), rows, sums)

    def add_plain(
        self,
        sign: float,
        cells: CellArray,
        laws: list[Law],
        rows: slice,
        here: slice,
        sums: np.ndarray,
    ) -> bool:
        """As `add`, of cells that a kernel can follow from their targets on; False, and nothing is
        added, where a target is outside the cells' range.
        """
        target = cells.targets(rows)
        if not in_range(cells.cell, target):
            return False
        arrays = self.mean[here], self.variance[here], self.third[here], sums
        for law in laws:
            row = cells.key.row + rows.start
            add_read(target, law, row, sign, float(len(laws)), self.load[1][here], *arrays)
        return True

    def _add_any(self, sign: float, cumulants: Cumulants, rows: slice, sums: np.ndarray) -> None:
        first, second, third, fourth = cumulants
        devices = len(first)
        self.mean[rows] += sign * first.mean(axis=0)
        self.variance[rows] += second.sum(axis=0) / devices**2
        self.third[rows] += sign * third.sum(axis=0) / devices**3
        for total, of, power in zip(sums, (second, third, fourth), (2, 3, 4), strict=True):
            total += np.abs(of).sum(axis=(0, 1)) / devices**power

    def add_nonlinear(
        self, sign: float, terms: list[tuple[int, np.ndarray]], volts: float, rows: slice
    ) -> None:
        """What a nonlinear I-V adds: coefficient times volts^(power - 1), so that it multiplies the
        relative input like a conductance.
        """
        for power, term in terms:
            siemens = term * volts ** (power - 1)
            self.terms.setdefault(power, np.zeros(self.mean.shape))
            self.terms[power][rows] += sign * siemens.mean(axis=0)
            self.load.setdefault(power, np.zeros(len(self.mean)))
            self.load[power][rows] += siemens.sum(axis=(0, 2))


def _of_sound(
    terms: list[tuple[int, np.ndarray]], faulty: np.ndarray | None
) -> list[tuple[int, np.ndarray]]:
    """Terms of the I-V curve, shape (devices, rows, n), of cells without faults: a short is
    ohmic.
    """
    if faulty is None:
        return terms
    return [(power, np.where(faulty, 0.0, term)) for power, term in terms]


def _selected(
    signed: list[tuple[float, CellArray]], part: slice, how: Reading, curve: SelectedCurrent
) -> TileMoments:
    """As `tile_moments`, of cells with selectors: one matrix where inputs are all at full voltage,
    else currents cell by cell. Noise is that of a read at full voltage, to first order.
    """
    volts, devices = np.array(how.volts), signed[0][1].devices
    mean, load = np.zeros(signed[0][1].shape)[part], np.zeros(part.stop - part.start)
    noise = None if signed[0][1].cell.read_noise is None else np.zeros(mean.shape)
    polarities: Polarities = []
    for sign, cells in signed:
        g = cells.at(how.seconds, how.programming, part)
        sigma = cells.spread(g, how.seconds, part)
        if sigma is not None and noise is not None:
            g, second = cells.cell_moments(g, sigma)
            reach = curve.sensitivity(g, volts) / volts
            noise += (second * reach**2).sum(axis=0) / devices**2 / how.unit**2
        siemens = curve.current(g, volts) / volts
        mean += sign * siemens.mean(axis=0) / how.unit
        load += siemens.sum(axis=(0, 2))
        polarities.append((sign, g))
    if how.drive == 1 or how.width:
        return TileMoments(mean, [], noise, None, [(1, load)])
    kept = None if noise is None else noise.astype(np.float32)
    span = devices * how.unit
    reads = SelectedReads(curve, polarities, how.volts, how.drive, span, kept)
    return TileMoments(np.zeros(mean.shape), [], noise, None, [(1, load)], solved=reads)


def _through_wires(signed: list[tuple[float, CellArray]], part: slice, how: Reading) -> TileMoments:
    """As `tile_moments`, solved with the wires of each array; the devices of one weight conduct
    side by side.
    """
    assert how.wires is not None
    cell, devices = signed[0][1].cell, signed[0][1].devices
    nows = [cells.at(how.seconds, how.programming, part) for _, cells in signed]
    span = devices * how.unit
    polarities, spreads = [], None if cell.read_noise is None else list[np.ndarray]()
    for (sign, cells), now in zip(signed, nows, strict=True):
        mean, sigma = now, cells.spread(now, how.seconds, part)
        if sigma is not None and spreads is not None:
            mean, second = cells.cell_moments(mean, sigma)
            spreads.append(np.sqrt(second.sum(axis=0)))
        polarities.append((sign, mean.sum(axis=0)))
    if cell.current is not None:
        faults = [cells.faulty(part) for _, cells in signed]
        if isinstance(cell.current, SelectedCurrent) and spreads is not None:
            reach = [
                cell.current.sensitivity(g, np.array(how.volts)) / how.volts for _, g in polarities
            ]
            spreads = [one * share for one, share in zip(spreads, reach, strict=True)]
        return _nonlinear_wires(cell.current, polarities, spreads, nows, faults, how)
    if not how.wires.linear:
        shape = polarities[0][1].shape
        return TileMoments(
            np.zeros(shape),
            [],
            _ideal_wires_variance(spreads, span),
            None,
            solved=Gated(how.wires, how.place, polarities, spreads, span),
        )
    matrix = _matrix(signed, part, how, polarities) / span
    if spreads is None:
        return TileMoments(matrix, [], None, None)
    return TileMoments(
        matrix,
        [],
        variance(how.wires, how.place, polarities, spreads, how.positive) / span**2,
        None,
    )


def _matrix(
    signed: list[tuple[float, CellArray]], part: slice, how: Reading, polarities: Polarities
) -> np.ndarray:
    """What wires make of a tile, S, float64, shape (k, n): with the gaps and unequal segments of
    its lines, where they have any.
    """
    assert how.wires is not None
    faults = [cells.faults for _, cells in signed if cells.faults is not None]
    if not faults or not faults[0].faults.in_lines:
        return effective(how.wires, how.place, polarities)
    whole: Polarities = []  # what lies behind a gap still couples the lines that cross it
    for sign, cells in signed:
        now = cells.at(how.seconds, how.programming, part, cut=False)
        sigma = cells.spread(now, how.seconds, part)
        mean = now if sigma is None else cells.cell_moments(now, sigma)[0]
        whole.append((sign, mean.sum(axis=0)))
    tile = part.start // how.place.rows
    return matrix_with_gaps(how.wires, how.place, tile, whole, faults)


def _nonlinear_wires(
    curve: CubicCurrent | SteepCurrent | SelectedCurrent,
    polarities: Polarities,
    spreads: list[np.ndarray] | None,
    nows: list[np.ndarray],
    faults: list[np.ndarray | None],
    how: Reading,
) -> TileMoments:
    """Nonlinear cells behind wires; their noise is that of linear cells of the same
    conductances.
    """
    assert how.wires is not None
    shape, span = polarities[0][1].shape, len(nows[0]) * how.unit
    noise: np.ndarray | None
    if spreads is not None and how.wires.linear:
        noise = variance(how.wires, how.place, polarities, spreads, how.positive) / span**2
    else:
        noise = _ideal_wires_variance(spreads, span)
    terms = []
    for now, faulty in zip(nows, faults, strict=True):
        sound = _of_sound(curve.terms(now), faulty)
        by_power = {power: term.sum(axis=0) for power, term in sound}
        terms.append((by_power.get(2, np.zeros(shape)), by_power.get(3, np.zeros(shape))))
    kept = None if noise is None else noise.astype(np.float32)
    solved = NonlinearWires(
        wires=how.wires,
        place=how.place,
        polarities=polarities,
        terms=terms,
        volts=how.volts,
        drive=how.drive,
        width=how.width,
        span=span,
        noise=kept,
        law=curve.law if isinstance(curve, SteepCurrent) else "polynomial",
        v0=curve.v0 if isinstance(curve, SteepCurrent) else None,
        selector=curve if isinstance(curve, SelectedCurrent) else None,
    )
    return TileMoments(np.zeros(shape), [], noise, None, solved=solved)


def _ideal_wires_variance(spreads: list[np.ndarray] | None, span: float) -> np.ndarray | None:
    """Variance of a read per squared input if wires were ideal, float64, shape (k, n), relative."""
    return None if spreads is None else np.sum(np.square(spreads), axis=0) / span**2


def _check_volts(cell: Device, volts: float) -> None:
    assert cell.current is not None
    if volts > cell.current.limit:
        raise ValueError(
            f"{cell.name}: read voltage {volts} V is outside its I-V curve; allowed: "
            f"up to {cell.current.limit} V"
        )


def _single_draws(
    signed: list[tuple[float, CellArray]],
    part: slice,
    how: Reading,
    needed: np.ndarray,
    noise: ReadNoise,
) -> CellDraws:
    def made() -> list[np.ndarray]:
        flat = list[np.ndarray]()
        for _, cells in signed:
            g = cells.at(how.seconds, how.programming, part)
            sigma = cells.spread(g, how.seconds, part)
            assert sigma is not None
            shape = (-1, g.shape[-1])
            flat += [(a.reshape(shape) / how.unit).astype(np.float32) for a in (g, sigma)]
        nothing = np.zeros((0, flat[0].shape[1]), np.float32)
        return flat if len(flat) == 4 else [*flat, nothing, nothing]

    ends = np.array(noise.ends, np.float32) / np.float32(how.unit)
    return CellDraws(needed, made, signed[0][1].devices, noise.flip, ends)


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


def edgeworth(sums: np.ndarray, signed: np.ndarray, tolerance: float = KS_TOLERANCE) -> Edges:
    """What it takes to draw each column's noise at once to within `tolerance` in the distribution
    function.

    sums : float64, shape (3, n), over the cells of a column, variances and magnitudes of third and
    fourth cumulants, S^2 to S^4;  signed : float64, shape (k, n), S^3, third cumulants with their
    signs. First terms of the Edgeworth series (Kolassa, Series
    Approximation Methods in Statistics, chapter 3): with skewness s / sqrt(n) and excess kurtosis q
    / n a Gaussian is off by at most 0.0665 s / sqrt(n) + 0.0229 q / n. Where that asks for more
    than `SKEWED_FROM` inputs, the skewness is drawn too and 0.05 s^2 / n + 0.0229 q / n is left
    (0.05 is above the
    0.032 of the second-order term and what the correction itself adds). Sums of Gaussians that are
    not cut need nothing.
    """
    k, (second, third, fourth) = len(signed), sums
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
