"""What does a chip lose against its arrays and its memory? A few constants, fitted to measured
operators.

seconds of a product = operator + max(c, b) + exposed min(c, b) / waves, where c is what the arrays
need at `arrays` of their rate, and b what the traffic needs at `bandwidth` of the memory's. The
arrays make the results block by block, as many blocks at once as there are arrays: a wave. While a
wave computes, the next one's operands come; what nothing hides is a share of one wave's.

seconds of another operator = launch + max(v, b): values move between cache and vector unit at
`pointwise` values a cycle and array, or at `rows` where a row is taken whole (norms, softmax,
gates, rotations). A row belongs to one array, so few rows leave arrays idle.

They belong to a chip and its software, never to a model. A chip without them answers with a bound:
arrays that never wait, memory at its full rate, operators that start at once.
"""

from __future__ import annotations

from pimlab.machine.protocol import MacOp
from pimlab.values import Value, integer, number, quantity

WHOLE_ROWS = frozenset(
    {
        "gather", "instancenormalization", "layernormalization", "logsoftmax", "rmsnormalization",
        "rotaryembedding", "simplifiedlayernormalization", "skiplayernormalization", "softmax",
        "swiglu",
    }
)  # fmt: skip
"""Operators that an array does for a whole row at a time."""


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

    def moves(self, kind: str, values: float, rows: int | None, arrays: int, clock: float) -> float:
        """Seconds that `arrays` at `clock` [1/s] take to move the values of an operator of this
        kind (unit: values), which has `rows` rows.
        """
        whole = kind in WHOLE_ROWS
        rate = self.rows if whole else self.pointwise
        if rate is None:
            return 0.0
        used = arrays if rows is None or not whole else min(rows, arrays)
        return values / (used * rate * clock)
