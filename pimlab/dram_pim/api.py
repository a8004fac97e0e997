"""What does one operation cost on a PIM memory? Cycles, commands, energy and values, as labelled
Datasets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

import numpy as np
import xarray as xr

from pimlab.arguments import named, typed
from pimlab.cost import price
from pimlab.cost.prices import Energy
from pimlab.dram_pim import layout
from pimlab.dram_pim.activation import LookUp
from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.machine import Schedule, Summary, Traced
from pimlab.dram_pim.pins import PinnedBanks
from pimlab.dram_pim.presets import build
from pimlab.dram_pim.prices import HOST_ADD
from pimlab.dram_pim.target import DramPim
from pimlab.dram_pim.timing import Timing
from pimlab.kernels import fp16
from pimlab.kernels.dram_timing import READ, WRITE
from pimlab.machine.protocol import Target
from pimlab.units import is_integer
from pimlab.values import unknown

LONGEST_TRACE = 10_000_000
"""Commands of the longest trace: some 500 MB."""


def machine_of(target: DramPim | str) -> DramPim:
    """The machine, or that of a preset's name; TypeError for a machine that does not compute in its
    DRAM.
    """
    machine = build(target) if isinstance(target, str) else target
    if not isinstance(machine, DramPim):
        given = (
            f"{type(target).__name__} {target.name!r}"
            if isinstance(target, Target)
            else f"{target!r:.80}"
        )
        raise TypeError(
            f"target={given} is not a machine that computes in its DRAM; write for example "
            "'hbm-pim' or "
            "pimlab.target('gddr6-aim')"
        )
    return machine


def _refresh(refresh: bool) -> bool:
    if not isinstance(refresh, (bool, np.bool_)):
        raise TypeError(f"refresh={refresh!r}; allowed: True or False")
    return bool(refresh)


def _compat(compat: str | None) -> str | None:
    """The name of a tool, if one is given; which of them a machine knows, its schedule says."""
    if compat is not None and not isinstance(compat, str):
        raise TypeError(f"compat={compat!r:.60} is not a text; allowed: None or a tool's name")
    return compat


def _positive(what: str, **sizes: int) -> list[int]:
    """The sizes as Python's integers: NumPy's would overflow where work is counted."""
    for name, value in sizes.items():
        if not is_integer(value):
            raise TypeError(f"{what}: {name}={value!r} is not an integer")
        if value.__index__() < 1:
            raise ValueError(
                f"{what}: {name}={value} is outside 1..; a product has at least one of each"
            )
    return [value.__index__() for value in sizes.values()]


@named
def gemv(
    target: DramPim | str,
    m: int,
    k: int,
    batch: int = 1,
    refresh: bool = True,
    compat: str | None = None,
    activation: str | None = None,
) -> xr.Dataset:
    """`batch` products of a matrix with m outputs and k inputs that lies in the banks, each channel
    from cycle 0.

    Includes parking, mode switches, programming and input broadcast; loading weights and reading
    results are `host_write` and `host_read`. `compat="pimsimulator"` or `"aim_simulator"` repeats
    the deviations from JEDEC of the tool that describes this machine. `activation`: a function that
    GDDR6-AiM looks its results up in before they are read (the values: `activate`); None reads the
    products. Dataset: cycles, seconds, commands (command) of one channel, phase_cycles (phase),
    energy, energy_low, energy_high (component) of all channels [J], power in W, utilisation; and
    all_bank_power (component) with low and high in W, while every bank streams, beside
    package_limit in W where one is known, and by how much column commands to all banks are held
    back to stay within it (slowdown). ValueError for sizes below 1 or beyond the banks.

    >>> counted = pim.dram_pim.gemv("hbm-pim", 4096, 4096)
    >>> counted.energy.dims, bool(counted.cycles < pim.dram_pim.gemv("hbm-pim", 8192, 4096).cycles)
    (('component',), True)
    """
    machine = _looking_up(machine_of(target), activation)
    m, k, batch = _positive("gemv", m=m, k=k, batch=batch)
    refresh = _refresh(refresh)
    pace = _pace(machine, compat)
    timed = machine.organisation.gemv_summary(pace, m, k, batch, refresh, compat)
    useful = m * k * batch / machine.organisation.macs_done(m, k, batch)
    return _answer(
        machine,
        timed,
        {"m": m, "k": k, "batch": batch, "refresh": int(refresh)},
        useful,
        _powers,
    )


def _pace(machine: DramPim, compat: str | None) -> Timing | None:
    """The timing table by which all banks work: within the packages' power, which no tool knows."""
    return machine.timing if _compat(compat) else machine.paced


