"""What do one token's latency, energy and power become on AiM devices behind a CXL switch?

A `pipeline` of stages, each over `tensor` devices: where there are more stages than devices, blocks
share a device and each has its part of the channels. One sequence is in each stage.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import xarray as xr

from pimlab import catalogue
from pimlab.arguments import named, typed
from pimlab.cost import Energy, Prices, price
from pimlab.dram_pim.aim import AimPim
from pimlab.dram_pim.cxl import block as mapping
from pimlab.dram_pim.cxl import events
from pimlab.dram_pim.cxl.block import Decoder, Share
from pimlab.dram_pim.cxl.instructions import Program
from pimlab.dram_pim.cxl.switch import Switch
from pimlab.dram_pim.cxl.units import NearUnits
from pimlab.dram_pim.presets import organisation, table
from pimlab.dram_pim.timing import AimTiming, timing
from pimlab.values import Value, integer, part, quantity, unknown

PARTS = ("banks", "switch", "near-memory units", "embedding and head", "sampling")
_BYTES = 2


class CxlDevices(Value):
    """`devices` equal devices of GDDR6-AiM channels with near-memory units, behind one switch.

    >>> rack = pim.dram_pim.cxl_devices("cent", devices=8)
    >>> ds = rack.decode(pim.load_model("llama2-7b").shape, context=4096, pipeline=8)
    >>> 3e-3 < float(ds.latency.sum()) < 5e-3
    True
    """

    name: str
    organisation: AimPim = part(AimPim, doc="of one device")
    timing: AimTiming = part(AimTiming)
    units: NearUnits = part(NearUnits)
    switch: Switch = part(Switch)
    energies: Prices = part(Prices)
    devices: int = integer(1, 4096)
    accumulators: int = integer(2, 4096, doc="results that a bank keeps")
    sampling: float = quantity("s", low=0, doc="the host chooses a token")
    sources: tuple[str, ...] = ()
    """Keys in `sources.bib` behind the numbers."""

    def check(self) -> None:
        """The switch has a lane for every device, and the timing table is one of AiM."""
        self.switch.lanes_of(self.devices)
        self.organisation.check_timing(self.timing)

    def splits(self, layers: int) -> tuple[tuple[int, int], ...]:
        """(pipeline, tensor) of every split of `layers` blocks: all divisions of the devices, and a
        stage for every block. Unit: devices.
        """
        whole = [(self.devices // t, t) for t in range(1, self.devices + 1) if not self.devices % t]
        return tuple(sorted({*((p, t) for p, t in whole if p <= layers), (layers, 1)}))

    @typed
    def decode(
        self, model: Any, context: int, pipeline: int, tensor: int = 1, compat: str | None = None
    ) -> xr.Dataset:
        """One decoded token with `context` tokens in the cache of each of `pipeline` sequences:
        latency by part [s], energy by component [J] with low and high, tokens a second [1/s], power
        [W] while the banks work.

        model : a `DecoderShape`, or what has its sizes.  compat : "cent" counts as CENT's simulator
        does, standby of one channel a device instead of all of them.
        ValueError names splits, contexts and models that the devices do not hold.
        """
        if compat not in (None, "cent"):
            raise ValueError(unknown("compat", compat, ("cent",)))
        sizes = sizes_of(model)
        share = self._share(model, context, pipeline, tensor)
        main, ends = _block(share, sizes, context), _ends(share, sizes)
        latency = self._latency((main, ends), share, model, context)
        one = self._events(main, share, model, context, compat)
        passes = model.layers if share.blocks == 1 else -(-model.layers // share.blocks)
        energy = price(events.times(one, passes), self.energies)
        at_once = pipeline if share.blocks == 1 else passes
        working = at_once / passes / (main.cycles * self.timing.tCK)
        return self._dataset(latency, energy, pipeline, working)

    def _share(self, model: Decoder, context: int, pipeline: int, tensor: int) -> Share:
        for name, value in (("context", context), ("pipeline", pipeline), ("tensor", tensor)):
            if value < 1:
                raise ValueError(f"CxlDevices {self.name} {name}={value}; allowed: 1 or more")
        longest = getattr(model, "context", None)
        if longest is not None and context > longest:
            raise ValueError(
                f"CxlDevices {self.name} context={context} is beyond the model's {longest} tokens"
            )
        allowed = self.splits(model.layers)
        if (pipeline, tensor) not in allowed:
            raise ValueError(
                f"CxlDevices {self.name} pipeline={pipeline} tensor={tensor} is no split of "
                f"{model.layers} blocks over {self.devices} devices; allowed: "
                f"{', '.join(f'{p} x {t}' for p, t in allowed)}"
            )
        blocks = max(1, -(-pipeline * tensor // self.devices))
        self._holds(model, context, (pipeline, tensor), blocks)
        return Share(self.organisation, self.timing, blocks, tensor, self.accumulators)

    def _holds(self, model: Decoder, context: int, split: tuple[int, int], blocks: int) -> None:
        channels = self.organisation.channels // blocks
        heads = channels * self.organisation.columns
        if channels == 0 or model.heads > heads:
            raise ValueError(
                f"CxlDevices {self.name}: {blocks} blocks share the "
                f"{self.organisation.channels} channels of a device; allowed: a channel or more "
                "each, so more devices"
            )
        kv = model.kv_heads * model.head_width
        matrices = 2 * model.width * (model.width + kv) + 3 * model.width * model.hidden
        layers = blocks if blocks > 1 else -(-model.layers // split[0])
        needed = layers * (matrices / split[1] + 2 * kv * context * split[0]) * _BYTES
        there = self.organisation.capacity
        if needed > there:
            raise ValueError(
                f"CxlDevices {self.name}: a device needs {needed / 2**30:.1f} GiB for {layers} "
                f"blocks and their cache of {split[0]} sequences of {context} tokens; it holds "
                f"{there / 2**30:.1f} GiB, {(needed - there) / 2**30:.1f} GiB are missing"
            )

    def _latency(
        self, programs: tuple[Program, Program], share: Share, model: Decoder, context: int
    ) -> dict[str, float]:
        kv, count = model.kv_heads * model.head_width, self.devices
        if share.blocks == 1:
            messages = self.switch.block(model.width, model.hidden, share.devices, count)
        else:
            messages = self.switch.send(model.width, count)
        channels = self.organisation.channels
        near = self.units.block(model.width, kv, model.heads, context, channels)
        banks, ends = (one.cycles * self.timing.tCK for one in programs)
        blocks = (banks, messages, near * share.blocks)
        values = (*(model.layers * one for one in blocks), ends, self.sampling)
        return dict(zip(PARTS, values, strict=True))

    def _events(
        self, main: Program, share: Share, model: Decoder, context: int, compat: str | None
    ) -> dict[str, float]:
        """Events of one pass over the block or blocks of a stage, on all of its devices."""
        standby = 1 if compat == "cent" else self.organisation.channels
        near = self.units.events(
            model.width, model.kv_heads * model.head_width, model.heads, context
        )
        values = 10 * model.width + 2 * model.hidden if share.blocks == 1 else model.width
        several = [
            events.counted(main, self.organisation, self.timing, standby),
            events.times(near, share.blocks),
            {"link bit": float(values * self.switch.word)},
        ]
        if share.devices > 1:
            others = _products(share, sizes_of(model))
            each = events.counted(others, self.organisation, self.timing, standby)
            several.append(events.times(each, share.devices - 1))
        return events.added(*several)

    def _dataset(
        self, latency: dict[str, float], energy: Energy, pipeline: int, working: float
    ) -> xr.Dataset:
        parts = ("component", list(energy.nominal))
        total = sum(energy.nominal.values())
        return xr.Dataset(
            {
                "latency": ("part", list(latency.values()), {"units": "s"}),
                "energy": ("component", list(energy.nominal.values()), {"units": "J"}),
                "energy_low": ("component", [energy.low[c] for c in parts[1]], {"units": "J"}),
                "energy_high": ("component", [energy.high[c] for c in parts[1]], {"units": "J"}),
                "assumed_share": ((), sum(energy.assumed.values()) / total, {"units": "1"}),
                "throughput": ((), pipeline / sum(latency.values()), {"units": "1/s"}),
                "power": ((), total * working, {"units": "W"}),
            },
            coords={"part": list(latency), "component": parts[1]},
            attrs={"target": self.name, "sources": ",".join(self.cited)},
        )

    @property
    def cited(self) -> tuple[str, ...]:
        """Keys in `sources.bib` of every publication behind the system, sorted."""
        return tuple(sorted({*self.sources, *self.timing.sources, *self.energies.sources}))


_SIZES = ("width", "layers", "heads", "kv_heads", "head_width", "hidden", "vocabulary")


class Sizes(NamedTuple):
    """Sizes of a decoder, as its mapping asks for them."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    hidden: int
    vocabulary: int


