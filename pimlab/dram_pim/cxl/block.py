"""Which instructions does an AiM device run for one decoder block, and for the ends of the model?

The mapping is CENT's (ASPLOS 2025): rows of a weight matrix over all banks, keys a token a bank,
values a head a channel (its features over the banks), heads of several query groups side by side.
Norms are products of a vector with itself and element-wise products; the sums, exponentials and
angles between them are computed by the units near memory (`units`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.cxl.instructions import Program, Transfer
from pimlab.dram_pim.timing import AimTiming

EVEN, ODD = (0, 2, 4, 6, 8, 10, 12, 14), (1, 3, 5, 7, 9, 11, 13, 15)


class Decoder(Protocol):
    """Sizes of a decoder-only model; `pimlab.workload.language.DecoderShape` is one."""

    @property
    def width(self) -> int:
        """Features of the residual stream."""

    @property
    def layers(self) -> int:
        """Decoder blocks."""

    @property
    def heads(self) -> int:
        """Query heads."""

    @property
    def kv_heads(self) -> int:
        """Key-value heads."""

    @property
    def head_width(self) -> int:
        """Features of one head."""

    @property
    def hidden(self) -> int:
        """Width of the feed-forward layer."""

    @property
    def vocabulary(self) -> int:
        """Tokens that the model knows."""


def _over(total: int, each: int) -> int:
    return -(-total // each)


def _chunks(total: int, most: int) -> list[int]:
    """`total` in pieces of `most`, the last one shorter."""
    return [most] * ((total - 1) // most) + [(total - 1) % most + 1]


@dataclass(frozen=True)
class Share:
    """What part of a device one block has: `blocks` blocks lie side by side on a device, and its
    weights over `devices` devices.
    """

    device: AimPim
    t: AimTiming
    blocks: int
    devices: int
    accumulators: int

    @property
    def channels(self) -> int:
        """Channels of one block in its device."""
        return self.device.channels // self.blocks

    @property
    def used(self) -> int:
        """Channels of a device that have a block."""
        return self.channels * self.blocks

    @property
    def banks(self) -> int:
        """Banks of one block in its device."""
        return self.channels * self.device.banks

    @property
    def row(self) -> int:
        """Values of one row of a bank."""
        return self.device.columns * self.device.lanes

    def columns(self, values: int) -> int:
        """Column accesses that hold `values` values."""
        return _over(values, self.device.lanes)


def block(share: Share, model: Decoder, context: int) -> Program:
    """One decoder block for one token, `context` tokens in the cache. Unit: cycles."""
    program = Program(share.t, share.device.banks)
    kv = model.kv_heads * model.head_width
    norm(program, share, model.width, "attention")
    for name, outputs in (("q", model.width), ("k", kv), ("v", kv)):
        gemv(program, share, model.width, outputs, name)
    rotary(program, share, model)
    append(program, share, model)
    query_keys(program, share, model, context)
    for _ in ("scale", "normalise"):
        softmax(program, share, model, context)
    weigh_values(program, share, model, context)
    gemv(program, share, model.width, model.width, "o")
    norm(program, share, model.width, "feed-forward")
    gemv(program, share, model.width, model.hidden, "gate", looked_up=True)
    gemv(program, share, model.width, model.hidden, "up")
    gated(program, share, model.hidden)
    gemv(program, share, model.hidden, model.width, "down")
    program.end()
    return program


def products(share: Share, model: Decoder) -> Program:
    """The products with weights alone: what the other devices of a tensor-parallel group do. Unit:
    cycles.
    """
    program = Program(share.t, share.device.banks)
    kv = model.kv_heads * model.head_width
    for name, outputs in (("q", model.width), ("k", kv), ("v", kv), ("o", model.width)):
        gemv(program, share, model.width, outputs, name)
    gemv(program, share, model.width, model.hidden, "gate", looked_up=True)
    gemv(program, share, model.width, model.hidden, "up")
    gemv(program, share, model.hidden, model.width, "down")
    program.end()
    return program


def ends(share: Share, model: Decoder) -> Program:
    """The embedding, as a product with the whole table, the last norm and the head of the model.
    Unit: cycles.
    """
    program = Program(share.t, share.device.banks)
    gemv(program, share, model.vocabulary, model.width, "embedding")
    norm(program, share, model.width, "last", short=True)
    gemv(program, share, model.width, model.vocabulary, "head")
    program.end()
    return program


def gemv(
    program: Program, share: Share, inputs: int, outputs: int, name: str, looked_up: bool = False
) -> None:
    """A product: a row of inputs stays in the global buffer while groups of outputs use it, as many
    as there are accumulators (half as many where an activation function follows).
    """
    total = share.banks * share.devices
    each = _over(outputs, total)
    wide = _over(_over(outputs, each), share.device.banks)
    channels = share.used if wide > share.device.channels else share.device.channels // wide * wide
    groups = _over(each, share.accumulators // 2 if looked_up else share.accumulators)
    sizes = _chunks(each, _over(each, groups))
    rows = _chunks(inputs, share.row)
    for r, values in enumerate(rows):
        program.buffers("WRGB", share.columns(values), channels)
        for g, size in enumerate(sizes):
            program.buffers("WRMAC16", size, channels)
            for output in range(size):
                row = (name, r, g, output)
                program.all_banks("MAC16", share.columns(values), row, channels)
            if looked_up and r == len(rows) - 1:
                for _ in range(size):
                    program.all_banks("AF16", 1, "tables", channels)
                    program.buffers("RDAF16", 1, channels)
            program.buffers("RDMAC16", size, channels)


def _spread(
    share: Share, values: int, parts: int, banks: tuple[int, ...], row: object, write: bool = True
) -> Transfer:
    """A vector of `values` over one bank of each `parts`, once for each block of the device."""
    length = _over(values, share.banks // parts)
    passes = share.columns(length)
    return Transfer(write, passes * _over(values, length) * share.blocks, passes, banks, row)


def _group(share: Share, member: int) -> tuple[int, ...]:
    """The bank of that number in every bank group."""
    size = share.device.banks // share.device.bank_groups
    return tuple(range(member, share.device.banks, size))


def norm(program: Program, share: Share, width: int, name: str, short: bool = False) -> None:
    """RMS norm: the sum of squares, times its reciprocal root, times the gain."""
    used, each = share.used, share.columns(_over(width, share.banks // 2))
    if not short:
        both = (_spread(share, width, 2, banks, (name, "x")) for banks in (EVEN, ODD))
        program.transfer(both)
    program.buffers("WRMAC16", 1, used)
    program.all_banks("MAC16", each, (name, "x"), used)
    program.buffers("RDMAC16", 1, used)
    members = (1,) if short else (0, 1)
    program.transfer(
        _spread(share, width, 4, _group(share, member), (name, "copy")) for member in members
    )
    _times_twice(program, share, [width], [(name, "copy")], (name, "gain"))
    program.transfer([_spread(share, width, 4, _group(share, 2), (name, "gain"), write=False)])
    program.wait()


def _times_twice(
    program: Program, share: Share, values: list[int], rows: list[object], other: object
) -> None:
    """An element-wise product, its result moved beside the next operand, their product."""
    used = share.used
    counts = [share.columns(_over(one, share.banks // 4)) for one in values]
    for count, row in zip(counts, rows, strict=True):
        program.all_banks("EWMUL16", count, row, used)
    for bank in _group(share, 2):
        for count, row in zip(counts, rows, strict=True):
            program.one_bank("RDCP", count, bank, row, used)
        for count, row in zip(counts, rows, strict=True):
            program.one_bank("WRCP", count, bank - 1, other or row, used)
    if other:
        program.all_banks("EWMUL16", counts[0], other, used)


def rotary(program: Program, share: Share, model: Decoder) -> None:
    """Queries and keys turned: pairs of features times cosine and sine."""
    shared = model.heads // model.kv_heads
    length = _over(model.width, share.banks // 4)
    banks_used = _over(model.width, length)
    for member in (1, 2):
        transfers = []
        for row, values in (("query", 2 * length), ("key", length // shared * 2)):
            passes = share.columns(values)
            lines = passes * banks_used * share.blocks
            transfers.append(Transfer(True, lines, passes, _group(share, member), row))
        program.transfer(transfers)
        if member == 1:
            for row, values in (("query", model.width), ("key", model.width // shared)):
                program.all_banks("EWMUL16", values // share.device.lanes, row, share.used)


def append(program: Program, share: Share, model: Decoder) -> None:
    """The token's key to one bank, its values a column of all banks each."""
    rows = model.kv_heads * model.head_width // share.row
    program.one_row(share.device.columns, rows * share.blocks)
    heads = _over(model.kv_heads, share.channels)
    for head in range(heads):
        for part in range(model.head_width // share.device.banks):
            channels = _over(model.kv_heads - head, heads)
            program.all_banks("WRA16", 1, ("value", head, part), min(channels, share.channels))
            program.instructions += min(channels, share.channels) - 1


def query_keys(program: Program, share: Share, model: Decoder, context: int) -> None:
    """Queries times keys: one row of keys serves as many heads as it holds, and their groups."""
    per_row = min(share.row // model.head_width, model.kv_heads)
    turns = _chunks(context, share.banks * share.devices)
    for row in range(_over(model.kv_heads * model.head_width, share.row)):
        for turn, tokens in enumerate(turns):
            wide = min(_over(tokens, share.device.banks), share.device.channels)
            channels = share.device.channels // wide * wide
            for _ in range(model.heads // model.kv_heads):
                program.buffers("WRGB", share.device.columns, channels)
                for _ in range(per_row):
                    program.buffers("WRMAC16", 1, channels)
                    columns = model.head_width // share.device.lanes
                    program.all_banks("MAC16", columns, ("keys", row, turn), channels)
                    program.buffers("RDMAC16", 1, channels)


def softmax(program: Program, share: Share, model: Decoder, context: int) -> None:
    """Scores times a vector in the banks, and back to the near-memory units."""
    heads = _over(model.heads, share.channels * 4)
    pieces = _chunks(context, share.row)

    def moved(member: int, write: bool) -> list[Transfer]:
        return [
            Transfer(
                write,
                share.columns(values) * _holders(share, model.heads, heads, head) * share.blocks,
                share.columns(values),
                _group(share, member),
                ("scores", head, piece),
            )
            for piece, values in enumerate(pieces)
            for head in range(heads)
        ]

    program.transfer([*moved(0, True), *moved(1, True)])
    for head in range(heads):
        for piece, values in enumerate(pieces):
            row = ("scores", head, piece)
            program.all_banks("EWMUL16", share.columns(values), row, share.used)
    program.transfer(moved(2, False))
    program.wait()


def _holders(share: Share, heads: int, each: int, place: int) -> int:
    """Bank groups of a block that have a head at `place` of their `each` places."""
    return min((heads - 1 - place) // each + 1, share.channels * share.device.bank_groups)


def weigh_values(program: Program, share: Share, model: Decoder, context: int) -> None:
    """Scores times values, a head a channel, a row of tokens after another."""
    used = share.used
    for head in range(_over(model.kv_heads, share.channels)):
        for _ in range(model.heads // model.kv_heads):
            for piece, tokens in enumerate(_chunks(context, share.row)):
                columns = share.columns(tokens)
                program.buffers("WRGB", columns, used)
                for part in range(model.head_width // share.device.banks):
                    program.buffers("WRMAC16", 1, used)
                    program.all_banks("MAC16", columns, ("values", head, part, piece), used)
                    program.buffers("RDMAC16", 1, used)


def gated(program: Program, share: Share, hidden: int) -> None:
    """The gate times its sigmoid, times the other branch; in two rows where one is too short."""
    most = share.channels * share.device.bank_groups * share.row
    values = [hidden] if hidden <= most else [most, hidden - most]
    rows: list[object] = [("gate", i) for i in range(len(values))]

    def moved(member: int, write: bool = True) -> list[Transfer]:
        return [
            _spread(share, one, 4, _group(share, member), row, write)
            for one, row in zip(values, rows, strict=True)
        ]

    program.transfer([*moved(0), *moved(1)])
    _times_twice(program, share, values, rows, None)
    program.transfer(moved(0))
    for one, row in zip(values, rows, strict=True):
        columns = share.columns(_over(one, share.banks // 4))
        program.all_banks("EWMUL16", columns, row, share.used)
    program.transfer(moved(2, write=False))
    program.wait()