def _looking_up(machine: DramPim, activation: str | None) -> DramPim:
    """The machine with a table after each product, if an activation function is asked for."""
    if activation is None:
        return machine
    tables = machine.organisation.activations if isinstance(machine.organisation, AimPim) else ()
    if activation not in tables:
        raise ValueError(
            unknown(f"{machine.name}: activation function after a product", activation, tables)
        )
    return machine.but(organisation=machine.organisation.but(after="look up"))


def _powers(machine: DramPim, components: list[str]) -> dict[str, Any]:
    """Power of all banks at once by component, and what the packages may dissipate."""
    power = machine.all_bank_power()
    variables: dict[str, Any] = {}
    for name, part in (("", power.nominal), ("_low", power.low), ("_high", power.high)):
        values = [part.get(c, 0.0) for c in components]
        variables[f"all_bank_power{name}"] = (
            "component",
            values,
            {"units": "W", "long_name": "power while every bank streams"},
        )
    limit = machine.power_limit
    if limit is not None:
        text = {
            "units": "W",
            "long_name": "power that the packages may dissipate",
            "low": limit.low,
            "high": limit.high,
        }
        variables["package_limit"] = ((), limit.value, {**text, "status": limit.status})
    if machine.timing is not None and machine.paced is not None:
        variables["slowdown"] = (
            (),
            machine.paced.tCCDL / machine.timing.tCCDL,
            {"units": "1", "long_name": "column commands to all banks are this much further apart"},
        )
    return variables


@named
def elementwise(
    target: DramPim | str, op: str, n: int, refresh: bool = True, compat: str | None = None
) -> xr.Dataset:
    """`op` (add, mul, mad, mac, relu, mov) on n elements that lie in the banks; Dataset as `gemv`.

    GDDR6-AiM has mul, and relu, leakyrelu, sigmoid, tanh, gelu by table: those go through the
    accumulators, which are written before and read after. What they answer: `activate`. Units:
    cycles, s, J.

    >>> counted = pim.dram_pim.elementwise("hbm-pim", "add", 2**20)
    >>> two = pim.dram_pim.elementwise("hbm-pim", "relu", 2**20)
    >>> bool(counted.cycles > two.cycles)  # three operands against two
    True
    """
    machine = machine_of(target)
    (n,) = _positive("elementwise", n=n)
    refresh = _refresh(refresh)
    operators = machine.organisation.operators
    if not isinstance(op, str) or op not in operators:
        raise ValueError(unknown(f"{machine.name}: element-wise operator", op, operators))
    timed = machine.organisation.elementwise(_pace(machine, compat), op, n, refresh, compat)
    return _answer(
        machine,
        timed,
        {"op": op, "n": n, "refresh": int(refresh)},
        n / machine.organisation.elements_done(n, op),
    )


@named
def host_read(
    target: DramPim | str, bytes: int, refresh: bool = True, compat: str | None = None
) -> xr.Dataset:
    """A host reads `bytes` consecutive bytes of the same DRAM through its pins, all channels at
    once; Dataset as `gemv`. Units: cycles, s, J.

    >>> once, twice = (pim.dram_pim.host_read("hbm-pim", size).cycles for size in (2**20, 2**21))
    >>> bool(once < twice < 2 * once)  # the start is paid once
    True
    """
    return _host(target, bytes, READ, refresh, compat)


@named
def host_write(
    target: DramPim | str, bytes: int, refresh: bool = True, compat: str | None = None
) -> xr.Dataset:
    """A host writes `bytes` consecutive bytes: loading weights, or appending to a KV cache; Dataset
    as `gemv`. Units: cycles, s, J.
    """
    return _host(target, bytes, WRITE, refresh, compat)


