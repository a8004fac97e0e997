r"""Where do the code edges of an ADC lie when the elements of its circuit are unequal?

N = 2^bits codes have the edges pos(m), m = 1..N-1, ideally at m codes. With elements of relative
standard deviation s, before a binary search cuts what it cannot reach:

    flash, ramp   pos(m) = N S(m) / S(N), S(m) the sum of m elements 1 + s z: a Brownian bridge,
                  whose spread is s sqrt(m (N - m) / N), at most s sqrt(N) / 2 in the middle; DNL s
    sar           capacitors of 2^i elements each, 2^i + s 2^(i/2) z, and one that stays: the same
                  spread in the middle, where DNL is largest, s sqrt(N - 1)
    pipeline      a stage gives (1 + s z) (2 r -+ 1) of its residue r: stage k = 1 to bits - 1 moves
                  the edges on both sides of its own ones by s z N / 2^(k + 1)
    cyclic        a pipeline whose stages are one and the same
    cco           pos(m) = m / (1 + s z): the gain of the whole converter

The bridge is that of Radulov, Heydenreich, van der Hofstad, Hegt, van Roermund, IEEE Trans.
Circuits Syst. II 54, 146 (2007), for unary converters (seen by its abstract); all spreads here
follow from the sums above. Stages of a pipeline have no redundancy: what an error sends beyond full
scale is lost, and codes are missing.
"""

from __future__ import annotations

import numpy as np

from pimlab.analog.converters import ADC
from pimlab.analog.draws import normals
from pimlab.analog.physics import count as number_of
from pimlab.arguments import typed
from pimlab.keys import Key, as_key


def circuit_edges(adc: ADC, key: Key, count: int) -> np.ndarray:
    """float64, shape (count, codes - 1): upper edge of each code but the last, in codes, never
    falling, of `count` converters.
    """
    levels, s = 2**adc.bits, adc.mismatch
    if adc.kind in ("flash", "ramp"):
        place = _ladder(s, 1 if adc.kind == "ramp" else count, levels, key)
    elif adc.kind == "cco":
        # an oscillator that stands still or runs backwards is none
        gain = np.maximum(1 + s * normals(key, (count, 1)), 1e-3)
        place = np.arange(1, levels) / gain
    elif adc.kind == "sar":
        place = _searched(*_capacitors(s, count, adc.bits, key), trial=True)
    else:
        place = _searched(*_stages(s, count, adc.bits, key, adc.kind == "cyclic"), trial=False)
    lowest = adc.high - levels + 1  # symmetric codes leave out the lowest of two's complement
    return np.broadcast_to(place + lowest - 0.5, (count, levels - 1))[:, adc.low - lowest :]


@typed
def linearity(adc: ADC, key: int | Key = 0, converters: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(DNL, INL) of `converters` ADCs with the `mismatch` of `adc`, in codes: float64, shape
    (converters, codes - 2), width of each inner code less 1, and shape (converters, codes - 1), of
    each edge from the line through the first and the last (end-point definition).

    >>> dnl, inl = pim.analog.linearity(pim.ADC(bits=8, kind="flash", mismatch=0.02), converters=50)
    >>> dnl.shape, inl.shape
    ((50, 253), (50, 254))
    """
    edges = circuit_edges(adc, as_key(key), number_of(converters, "converters"))
    first, last = edges[:, :1], edges[:, -1:]
    line = first + (last - first) * np.linspace(0, 1, edges.shape[1])
    unit = (last - first) / max(edges.shape[1] - 1, 1)
    return np.diff(edges, axis=1) / unit - 1, (edges - line) / unit


def _ladder(s: float, count: int, levels: int, key: Key) -> np.ndarray:
    """Edges between equal elements in a row, float64, shape (count, levels - 1)."""
    sums = np.cumsum(np.maximum(1 + s * normals(key, (count, levels)), 0.0, dtype=float), axis=1)
    # the ends of the ladder are the reference itself: only what lies between them moves
    return levels * sums[:, :-1] / np.maximum(sums[:, -1:], 1e-9)


def _capacitors(s: float, count: int, bits: int, key: Key) -> tuple[np.ndarray, np.ndarray]:
    """(start, weights) of a search by capacitors, float64, shape (count, 1) and (count, bits), the
    largest first, in codes.
    """
    units = 2.0 ** np.array([*range(bits - 1, -1, -1), 0])  # the last one is never switched
    bank = np.maximum(units + s * np.sqrt(units) * normals(key, (count, bits + 1)), 0.0)
    # the input is compared with shares of the whole bank: full scale stays, ratios are wrong
    bank *= 2**bits / bank.sum(axis=1, keepdims=True)
    return np.zeros((count, 1)), bank[:, :-1]


def _stages(s: float, count: int, bits: int, key: Key, one: bool) -> tuple[np.ndarray, np.ndarray]:
    """(start, weights) of a search by residues, as `_capacitors`: what stages before a decision
    multiply is divided by when seen from the input.
    """
    drawn = np.maximum(1 + s * normals(key, (count, 1 if one else bits)), 1e-3, dtype=float)
    gains = np.broadcast_to(drawn, (count, bits))
    # the first decision is made on the input itself, so that its edge is exact
    before = np.cumprod(np.hstack([np.ones((count, 1)), gains[:, :-1]]), axis=1)
    return np.full((count, 1), 2.0 ** (bits - 1)), 2.0 ** np.arange(bits - 1, -1, -1) / before


def _searched(start: np.ndarray, weights: np.ndarray, trial: bool) -> np.ndarray:
    """Edges that a binary search leaves, float64, shape (count, 2^bits - 1).

    start : float64, shape (count, 1);  weights : float64, shape (count, bits), largest first. With
    `trial` a decision compares with the sum so far and its own weight; else with the sum so far,
    to which half its weight is then added or from which it is taken. A decision whose edge lies
    beyond those of the decisions before it is never seen to differ: it is cut to them.
    """
    count, bits = weights.shape
    out = np.empty((count, 2**bits - 1))
    total = start
    low, high = np.full((count, 1), -np.inf), np.full((count, 1), np.inf)
    for depth in range(bits):
        weight = weights[:, depth : depth + 1]
        edge = np.clip(total + weight if trial else total, low, high)
        half = 2 ** (bits - 1 - depth)
        # decision number `depth` sets the edges in the middle of its 2^depth intervals
        out[:, half - 1 :: 2 * half] = edge
        # each interval is now two, and what is decided later stays between their ends
        low, high = _pairs(low, edge), _pairs(edge, high)
        total = (
            _pairs(total, total + weight)
            if trial
            else _pairs(total - weight / 2, total + weight / 2)
        )
    return out


def _pairs(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Columns of both in turn, float64, shape (count, 2 n)."""
    return np.stack([left, right], axis=-1).reshape(len(left), -1)
