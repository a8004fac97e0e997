"""What does a chip lose against its arrays and its memory? A few constants, fitted to measured
operators.

seconds of a product = operator + max(c, b) + exposed min(c, b) / waves, where c is what the arrays
need at `arrays` of their rate, and b what the traffic needs at `bandwidth` of the memory's. The
arrays make the results block by block, as many blocks at once as there are arrays: a wave. While a
wave computes, the next one's operands come; what nothing hides is a share of one wave's. With
`feed`, which says how fast operands come from the cache, c is that of the blocks that a library
would choose, filled up at the edges (npu/waves.py); without it blocks are 128 x 128 and cost what
the arrays' cycles say.

seconds of another operator = launch + max(v, b): values move between cache and vector unit at
`pointwise` values a cycle and array. Where a row is taken whole, arrays take two rows at a time, at
`rows` values a cycle (softmax, gates, rotations) or at `norms`: a norm reads its row before it can
write, so that each turn takes `wait` longer, and its v and b add. Looking up rows of a table moves
`lookup` values a cycle; up to 16 rows are fetched one after another, each in `wait`.

They belong to a chip and its software, never to a model. A chip without them answers with a bound:
arrays that never wait, memory at its full rate, operators that start at once.
"""

from __future__ import annotations

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.npu.waves import ABREAST, turns
from pimlab.values import Value, integer, number, quantity

NORMS = frozenset(
    {
        "instancenormalization", "layernormalization", "rmsnormalization",
        "simplifiedlayernormalization", "skiplayernormalization",
    }
)  # fmt: skip
"""Operators that read a whole row before they can write any of it."""

WHOLE_ROWS = frozenset(
    {
        "logsoftmax", "rotaryembedding", "softmax", "swiglu", *NORMS,
    }
)  # fmt: skip
"""Operators that an array does for a whole row at a time."""

FEW_ROWS = 16
"""Rows of a look-up that are fetched one after another (PyTorch's indexSelectSmallIndex)."""


class Efficiency(Value):
    """Constants of one chip."""

    operator: float = quantity("s", low=0, default=0.0, doc="fixed cost of an operator")
    launch: float | None = quantity(
        "s", low=0, default=None, doc="of one that is no product; None: as `operator`"
    )
    call: float = quantity(
        "s", low=0, default=0.0, doc="fixed cost of a batch: driver, transfer of inputs, answer"
    )
    arrays: float = number(above=0, high=1, default=1.0, doc="share of their rate arrays sustain")
    bandwidth: float = number(
        above=0, high=1, default=1.0, doc="share of the memory's rate that products sustain"
    )
    vector: float = number(
        above=0, high=1, default=1.0, doc="share of it that the vector unit sustains"
    )
    pointwise: float | None = number(
        above=0, default=None, doc="values an array moves a cycle; None: nothing limits it"
    )
    rows: float | None = number(
        above=0, default=None, doc="the same where an operator takes whole rows"
    )
    norms: float | None = number(
        above=0, default=None, doc="the same of norms; None: as `rows`, beside the traffic"
    )
    alone: float = number(
        above=0, high=1, default=0.5, doc="share of the time of two rows that one row takes"
    )
    lookup: float | None = number(
        above=0,
        default=None,
        doc="values an array moves a cycle that looks up rows; None: no limit",
    )
    wait: float = quantity("s", low=0, default=0.0, doc="until a row is there that nothing hides")
    feed: float | None = number(
        above=0,
        default=None,
        doc="bytes a cycle that an array takes from the cache; None: blocks never wait for it",
    )
    decoding: float | None = number(
        above=0,
        default=None,
        doc="products a cycle of an array's vector unit, if it does the attention of one token for "
        "each query head; None: the arrays do it, once for all heads that share keys",
    )
    exposed: float = number(
        low=0, high=1, default=0.0, doc="share of a wave's shorter of c and b that does not overlap"
    )
    block: int = integer(
        1, default=128, doc="side of the block of results that an array makes at a time"
    )

    @property
    def starts(self) -> float:
        """Fixed cost of an operator that is no product [s]."""
        return self.operator if self.launch is None else self.launch

    def waves(self, m: int, n: int, groups: int, arrays: int) -> float:
        """Blocks of the results of `groups` products (m, n) over `arrays`, at least 1 (unit 1)."""
        blocks = groups * -(-m // self.block) * -(-n // self.block)
        return max(1.0, blocks / arrays)

    def exposes(self, compute: float, transfer: float, waves: float = 1.0) -> float:
        """Seconds of `transfer` that are not hidden behind `compute`, both [s]."""
        hidden = min(compute, transfer)
        return max(0.0, transfer - compute) + self.exposed * hidden / waves

    def attends(self, op: MacOp, arrays: int, clock: float) -> float:
        """Seconds that the vector units of `arrays` at `clock` [1/s] take for the attention of one
        token; 0 for other products.
        """
        many = op.appended is None or op.appended > min(op.k, op.n)
        if self.decoding is None or not op.cached or many:
            return 0.0
        return op.groups * op.m * op.k * op.n / (arrays * self.decoding * clock)

    def moves(self, op: VectorOp, values: float, arrays: int, clock: float) -> float:
        """Seconds that `arrays` at `clock` [1/s] take to move the `values` that `op` reads and
        writes.
        """
        if op.kind == "gather":
            return self._looks_up(op.rows, values, arrays * clock)
        if op.kind not in WHOLE_ROWS:
            return _at(self.pointwise, values, arrays * clock)
        rate = self.norms if self.reads_first(op) else self.rows
        if op.rows is None:
            return _at(rate, values, arrays * clock)
        alone, waits = (1.0, self.wait) if self.reads_first(op) else (self.alone, 0.0)
        both = waits + ABREAST * _at(rate, values / op.rows, clock)
        return both * turns(op.rows, arrays, alone)

    def reads_first(self, op: VectorOp) -> bool:
        """Whether arrays read a whole row of `op` before they write any, which takes longer."""
        return self.norms is not None and op.kind in NORMS

    def _looks_up(self, rows: int | None, values: float, cycles: float) -> float:
        """Seconds that arrays of so many `cycles` a second take to look up rows of a table."""
        if rows is not None and rows <= FEW_ROWS and self.wait:
            return rows * self.wait
        return _at(self.lookup, values, cycles)


def _at(rate: float | None, values: float, cycles: float) -> float:
    """Seconds of `values` at `rate` values a cycle; nothing limits them without a rate."""
    return 0.0 if rate is None else values / (rate * cycles)
