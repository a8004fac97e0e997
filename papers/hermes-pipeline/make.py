"""How fast, and for how many joules, does the 64-core PCM chip classify one CIFAR-10 image after
another?

The network is that of the chip's paper (Le Gallo et al. 2023), by the shapes of its figure; weights
stand again on the cores that are free, and images follow each other. `python
papers/hermes-pipeline/make.py` draws the schedule and fills the README's tables.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import pimlab as pim
from pimlab import plot, units
from pimlab.result import finished, sources_of
from pimlab.studies.published import Row, fill, markdown

OUT = Path(__file__).with_name("hermes-pipeline")
MODES = {"four-phase": "pcm-hermes", "one-phase": "pcm-hermes-one-phase"}
COPIES = {"once": None, "balanced": "balanced"}
SHAPES = {
    "conv0": (3, 56), "conv1": (56, 112), "conv2": (112, 112), "conv3": (112, 112),
    "conv4": (112, 224), "conv5": (224, 224), "conv6": (224, 224), "conv7": (224, 224),
}  # fmt: skip
"""Input and output channels of each 3 x 3 convolution; the figure prints 9 x inputs by outputs."""
POOLED = ("conv1", "conv4", "conv5")
RESIDUAL = {"conv3": "conv2", "conv7": "conv6"}
"""Last and first convolution of the two residual blocks of ResNet-9."""
IMAGES = 32


@functools.cache
def resnet9() -> Any:
    """The model, with random weights."""
    from onnx import TensorProto, helper, numpy_helper, save

    rng = np.random.default_rng(0)
    nodes, weights, x, entries = [], [], "image", {}

    def add(kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    for name, (inputs, outputs) in SHAPES.items():
        entries[name] = x
        w = 0.1 * rng.standard_normal((outputs, inputs, 3, 3), np.float32)
        weights.append(numpy_helper.from_array(w, f"{name}.w"))
        x = add("Conv", [x, f"{name}.w"], name, pads=[1, 1, 1, 1])
        x = add("Relu", [x], f"{name}.relu")
        if name in POOLED:
            x = add("MaxPool", [x], f"{name}.pool", kernel_shape=[2, 2], strides=[2, 2])
        if name in RESIDUAL:
            x = add("Add", [x, entries[RESIDUAL[name]]], f"{name}.add")
    x = add("MaxPool", [x], "pool", kernel_shape=[4, 4])
    x = add("Flatten", [x], "flat")
    weights.append(numpy_helper.from_array(rng.standard_normal((10, 224), np.float32), "dense.w"))
    add("Gemm", [x, "dense.w"], "dense", transB=1)
    ends = [("image", ["batch", 3, 32, 32]), ("dense", ["batch", 10])]
    image, logits = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in ends)
    graph = helper.make_graph(nodes, "resnet9", [image], [logits], weights)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet9.onnx"
        opset = [helper.make_opsetid("", 17)]
        save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
        return pim.load_model(str(path))


@functools.cache
def schedule(mode: str, copies: str) -> xr.Dataset:
    """The schedule of `IMAGES` images in a mode of reading, with weights once or again on free
    cores.
    """
    chip = pim.target(MODES[mode])
    return pim.schedule(resnet9(), chip, inferences=IMAGES, replicas=COPIES[copies])


def compute(quick: bool = False) -> xr.Dataset:
    """interval in s, chip_energy (without the host) and energy in J an image, arrays (mode,
    copies); replicas (mode, operator); operations of an image. vector_energy in J and vector_time
    in s (mode): one input vector through every layer in turn; vector_operations of it.
    """
    answers = {(mode, copies): schedule(mode, copies) for mode in MODES for copies in COPIES}
    found = xr.Dataset(coords={"mode": list(MODES), "copies": list(COPIES)})
    made = {
        "interval": ("s", lambda busy: busy.interval),
        "latency": ("s", lambda busy: busy.latency),
        "energy": ("J", lambda busy: busy.energy.sum()),
        "chip_energy": ("J", _chip),
        "arrays": ("1", lambda busy: busy.arrays.sum()),
    }
    for name, (unit, read) in made.items():
        table = [[float(read(answers[mode, one])) for one in COPIES] for mode in MODES]
        found[name] = (("mode", "copies"), table, {"units": unit})
    convs = [*SHAPES, "dense"]
    for name in ("replicas", "arrays"):
        table = [answers[mode, "balanced"][name].sel(operator=convs).values for mode in MODES]
        found[f"{name}_of"] = (("mode", "operator"), np.array(table), {"units": "1"})
    found = found.assign_coords(operator=convs)
    for name, unit, read in (
        ("vector_energy", "J", _vector_energy),
        ("vector_time", "s", _vector_time),
    ):
        values = [float(read(mode, answers[mode, "once"])) for mode in MODES]
        found[name] = ("mode", values, {"units": unit})
    each = 2.0 * sum(op.k * op.n for op in resnet9().mac_ops)
    found["vector_operations"] = ((), each, {"units": "1"})
    found["operations"] = ((), 2.0 * sum(op.macs for op in resnet9().mac_ops), {"units": "1"})
    every = [key for busy in answers.values() for key in sources_of(busy)]
    return finished(found, [*every, "citylife2023hermes"])


def _vector_energy(mode: str, busy: xr.Dataset) -> float:
    """J of reading the weights of every layer once: an image takes as many reads of a layer as it
    has positions.
    """
    return sum(float(busy.energy.sel(operator=op.name).sum()) / op.m for op in resnet9().mac_ops)


def _vector_time(mode: str, busy: xr.Dataset) -> float:
    """Seconds of the same reads one after another."""
    chip = pim.target(MODES[mode])
    return sum(sum(chip.latency(op).values()) / op.m for op in resnet9().mac_ops)


def _chip(busy: xr.Dataset) -> xr.DataArray:
    """J of an image on the analog cores, without what the digital host spends."""
    names = [*SHAPES, "dense"]
    return busy.energy.sel(operator=names).sum()


def found(ds: xr.Dataset, row: Row) -> float:
    """Ours in the unit of the row."""
    mode = row.condition.split(",")[0]
    best = ds.sel(mode=mode, copies="balanced")
    return float(
        {
            "time an image": 1e6 * best.interval,
            "energy an image": 1e6 * best.chip_energy,
            "operations a second": 1e-12 * ds.operations / best.interval,
            "operations a joule": 1e-12 * ds.operations / best.chip_energy,
            "cores": best.arrays,
            "energy of a vector": 1e6 * best.vector_energy,
            "time of a vector": 1e6 * best.vector_time,
        }[row.quantity]
    )


def decomposition(ds: xr.Dataset) -> dict[str, float]:
    """What our joules of an image, read in one phase, are made of, as factors of the printed pair's
    joules; their product is ours.
    """
    four, one = (ds.sel(mode=mode, copies="balanced") for mode in MODES)
    operations, each = float(ds.operations), float(ds.vector_operations)
    at_print = each / 2.48e12
    cores = float(four.vector_energy) / at_print
    image = float(four.chip_energy) / float(four.vector_energy)
    return {
        "one vector a layer at the printed 2.48 TOPS/W over 1.51 uJ": at_print / 1.51e-6,
        "cores that are not filled, for one vector a layer": cores,
        "positions of the layers (operations of an image over those of a vector)": operations
        / each,
        "cores that are not filled weigh more where positions are many": image * each / operations,
        "one phase instead of four": float(one.chip_energy) / float(four.chip_energy),
    }


def tables(ds: xr.Dataset) -> dict[str, str]:
    """The four schedules, the cores of each layer, and what the printed pair implies."""
    lines = [
        (
            mode,
            copies,
            f"{float(one.arrays):.0f}",
            units.si(float(one.interval), "s"),
            units.si(1 / float(one.interval), "Hz"),
            units.si(float(one.latency), "s"),
            units.si(float(one.chip_energy), "J"),
            units.si(float(one.energy), "J"),
        )
        for mode in MODES
        for copies in COPIES
        for one in [ds.sel(mode=mode, copies=copies)]
    ]
    heads = ["reads", "weights", "cores", "interval", "rate", "first answer", "cores' energy"]
    one = ds.sel(mode="one-phase")
    layers = [
        (name, f"{float(one.arrays_of.sel(operator=name)):.0f}", f"{int(copies)}")
        for name, copies in zip(one.operator.values, one.replicas_of.values, strict=True)
    ]
    operations = float(ds.operations)
    implied = [
        ("operations of an image", units.si(operations, "op")),
        ("operations a second in 1.52 us", units.si(operations / 1.52e-6, "op/s")),
        ("operations a joule in 1.51 uJ", units.si(operations / 1.51e-6, "op/J")),
        ("joules at the published 9.76 TOPS/W", units.si(operations / 9.76e12, "J")),
        ("seconds at the published 63.1 TOPS", units.si(operations / 63.1e12, "s")),
    ]
    shares = decomposition(ds)
    return {
        "decomposition": markdown(
            ["from the printed 1.51 uJ to our image", "factor"],
            [(name, f"{factor:.4g}") for name, factor in shares.items()],
        ),
        "schedules": markdown([*heads, "with the host"], lines),
        "layers": markdown(["layer", "cores", "copies"], layers),
        "implied": markdown(["quantity", "value"], implied),
    }


def draw(ds: xr.Dataset) -> Figure:
    """The first two images on the chip, with copies, in the mode of four phases."""
    return plot.timeline(schedule("four-phase", "balanced"), inferences=2)


if __name__ == "__main__":
    answer = compute()
    plot.save(draw(answer), OUT)
    fill(__file__, lambda row: found(answer, row), tables(answer))
