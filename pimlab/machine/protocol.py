"""What does a machine have to answer? The small protocol that all three stages speak.

Shapes: `x (batch, k)`, `w (k, n)`, `y = x @ w + bias (batch, n)`, float32 at the boundary. A
machine that cannot do something names the machine that can in `host`, and the answer keeps the two
apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from pimlab.constants import Constant
from pimlab.cost import Prices
from pimlab.kernels.threads import MANY, each
from pimlab.keys import Key, as_key
from pimlab.machine.links import Link
from pimlab.machine.power import DRAM_MEMORY, PowerState, power_states, scaled, total
from pimlab.machine.stored import StoredProduct, StoredWeights
from pimlab.machine.work import CHIP, Work, in_turn
from pimlab.units import is_integer
from pimlab.values import Value, choice, integer, truth


class MacOp(Value):
    """One multiply-accumulate operator of a workload: `groups` independent products (m, k) @ (k, n)
    an inference.
    """

    name: str
    m: int = integer(1)
    k: int = integer(1)
    n: int = integer(1)
    groups: int = integer(1, default=1)
    kind: str = choice("weights", "activations", default="weights")
    """`weights`: the right operand is constant. `activations`: both operands are computed
    (attention).
    """
    cached: bool = False
    """Whether the computed right operand is kept from one inference to the next, as a decoder's
    keys and values are.
    """
    appended: int | None = integer(1, default=None, hint="where it is not known write None")
    """Values that one inference appends to each group's right operand: a key or a value of a head,
    whose width is k where the operand grows along n, and n where it grows along k.
    """
    distinct: int | None = integer(
        1, default=None, hint="where all inputs are distinct write distinct=None"
    )
    """Distinct values among the `groups` m k inputs (None: all are). The windows of a convolution
    overlap: each pixel is several inputs.
    """
    inferences: int = integer(1, default=1, doc="of how many inferences these sizes are")

    def check(self) -> None:
        """No more inputs are distinct than there are; weights are no cache; sizes are of whole
        inferences.
        """
        size = self.m if self.kind == "weights" else self.groups
        if size % self.inferences:
            raise ValueError(
                f"MacOp {self.name}: inferences={self.inferences} does not divide "
                f"{'m' if self.kind == 'weights' else 'groups'}={size}"
            )
        if truth(f"MacOp {self.name}: cached", self.cached) and self.kind == "weights":
            raise ValueError(
                f"MacOp {self.name}: cached=True with kind='weights'; allowed: kind='activations'"
            )
        if self.distinct is not None and self.distinct > self.groups * self.m * self.k:
            raise ValueError(
                f"MacOp {self.name}: distinct={self.distinct} is outside "
                f"1..{self.groups * self.m * self.k}, all its inputs"
            )

    @property
    def inputs(self) -> int:
        """Distinct input values an inference (unit: values)."""
        return self.groups * self.m * self.k if self.distinct is None else self.distinct

    def batched(self, count: int) -> Self:
        """This operator for `count` inferences at once: they share the weights; products of
        activations stand side by side. Unit of `count`: inferences.
        """
        _counted(count)
        return self._of(count * self.inferences)

    def part(self, count: int) -> Self:
        """This operator for `count` of its inferences. Unit of `count`: inferences."""
        if count > self.inferences:
            raise ValueError(
                f"MacOp {self.name}: part({count}); allowed: 1..{self.inferences}, its inferences"
            )
        return self._of(count)

    def _of(self, count: int) -> Self:
        of = self.inferences
        distinct = None if self.distinct is None else -(-self.distinct * count // of)
        if self.kind == "activations":
            return self.but(groups=self.groups // of * count, distinct=distinct, inferences=count)
        return self.but(m=self.m // of * count, distinct=distinct, inferences=count)

    @property
    def macs(self) -> int:
        """Multiply-accumulates an inference (unit: MACs)."""
        return self.groups * self.m * self.k * self.n


class VectorOp(Value):
    """One operator that is no MAC (activation, pooling, softmax, ...): `elements` outputs an
    inference.
    """

    name: str
    kind: str
    """The operator type, as ONNX names it, in lower case: "relu", "maxpool", "softmax", ..."""
    elements: int = integer(0)
    inferences: int = integer(1, default=1, doc="of how many inferences these sizes are")
    rows: int | None = integer(1, default=None)
    """Rows of which a unit takes each whole (a norm's, a softmax's); None: enough for all units."""

    def batched(self, count: int) -> Self:
        """This operator for `count` inferences at once. Unit of `count`: inferences."""
        _counted(count)
        rows = None if self.rows is None else count * self.rows
        return self.but(
            elements=count * self.elements, inferences=count * self.inferences, rows=rows
        )

    def part(self, count: int) -> Self:
        """This operator for `count` of its inferences. Unit of `count`: inferences."""
        elements = -(-self.elements * count // self.inferences)
        rows = None if self.rows is None else -(-self.rows * count // self.inferences)
        return self.but(elements=elements, inferences=count, rows=rows)


def sizes(op: MacOp | VectorOp) -> tuple[object, ...]:
    """All of `op` but its name. Operators of equal sizes, such as the layers of a decoder, cost the
    same on a machine that does not look at names.
    """
    return (type(op), *(value for field, value in vars(op).items() if field != "name"))


def _counted(count: int) -> None:
    if not is_integer(count) or count < 1:
        raise ValueError(f"batched count={count!r}; allowed: an integer, 1 or more")


class Range(Value):
    """An interval [low, high] of activations, found by calibration."""

    low: float
    high: float

    def check(self) -> None:
        """Both ends are finite and low <= high."""
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low <= self.high):
            raise ValueError(
                f"Range low={self.low} high={self.high}: both must be finite, low <= high"
            )


class Calibration:
    """What is known of one operator's operands from the calibration split, never from the test
    split.

    x, y : Range of the inputs and of the outputs (after bias).
    sample : float32, shape (rows, k), some input rows, for targets that choose converter ranges by
    data.  rule : the name of the rule that chose the ranges.
    rectified : whether a Relu alone reads the outputs, so that a machine may drop negative ones;
    `y` is then of what is left.
    stored : the codes in which the model's file holds this product, None where it holds floats.
    held : the codes of its weights alone, None where they are no codes.
    """

    def __init__(
        self,
        *,
        x: Range,
        y: Range,
        sample: np.ndarray,
        rule: str,
        rectified: bool = False,
        stored: StoredProduct | None = None,
        held: StoredWeights | None = None,
    ):
        self.x, self.y, self.sample, self.rule, self.rectified = x, y, sample, rule, rectified
        self.stored, self.held = stored, held

    def group(self, index: int) -> Calibration:
        """That of one group of the product: the ranges are shared, the codes are its own."""
        return self._with(
            None if self.stored is None else self.stored.group(index),
            None if self.held is None else self.held.group(index),
        )

    def columns(self, columns: slice) -> Calibration:
        """That of some outputs."""
        return self._with(
            None if self.stored is None else self.stored.columns(columns),
            None if self.held is None else self.held.columns(columns),
        )

    def _with(self, stored: StoredProduct | None, held: StoredWeights | None) -> Calibration:
        return Calibration(
            x=self.x,
            y=self.y,
            sample=self.sample,
            rule=self.rule,
            rectified=self.rectified,
            stored=stored,
            held=held,
        )


MODEL_CODES = "the model's codes"
"""What `Programmed.weights_as` says of weights that stand in the codes of the model's file."""


