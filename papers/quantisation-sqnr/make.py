"""How many dB does a bit buy? Signal over quantisation noise of integers and of blocks with a
shared scale, against theory.

`python papers/quantisation-sqnr/make.py` writes results/quantisation-sqnr.svg and .png and prints
the table.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import minimize_scalar
from scipy.special import ndtri
from scipy.stats import norm

from pimlab import formats
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill

OUT = Path(__file__).with_name("quantisation-sqnr")
BITS = (2, 3, 4, 5, 6, 8, 10)
MICROSCALING = ("mxfp4", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp8_e4m3", "mxfp8_e5m2", "mxint8")
GROUPS = {"int4 by 32": 5.0, "int8 by 32": 9.0}
"""Integers with a float32 scale for 32 numbers: 1 bit a number for the scale."""
BLOCKS = (*MICROSCALING, "q4_0", "q4_1", "q8_0", *GROUPS)


def decibel(signal: np.ndarray, error: np.ndarray) -> float:
    """10 log10 of the variance of the signal over the mean square of the error."""
    return float(
        10
        * np.log10(np.var(signal.astype(np.float64)) / np.mean(np.asarray(error, np.float64) ** 2))
    )


def measured(steps: np.ndarray, bits: int) -> float:
    """SQNR of a signal given in steps of the converter, 0 in its middle, through the codes of
    `uint<bits>`.
    """
    middle = (2**bits - 1) / 2
    x = (steps + middle).astype(np.float32)
    return decibel(
        x, formats.quantize(x, f"uint{bits}", scale=1.0).dequantize() - x.astype(np.float64)
    )


def _moments(a: np.ndarray, b: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Integral of (x - value)**2 under the standard normal density from a to b."""
    mass = norm.cdf(b) - norm.cdf(a)
    first = norm.pdf(a) - norm.pdf(b)
    edges = [
        np.where(np.isfinite(c), np.where(np.isfinite(c), c, 0) * norm.pdf(c), 0.0) for c in (a, b)
    ]
    return mass + edges[0] - edges[1] - 2 * value * first + value**2 * mass


def uniform_noise(half_range: float, bits: int) -> float:
    """Mean square error of 2**bits even steps over +-half_range on a standard normal, clipping
    included: exact integral.
    """
    step = 2 * half_range / 2**bits
    edges = (np.arange(2**bits + 1) - 2 ** (bits - 1)) * step
    edges[0], edges[-1] = -np.inf, np.inf
    return float(
        _moments(edges[:-1], edges[1:], (np.arange(2**bits) - (2**bits - 1) / 2) * step).sum()
    )


def best_range(bits: int) -> float:
    """The half range with the smallest noise, in sigma."""
    return float(
        minimize_scalar(
            uniform_noise,
            bounds=(1.0, 8.0),
            args=(bits,),
            method="bounded",
            options={"xatol": 1e-7},
        ).x
    )


def _grid(name: str) -> tuple[np.ndarray, int]:
    """The positive numbers of a microscaling element and its largest exponent."""
    element = formats.format(name).element
    if isinstance(element, formats.FloatFormat):
        values = np.unique(np.abs(element.values[np.isfinite(element.values)])).astype(np.float64)
    else:
        values = np.arange(2 ** (element.width - 1)) * 2.0 ** (2 - element.width)
    return values, int(np.floor(np.log2(values[-1])))


def _noise_below(limit: float, values: np.ndarray) -> float:
    """Integral of the squared rounding error over |x| < limit under the standard normal density."""
    edges = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [np.inf]])
    low, high = np.minimum(edges[:-1], limit), np.minimum(edges[1:], limit)
    return float(2 * _moments(low, high, values).sum())


def microscaling_noise(name: str) -> float:
    """Expected squared error of a standard normal in blocks of 32, exact: a sum over the exponent e
    of the block's largest.

    E[d] = sum_e  D_e(2**(e+1)) F(2**(e+1))**31 - D_e(2**e) F(2**e)**31, where F is the chance of
    one magnitude to be below, D_e(T) the error integral over |x| < T on the grid scaled by 2**(e -
    emax): blocks below 2**(e+1), less those below 2**e.
    """
    values, top = _grid(name)
    total = 0.0
    for e in range(-12, 5):
        below = [
            _noise_below(2.0 ** (e + i), values * 2.0 ** (e - top))
            * (2 * norm.cdf(2.0 ** (e + i)) - 1) ** 31
            for i in (0, 1)
        ]
        total += below[1] - below[0]
    return total


def _through(name: str, x: np.ndarray) -> np.ndarray:
    if name in GROUPS:
        return formats.quantize(x, name.split()[0], axis=1, group=32).dequantize()
    return formats.quantize(x, name).dequantize()


