"""What does a step of a replica cost, and how much cache does it hold? Tables of a plan, of a model
on a machine, or of what somebody measured.

Work that is no attention depends on the new tokens of a step alone, attention of decoding sequences
on their number and mean context, attention of a part of a prompt on its tokens and the context
behind them. Tables are linear between their points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pimlab import units
from pimlab.arguments import typed
from pimlab.cluster.capacity import fits, fullest
from pimlab.cluster.costs import static_power
from pimlab.cluster.plans import ParallelPlan
from pimlab.cluster.shards import Work
from pimlab.cluster.steps import Degrees, Pricer, part_of
from pimlab.cost import Energy, price
from pimlab.kernels.serving_state import Tables
from pimlab.kernels.step_times import COLUMNS, across, along
from pimlab.plan import planned
from pimlab.plan.costs import static as static_joules
from pimlab.units import is_integer
from pimlab.values import Value, digest, integer, number

Column = np.ndarray
"""float64 (..., COLUMNS): s; J without static power, low end, high end, J of assumed prices."""
NOTHING = (0.0, 0.0, 0.0, 0.0)
MOST_REPLICAS = 10**5
"""Most replicas of a service: each has its batch in memory, and every event looks at all."""
MOST_BATCH = 2**16
"""Largest batch of a step, as a `Policy` has it."""
GRAIN = 128
"""Tokens by which the room for caches is found."""


class StepTimes(Value):
    """What a step of one replica costs, and what it can hold.

    tokens : new tokens of a step, float64, shape (t,), rising; rest : (t, 5), all that is no
    attention.  batch, context : decoding sequences and their mean context; decode : (b, c, 5),
    their attention.  queries, behind : new tokens of a prompt and the context up to the last of
    them; prompt : (q, d, 5), their attention. The 5 columns: s; J without static power, low end,
    high end, and what of the J rests on assumed prices.
    static : W of all chips of the replica: nominal, low, high, assumed.
    held : tokens of all caches together that fit.  longest : tokens of one sequence at most.
    token_bytes : of one token of cache.  weight_bytes : of all weights, on all chips.
    replicas : how many there are unless `serve` says more.
    error : largest relative error of a step between the points of the tables (None: not known).
    """

    name: str
    tokens: Any
    rest: Any
    batch: Any
    context: Any
    decode: Any
    queries: Any
    behind: Any
    prompt: Any
    static: tuple[float, ...] = NOTHING
    held: int = integer(1, 2**53)
    longest: int = integer(1, 2**31)
    token_bytes: float = number(low=0, default=0.0)
    weight_bytes: float = number(low=0, default=0.0)
    replicas: int = integer(1, MOST_REPLICAS, default=1)
    error: float | None = number(low=0, default=None)
    chip: str = ""
    sources: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        """Whether every number is the same."""
        return type(self) is type(other) and digest(self) == digest(other)

    def __hash__(self) -> int:
        return hash(digest(self))

    def check(self) -> None:
        """Grids rise and have one point or more; tables have their size; no time is negative."""
        if len(self.static) != 4 or not all(math.isfinite(w) and w >= 0 for w in self.static):
            raise ValueError(f"StepTimes static={self.static!r}; allowed: four numbers from 0 W")
        object.__setattr__(self, "static", tuple(float(w) for w in self.static))
        grids = {
            "rest": ("tokens",),
            "decode": ("batch", "context"),
            "prompt": ("queries", "behind"),
        }
        for table, axes in grids.items():
            sizes = []
            for axis in axes:
                grid = _floats(self, axis)
                if grid.ndim != 1 or not grid.size or (np.diff(grid) <= 0).any():
                    raise ValueError(f"StepTimes {axis}={grid!r:.60}; allowed: rising numbers")
                sizes.append(grid.size)
            values = _floats(self, table)
            if values.shape != (*sizes, COLUMNS):
                raise ValueError(
                    f"StepTimes {table} has shape {values.shape}; allowed: {(*sizes, COLUMNS)}"
                )
            if not np.isfinite(values).all() or (values[..., 0] < 0).any():
                raise ValueError(
                    f"StepTimes {table} has a time below 0 s, or one that is no number"
                )

    @property
    def tables(self) -> Tables:
        """As the event loop reads them."""
        return Tables(*(getattr(self, name) for name in Tables._fields))

    def step(self, decoding: int, context: float, prompt: int = 0, behind: int = 0) -> Column:
        """float64, shape (5,): cost of a step of `decoding` sequences of mean `context` tokens and
        a part of a prompt of `prompt` tokens that reaches up to token `behind`.
        """
        total, part = np.zeros(COLUMNS), np.empty(COLUMNS)
        if decoding + prompt:
            along(self.tokens, self.rest, decoding + prompt, part)
            total += part
        if decoding:
            across(self.batch, self.context, self.decode, decoding, context, part)
            total += part
        if prompt:
            across(self.queries, self.behind, self.prompt, prompt, behind, part)
            total += part
        return total

    def rest_at(self, tokens: float) -> float:
        """s of a step of so many new tokens, attention left out [s]."""
        part = np.empty(COLUMNS)
        along(self.tokens, self.rest, tokens, part)
        return float(part[0])

    def alone(self, prompt: int, output: int) -> tuple[float, float]:
        """(time to the first token [s]; time of a further token, s) of a request with no others
        around, whose prompt is read in one step.
        """
        first = float(self.step(0, 0, prompt, prompt)[0])
        mean = prompt + (output + 1) / 2
        return first, float(self.step(1, mean)[0]) if output > 1 else 0.0


def _floats(one: Any, name: str) -> np.ndarray:
    found = np.ascontiguousarray(getattr(one, name), dtype=np.float64)
    found.flags.writeable = False
    object.__setattr__(one, name, found)
    return found


def _powers(least: int, most: int) -> list[int]:
    """`least`, twice that, ... and `most`."""
    found = [least]
    while found[-1] * 2 < most:
        found.append(found[-1] * 2)
    return [*found, most] if most > found[-1] else found


@typed
def of_plan(
    plan: ParallelPlan,
    *,
    batch: int = 256,
    tokens: int = 2048,
    queries: int = 1,
    draft: StepTimes | None = None,
) -> StepTimes:
    """Step times of one replica of `plan` (its data-parallel degree counts replicas), for batches
    up to `batch` and steps up to `tokens` new tokens.

    queries : tokens of each decoding sequence in a step; more than one where guesses are checked.
    draft : of a model whose weights and caches lie beside those of this one (None: nothing does).

    Raises ValueError where the weights leave no room for a cache. Unit: s.
    """
    degrees, rack, shape = plan.degrees.but(data=1), plan.cluster, plan.shape
    longest = shape.context
    cells = _Cells(plan, degrees, queries)
    few, contexts = _powers(1, batch), _powers(1, longest)
    decoded = _powers(1, batch * queries)
    parts = sorted({1, *_powers(min(16, longest), min(tokens, longest))})
    larger = [n for n in parts if n > decoded[-1]]
    found = StepTimes(
        name=f"{plan.name} on {degrees.chips} x {rack.chip.name}",
        tokens=[*decoded, *larger],
        rest=np.concatenate([cells.rest_decode(decoded), cells.rest_prompt(larger)]),
        batch=few,
        context=contexts,
        decode=np.array([[cells.looks(b, c) for c in contexts] for b in few]),
        queries=parts,
        behind=contexts,
        prompt=cells.prompts(parts, contexts),
        static=tuple(cells.watts),
        held=_room(plan, degrees, batch, draft),
        longest=longest,
        token_bytes=shape.kv_bytes(1, bytes_a_value=rack.chip.activation_bits / 8),
        weight_bytes=shape.weight_bytes(rack.chip.weight_bits / 8),
        replicas=plan.degrees.data,
        chip=rack.chip.name,
        sources=rack.cited,
    )
    return found.but(error=_largest_error(found, cells))


def _room(plan: ParallelPlan, degrees: Degrees, batch: int, draft: StepTimes | None) -> int:
    """Tokens of cache that fit beside the weights, for `batch` sequences of the longest context at
    most; found by halving, in parts of GRAIN tokens. A draft is dealt out evenly over the chips.
    """
    shape, part = plan.shape, min(GRAIN, plan.shape.context)
    layers = -(-shape.layers // degrees.pipeline)

    def fitting(sequences: int) -> bool:
        work = Work(batch=sequences, context=part)
        memory = fullest(shape, plan.cluster, part_of(work, degrees), degrees, layers)
        if draft is not None:
            more = draft.weight_bytes + draft.token_bytes * sequences * part
            grown = [1 + more / degrees.chips / (one.total or 1.0) for one in memory]
            pairs = zip(memory, grown, strict=True)
            memory = tuple(one._replace(share=one.share * times) for one, times in pairs)
        return fits(memory)

    low, high = 0, -(-batch * shape.context // part) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fitting(middle) else (low, middle)
    if not low:
        raise ValueError(f"{plan.name}: the weights leave no room for a cache of {part} tokens")
    return low * part


class _Cells:
    """Steps of a plan, as columns of the tables."""

    def __init__(self, plan: ParallelPlan, degrees: Degrees, decoded: int = 1):
        self.plan, self.degrees, self.decoded = plan, degrees, decoded
        self.pricer = Pricer(plan.shape, plan.cluster)
        self.watts = static_power(plan.cluster.chip).times(degrees.chips)

    def both(self, batch: int, context: int, queries: int = 1) -> tuple[Column, Column]:
        """(rest, attention) of one step, float64, shape (5,) each. The interval of the energy is
        dealt out as its nominal value is.
        """
        step = self.pricer.step(Work(batch=batch, context=context, queries=queries), self.degrees)
        energy = step.energy.plus(self.watts.times(-step.seconds))
        share = step.attention_joules / energy.nominal if energy.nominal else 0.0
        looks = np.array([step.attention, *energy.times(share)])
        whole = np.array([step.seconds, *energy])
        return whole - looks, looks

    def looks(self, batch: int, context: int) -> Column:
        """float64, shape (5,): attention of sequences that decode."""
        return self.both(batch, max(context, self.decoded), self.decoded)[1]

    def rest_decode(self, batches: Sequence[int]) -> Column:
        """float64, shape (n, 5), of sequences that decode."""
        return np.array([self.both(n, 1)[0] for n in batches])

    def rest_prompt(self, tokens: Sequence[int]) -> Column:
        """float64, shape (n, 5), of prompts."""
        found = [self.both(1, n, n)[0] for n in tokens]
        return np.array(found).reshape(len(found), COLUMNS)

    def prompts(self, queries: Sequence[int], contexts: Sequence[int]) -> Column:
        """float64, shape (queries, contexts, 5): attention of parts of prompts. Under a causal mask
        it grows as q (c - q / 2), which goes on below c = q, so that cells on that line are right.
        """
        found = np.zeros((len(queries), len(contexts), COLUMNS))
        for i, q in enumerate(queries):
            for j, c in enumerate(contexts):
                below = max(0.0, 2 * c / q - 1) if c < q else 1.0
                found[i, j] = below * self.both(1, max(c, q), q)[1]
        return found


def _largest_error(found: StepTimes, cells: _Cells) -> float:
    """Relative error of the time of steps half way between points, where it is largest."""
    worst = 0.0
    batches, contexts = found.batch[[len(found.batch) // 2, -1]], found.context[[-3, -1]]
    for b in (int(0.75 * n) for n in batches if n > 2):
        for c in (int(0.75 * n) for n in contexts if n > 2):
            exact = cells.both(b, c)[0][0] + cells.looks(b, c)[0]
            worst = max(worst, abs(found.step(b, c)[0] / exact - 1))
    for q in (int(0.75 * n) for n in found.queries[1:] if n > 2):
        exact = sum(part[0] for part in cells.both(1, q, q))
        worst = max(worst, abs(found.step(0, 0, q, q)[0] / exact - 1))
    return worst


@typed
def measured(
    *,
    decode: Any,
    prompt: Any,
    held: int,
    longest: int,
    name: str = "measured",
    watts: float = 0.0,
    static: float = 0.0,
    token_bytes: float = 0.0,
    sources: Sequence[str] = (),
) -> StepTimes:
    """Step times of tables that somebody measured.

    decode : DataArray (batch, context) of s, a step of so many decoding sequences of this mean
    context.  prompt : DataArray (tokens,) of s, reading prompts of so many tokens in all; with a
    dimension `context` as well, a part of a prompt that reaches up to there.
    held, longest : tokens of cache that fit, and of one sequence.  watts : while a step runs, above
    `static`, which is always drawn; both without an interval.
    What decoding takes at the shortest context counts as its rest, what prompts take counts as rest
    above the largest batch. Raises ValueError for tables without these dimensions, or with gaps.
    """
    _check_table("decode", decode, ("batch", "context"))
    parts = getattr(prompt, "ndim", 1) == 2
    _check_table("prompt", prompt, ("tokens", "context") if parts else ("tokens",))
    watts = units.parse(watts, "W", "measured watts")
    decode = decode.sortby(["batch", "context"]).transpose("batch", "context")
    prompt = prompt.sortby(list(prompt.dims)).transpose("tokens", ...)
    whole = prompt.isel(context=0) if parts else prompt
    few = decode.batch.values.astype(float)
    larger = whole.isel(tokens=np.flatnonzero(whole.tokens.values > few[-1]))
    reads = prompt - whole if parts else 0 * prompt.expand_dims(context=[1.0], axis=1)
    shortest = decode.isel(context=0)
    seconds = np.concatenate([shortest.values, larger.values])
    return StepTimes(
        name=name,
        tokens=np.concatenate([few, larger.tokens.values]),
        rest=_columns(seconds, watts),
        batch=few,
        context=decode.context.values,
        decode=_columns((decode - shortest).values, watts),
        queries=prompt.tokens.values,
        behind=reads.context.values,
        prompt=_columns(np.maximum(reads.values, 0.0), watts),
        static=(static, static, static, 0.0),
        held=held,
        longest=longest,
        token_bytes=token_bytes,
        sources=tuple(sources),
    )


@typed
def single_shot(
    latency: Mapping[int, float],
    energy: Mapping[int, tuple[float, ...]] | None = None,
    *,
    name: str = "single shot",
    static: tuple[float, ...] = NOTHING,
    sources: Sequence[str] = (),
) -> StepTimes:
    """Step times of a model that answers a request at once: seconds [s] of a batch by its size.

    latency : inferences of a batch -> s.  energy : the same -> J of the batch without static power:
    nominal, low, high, assumed.  static : W, likewise.
    """
    if not latency or not all(is_integer(n) and 1 <= n <= MOST_BATCH for n in latency):
        raise ValueError(
            f"single_shot latency={dict(latency)!r:.80}; allowed: batches from 1 to {MOST_BATCH}"
        )
    sizes = sorted(latency)
    joules = energy or dict.fromkeys(sizes, NOTHING)
    for n in sizes:
        if n not in joules or np.shape(joules[n]) != (4,):
            raise ValueError(
                f"single_shot energy={dict(joules)!r:.80} of batch {n}; allowed: four numbers [J] "
                "for each batch of latency"
            )
    most = sizes[-1]
    return StepTimes(
        name=name,
        tokens=sizes,
        rest=[[latency[n], *joules[n]] for n in sizes],
        batch=[1],
        context=[1],
        decode=np.zeros((1, 1, COLUMNS)),
        queries=[1],
        behind=[1],
        prompt=np.zeros((1, 1, COLUMNS)),
        static=static,
        held=2 * most * 16,
        longest=2,
        sources=tuple(sources),
    )


@typed
def of_model(model: Any, target: Any, batches: Sequence[int] = (1, 2, 4, 8, 16, 32)) -> StepTimes:
    """Step times of a single-shot `model` on `target`, a machine or a plan of it, whose operators
    run one after another in batches of these sizes. Unit: s.
    """
    if not batches:
        raise ValueError("of_model batches=() names no size; allowed: one or more")
    latency, joules = {}, {}
    for size in sorted(batches):
        plan = planned(model, target, batch=size)
        latency[size] = sum(sum(plan.phases(op).values()) for op in plan.operators)
        prices = {name: plan.prices(name) for name in plan.placed}
        parts = [price(plan.counts(op), prices[plan.owners[op.name]]) for op in plan.operators]
        joules[size] = _added(parts)
    drawn = [static_joules(machine, 1.0) for machine in plan.placed.values()]
    cited = {key for machine in plan.placed.values() for key in machine.cited}
    name = f"{model.name} on {plan.name}"
    return single_shot(latency, joules, name=name, static=_added(drawn), sources=sorted(cited))


def _added(parts: Sequence[Energy]) -> tuple[float, ...]:
    """J or W of all parts: nominal, low, high, assumed."""
    names = ("nominal", "low", "high", "assumed")
    return tuple(sum(sum(getattr(one, name).values()) for one in parts) for name in names)


def _check_table(name: str, table: Any, dims: tuple[str, ...]) -> None:
    if set(getattr(table, "dims", ())) != set(dims):
        raise ValueError(
            f"measured {name} has dimensions {getattr(table, 'dims', type(table).__name__)}; "
            f"allowed: a DataArray over {dims}"
        )
    if not table.size or table.dtype.kind not in "iuf":
        raise ValueError(
            f"measured {name} has {table.size} entries of type {table.dtype}; allowed: numbers, "
            "one or more"
        )
    if not np.isfinite(table.values).all() or (table.values < 0).any():
        raise ValueError(f"measured {name} has gaps or times below 0 s")


def _columns(seconds: np.ndarray, watts: float) -> Column:
    """Seconds and the joules that `watts` make of them, float64, shape (..., 5)."""
    joules = seconds * watts
    return np.stack([seconds, joules, joules, joules, 0 * joules], axis=-1)
