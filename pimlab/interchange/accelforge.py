"""How do AccelForge and Timeloop read our workloads and NPUs? Their YAML.

AccelForge (accelforge.frontend, version 1.0): a workload of einsums over rank variables, an
architecture of memories and compute with joules and bits a second. Timeloop 0.4: one `problem` an
operator, an `architecture` of components whose energies Accelergy estimates. Both count shapes and
compute no values. What has no place in their files is said in comments: a convolution is the
product of its windows, so that inputs which windows share are counted again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from pimlab import formats
from pimlab.arguments import typed
from pimlab.machine.protocol import MacOp
from pimlab.npu.arrays import MacArray, Product
from pimlab.npu.target import Npu
from pimlab.workload.model import Model

SPACES = {"Weights": "GKN", "Inputs": "GMK", "Outputs": "GMN"}
"""Operand of a product -> the dimensions that it has."""


@typed
def accelforge_workload(model: Model, bits: int = 8) -> str:
    """The MAC operators of `model` as einsums of AccelForge; each has tensors of its own, because
    operators that are no MAC stand between them.

    bits : of every value. ValueError for less than 1.

    >>> text = pim.interchange.accelforge_workload(pim.load_model("digits-mlp"))
    >>> text.splitlines()[2:5]
    ['  iteration_space_shape:', '    m0: 0 <= m0 < 1', '    k0: 0 <= k0 < 64']
    """
    _checked_bits(bits)
    shapes = [line for i, op in enumerate(model.mac_ops) for line in _ranks(i, op)]
    einsums = [line for i, op in enumerate(model.mac_ops) for line in _einsum(i, op)]
    head = [f"# {model.name}, {model.macs} MACs an inference, from pimlab", "workload:"]
    lines = [*head, "  iteration_space_shape:", *shapes, f"  bits_per_value: {{All: {bits}}}"]
    return "\n".join([*lines, "  einsums:", *einsums, ""])


def _checked_bits(bits: int) -> None:
    if isinstance(bits, bool) or bits < 1:
        raise ValueError(f"bits={bits!r}; allowed: an integer, 1 or more")


def _sizes(op: MacOp) -> dict[str, int]:
    """Dimension -> size, the groups only where there are several."""
    groups = {"g": op.groups} if op.groups > 1 else {}
    return {**groups, "m": op.m, "k": op.k, "n": op.n}


def _ranks(i: int, op: MacOp) -> Iterator[str]:
    for name, size in _sizes(op).items():
        yield f"    {name}{i}: 0 <= {name}{i} < {size}"


def _einsum(i: int, op: MacOp) -> Iterator[str]:
    """One product; the names of AccelForge's sets (input, weight, output) are renames."""
    yield f"  - name: {_name(op.name)}{'' if op.kind == 'weights' else '  # of two activations'}"
    yield "    tensor_accesses:"
    for tensor, (operand, dims) in zip("WIO", SPACES.items(), strict=True):
        ranks = ", ".join(f"{d.lower()}{i}" for d in dims if d.lower() in _sizes(op))
        last = ", output: True" if operand == "Outputs" else ""
        yield f"    - {{name: {tensor}{i}, projection: [{ranks}]{last}}}"
    yield f"    renames: {{weight: W{i}, input: I{i}, output: O{i}}}"


def _name(text: str) -> str:
    """A name of letters, digits and underscores that starts with a letter."""
    plain = re.sub(r"\W", "_", text)
    return plain if plain[:1].isalpha() else f"op_{plain}"


