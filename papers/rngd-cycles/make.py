"""How many cycles do RNGD's engines take for the transfers and streams that its own book works out?

FuriosaAI's book on programming RNGD states rules (500 cycles a command, networks of 128 B a cycle,
channels by bits of the address, 40 cycles to switch a row, rings, accesses of 8 to 32 B) and works
out examples with them. Each is given to `pimlab.npu` as loops and addresses, as the book prints
them. `python papers/rngd-cycles/make.py` writes the figure and the tables of README.md.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from pimlab.npu import engines
from pimlab.npu.dma import SLICE_SPAN, Command, tensor_dma
from pimlab.npu.sequencer import Sequencer
from pimlab.plot.style import PARTS, figure, for_print, save
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("rngd-cycles")
NETWORK = 32 * SLICE_SPAN
DMA = tensor_dma("rngd")
Loops = tuple[tuple[int, int], ...]


def command(
    source: str, target: str, read: Loops, write: Loops, at: int = 0, to: int = 0
) -> Command:
    """A command whose packets are 256 consecutive bytes, as all of the book's are."""
    whole = ((256, 1),)
    return Command(
        source=source,
        target=target,
        read=Sequencer(loops=read + whole, packet=256, base=at),
        write=Sequencer(loops=write + whole, packet=256, base=to),
    )


def example_4() -> list[list[Command]]:
    """Eight engines whose consecutive reads are in different rows of a bank."""
    read = ((256, 1024), (4, 256), (32, 2**21), (2, 2**26))
    write = ((256, 1024), (4, 256), (32, SLICE_SPAN), (2, NETWORK))
    starts = [i * 2**20 + j * 2**18 for i in range(2) for j in range(4)]
    return [[command("hbm", "dm", read, write, at)] for at in starts]


def example_5() -> list[list[Command]]:
    """Eight engines that never read from the second stack."""
    read = ((8, 512), (32, 4096), (2, 131072))
    write = ((8, 256), (32, SLICE_SPAN), (2, NETWORK))
    starts = [i * 2**20 + j * 2**18 for i in range(2) for j in range(4)]
    return [[command("hbm", "dm", read, write, at)] for at in starts]


def example_6() -> list[list[Command]]:
    """Four networks of each cluster, three with one command and the last with two: the book gives
    each network its own bandwidth, so that all of its requests are in one.
    """

    def piece(cluster: int, k: int, low: int, high: int, start: int) -> Command:
        read = ((low, 256), (32, SLICE_SPAN), (high, 512))
        write = ((low, 256), (32, 15 * 256), (high, 512))
        to = cluster * 32 * 15 * 256 + (4 * k + start) * 256
        return command("dm", "hbm", read, write, k * NETWORK, to)

    return [
        [piece(j, k, 2, 2, 0)] if k < 3 else [piece(j, k, 2, 1, 0), piece(j, k, 1, 1, 2)]
        for j in range(2)
        for k in range(4)
    ]


def transfers() -> dict[str, list[list[Command]]]:
    """The book's six examples of the DMA engine, and the transfer of "Dynamic Behavior"."""
    rows = ((256, 65536), (4, 256), (32, 1024), (2, 32768))
    slices = (32, SLICE_SPAN), (2, NETWORK)
    inside = ((256, 256), (4, 65536), *slices)
    return {
        "example 1": [
            [command("hbm", "hbm", ((8, 2048), (8, 256)), ((8, 256), (8, 2048)), 0, 16384)]
        ],
        "example 2": [[command("hbm", "dm", rows, inside)]],
        "example 3": [
            [command("dm", "dm", inside, ((256, 1024), (4, 256), *slices), 0, 4 * 65536)]
        ],
        "example 4": example_4(),
        "example 5": example_5(),
        "example 6": example_6(),
        "dynamic behavior": [
            [
                command(
                    "hbm", "hbm", ((256, 65536), (256, 256)), ((256, 256), (256, 65536)), 0, 2**24
                )
            ]
        ],
    }


