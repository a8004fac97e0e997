"""What do converters and noise make of a product, on the way forward and on the way back?

A pass is one read of a whole array: inputs are scaled, turned into voltages by DACs, multiplied by
the cells, and read by ADCs. Values are in units of a weight and of an input of 1. Gokmen, Onen,
Haensch, Front. Neurosci. 11, 538 (2017), and aihwkit's documentation of its `IOParameters`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pimlab import catalogue
from pimlab.analog.draws import normals
from pimlab.arguments import typed
from pimlab.kernels.blas import one_thread
from pimlab.keys import Key
from pimlab.values import Value, integer, number, truth


class ReadPass(Value):
    """Converters and noise of one direction; what is not given is ideal.

    input_bits, output_bits : codes -(2^(bits - 1) - 1) .. 2^(bits - 1) - 1 of a DAC whose range is
    1, and of an ADC whose range is `bound`.  bound : largest output; None: no bound.  input_noise,
    output_noise : standard deviation of each input after its DAC, and of each output before its
    ADC.  weight_noise : of each cell in each read, drawn as its sum over the inputs of an output.
    scaled : whether each row of inputs is divided by its largest magnitude and its outputs
    multiplied by it ("noise management").  halvings : how often a row whose outputs reach `bound`
    is read again with half the inputs, at most ("bound management").
    """

    input_bits: int | None = integer(2, 24, default=None)
    output_bits: int | None = integer(2, 24, default=None)
    bound: float | None = number(above=0, default=None)
    input_noise: float = number(low=0, default=0.0)
    output_noise: float = number(low=0, default=0.0)
    weight_noise: float = number(low=0, default=0.0)
    scaled: bool = True
    halvings: int = integer(0, 30, default=0)
    sources: tuple[str, ...] = ()

    def check(self) -> None:
        """`scaled` is True or False; an ADC and halvings need a bound."""
        truth("ReadPass scaled", self.scaled)
        for name in ("output_bits", "halvings"):
            if getattr(self, name) and self.bound is None:
                raise ValueError(
                    f"ReadPass {name}={getattr(self, name)} without a bound; allowed: with "
                    "bound=..., the largest output"
                )

    def product(self, x: np.ndarray, w: np.ndarray, key: Key) -> np.ndarray:
        """x @ w as this pass gives it, float32, shape (rows, n).

        x : float32, shape (rows, k);  w : float32, shape (k, n);  key : of this read; its row is
        that of the first row of x.
        """
        scale = np.ones((len(x), 1), np.float32)
        if self.scaled:
            top = np.abs(x).max(axis=1, keepdims=True)
            scale = np.where(top > 0, top, 1).astype(np.float32)
        y = self._read(x / scale, w, key.child("read", 0))
        for turn in range(1, self.halvings + 1):
            full = np.flatnonzero((np.abs(y) >= self.bound).any(axis=1))
            if not full.size:
                break
            scale[full] *= 2
            y[full] = self._read(x / scale, w, key.child("read", turn))[full]
        return y * scale

    def _read(self, x: np.ndarray, w: np.ndarray, key: Key) -> np.ndarray:
        """Outputs of inputs within the range of the DACs. Draws are those of a row, whichever rows
        are read.
        """
        x = _converted(x, self.input_bits, 1.0)
        if self.input_noise:
            x = x + np.float32(self.input_noise) * normals(key.child("input"), x.shape)
        with one_thread():
            y = x @ w
        if self.weight_noise:
            length = np.sqrt(np.square(x).sum(axis=1, keepdims=True))
            y += np.float32(self.weight_noise) * length * normals(key.child("weight"), y.shape)
        if self.output_noise:
            y += np.float32(self.output_noise) * normals(key.child("output"), y.shape)
        return _converted(y, self.output_bits, self.bound)


def _converted(v: np.ndarray, bits: int | None, bound: float | None) -> np.ndarray:
    """v cut at a bound, and on the codes of a converter that has bits. Float32, shape (rows,
    lines).
    """
    if bound is None:
        return v
    if bits is None:
        return np.clip(v, -bound, bound).astype(np.float32)
    top = 2 ** (bits - 1) - 1
    step = np.float32(bound / top)
    return np.clip(np.rint(v / step), -top, top).astype(np.float32) * step


@typed
def read_pass(name: str, direction: str = "forward") -> ReadPass:
    """The pass of the catalogue's `passes` called `name`; bounds are managed on the way "forward"
    alone.

    ValueError with the nearest name when there is none, and for another direction.
    """
    if direction not in ("forward", "backward"):
        raise ValueError(f"read_pass direction={direction!r}; allowed: 'forward' or 'backward'")
    entry = catalogue.entry("passes", name)
    counts = {"input_bits", "output_bits", "halvings"}
    given: dict[str, Any] = {
        one: int(entry[one].value) if one in counts else entry[one].value
        for one in ReadPass.fields()
        if one in entry
    }
    found = ReadPass(**given, sources=entry_sources(entry))
    return found if direction == "forward" else found.but(halvings=0)


def entry_sources(entry: catalogue.Entry) -> tuple[str, ...]:
    """Every source of a file, its paper among them."""
    papers = {paper.strip() for paper in entry.meta.get("paper", "").split(",") if paper.strip()}
    return tuple(
        sorted(papers | {source for constant in entry.values() for source in constant.sources})
    )
