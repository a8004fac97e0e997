"""How many cycles and how much traffic does a matrix product need on a systolic MAC array? Closed
forms, by fold.

out (m, n) = x (m, k) @ w (k, n) on arrays of R x C (`rows` x `cols`) MACs. A fold is one stationary
tile:

=========  ===========  ===========  ==========  ================  ======================
dataflow   on rows      on columns   streamed    cycles a fold     SCALE-Sim's a fold
=========  ===========  ===========  ==========  ================  ======================
"ws"       k            n            m           2 R + C + m - 2   the same
"is"       k            m            n           2 R + C + n - 2   the same
"os"       m            n            k           2 R + C + k - 2   R + C + k - 2
=========  ===========  ===========  ==========  ================  ======================

R cycles place the stationary tile (ws, is) or drain the finished sums (os); the rest is skewed
streaming. Folds run one after the other, those along the columns outermost. Arrays that hold two
stationary tiles (or two sets of sums) `overlap`: the next fold follows after max(R, streamed)
cycles, and only the first and the last pay for filling and draining. Words move: ifmap is x, filter
is w, ofmap is out.

Several arrays share one product as a compiler would: the streamed values are cut into pieces (each
array then places the stationary tiles anew), folds along the columns are dealt out, and k is split
where that is faster, although the arrays then hold partial sums of the same outputs. Those are
added in the end: each of s arrays takes in the sums of 1/s of the outputs from the s - 1 others,
one line of C sums a cycle. The division with the fewest cycles is taken, of equal ones that with
the fewest pieces.

`compat="scalesim"` gives what SCALE-Sim 3.0.0 counts without a user bandwidth. The default differs
where that is a fault:

- cycles are counted, not the index of the last one (SCALE-Sim: one less);
- the sums of "os" take R cycles to leave each fold (SCALE-Sim: none);
- "os" writes m n results (SCALE-Sim adds R + C a fold);
- partial sums of "ws" and "is" are read back as well as written (SCALE-Sim: written only), and go
  to DRAM only when the tile in work exceeds half the ofmap buffer (SCALE-Sim: always);
- an operand that is needed again stays when it fits in half its buffer, and is fetched again when
  it does not. SCALE-Sim forgets its whole buffer each time 50 sets of floor(words / 100) distinct
  words have been seen, so an operand streamed tile by tile is fetched in part twice;
- DRAM writes are the words written (SCALE-Sim counts the padding of the first line that a full
buffer cuts off, C - 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pimlab.arguments import named
from pimlab.units import is_integer
from pimlab.values import Value, integer, truth, unknown

DATAFLOWS = ("ws", "os", "is")
_TURNS = 16
"""Divisions that give each array up to so many pieces are compared: more would shorten a last,
partly used turn of at most a sixteenth.
"""
LARGEST = 2**31
"""Largest m, n, k, rows or cols accepted: beyond it a shape is a mistake, not a layer."""


class Buffers(Value):
    """On-chip words for each operand; one half works while the other fills (double buffered)."""

    ifmap: int = integer(2, default=262144)
    filter: int = integer(2, default=262144)
    ofmap: int = integer(2, default=131072)


class ArrayWork(Value):
    """Cycles of one product on multiply-accumulate arrays, and words of each operand that they read
    and write on chip. ifmap = x, filter = w, ofmap = out.
    """

    total_cycles: int
    utilisation: float
    """MACs over (MACs of all arrays x cycles), at most 1."""
    arrays: int
    """Arrays that got work."""
    sram_ifmap_reads: int
    sram_filter_reads: int
    sram_ofmap_reads: int
    """Partial sums read back to be added to."""
    sram_ofmap_writes: int


class GemmCycles(ArrayWork):
    """Cycles and traffic of one matrix product on systolic arrays."""

    folds: int
    """Stationary tiles placed, on all arrays together."""
    dram_ifmap_reads: int
    dram_filter_reads: int
    dram_ofmap_reads: int
    dram_ofmap_writes: int


@named
def gemm_cycles(
    m: int,
    n: int,
    k: int,
    *,
    rows: int,
    cols: int,
    dataflow: str = "ws",
    compat: str | None = None,
    groups: int = 1,
    arrays: int = 1,
    overlap: bool = False,
    buffers: Buffers | None = None,
) -> GemmCycles:
    """Cycles and traffic of `groups` products x (m, k) @ w, shape (k, n) on `arrays` systolic
    arrays of rows x cols MACs.

    dataflow : "ws" weight-, "os" output-, "is" input-stationary.
    compat : None, the corrected count; "scalesim", SCALE-Sim 3.0.0's, to the cycle and the access
    (one array only).
    overlap : whether a fold streams while the next one's stationary tile is placed and the last
    one's sums drain.
    buffers : words on chip for each operand; 256, 256 and 128 Ki words unless given.
    arrays : how many share the work, each reading its own operands from SRAM: where the streamed
    operand is cut into pieces, the stationary one is read once a piece. ValueError for an unknown
    dataflow or rule, a size outside 1..2^31, or compat with several arrays, groups or overlap.

    >>> array = dict(rows=32, cols=32, dataflow="ws")
    >>> counted = pim.npu.gemm_cycles(128, 128, 512, **array, compat="scalesim")
    >>> counted.total_cycles, counted.sram_ifmap_reads
    (14207, 262144)
    """
    m, n, k, rows, cols, groups, arrays = _checked(
        m=m, n=n, k=k, rows=rows, cols=cols, groups=groups, arrays=arrays
    )
    if not isinstance(dataflow, str) or dataflow not in DATAFLOWS:
        raise ValueError(unknown("dataflow", dataflow, DATAFLOWS))
    if not (compat is None or (isinstance(compat, str) and compat == "scalesim")):
        raise ValueError(
            f"compat={compat!r} is not known (known: 'scalesim'; for the corrected count write "
            "None)"
        )
    if compat and (arrays, groups, overlap) != (1, 1, False):
        raise ValueError(
            f"compat='scalesim' with arrays={arrays}, groups={groups}, overlap={overlap}; "
            "SCALE-Sim has one array, "
            "one product and no overlap"
        )
    if not isinstance(buffers, Buffers | None):
        raise TypeError(
            f"buffers={buffers!r} is not Buffers, such as Buffers(ifmap=262144); for 256, 256 and "
            "128 Ki words write None"
        )
    job = _Job(m, n, k, groups, rows, cols, dataflow, buffers or Buffers())
    truth("overlap", overlap)
    return _scalesim(job) if compat else _corrected(job, arrays, overlap)


class _Job:
    """One product laid out in folds: `down` along the rows, `across` along the columns, `streamed`
    values each.
    """

    def __init__(
        self,
        m: int,
        n: int,
        k: int,
        groups: int,
        rows: int,
        cols: int,
        dataflow: str,
        buffers: Buffers,
    ):
        self.m, self.n, self.k, self.groups, self.rows, self.cols = m, n, k, groups, rows, cols
        self.dataflow, self.buffers = dataflow, buffers
        on_rows, self.on_cols, self.streamed = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[
            dataflow
        ]
        self.down, self.across = -(-on_rows // rows), -(-self.on_cols // cols)
        self.x, self.w, self.y = m * k, k * n, m * n
        # how often each operand is read: once where it stays, once a fold along the other side
        # where it streams
        self.x_passes = 1 if dataflow == "is" else self.across
        self.w_passes = {"ws": 1, "is": self.across, "os": self.down}[dataflow]
        self.y_passes = 1 if dataflow == "os" else self.down

    @property
    def folds(self) -> int:
        return self.groups * self.down * self.across

    def answer(self, cycles: int, arrays: int, deal: _Deal, **words: int) -> GemmCycles:
        macs = self.groups * self.m * self.n * self.k
        return GemmCycles(
            total_cycles=cycles,
            utilisation=macs / (self.rows * self.cols * arrays * cycles),
            folds=self.folds * deal.pieces * (deal.parts if self.dataflow == "os" else 1),
            arrays=min(arrays, self.units * deal.pieces * deal.parts),
            **{name: self.groups * count for name, count in words.items()},
        )

    @property
    def units(self) -> int:
        """What one array can finish alone: columns of folds (ws, is), folds (os)."""
        return self.groups * self.across * (self.down if self.dataflow == "os" else 1)

    @property
    def sums(self) -> int:
        """How often k may be split: folds along it (ws, is), or each value (os)."""
        return self.streamed if self.dataflow == "os" else self.down

    def cycles(self, deal: _Deal, arrays: int, overlap: bool) -> int:
        """Cycles of the array with most work."""
        units = -(-self.units * deal.pieces * deal.parts // arrays)
        if self.dataflow == "os":
            streamed, folds = -(-self.streamed // deal.parts), units
        else:
            streamed = -(-self.streamed // deal.pieces)
            folds = units * -(-self.down // deal.parts)
        alone = 2 * self.rows + self.cols + streamed - 2
        following = max(self.rows, streamed) if overlap else alone
        lines = units * (self.rows if self.dataflow == "os" else streamed)
        # parts of k are summed afterwards, and the arrays share that work too
        adding = -(-lines * (deal.parts - 1) // deal.parts)
        return alone + (folds - 1) * following + adding


class _Deal(NamedTuple):
    """How arrays share a product: `pieces` of the streamed operand, `parts` of k."""

    parts: int = 1
    pieces: int = 1


def _deals(job: _Job, arrays: int) -> Iterator[_Deal]:
    """The divisions worth trying: as many pieces as fill the arrays once, twice, ... for each
    number of parts that shortens the longest one.
    """
    parts = {-(-job.sums // -(-job.sums // count)) for count in range(1, min(arrays, 256) + 1)}
    for count in parts if arrays > 1 else (1,):
        yield _Deal(count)
        if job.dataflow != "os" and arrays > 1:
            for turns in range(1, _TURNS + 1):
                pieces = min(turns * arrays // (job.units * count), job.streamed)
                if pieces > 1:
                    yield _Deal(count, pieces)


def _corrected(job: _Job, arrays: int, overlap: bool) -> GemmCycles:
    cycles, deal = min((job.cycles(deal, arrays, overlap), deal) for deal in _deals(job, arrays))
    half = {name: getattr(job.buffers, name) // 2 for name in Buffers.fields()}
    # under "os" only the columns of one fold are read again, by the folds below it
    reused_w = job.k * min(job.cols, job.n) if job.dataflow == "os" else job.w
    tile = job.streamed * min(job.cols, job.on_cols)
    # sums that do not fit on chip go out and come back once a fold of k
    trips = job.y_passes if tile > half["ofmap"] else 1
    passes = job.y_passes * (deal.parts if job.dataflow == "os" else 1)
    return job.answer(
        cycles,
        arrays,
        deal,
        sram_ifmap_reads=job.x * job.x_passes * (deal.pieces if job.dataflow == "is" else 1),
        sram_filter_reads=job.w * job.w_passes * (deal.pieces if job.dataflow == "ws" else 1),
        sram_ofmap_reads=job.y * (passes - 1),
        sram_ofmap_writes=job.y * passes,
        dram_ifmap_reads=job.x * (job.x_passes if job.x > half["ifmap"] else 1),
        dram_filter_reads=job.w * (job.w_passes if reused_w > half["filter"] else 1),
        dram_ofmap_reads=job.y * (trips - 1),
        dram_ofmap_writes=job.y * trips,
    )


def _scalesim(job: _Job) -> GemmCycles:
    drain = 0 if job.dataflow == "os" else job.rows
    cycles = job.folds * (drain + job.rows + job.cols + job.streamed - 2) - 1
    written = job.y * job.y_passes
    overcount = job.folds * (job.rows + job.cols) if job.dataflow == "os" else 0
    seen = [50 * (words // 100) for words in (job.buffers.ifmap, job.buffers.filter)]
    blocks = job.dataflow == "os"
    return job.answer(
        max(cycles, 1),
        1,
        _Deal(),
        sram_ifmap_reads=job.x * job.x_passes,
        sram_filter_reads=job.w * job.w_passes,
        sram_ofmap_reads=0,
        sram_ofmap_writes=written + overcount,
        dram_ifmap_reads=_forgetful(job.x, 1, job.x_passes, seen[0]),
        dram_filter_reads=_blockwise(job, seen[1])
        if blocks
        else _forgetful(job.w, 1, job.w_passes, seen[1]),
        dram_ofmap_reads=0,
        dram_ofmap_writes=written + _padding(written, job.cols, job.buffers.ofmap // 2),
    )


def _forgetful(words: int, blocks: int, passes: int, seen: int) -> int:
    """Fetches of `blocks` equal operands read `passes` times each through a buffer that forgets at
    `seen` distinct words.
    """
    if passes == 1 or not seen:
        return words * blocks
    if words >= seen:
        return words * blocks * passes
    # The pass in which the buffer forgets fetches its first `seen % words` words again; then the
    # block starts the count.
    first = -(-seen // words)
    forgotten = 0 if blocks < first else 1 + (blocks - first) // (first - 1)
    return words * blocks + forgotten * (seen - (first - 1) * words)


def _blockwise(job: _Job, seen: int) -> int:
    """Fetches of w under "os": column blocks of k x cols words, each read once a row fold before
    the next begins.
    """
    full, rest = divmod(job.n, job.cols)
    block, last, passes = job.k * job.cols, job.k * rest, job.w_passes
    fetched = _forgetful(block, full, passes, seen)
    if not last or passes == 1 or not seen:
        return fetched + last
    if last >= seen:
        return fetched + last * passes
    held = _held(block, full, passes, seen)
    return fetched + last + (seen - held if held + last >= seen else 0)


def _held(block: int, full: int, passes: int, seen: int) -> int:
    """Distinct words the forgetful buffer holds after `full` blocks."""
    if block >= seen:
        return block * full * passes % seen
    first = -(-seen // block)
    if full < first:
        return block * full
    return block * (1 + (full - first) % (first - 1))


def _padding(written: int, cols: int, drained: int) -> int:
    """Empty places SCALE-Sim counts in the line that the first full buffer cuts off: all but one of
    its `cols`.
    """
    return cols - 1 if written > drained + 1 and drained % cols == 0 and drained > cols else 0


def _checked(**sizes: int) -> list[int]:
    """The sizes as Python's integers: NumPy's would overflow where traffic is counted."""
    for name, size in sizes.items():
        if not is_integer(size):
            raise TypeError(f"{name}={size!r} is not an integer 1..{LARGEST}")
        if not 1 <= size.__index__() <= LARGEST:
            raise ValueError(f"{name}={size} is outside 1..{LARGEST}")
    return [size.__index__() for size in sizes.values()]
