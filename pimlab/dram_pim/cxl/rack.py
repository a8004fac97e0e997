"""What does each operator of a decoder take on AiM devices behind a CXL switch? `CxlDevices` as a
target.

`CxlDevices.decode` counts a block's instructions in one program. Here every operator has its own:
products and attention in the banks, norms and softmax on the units near memory, messages over the
switch where a product's inputs and outputs change devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from pimlab.arguments import typed
from pimlab.constants import derive
from pimlab.cost import Price, Prices
from pimlab.dram_pim.cxl import block, events
from pimlab.dram_pim.cxl.block import Share
from pimlab.dram_pim.cxl.devices import CxlDevices, Sizes, cxl_devices, sizes_of
from pimlab.dram_pim.cxl.instructions import Program
from pimlab.dram_pim.presets import build
from pimlab.dram_pim.target import BankWeights, DramPim
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Target, VectorOp
from pimlab.machine.work import MEMORY
from pimlab.values import integer, part

OPEN_CYCLE, LINK_BIT = "open row cycle", "link bit"
"""Cycles in which a channel has a row open, beyond standby; bits that cross the switch."""
_NEAR = {"softmax", "rmsnormalization", "rotaryembedding", "add", "mul", "swish", "gather"}
_BYTES = 2


class CxlRack(Target):
    """Devices that hold one decoder, `pipeline` stages of `tensor` devices each.

    Every stage has a sequence of its own, so the caches of `pipeline` sequences take up room.
    Products with weights are repeated for each vector of a batch. A message goes out with a
    product's inputs and comes back with its outputs, but for the gate, whose product with the other
    branch stays where it is; between stages that share a device only the residual stream crosses.
    Against `decode` the embedding is not a product with the whole table, and the units near memory
    draw nothing beside their controller (0.0004 of 110 mJ a token there).

    >>> model = pim.load_model("llama2-7b")
    >>> rack = pim.dram_pim.cxl_rack(model, devices=8, pipeline=8)
    >>> 3e-3 < float(pim.run(model, rack).latency.sum()) < 5e-3
    True
    """

    stage: ClassVar[int] = 2

    devices: CxlDevices = part(CxlDevices)
    banks: DramPim = part(DramPim, doc="what the banks of a device compute with")
    pipeline: int = integer(1, 4096, doc="stages")
    tensor: int = integer(1, 4096, doc="devices of a stage")
    width: int = integer(1, doc="features of the residual stream")
    layers: int = integer(1, doc="decoder blocks")
    heads: int = integer(1, doc="query heads")
    kv_heads: int = integer(1, doc="heads of keys and values")
    head_width: int = integer(1, doc="features of a head")

    def check(self) -> None:
        """The devices are divided as CENT divides them, and a head has a channel."""
        allowed = self.devices.splits(self.layers)
        if (self.pipeline, self.tensor) not in allowed:
            raise ValueError(
                f"CxlRack {self.name} pipeline={self.pipeline} tensor={self.tensor} is no split of "
                f"{self.layers} blocks over {self.devices.devices} devices; allowed: "
                f"{', '.join(f'{p} x {t}' for p, t in allowed)}"
            )
        if self._share.channels == 0:
            raise ValueError(
                f"CxlRack {self.name}: {self._share.blocks} blocks share a device of "
                f"{self.devices.organisation.channels} channels; allowed: more devices"
            )

    @property
    def _share(self) -> Share:
        rack = self.devices
        blocks = max(1, -(-self.pipeline * self.tensor // rack.devices))
        return Share(rack.organisation, rack.timing, blocks, self.tensor, rack.accumulators)

    @property
    def stands_alone(self) -> bool:
        """A decoder needs no host beside the rack but for the choice of a token, which `call`
        has.
        """
        return True

    @property
    def call(self) -> float:
        """Seconds [s] in which the host chooses a token."""
        return self.devices.sampling

    def serves(self, op: MacOp | VectorOp) -> bool:
        """Every product, and the vector operators of a decoder with RMS norms and gates."""
        return isinstance(op, MacOp) or op.kind in _NEAR

    def occupancy(self, op: MacOp | VectorOp) -> float:
        """Share of the memory of all devices that weights, or the caches of all stages' sequences,
        take up (unit 1).
        """
        if isinstance(op, VectorOp):
            return 0.0
        copies = self.pipeline if op.kind == "activations" else 1
        there = self.devices.organisation.capacity * self.devices.devices
        return copies * op.groups * op.k * op.n * _BYTES / there

    def program(
        self,
        w: np.ndarray,
        key: int | Key = 0,
        *,
        bias: np.ndarray | None = None,
        calibration: Calibration | None = None,
    ) -> BankWeights:
        """Weights in the banks of a device. w : float32, shape (k, n)."""
        return self.banks.program(w, key, bias=bias, calibration=calibration)

    def _sizes(self, hidden: int) -> Sizes:
        return Sizes(self.width, self.layers, self.heads, self.kv_heads, self.head_width, hidden, 1)

    def _done(self, op: MacOp | VectorOp) -> tuple[Program, int]:
        """The program of one device for `op`, and how often it runs."""
        if isinstance(op, VectorOp):
            each = op.elements // op.inferences
            return _vector(self._share, self._sizes(each), op.kind, each), op.inferences
        if op.kind == "weights":
            gate = _part(op) == "gate"
            return _weights(self._share, op.k, op.n, gate), op.m * op.groups
        context = op.n if op.k == self.head_width else op.k
        queries = op.m * op.groups // op.inferences
        sizes = self._sizes(1)._replace(
            kv_heads=op.groups // op.inferences, heads=max(queries, op.groups // op.inferences)
        )
        scores = op.k == self.head_width
        return _attention(self._share, sizes, context, scores), op.inferences

    def _messages(self, op: MacOp | VectorOp) -> tuple[float, int]:
        """Seconds [s] of an operator's messages, and values that cross."""
        if isinstance(op, VectorOp) or op.kind != "weights" or _part(op) in ("gate", "head"):
            return 0.0, 0
        switch, count, times = self.devices.switch, self.devices.devices, op.m * op.groups
        if self._share.blocks > 1:
            ends = op.n == self.width and op.k != self.width
            return (times * switch.send(op.n, count), times * op.n) if ends else (0.0, 0)
        seconds = switch.send(op.k, count) + switch.gather(op.n, self.tensor, count)
        return times * seconds, times * (op.k + op.n)

    def _near(self, op: MacOp | VectorOp) -> float:
        """Seconds [s] of the units near memory."""
        units, channels = self.devices.units, self.devices.organisation.channels
        if isinstance(op, MacOp):
            return 0.0
        each = op.elements // op.inferences
        if op.kind == "softmax":
            one = units.softmax(each // self.heads, self.heads, channels)
        elif op.kind == "rmsnormalization":
            one = units.norms(each, channels) / 2
        elif op.kind == "rotaryembedding":
            one = units.rotary(each, 0)
        else:
            one = each / units.lanes / units.clock if op.kind == "add" else 0.0
        return one * op.inferences * self._share.blocks

    def latency(self, op: MacOp | VectorOp) -> Mapping[str, float]:
        """Seconds [s] in the banks, on the switch and on the units near memory."""
        program, times = self._done(op)
        parts = {
            "banks": times * program.cycles * self.devices.timing.tCK,
            "switch": self._messages(op)[0],
            "near-memory units": self._near(op),
        }
        return {name: seconds for name, seconds in parts.items() if seconds} or {"banks": 0.0}

    def resources(self, op: MacOp | VectorOp) -> Mapping[str, str]:
        """Each stage of the pipeline works on a sequence of its own."""
        name = op.name.split(".", 1)[0].removeprefix("layer")
        layer = int(name) if name.isdigit() else (self.layers - 1 if op.name == "head" else 0)
        stage = min(layer, self.layers - 1) * self.pipeline // self.layers
        return dict.fromkeys(self.latency(op), f"stage {stage}")

    def events(self, op: MacOp | VectorOp) -> Mapping[str, int]:
        """Commands of all devices of a stage (of attention and norms: of one, as CENT counts), what
        the sequencers and buffers did, cycles with open rows, and bits over the switch. Unit:
        events.
        """
        program, times = self._done(op)
        share, rack = self._share, self.devices
        own = events.counted(program, rack.organisation, rack.timing, 0)
        alike = share.devices if isinstance(op, MacOp) and op.kind == "weights" else 1
        factor = times * alike / share.blocks
        found = {
            name: round(count * factor)
            for name, count in own.items()
            if name in rack.energies and not name.endswith("second")
        }
        found[OPEN_CYCLE] = round(program.open_cycles * factor * rack.organisation.channels)
        found[LINK_BIT] = self._messages(op)[1] * rack.switch.word
        return {name: count for name, count in found.items() if count}

    @property
    def prices(self) -> Prices:
        """Prices of the devices, and of a cycle with an open row beyond standby. Unit: J an
        event.
        """
        own = self.devices.energies
        cycle = self.devices.timing.tCK
        more = derive(
            OPEN_CYCLE,
            lambda opened, closed: (opened - closed) * cycle,
            own["open standby second"].constant,
            own["closed standby second"].constant,
            unit="J",
            reason="power with open rows less that with closed ones, for a cycle",
        )
        return Prices({**own, OPEN_CYCLE: Price(constant=more, component="static DRAM")})

    @property
    def static(self) -> Mapping[str, float]:
        """Standby of all channels and of every device's controller, a second (unit: 1/s)."""
        count = float(self.devices.devices)
        channels = self.devices.organisation.channels
        return {"closed standby second": count * channels, "device second": count}

    @property
    def static_owners(self) -> Mapping[str, str]:
        """All of it is the memory's."""
        return dict.fromkeys(self.static, MEMORY)

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys in `sources.bib` behind the devices."""
        return self.devices.cited


def _part(op: MacOp) -> str:
    return op.name.rsplit(".", 1)[-1]


@lru_cache(maxsize=512)
def _weights(share: Share, inputs: int, outputs: int, gate: bool) -> Program:
    program = Program(share.t, share.device.banks)
    block.gemv(program, share, inputs, outputs, "w", looked_up=gate)
    program.end()
    return program


@lru_cache(maxsize=512)
def _attention(share: Share, sizes: Sizes, context: int, scores: bool) -> Program:
    program = Program(share.t, share.device.banks)
    if scores:
        block.append(program, share, sizes)
        block.query_keys(program, share, sizes, context)
    else:
        block.weigh_values(program, share, sizes, context)
    program.end()
    return program


@lru_cache(maxsize=512)
def _vector(share: Share, sizes: Sizes, kind: str, elements: int) -> Program:
    program = Program(share.t, share.device.banks)
    if kind == "softmax":
        for _ in ("scale", "normalise"):
            block.softmax(program, share, sizes, max(elements // sizes.heads, 1))
    elif kind == "rmsnormalization":
        block.norm(program, share, elements, "norm")
    elif kind == "rotaryembedding":
        block.rotary(program, share, sizes)
    elif kind == "mul":
        block.gated(program, share, elements)
    program.end()
    return program


@typed
def cxl_rack(
    model: Any, name: str = "cent", *, devices: int, pipeline: int = 1, tensor: int = 1
) -> CxlRack:
    """`devices` devices of the system `name` of catalogue room `systems` that hold `model`, a
    decoder or its shape, as a target; ValueError for a split that is none, and with the nearest
    name (unit: devices).
    """
    sizes = sizes_of(getattr(model, "shape", model))
    banks = build("gddr6-aim").but(attention="banks", widest=None)
    return CxlRack(
        name=name,
        devices=cxl_devices(name, devices=devices),
        banks=banks,
        pipeline=pipeline,
        tensor=tensor,
        width=sizes.width,
        layers=sizes.layers,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        head_width=sizes.head_width,
    )