def fetches() -> dict[str, int]:
    """Cycles of the book's fetches: int4 (4, 3, 4, 16) by packet, FP8 (3, 5, 2) by padding."""
    half = ((4, 192), (3, 64), (4, 16), (16, 1))
    split = ((4, 192), (3, 64), (2, 32), (2, 16), (16, 1))
    cases = {
        "batch 1": Sequencer(loops=half, packet=16, bits=4),
        "batch 2": Sequencer(loops=split, packet=32, bits=4),
        "batch 3": Sequencer(loops=half, packet=64, bits=4),
        "batch 4": Sequencer(loops=half, packet=192, bits=4),
        "packet C": Sequencer(loops=((3, 10), (5, 2), (8, 1)), packet=8),
        "packet BC": Sequencer(loops=((3, 10), (16, 1)), packet=16),
        "packet ABC": Sequencer(loops=((32, 1),), packet=32),
    }
    return {name: engines.fetch_cycles(one) for name, one in cases.items()}


def switches() -> dict[str, int]:
    """Cycles of the book's switch examples: ring, time steps, bytes of a packet."""
    cases = {
        "Broadcast01": (4, 64, 256),
        "Broadcast1": (32, 64, 64),
        "Transpose": (64, 64, 64),
        "InterTranspose": (32, 8, 32),
        "TransposedBroadcast1": (64, 16, 32),
        "arbitrary permutation": (256, 8, 256),
        "multi-dimension broadcast": (32, 8, 256),
        "partial axis extraction": (4, 24, 32),
    }
    return {name: engines.switch_cycles(*one) for name, one in cases.items()}


def transposes() -> dict[str, int]:
    """Cycles of the book's transpose examples: rows, columns, rows out, turns, bits."""
    cases = {
        "basic": (8, 16, 16, 2, 8),
        "small": (4, 8, 2, 1, 8),
        "large column": (8, 32, 32, 2, 8),
        "16-bit": (4, 8, 8, 8, 16),
        "4-bit": (16, 16, 16, 4, 4),
        "32-bit": (2, 8, 8, 4, 32),
    }
    return {name: engines.transpose_cycles(*one) for name, one in cases.items()}


def reducers() -> dict[str, int]:
    """Levels of the adder tree by operand."""
    return {f"levels {name}": engines.reducer_depth(64, bits) for name, bits in _OPERANDS.items()}


_OPERANDS = {"i4": 4, "i8": 8, "bf16": 16}


def compute(quick: bool = False) -> xr.Dataset:
    """cycles (case) of every worked example, and for transfers what made them: engine and channel
    (transfer), cycles of 1 GHz.
    """
    done = {name: DMA.transfer(own) for name, own in transfers().items()}
    cases = {f"DMA {name}": one.total for name, one in done.items()}
    first = done["example 6"].engines[0]
    cases |= {"DMA example 6, networks 0 to 2": first}
    for engine, own in (("fetch", fetches()), ("switch", switches()), ("transpose", transposes())):
        cases |= {f"{engine} {name}": cycles for name, cycles in own.items()}
    cases |= reducers()
    parts = [[max(one.engines), one.channels] for one in done.values()]
    return xr.Dataset(
        {
            "cycles": ("case", [float(one) for one in cases.values()], {"units": "1"}),
            "parts": (("transfer", "part"), parts, {"units": "1"}),
        },
        coords={
            "case": list(cases),
            "transfer": list(done),
            "part": ["busiest engine", "busiest channel"],
        },
        attrs={"sources": "furiosa-opt", "title": "Cycles of RNGD's engines"},
    )


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours for a row of targets.csv."""
    return float(ds.cycles.sel(case=row.condition))


def tables(ds: xr.Dataset) -> dict[str, str]:
    """What makes the cycles of each transfer."""
    lines = [
        [name, *(f"{cycles:.0f}" for cycles in ds.parts.sel(transfer=name).values)]
        for name in ds.transfer.values
    ]
    return {"parts": markdown(["transfer", *ds.part.values], lines)}


@for_print
def draw(ds: xr.Dataset) -> Figure:
    """Engine and channel cycles of each transfer; the longer decides."""
    fig = figure(70)
    axes = fig.subplots()
    width = 0.38
    for i, part in enumerate(ds.part.values):
        places = [n + (i - 0.5) * width for n in range(len(ds.transfer))]
        axes.barh(places, ds.parts.sel(part=part), width, color=PARTS[i], label=part)
    axes.set_yticks(range(len(ds.transfer)), list(ds.transfer.values))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("cycles of 1 GHz, start of a command included for engines")
    axes.set_title("Channels decide where rows switch or a stack is left out", fontsize="medium")
    axes.legend(frameon=False)
    return fig


if __name__ == "__main__":
    answer = compute()
    save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