def compute(quick: bool = False) -> xr.Dataset:
    """SQNR in dB by (bits) of uniform, sine and Gaussian signals, and by (format) of a Gaussian in
    blocks, with theory.
    """
    points = 100_000 if quick else 1_000_000
    phase = (np.arange(points) + 0.5) / points
    gauss, span = ndtri(phase), {bits: best_range(bits) for bits in BITS}
    rows = np.random.default_rng(1).standard_normal((points // 10, 32)).astype(np.float32)
    by_bits = {
        "uniform": [measured((phase - 0.5) * 2**bits, bits) for bits in BITS],
        "sine": [measured(np.sin(2 * np.pi * phase) * 2 ** (bits - 1), bits) for bits in BITS],
        "gaussian": [measured(gauss * 2 ** (bits - 1) / span[bits], bits) for bits in BITS],
        "gaussian_theory": [-10 * np.log10(uniform_noise(span[bits], bits)) for bits in BITS],
    }
    theory = [
        -10 * np.log10(microscaling_noise(name)) if name in MICROSCALING else np.nan
        for name in BLOCKS
    ]
    stored = [GROUPS[name] if name in GROUPS else formats.format(name).bits for name in BLOCKS]
    return xr.Dataset(
        {name: ("bits", values, {"units": "dB"}) for name, values in by_bits.items()}
        | {
            "range": (
                "bits",
                [span[bits] for bits in BITS],
                {"units": "1", "long_name": "optimal half range over sigma"},
            ),
            "block": (
                "format",
                [decibel(rows, _through(name, rows) - rows.astype(np.float64)) for name in BLOCKS],
                {"units": "dB"},
            ),
            "block_theory": ("format", theory, {"units": "dB"}),
            "stored": ("format", stored, {"units": "bit", "long_name": "stored bits a number"}),
        },
        coords={"bits": list(BITS), "format": list(BLOCKS)},
        attrs={"title": "Signal over quantisation noise against bits", "sources": "ocp-mx"},
    )


def _signals(axes: Axes, ds: xr.Dataset) -> None:
    line = np.array([1.5, 10.5])
    axes.plot(line, 6.0206 * line + 1.76, color=PARTS[0], lw=1)
    axes.plot(line, 6.0206 * line, color=PARTS[1], lw=1)
    axes.plot(ds.bits, ds.gaussian_theory, color=PARTS[2], lw=1)
    for name, colour, marker, text in (
        ("sine", PARTS[0], "s", "full-scale sine; line 6.02 b + 1.76"),
        ("uniform", PARTS[1], "^", "uniform; line 6.02 b"),
        ("gaussian", PARTS[2], "o", "Gaussian, best clipping; line exact integral"),
    ):
        axes.plot(ds.bits, ds[name], marker, color=colour, ms=3.5, label=text)
    axes.set_xlabel("bits of the integer")
    axes.set_ylabel("SQNR (dB)")
    slope = float(ds.gaussian.sel(bits=8) - ds.gaussian.sel(bits=4)) / 4
    axes.set_title(f"A bit buys 6.02 dB, of a clipped Gaussian {slope:.1f} dB")
    axes.legend(frameon=False)


LABELS = {"q8_0": (-6, 3), "int8 by 32": (7, -4), "mxint8": (-6, 3), "q4_0": (-6, 3)}


def _blocks(axes: Axes, ds: xr.Dataset) -> None:
    bits = np.linspace(3.7, 9.3, 2)
    axes.plot(
        bits, 6.0206 * bits, color="0.5", lw=1, ls="--", label="rate-distortion bound, 6.02 b"
    )
    axes.plot(ds.bits, ds.gaussian, color=PARTS[2], lw=1, label="integer, one best range for all")
    known = np.isfinite(ds.block_theory)
    axes.plot(ds.stored, ds.block, "o", color=PARTS[3], ms=4, label="blocks of 32, measured")
    axes.plot(
        ds.stored[known],
        ds.block_theory[known],
        "+",
        color="black",
        ms=7,
        label="exact expectation (MX)",
    )
    for name in BLOCKS:
        offset = LABELS.get(name, (6, -4))
        place = (float(ds.stored.sel(format=name)), float(ds.block.sel(format=name)))
        axes.annotate(
            name,
            place,
            xytext=offset,
            textcoords="offset points",
            fontsize="small",
            ha="left" if offset[0] > 0 else "right",
        )
    axes.set_xlim(3.7, 10.4)
    axes.set_ylim(14, 58)
    axes.set_xlabel("stored bits a number, scale included")
    gap = float(ds.block.sel(format="mxint8") - ds.block.sel(format="mxfp8_e4m3"))
    axes.set_title(f"On Gaussian data MXINT8 is {gap:.0f} dB above MXFP8 E4M3")
    axes.legend(frameon=False, loc="upper left")


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv: dB, or the best half range over sigma."""
    coordinate, value = row.condition.split("=")
    return float(ds[row.quantity].sel({coordinate: int(value) if coordinate == "bits" else value}))


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Left: integers against bits and theory. Right: block formats against stored bits."""
    fig = figure(76)
    left, right = fig.subplots(1, 2)
    _signals(left, ds)
    _blocks(right, ds)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row))