@named
def load(
    target: DramPim | str, m: int, k: int, refresh: bool = True, compat: str | None = None
) -> xr.Dataset:
    """A host lays a matrix with m outputs and k inputs into the banks, the zeros that pad it to
    whole tiles included; Dataset as `gemv`, its utilisation the share that is not padding. Costs of
    products never include it: weights are loaded once. Units: cycles, s, J.
    """
    machine = machine_of(target)
    m, k = _positive("load", m=m, k=k)
    stored = machine.organisation.macs_done(m, k, 1)
    answer = _host(machine, stored * machine.organisation.weight_bits // 8, WRITE, refresh, compat)
    return answer.assign(utilisation=answer.utilisation * (m * k / stored)).assign_attrs(m=m, k=k)


@named
def read_results(target: DramPim | str, m: int, k: int, batch: int = 1) -> xr.Dataset:
    """A host reads the results of `batch` products with m outputs and k inputs, and adds their
    lanes where the units leave several; Dataset as `gemv`, nothing of it for machines whose product
    reads its own results (GDDR6-AiM, UPMEM).

    >>> whole = pim.dram_pim.read_results("hbm-pim", 4096, 4096)
    >>> float(whole.seconds) > 0, float(pim.dram_pim.read_results("gddr6-aim", 64, 64).seconds)
    (True, 0.0)
    """
    machine = machine_of(target)
    m, k, batch = _positive("read_results", m=m, k=k, batch=batch)
    timed = machine.organisation.results(machine.timing, m, k, batch)
    if HOST_ADD in machine.energies and timed.cycles:
        added = {HOST_ADD: machine.organisation.host_additions(m, batch)}
        timed = Summary(timed.cycles, timed.commands, timed.spans, timed.events | added)
    stored = machine.organisation.macs_done(m, k, 1)
    return _answer(machine, timed, {"m": m, "k": k, "batch": batch}, m * k / stored)


def _host(
    target: DramPim | str, amount: int, kind: int, refresh: bool, compat: str | None
) -> xr.Dataset:
    machine = machine_of(target)
    (amount,) = _positive("host access", bytes=amount)
    refresh = _refresh(refresh)
    org = machine.organisation
    accesses = -(-amount * 8 // (org.access_bits * org.channels))
    timed = org.host_summary(machine.timing, accesses, kind, refresh, _compat(compat))
    useful = amount * 8 / (accesses * org.access_bits * org.channels)
    return _answer(machine, timed, {"bytes": amount, "refresh": int(refresh)}, useful)


def _answer(
    machine: DramPim,
    timed: Schedule,
    asked: dict[str, Any],
    useful: float,
    also: Callable[[DramPim, list[str]], dict[str, Any]] | None = None,
) -> xr.Dataset:
    """also : (machine, components) -> more variables."""
    seconds = timed.cycles * machine.organisation.cycle(machine.timing)
    drawn = {name: rate * seconds for name, rate in machine.static.items()}
    energy = price({**timed.events, **drawn}, machine.prices)
    coordinates = {
        "command": list(timed.counts()),
        "phase": list(timed.phases()),
        "event": list(timed.events),
        "component": list(energy.nominal),
    }
    variables = _timed_variables(timed, seconds, energy, useful) | _energy_variables(energy)
    return xr.Dataset(
        variables | (also(machine, list(energy.nominal)) if also else {}),
        coordinates,
        {"target": machine.name, **asked, "sources": ",".join(machine.sources)},
    )


def _timed_variables(
    timed: Schedule, seconds: float, energy: Energy, useful: float
) -> dict[str, Any]:
    """What the commands of one channel say, as arguments of a Dataset."""
    power = sum(energy.nominal.values()) / seconds if seconds else 0.0
    numbers = {
        "cycles": ((), timed.cycles, "1", "memory cycles to the last data"),
        "seconds": ((), seconds, "s", "time to the last data"),
        "commands": ("command", list(timed.counts().values()), "1", "commands of one channel"),
        "phase_cycles": ("phase", list(timed.phases().values()), "1", "cycles by phase"),
        "events": ("event", list(timed.events.values()), "1", "events over all channels"),
        "power": ((), power, "W", "mean power of all channels"),
        "utilisation": ((), useful, "1", "share of the work that is not padding"),
    }
    return {
        name: (dimension, value, {"units": unit, "long_name": text})
        for name, (dimension, value, unit, text) in numbers.items()
    }


def _energy_variables(energy: Energy) -> dict[str, Any]:
    """Energy by component at its nominal value and both ends, as arguments of a Dataset."""
    parts = {"energy": energy.nominal, "energy_low": energy.low, "energy_high": energy.high}
    units = {"units": "J", "long_name": "energy of all channels"}
    return {
        name: ("component", [part[c] for c in energy.nominal], units)
        for name, part in parts.items()
    }


def trace(
    target: DramPim | str,
    *what: str | int,
    refresh: bool = True,
    compat: str | None = None,
    **sizes: int,
) -> xr.Dataset:
    """The commands of one channel: `trace(target, m, k, batch)` or `trace(target, "gemv", m=, k=,
    batch=)` of products, `trace(target, "add", n=)` of an element-wise operator, `trace(target,
    "read", bytes=)` or "write" of a host.

    Dataset over `index`: cycle, command, bank, row, column, mode (0 one bank, 1 all banks of the
    bank's parity). Its attributes tell `validate` how many banks and bank groups there are.

    >>> pim.dram_pim.trace("hbm-pim", 128, 128, 1).command.values[:5].tolist()
    ['ACT', 'ACT', 'ACT', 'ACT', 'RD']
    """
    machine = machine_of(target)
    if not isinstance(machine.organisation, PinnedBanks):
        raise ValueError(
            f"trace of {machine.name}: scalar cores issue no DRAM commands; allowed: targets with "
            "a timing table"
        )
    op, given = (what[0], what[1:]) if what and isinstance(what[0], str) else ("gemv", what)
    names = _sizes(machine, op)
    if len(given) > len(names):
        raise TypeError(
            f"trace of {op} takes {len(names)} sizes ({', '.join(names)}); got {len(given)}"
        )
    placed: dict[str, Any] = dict(zip(names, given, strict=False))
    for name in placed.keys() & sizes.keys():
        raise TypeError(
            f"trace of {op}: {name}={placed[name]} and {name}={sizes[name]} are both given"
        )
    wanted = {**placed, **sizes}
    refresh = _refresh(refresh)
    done = _traced(machine, machine.organisation, op, refresh, compat, wanted)
    return _table(machine, machine.organisation, done).assign_attrs(refresh=int(refresh))


def _sizes(machine: DramPim, op: str) -> tuple[str, ...]:
    wanted = {
        "gemv": ("m", "k", "batch"),
        "read": ("bytes",),
        "write": ("bytes",),
        **dict.fromkeys(machine.organisation.operators, ("n",)),
    }
    if op not in wanted:
        raise ValueError(unknown("traced operation", op, wanted))
    return wanted[op]


def _traced(
    machine: DramPim,
    org: PinnedBanks,
    op: str,
    refresh: bool,
    compat: str | None,
    sizes: dict[str, int],
) -> Traced:
    wanted = _sizes(machine, op)
    for name in sizes:
        if name not in wanted:
            raise TypeError(unknown(f"trace of {op}: size", name, wanted))
    for name in wanted:
        if name not in sizes and name != "batch":
            raise TypeError(f"trace of {op} needs {name}= (sizes: {', '.join(wanted)})")
    sizes = dict(zip(sizes, _positive(f"trace of {op}", **sizes), strict=True))
    if op == "gemv":
        pace, batch = _pace(machine, compat), sizes.get("batch", 1)
        product = (pace, sizes["m"], sizes["k"], batch, refresh, compat)
        _refuse_beyond(op, org.gemv_summary(*product))
        return org.gemv(*product)
    if op in ("read", "write"):
        accesses = -(-sizes["bytes"] * 8 // (org.access_bits * org.channels))
        access = (machine.timing, accesses, READ if op == "read" else WRITE, refresh, compat)
        _refuse_beyond(op, org.host_summary(*access))
        return org.host(*access)
    return org.elementwise(_pace(machine, compat), op, sizes["n"], refresh, compat)


def _refuse_beyond(op: str, summary: Schedule) -> None:
    commands = sum(summary.counts().values())
    if commands > LONGEST_TRACE:
        raise ValueError(
            f"trace of {op}: {commands} commands a channel; allowed: up to {LONGEST_TRACE} (of "
            "longer ones gemv, host_read "
            "and host_write give counts and cycles)"
        )


def _table(machine: DramPim, org: PinnedBanks, done: Traced) -> xr.Dataset:
    lines = done.table()
    columns = {
        "cycle": lines.cycle,
        "command": np.array(lines.names)[lines.command],
        "bank": lines.bank,
        "row": lines.row,
        "column": lines.column,
        "mode": lines.mode,
    }
    texts = {
        "cycle": "memory cycle of issue",
        "mode": "0 one bank, 1 all banks of the bank's parity",
    }
    table = xr.Dataset(
        {
            name: ("index", values, {"long_name": texts.get(name, name)})
            for name, values in columns.items()
        }
    )
    return table.assign_attrs(
        target=machine.name,
        banks=org.banks,
        bank_groups=org.bank_groups,
        rows=org.rows,
        columns=org.columns,
        commands=",".join(lines.names),
        sources=",".join(machine.sources),
    )


_CODES = {"add": 0, "mul": 1, "mad": 2, "mac": 2, "relu": 3, "mov": 4}
_OPERANDS = {"add": 2, "mul": 2, "mad": 3, "mac": 3, "relu": 1, "mov": 1}


@named
def combine(op: str, *operands: np.ndarray) -> np.ndarray:
    """What an FP16 unit gives element by element, each step rounded: add a + b, mul a b, mad and
    mac fp16(a b) + c, relu max(a, 0), mov a.  operands : arrays of one shape, rounded to binary16
    first; returns float32 of that shape.

    ValueError for an unknown operator, a wrong number of operands or unequal shapes.
    """
    if not isinstance(op, str) or op not in _CODES:
        raise ValueError(unknown("element-wise operator", op, _CODES))
    if len(operands) != _OPERANDS[op] or len({np.shape(a) for a in operands}) != 1:
        raise ValueError(
            f"combine {op!r} takes {_OPERANDS[op]} operands of one shape; got shapes "
            f"{[np.shape(a) for a in operands]}"
        )
    halves = [layout.to_half(np.asarray(a, dtype=np.float32)) for a in operands]
    flat = [a.reshape(-1) for a in (*halves, *[halves[0]] * (3 - len(halves)))]
    out = np.empty_like(flat[0])
    fp16.combine(_CODES[op], *flat, out)
    return out.reshape(halves[0].shape)


@typed
def activate(op: str, x: np.ndarray, table: LookUp | None = None) -> np.ndarray:
    """What GDDR6-AiM answers for relu, leakyrelu, sigmoid, tanh or gelu: x rounded to bfloat16 and
    looked up in a row of the bank.

    x : array;  table : entries, range and rule (None: the default `LookUp`). float32 of x's shape,
    on the bfloat16 grid, shape (...). ValueError with the nearest name for another function.
    """
    return (table or LookUp())(op, x)


@typed
@overload
def matmul(
    x: np.ndarray, w: np.ndarray, target: DramPim | str, return_lanes: Literal[False] = False
) -> np.ndarray: ...


@overload
def matmul(
    x: np.ndarray, w: np.ndarray, target: DramPim | str, return_lanes: Literal[True]
) -> tuple[np.ndarray, np.ndarray]: ...


@typed
def matmul(
    x: np.ndarray, w: np.ndarray, target: DramPim | str, return_lanes: bool = False
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """The product that the machine computes, bit for bit: float32, shape (batch, n).

    x : shape (batch, k) or (k,);  w : shape (k, n). With `return_lanes`, also what each lane holds
    before the lanes are added, float32, shape (batch, n, lanes).

    >>> pim.dram_pim.matmul(np.ones((1, 32)), np.ones((32, 2)), "hbm-pim")
    array([[32., 32.]], dtype=float32)
    """
    machine = machine_of(target)
    programmed = machine.program(np.asarray(w))
    rows = np.atleast_2d(np.asarray(x))
    y = programmed.matmul(rows)
    return (y, programmed.lanes(rows)) if return_lanes else y
