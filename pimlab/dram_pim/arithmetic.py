"""Which numbers does a bank compute with, and how does it round? One value for each published (or
wished-for) unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pimlab.dram_pim import layout
from pimlab.dram_pim.geometry import BankPairs
from pimlab.dram_pim.machine import Organisation
from pimlab.formats import (
    FloatAccumulator,
    FloatFormat,
    IntegerFormat,
    NumberFormat,
    accumulated,
    cast,
    format,
    quantize,
)
from pimlab.formats.names import integer_codes
from pimlab.kernels import bf16_tree
from pimlab.machine.protocol import MODEL_CODES, Calibration
from pimlab.machine.stored import Affine, StoredWeights
from pimlab.values import Value, choice, integer, part


@dataclass(frozen=True)
class Laid:
    """Weights as they lie in the banks.

    w : float32 or int32, in the arrangement of the arithmetic.  order : int64,
    shape (lanes, steps), the input that each lane multiplies at each step; None where the order of
    a sum does not matter.  reach : the largest input expected; None where inputs are scaled as they
    come.  x : the codes that the model's file gives the inputs; None: the machine's own.  scale :
    float32, shape (n,), what a code of w stands for; None: what the arithmetic says.  weights_as :
    as `Programmed.weights_as`.
    """

    w: np.ndarray
    order: np.ndarray | None = None
    reach: float | None = None
    x: Affine | None = None
    scale: np.ndarray | None = None
    weights_as: str = "values in float32"


class Arithmetic(Value):
    """How a bank multiplies and adds. `rounded` maps the name of a rounding to its field and the
    field's exact option.
    """

    rounded: ClassVar[Mapping[str, tuple[str, str]]] = {}

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of the roundings that are on."""
        return tuple(
            name for name, (field, exact) in self.rounded.items() if getattr(self, field) != exact
        )

    def with_causes(self, causes: tuple[str, ...]) -> Arithmetic:
        """Only the named roundings, the others in float32."""
        off = {field: exact for name, (field, exact) in self.rounded.items() if name not in causes}
        return self.but(**off)

    def lay(self, w: np.ndarray, org: Organisation, calibration: Calibration | None) -> Laid:
        """Weights float32, shape (k, n) as they lie in the banks; ValueError where they do not fit
        the format.
        """
        raise NotImplementedError

    def multiply(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k)."""
        raise NotImplementedError

    def overflowed(self, x: np.ndarray, laid: Laid, y: np.ndarray) -> int:
        """How many sums of y = `multiply(x, laid)` left the range of the format (unit: sums)."""
        return int(np.count_nonzero(~np.isfinite(y)))

    def lanes(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """float32, shape (batch, n, lanes), what each lane holds before lanes are added; ValueError
        where there are none.
        """
        raise ValueError(
            f"{type(self).__name__} adds its products in one tree or chain; only HalfLanes has "
            "lanes"
        )


def _exact_product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    # in double: BLAS orders a float32 sum by the batch size, and chunks of a batch must give the
    # same bits
    return (x.astype(np.float64) @ w).astype(np.float32)


class HalfLanes(Arithmetic):
    """FP16 units of HBM-PIM: `acc = fp16(fp16(w x) + acc)` in each lane, even tiles before odd
    ones; the host adds the lanes in order in FP16.

    No integer path is published for this machine: the accounts that could be read of Kwon 2021 name
    FP16 ADD, MUL, MAC and MAD, and the simulator's outputs are FP16. What INT8 would give and cost
    in the same place is `AnyFormat`: a what-if.
    """

    operands: str = choice("fp16", "float32", default="fp16", doc="grid of weights and inputs")
    accumulation: str = choice(
        "fp16", "float32", default="fp16", doc="rounding of each product and sum"
    )
    rounded: ClassVar[Mapping[str, tuple[str, str]]] = {
        "fp16 operands": ("operands", "float32"),
        "fp16 accumulation": ("accumulation", "float32"),
    }

    def _grid(self, a: np.ndarray) -> np.ndarray:
        return layout.to_half(a) if self.operands == "fp16" else a

    def lay(self, w: np.ndarray, org: Organisation, calibration: Calibration | None) -> Laid:
        """Weights by lane and step, or as they are where float32 sums need no order; ValueError
        beyond 65504, and for an organisation without lanes of registers. w : float32, shape (k, n).
        """
        w = self._grid(w)
        if not np.isfinite(w).all():
            raise ValueError(
                f"{np.count_nonzero(~np.isfinite(w))} weights are beyond binary16; allowed: up to "
                "65504"
            )
        said = f"values in {self.operands}"
        if self.accumulation == "float32":
            return Laid(w, weights_as=said)
        if not isinstance(org, BankPairs):
            raise ValueError(
                f"HalfLanes adds in lanes of registers, which {type(org).__name__} has not; "
                "allowed: a BankPim, or accumulation='float32'"
            )
        order = layout.lane_order(w.shape[0], org)
        order = order[:, (order < w.shape[0]).any(axis=0)]
        return Laid(layout.laid_out(w, order, 0), order, weights_as=said)

    def multiply(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """Lane sums added in lane order; a sum beyond binary16's range is infinite. x : float32,
        shape (batch, k);  returns float32, shape (batch, n).
        """
        x = self._grid(x)
        if laid.order is None:
            return _exact_product(x, laid.w)
        return layout.product(layout.laid_out(x, laid.order, 1), laid.w)

    def lanes(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """The sixteen partial sums of each output; ValueError where sums are exact, which no lane
        holds. x : float32, shape (batch, k);  returns float32, shape (batch, lanes, n).
        """
        if laid.order is None:
            raise ValueError(
                "HalfLanes accumulation='float32' has no lanes; allowed: accumulation='fp16'"
            )
        by_lane = layout.laid_out(self._grid(x), laid.order, 1)
        return layout.lane_partials(by_lane, laid.w).transpose(0, 2, 1)


_HALVES = np.array([0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15])
"""The order in which neighbours of a tree of sixteen are those of a tree of halves (bits
reversed).
"""


class Bf16Tree(Arithmetic):
    """BF16 multipliers and an adder tree of GDDR6-AiM: sums of 16 products, added to one
    accumulator a bank.

    order : which inputs a tree adds first: "neighbours" 0 + 1, 2 + 3, ..., or "halves" 0 + 8,
    1 + 9, ... as a folded tree does. No paper says.
    tree, accumulator : the grid of the tree's nodes and of the running sum. The papers give neither
    width nor rounding; "float32" in both is the most exact reading, "bf16" in both the cheapest.
    The result is read out in bfloat16.
    """

    operands: str = choice("bf16", "float32", default="bf16", doc="grid of weights and inputs")
    tree: str = choice(
        "float32", "bf16", default="float32", doc="grid of products and of the tree's nodes"
    )
    accumulator: str = choice("float32", "bf16", default="float32", doc="grid of the running sum")
    order: str = choice("neighbours", "halves", default="neighbours", doc="shape of the tree")
    readout: str = choice(
        "bf16", "float32", default="bf16", doc="grid of the result that a host reads"
    )
    rounded: ClassVar[Mapping[str, tuple[str, str]]] = {
        "bf16 operands": ("operands", "float32"),
        "bf16 tree": ("tree", "float32"),
        "bf16 accumulator": ("accumulator", "float32"),
        "bf16 read-out": ("readout", "float32"),
    }

    def _grid(self, a: np.ndarray) -> np.ndarray:
        return layout.to_bf16(a) if self.operands == "bf16" else a

    def lay(self, w: np.ndarray, org: Organisation, calibration: Calibration | None) -> Laid:
        """Weights float32, shape (steps, 16, n), zero beyond k."""
        steps = -(-w.shape[0] // 16)
        padded = np.zeros((steps * 16, w.shape[1]), np.float32)
        padded[: w.shape[0]] = self._grid(w)
        blocks = padded.reshape(steps, 16, -1)
        laid = np.ascontiguousarray(blocks[:, _HALVES]) if self.order == "halves" else blocks
        return Laid(laid, weights_as=f"values in {self.operands}")

    def multiply(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """One accumulator an output, sixteen products at a time. x : float32, shape (batch, k);
        returns float32, shape (batch, n).
        """
        w = laid.w
        padded = np.zeros((x.shape[0], w.shape[0] * 16), np.float32)
        padded[:, : x.shape[1]] = self._grid(x)
        out = np.empty((x.shape[0], w.shape[2]), np.float32)
        blocks = padded.reshape(x.shape[0], -1, 16)
        blocks = np.ascontiguousarray(blocks[:, :, _HALVES] if self.order == "halves" else blocks)
        bf16_tree.matmul(blocks, w, int(self.tree == "bf16"), int(self.accumulator == "bf16"), out)
        return layout.to_bf16(out) if self.readout == "bf16" else out


class FixedPoint(Arithmetic):
    """32-bit integers of UPMEM's scalar cores: values times 2**fraction, rounded to nearest even;
    products and sums wrap at 32 bits as the cores' registers do, and the host divides by
    4**fraction. Weights that the model's file holds as codes with a scale a column are multiplied
    as codes, and so are inputs with codes of their own; the host multiplies by their scales.
    """

    fraction: int = integer(0, 30, default=0, doc="binary places of weights and inputs")

    @property
    def causes(self) -> tuple[str, ...]:
        """The format as a whole."""
        return ("fixed-point operands",)

    def with_causes(self, causes: tuple[str, ...]) -> Arithmetic:
        """All of it, or none (float32)."""
        return self if causes else HalfLanes(operands="float32", accumulation="float32")

    def _codes(self, a: np.ndarray) -> np.ndarray:
        codes = np.rint(a.astype(np.float64) * 2.0**self.fraction)
        beyond = int(np.count_nonzero((codes < -(2**31)) | (codes >= 2**31)))
        if beyond:
            raise ValueError(
                f"{beyond} values times 2**{self.fraction} are beyond 32 bits; allowed: "
                "-2**31..2**31 - 1, or fewer binary places"
            )
        return codes.astype(np.int32)

    def lay(self, w: np.ndarray, org: Organisation, calibration: Calibration | None) -> Laid:
        """int32 codes, shape (k, n); ValueError for weights beyond 32 bits."""
        held = _kept(calibration, w, "int16")
        if held is None:
            return Laid(self._codes(w), weights_as="values in fixed point")
        x = _input_codes(calibration, w, 32)
        return Laid(
            held.codes[0].astype(np.int32), x=x, scale=held.scale[0, 0], weights_as=MODEL_CODES
        )

    def multiply(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """Sums modulo 2**32 of products modulo 2**32, as float32. x : float32, shape (batch, k);
        returns float32, shape (batch, n).
        """
        # wrapping is a ring homomorphism: sums of 64 bits, cut to 32 at the end, are those of
        # 32-bit registers
        sums = (self._inputs(x, laid).astype(np.int64) @ laid.w.astype(np.int64)).astype(np.int32)
        if laid.scale is None:
            return (sums / 4.0**self.fraction).astype(np.float32)
        step = 2.0**-self.fraction if laid.x is None else laid.x.scale
        return (sums * (step * laid.scale.astype(np.float64))).astype(np.float32)

    def _inputs(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        return self._codes(x) if laid.x is None else laid.x.steps(x)

    def overflowed(self, x: np.ndarray, laid: Laid, y: np.ndarray) -> int:
        """Sums beyond 32 bits, which have wrapped (unit: sums)."""
        exact = self._inputs(x, laid).astype(np.float64) @ laid.w.astype(np.float64)
        return int(np.count_nonzero((exact < -(2.0**31)) | (exact >= 2.0**31)))


class AnyFormat(Arithmetic):
    """A unit that does not exist yet: weights and inputs in any number format, sums in a stated
    accumulator.

    Integers and floats of at most 8 bits have one scale an output (weights) and one a row (inputs;
    the calibrated range where there is one); blocks lie along k. Integers are summed exactly, as an
    int32 accumulator does; the rest as `accumulator` says, or exactly. Weights, and inputs of a
    product that the model's file holds in codes, are these codes where the formats have room for
    them.
    """

    weights: str | NumberFormat = "int8"
    inputs: str | NumberFormat = "int8"
    accumulator: FloatAccumulator | None = part(
        FloatAccumulator, default=None, doc="None: exact sums"
    )

    def check(self) -> None:
        """Known formats; integers meet integers, which have no float accumulator."""
        kinds = [isinstance(format(side), IntegerFormat) for side in (self.weights, self.inputs)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"AnyFormat weights={self.weights} inputs={self.inputs}: integers multiply "
                "integers, floats floats"
            )
        if all(kinds) and self.accumulator is not None:
            raise ValueError(
                "AnyFormat accumulator: integers are summed exactly; write accumulator=None"
            )

    @property
    def causes(self) -> tuple[str, ...]:
        """The formats as a whole."""
        return (f"{format(self.weights).name} operands",)

    def with_causes(self, causes: tuple[str, ...]) -> Arithmetic:
        """All of it, or none (float32)."""
        return self if causes else HalfLanes(operands="float32", accumulation="float32")

    def lay(self, w: np.ndarray, org: Organisation, calibration: Calibration | None) -> Laid:
        """Values of the weights on their grid, and the largest input expected. w : float32,
        shape (k, n).
        """
        reach = (
            None if calibration is None else max(abs(calibration.x.low), abs(calibration.x.high))
        )
        if _kept(calibration, w, self.weights) is None:
            values, said = _on_grid(w, self.weights, 1, None), format(self.weights).name
            return Laid(values, reach=reach, weights_as=f"values in {said}")
        grid = format(self.inputs)
        x = _input_codes(calibration, w, grid.width) if isinstance(grid, IntegerFormat) else None
        return Laid(w, reach=reach, x=x, weights_as=MODEL_CODES)

    def multiply(self, x: np.ndarray, laid: Laid) -> np.ndarray:
        """The product of values on the two grids. x : float32, shape (batch, k);  returns float32,
        shape (batch, n).
        """
        x = laid.x.values(x) if laid.x else _on_grid(x, self.inputs, 0, laid.reach)
        if self.accumulator is None:
            return _exact_product(x, laid.w)
        return accumulated(x, laid.w, self.accumulator)


def _kept(
    calibration: Calibration | None, w: np.ndarray, name: str | NumberFormat
) -> StoredWeights | None:
    """The codes of the model's file that a bank keeps in a format of that name."""
    held, codes = None if calibration is None else calibration.held, integer_codes(name)
    if held is None or codes is None:
        return None
    element, group = codes
    return held.kept(w, element.width, element.signed, group)


def _input_codes(calibration: Calibration | None, w: np.ndarray, bits: int) -> Affine | None:
    stored = None if calibration is None else calibration.stored
    return None if stored is None else stored.inputs(w, bits)


def _on_grid(
    a: np.ndarray, name: str | NumberFormat, scaled: int, reach: float | None
) -> np.ndarray:
    """a on the format's grid: one scale an index of axis `scaled` (or from `reach`), blocks along
    the other axis.
    """
    grid = format(name)
    if isinstance(grid, IntegerFormat) and reach:
        return quantize(a, grid, scale=float(np.float32(reach / grid.highest))).dequantize()
    if isinstance(grid, FloatFormat) and grid.width > 8:
        return cast(a, grid)
    return quantize(
        a, grid, axis=scaled if isinstance(grid, (IntegerFormat, FloatFormat)) else 1 - scaled
    ).dequantize()