class Programmed(ABC):
    """Weights as they stand in a target: quantised, laid out in banks, or written to cells."""

    weights_as: str = "values"
    """What weights stand as that a file holds in codes: `MODEL_CODES`, or the values of these codes
    in a format of the machine, such as "values in bf16".
    """

    @abstractmethod
    def matmul(self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0) -> np.ndarray:
        """y float32, shape (batch, n) of x float32, shape (batch, k) (plus bias), `at` seconds (or
        text) after programming.

        `key` keys what is random in a read; `key.row` is the index of x's first row in the whole
        batch.
        """

    def counted(
        self, x: np.ndarray, key: int | Key = 0, at: str | float = 0.0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`matmul(x, key, at)`, and how many values left their range on the way: event -> count,
        summed over rows.

        Events are named as a reader would, such as "inputs clipped", "sums overflowed", "outputs
        clipped"; counts of batches add up. {} is the answer of a machine in which nothing clips or
        overflows, or that does not count it. x : float32, shape (batch, k);  y : float32,
        shape (batch, n).
        """
        return self.matmul(x, key, at), {}

    def integrals(self, x: np.ndarray, at: str | float = 0.0) -> Mapping[str, float]:
        """Value-dependent physical integrals of reading x (say V^2 S s = J), `at` seconds (or text)
        after programming, summed over rows: event -> SI amount. x : float32, shape (batch, k).
        """
        return {}


class Target(Value, ABC):
    """One machine of one roadmap stage: arithmetic, organisation and prices."""

    stage: ClassVar[int]

    name: str
    host: Any = None
    """The Target that does what this one cannot (None: it does everything itself)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"{type(self).__name__} name={self.name!r} is not a text")
        if not (self.host is None or isinstance(self.host, Target)):
            raise TypeError(
                f"{type(self).__name__} {self.name}: host={self.host!r} is not a Target; write for "
                "example pimlab.target('warboy')"
            )

    @abstractmethod
    def serves(self, op: MacOp | VectorOp) -> bool:
        """Whether this machine executes `op` itself; if not, `host` does."""

    def searched(self) -> Self:
        """This machine as a search over several machines takes it: without a bound on what it
        serves that stands for a comparison with other machines.
        """
        return self

    @abstractmethod
    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> Programmed:
        """Weights w float32, shape (k, n) and bias float32, shape (n,) as this machine holds them.

        Without `calibration` each input row is scaled by its own largest magnitude (dynamic
        scaling). ValueError for weights that are not finite, two-dimensional or that do not fit.
        """

    def product(self, x: np.ndarray, w: np.ndarray, key: int | Key = 0) -> np.ndarray:
        """y float32, shape (b, m, n) of b products of two activations, x float32, shape (b, m, k)
        and w float32, shape (b, k, n).

        Both operands are scaled dynamically. Product i reads with the key's row `key.row + i`.
        """
        return self.counted_product(x, w, key)[0]

    def counted_product(
        self, x: np.ndarray, w: np.ndarray, key: int | Key = 0
    ) -> tuple[np.ndarray, Mapping[str, int]]:
        """`product(x, w, key)`, and how many values left their range on the way, as
        `Programmed.counted` says. x : float32, shape (batch, m, k);  w : float32,
        shape (batch, k, n).
        """
        key, counts = as_key(key), Counter[str]()
        y = np.empty((*x.shape[:2], w.shape[2]), np.float32)

        def one(i: int) -> Mapping[str, int]:
            y[i], found = self.program(w[i], key).counted(x[i], key.rows(key.row + i))
            return found

        macs = x.shape[1] * x.shape[2] * w.shape[2]
        for found in each(one, range(len(x)), least=0 if macs >= 64 * MANY else len(x)):
            counts.update(found)
        return y, dict(counts)

    def placed(self, ops: tuple[MacOp, ...]) -> Self:
        """This machine with its data where they live when it executes all of `ops`, the operators
        of one model, in turn.

        A machine whose weights all stay in one memory answers with itself; one with a cache decides
        here whether the weights of the whole model stay in it (each operator alone might fit, all
        of them together not).
        """
        return self

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of this machine's memory that `op` takes up for good, because its weights (or its
        cache) are computed with where they lie: what all operators of a machine take up is at most
        1 (unit 1). 0 where operands come from a memory without a stated size.
        """
        return 0.0

    def spread(self, chips: int) -> Self:
        """This machine when an operator may lie over the memories of `chips` of them; itself unless
        one of its fields says how much a chip holds. Unit of `chips`: chips.
        """
        return self

    @abstractmethod
    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Exact event counts of one inference of `op`, every event a name in `prices`. Unit:
        events.
        """

    @abstractmethod
    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds [s] of one inference of `op` (batch 1) by phase; phases add up."""

    @property
    def link(self) -> Link | None:
        """What lies between this machine and the others of a plan that names no link for it: a card
        hangs on PCIe, a memory on CXL. None: nothing that costs.
        """
        return None

    @property
    def pins(self) -> float | None:
        """Bits a second (unit: bit/s) that machines which share this one's DRAM (`Plan.shared`)
        read through its pins, refresh taken off; None: it is no memory of others.
        """
        return None

    @property
    def handover(self) -> float:
        """Seconds [s] in which a shared DRAM changes hands to this machine and back: the others'
        rows close before, and open again after.
        """
        return 0.0

    def behind(self, pins: float) -> Self:
        """This machine when the DRAM that it reads is the memory of another, through whose pins
        `pins` bits a second pass (unit: bit/s); itself where it reads none.
        """
        return self

    @property
    def call(self) -> float:
        """Seconds [s] that a batch costs once, whatever runs in it: driver, transfer of inputs,
        answer.

        No operator's `latency` holds them: a plan adds them before the first operator.
        """
        return 0.0

    @property
    def stands_alone(self) -> bool:
        """Whether a model of which this machine executes every operator needs no host beside it."""
        return False

    def as_host(self) -> Self:
        """This machine as the host of another, which hands it operators: no driver calls it."""
        return self

    def resources(self, op: MacOp | VectorOp) -> Mapping[str, str]:
        """Phase of `latency(op)` -> the resource of this machine that it occupies, such as "arrays"
        or "DRAM channel"; a resource serves one operator at a time. One for everything unless a
        machine says more.
        """
        return dict.fromkeys(self.latency(op), "everything")

    def work(self, op: MacOp | VectorOp) -> tuple[Work, ...]:
        """What one inference of `op` keeps busy: its phases in turn, with what a resource does
        unseen under another one's phase beside it [s].

        Alone it takes at most as long as `latency`.
        """
        return in_turn(self.latency(op), self.resources(op))

    def streams(self, op: MacOp | VectorOp) -> bool:
        """Whether the rows of `op` leave one after another, so that the next operator can begin
        with the first.
        """
        return False

    @property
    def array_count(self) -> int | None:
        """Arrays that hold weights for good, as they stand on the machine (unit: arrays); None: it
        has none, or as many as are needed.
        """
        return None

    def arrays_of(self, op: MacOp | VectorOp) -> int:
        """Arrays that the weights of `op` take up for good (unit: arrays); on as many more they can
        stand again, and half of the rows go there.
        """
        return 0

    @property
    def timing_source(self) -> str:
        """What the times of this machine are: computed, a bound, or fitted on which rows."""
        return "computed from clocks and timing symbols"

    def throttled(self, op: MacOp | VectorOp) -> float:
        """Share of the priced energy of `op` that is drawn, where a machine slows down or lowers
        its voltage to stay within what it may draw (unit 1); 1 unless a machine says less.
        """
        return 1.0

    @property
    @abstractmethod
    def prices(self) -> Prices:
        """Energy of one event, with interval, component and source. Unit: J an event."""

    @property
    def static(self) -> Mapping[str, float]:
        """Events charged a second of total latency (leakage, refresh): event -> amount a second,
        each in `prices`. Unit of an amount: that of the event, by second.
        """
        return {}

    @property
    def static_owners(self) -> Mapping[str, str]:
        """Event of `static` -> who draws it: "array", "chip" or "memory"."""
        return dict.fromkeys(self.static, CHIP)

    @property
    def states(self) -> tuple[PowerState, ...]:
        """What the machine draws when it is active, idle, gated and off, what it then forgets, and
        what waking costs. () where nothing is drawn. Units: W, s and J.
        """
        watts: dict[str, list[Constant]] = {}
        for event, rate in self.static.items():
            price = self.prices[event].constant
            watts.setdefault(self.static_owners[event], []).append(scaled(price, rate, "W"))
        return power_states({owner: total(owner, parts) for owner, parts in watts.items()})

    @property
    def holds(self) -> str:
        """Where weights stand between requests: "SRAM", "DRAM" or "cells" (non-volatile)."""
        return DRAM_MEMORY

    def refill(self, bits: float) -> tuple[float, Mapping[str, float]]:
        """Seconds [s] and events of writing weights (bits) into where they stand again, from the
        memory that comes next: an NPU's SRAM from its DRAM.
        """
        return 0.0, {}

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the machine's organisation and arithmetic; those behind its
        prices are the prices' own.
        """
        return ()

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of every publication behind this machine, prices included,
        sorted.
        """
        return tuple(sorted({*self.sources, *self.prices.sources}))

    @property
    def weight_bits(self) -> float:
        """Bits that one weight takes in the memory it is stored in (unit: bits)."""
        return 16.0

    @property
    def activation_bits(self) -> float:
        """Bits that one activation, or one value of a decoder's cache, takes in memory (unit:
        bits).
        """
        return 16.0

    @property
    def codes(self) -> str:
        """The integer format that activations are coded in: calibration rules such as "mse" choose
        their ranges for its codes.
        """
        return "int8"

    @property
    def varies(self) -> bool:
        """Whether values depend on the key or on the time after programming; if not, every seed and
        time gives the same bits.
        """
        return False

    @property
    def causes(self) -> tuple[str, ...]:
        """Names of the non-idealities this machine has, in the order a waterfall shows them."""
        return ()

    def with_causes(self, causes: tuple[str, ...]) -> Self:
        """This machine with only the named non-idealities; all others ideal. ValueError for an
        unknown name.
        """
        if causes:
            raise ValueError(
                f"{type(self).__name__} {self.name} has no non-ideality {causes[0]!r} (it has none)"
            )
        return self


def checked_operands(x: np.ndarray, k: int, what: str) -> np.ndarray:
    """x as C-contiguous float32, shape (batch, k); ValueError naming `what` for wrong shape or
    non-finite values, TypeError for what is not real.
    """
    _refuse_unreal(x, f"{what}: x")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim != 2 or x.shape[1] != k:
        raise ValueError(f"{what}: x has shape {x.shape}, allowed (batch, {k})")
    if not np.isfinite(x).all():
        raise ValueError(
            f"{what}: x holds {np.count_nonzero(~np.isfinite(x))} non-finite values; allowed: "
            "finite float32"
        )
    return x


def _refuse_unreal(array: np.ndarray, what: str) -> None:
    """TypeError for complex numbers, whose imaginary part would be lost, and for text and times,
    which would be read as numbers.
    """
    held = np.asarray(array).dtype
    if held.kind in "cSUmM":
        raise TypeError(f"{what} is {held}; allowed: an array of real numbers")


def checked_weights(
    w: np.ndarray, bias: np.ndarray | None, what: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """w as C-contiguous float32, shape (k, n) and bias as float32, shape (n,); ValueError naming
    `what` where they are not; TypeError for what is not real.
    """
    _refuse_unreal(w, f"{what}: weights")
    with np.errstate(over="ignore"):
        w = np.ascontiguousarray(w, dtype=np.float32)
    if w.ndim != 2 or 0 in w.shape:
        raise ValueError(f"{what}: weights have shape {w.shape}, allowed (k, n) with k, n >= 1")
    if not np.isfinite(w).all():
        raise ValueError(
            f"{what}: weights hold {np.count_nonzero(~np.isfinite(w))} non-finite values; allowed: "
            "finite float32"
        )
    if bias is not None:
        bias = np.ascontiguousarray(bias, dtype=np.float32)
        if bias.shape != (w.shape[1],) or not np.isfinite(bias).all():
            raise ValueError(
                f"{what}: bias has shape {bias.shape}, allowed ({w.shape[1]},) with finite values"
            )
    return w, bias