@typed
def accelforge_architecture(npu: Npu) -> str:
    """The memories and arrays of an NPU as an architecture of AccelForge, with its own prices: J a
    bit, J a MAC, bit/s, W.

    Rows of a systolic array share outputs and its columns inputs; lanes of a tensor unit share
    inputs and their elements outputs. Area is not known to pimlab and stands as 0.

    >>> "name: SRAM" in pim.interchange.accelforge_architecture(pim.target("warboy"))
    True
    """
    prices, memory = npu.prices, npu.memory
    outside = {act: prices[f"dram.{act}"].constant.value for act in ("read", "write")}
    inside = {act: prices[f"sram.{act}"].constant.value for act in ("read", "write")}
    interface = prices["interface"].constant.value
    capacity = "inf" if memory.capacity is None else repr(memory.capacity)
    mac = prices[f"mac.{npu.arithmetic.mac}"].constant.value + prices["delivery"].constant.value
    rate = npu.array.clock * npu.array.rate
    lines = [
        f"# {npu.name}, from pimlab; energies of {npu.arithmetic.mac}, nominal values",
        "arch:",
        "  nodes:",
        *_memory("DRAM", capacity, prices["static"].constant.value, memory.bandwidth, outside,
                 interface, "{keep: ~Intermediates, may_keep: All}"),
        *_memory("SRAM", repr(memory.sram), 0.0, None, inside, 0.0,
                 "{keep: ~DRAM, may_keep: All}"),
        *_container(npu),
        "  - !Compute",
        "    name: MAC",
        "    leak_power: 0",
        "    area: 0",
        "    actions:",
        f"    - {{name: compute, energy: {mac!r}, throughput: {rate!r}}}",
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _memory(
    name: str,
    size: str,
    leak: float,
    bandwidth: float | None,
    energy: dict[str, float],
    extra: float,
    tensors: str,
) -> list[str]:
    rate = "inf" if bandwidth is None else repr(bandwidth)
    head = [
        "  - !Memory",
        f"    name: {name}",
        f"    size: {size}",
        f"    leak_power: {leak!r}",
        "    area: 0",
        "    actions:",
    ]
    acts = [
        f"    - {{name: {act}, energy: {one + extra!r}, throughput: {rate}}}"
        for act, one in energy.items()
    ]
    return [*head, *acts, f"    tensors: {tensors}"]


def fanouts(npu: Npu) -> dict[str, tuple[int, str]]:
    """Level of an NPU's arrays -> how many there are (unit: units), and the dimension that is
    spread over them: "" where any may be.
    """
    array = npu.array
    if isinstance(array, MacArray):
        rows, cols = {"ws": ("K", "N"), "os": ("M", "N"), "is": ("K", "M")}[array.dataflow]
        return {"arrays": (array.count, ""), "rows": (array.rows, rows), "cols": (array.cols, cols)}
    x, w = _widths(npu)
    elements = array.elements(Product(m=1, n=1, k=1, x_bits=x, w_bits=w))
    return {"slices": (array.slices, ""), "lanes": (array.lanes, "N"), "elements": (elements, "K")}


def _widths(npu: Npu) -> tuple[float, float]:
    """Bits of an activation and of a weight, with their share of a block's scale."""
    named = (npu.arithmetic.activations, npu.arithmetic.weights)
    x, w = (32.0 if name is None else float(formats.format(name).bits) for name in named)
    return x, w


_SHARED = {"K": ", reuse: output", "N": ", reuse: input", "M": ", reuse: weight", "": ""}
"""Dimension that is spread -> the operand that its units share."""


def _container(npu: Npu) -> list[str]:
    spread = [
        f"    - {{name: {level}, fanout: {count}{_SHARED[dim]}}}"
        for level, (count, dim) in fanouts(npu).items()
    ]
    return ["  - !Container", "    name: Arrays", "    spatial:", *spread]


@typed
def timeloop_problem(op: MacOp) -> str:
    """One product as a `problem` of Timeloop 0.4: dimensions G, M, K and N.

    >>> op = pim.load_model("digits-mlp").mac_ops[0]
    >>> pim.interchange.timeloop_problem(op).splitlines()[3]
    '  instance: {G: 1, M: 1, K: 64, N: 64}'
    """
    sizes = {"G": op.groups, "M": op.m, "K": op.k, "N": op.n}
    lines = [
        f"# {op.name}, from pimlab; {op.inputs} distinct inputs",
        "problem:",
        "  version: 0.4",
        f"  instance: {{{', '.join(f'{name}: {size}' for name, size in sizes.items())}}}",
        "  shape:",
        f"    name: {_name(op.name)}",
        "    dimensions: [G, M, K, N]",
        "    data_spaces:",
    ]
    for operand, dims in SPACES.items():
        ranks = ", ".join(f"[[{dim}]]" for dim in dims)
        lines += [f"    - name: {operand}", f"      projection: [{ranks}]"]
    return "\n".join([*lines, "      read_write: true", ""])


@typed
def timeloop_architecture(npu: Npu) -> str:
    """The memories and arrays of an NPU as an `architecture` of Timeloop 0.4. Bandwidths are in
    words a cycle, as Timeloop takes them; Accelergy estimates the energies, not pimlab.

    >>> "meshX: 32" in pim.interchange.timeloop_architecture(pim.target("warboy"))
    True
    """
    memory, bits = npu.memory, math.ceil(max(_widths(npu)))
    words = memory.bandwidth / bits / npu.array.clock
    node = f"{npu.node * 1e9:g}nm"
    lines = [
        f"# {npu.name}, from pimlab",
        "architecture:",
        "  version: 0.4",
        "  nodes:",
        *_node("Container", "system", technology=f'"{node}"', datawidth=bits,
               global_cycle_seconds=repr(1 / npu.array.clock)),
        *_node("Component", "DRAM", "DRAM", type=f'"{memory.dram.upper()}"', width=64,
               datawidth=bits, read_bandwidth=repr(words), write_bandwidth=repr(words)),
        *_node("Component", "SRAM", "smartbuffer_SRAM", depth=int(memory.sram // bits), width=bits,
               datawidth=bits),
    ]  # fmt: skip
    for level, (count, dim) in fanouts(npu).items():
        others = " ".join(f"{one}=1" for one in "GMKN" if dim and one != dim)
        lines += [
            "  - !Container",
            f"    name: {level}",
            f"    spatial: {{meshX: {count}}}",
            *([f"    constraints: {{spatial: {{factors: {others}}}}}"] if others else []),
        ]
    lines += _node("Component", "register", "storage", "aladdin_register", depth=1, width=bits,
                   datawidth=bits)  # fmt: skip
    kind = "intmac" if npu.arithmetic.mac.startswith("int") else "fpmac"
    lines += _node("Component", "mac", kind, width=bits, datawidth=bits)
    return "\n".join([*lines, ""])


def _node(
    tag: str, name: str, kind: str = "", subkind: str = "", **attributes: object
) -> list[str]:
    rows = [f"      {key}: {value}" for key, value in attributes.items()]
    kinds = [f"    {word}: {one}" for word, one in (("class", kind), ("subclass", subkind)) if one]
    return [f"  - !{tag}", f"    name: {name}", *kinds, "    attributes:", *rows]