def sizes_of(model: Decoder) -> Sizes:
    """The sizes of a decoder's shape (unit: values, heads and blocks); TypeError naming the first
    that it lacks.
    """
    missing = [name for name in _SIZES if not hasattr(model, name)]
    if missing:
        raise TypeError(
            f"CxlDevices model={model!r:.60} has no {missing[0]}; write for example "
            "pimlab.load_model('llama2-7b').shape"
        )
    return Sizes(**{name: getattr(model, name) for name in _SIZES})


@lru_cache(maxsize=256)
def _block(share: Share, model: Sizes, context: int) -> Program:
    return mapping.block(share, model, context)


@lru_cache(maxsize=64)
def _products(share: Share, model: Sizes) -> Program:
    return mapping.products(share, model)


@lru_cache(maxsize=64)
def _ends(share: Share, model: Sizes) -> Program:
    return mapping.ends(share, model)


@named
def cxl_devices(name: str = "cent", *, devices: int) -> CxlDevices:
    """`devices` devices of the system `name` of catalogue room `systems`; ValueError with the
    nearest name. Rates in the unit bit/s, times in s.
    """
    described = catalogue.entry("systems", name)
    banks = table(described.meta["device"])
    aim, owner = timing(banks.meta["dram"]), organisation(banks)
    if not isinstance(aim, AimTiming) or not isinstance(owner, AimPim):
        raise ValueError(
            f"systems/{name}: device={described.meta['device']!r} is a {type(owner).__name__}; "
            "allowed: banks with adder trees, such as 'gddr6-aim'"
        )

    def value(key: str) -> float:
        return described[key].value

    units = NearUnits(
        clock=1 / value("time.clock"),
        **{one: int(value(f"units.{one}")) for one in NearUnits.fields() if one != "clock"},
    )
    switch = Switch(
        lanes=int(value("switch.lanes")),
        lane_bandwidth=value("switch.lane_bandwidth"),
        delay=value("switch.delay"),
        flit=int(value("switch.flit")),
        payload=int(value("switch.payload")),
    )
    papers = {key for constant in described.values() for key in constant.sources}
    return CxlDevices(
        name=name,
        organisation=owner,
        timing=aim,
        units=units,
        switch=switch,
        energies=events.prices(described),
        devices=devices,
        accumulators=int(value("accumulators")),
        sampling=value("sampling"),
        sources=tuple(sorted({*papers, *owner.sources})),
    )
