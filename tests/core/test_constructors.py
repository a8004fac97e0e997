"""Does every constructor of every room answer a typo with the nearest name, and a bad number with name, value and what is allowed?"""

import dataclasses
import importlib
import math
import pkgutil
import typing
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pimlab
from pimlab import formats, serving
from pimlab.analog import devices, mapping
from pimlab.analog.devices import curves
from pimlab.analog.learning import (
    PiecewiseStep,
    PowerStep,
    read_pass,
    reference_cell,
    update_device,
)
from pimlab.cluster import FatTree, Mesh, network, rounds
from pimlab.cluster.placement import LayerPlacement
from pimlab.constants import assumed
from pimlab.cost import Price
from pimlab.keys import Key
from pimlab.machine import presets
from pimlab.machine.links import link
from pimlab.machine.protocol import MacOp, Range, VectorOp
from pimlab.machine.streamed import Streamed
from pimlab.machine.wrapped import Wrapped
from pimlab.npu import Command, Sequencer, tensor_dma
from pimlab.plan import planned
from pimlab.roadmap import study
from pimlab.values import Value
from pimlab.workload.language.rotary import Divisors
from pimlab.workload.language.shape import DecoderShape
from pimlab.workload.zoo import services

SHAPE = DecoderShape(
    vocabulary=9, width=8, layers=1, heads=2, kv_heads=1, head_width=4, hidden=6, context=5
)
ANSWERS = {
    "ArrayWork", "Energy", "GemmCycles", "MixedPlan", "Operands", "ParallelPlan", "Placement",
    "RequestPlan", "StepTimes", "TrainingPlan",
}  # fmt: skip
"""Made by functions of the project, never by a user: their numbers are not checked again."""


def _examples():
    """Values that no preset holds."""
    yield from (
        MacOp(name="a", m=2, k=3, n=4),
        VectorOp(name="b", kind="relu", elements=3),
        Range(low=0, high=1),
        Key(seed=0),
    )
    yield from (
        assumed("c", 1.0, "J", "an example"),
        Price(constant=assumed("c", 1.0, "J", "an example"), component="MAC"),
    )
    yield from (link("cxl"), study.QUICK, services.services())
    one = {"a": 1.0}
    yield LayerPlacement(layers=1, rates={"a": {1: 1.0}}, links={}, source=one, sink=one)
    yield from (
        *rounds("all-reduce", "ring", 2),
        network("dgx-a100"),
        Mesh(columns=2),
        FatTree(leaf=4),
        pimlab.parallelise(SHAPE, pimlab.Cluster(chip=pimlab.target("rngd"))),
    )
    shots = serving.single_shot({1: 1e-3})
    yield from (
        shots,
        serving.fixed(count=2, input=1, output=1),
        serving.Apart(times=shots, link=link("cxl")),
    )
    yield devices.Relaxation(
        times=(1.0, 2.0),
        spreads=(curves.Polynomial(coefficients=(1e-6,)),) * 2,
        g_reference="20 uS",
    )
    yield devices.Arrhenius(energy="0.2 eV", temperature="350 K")
    yield Divisors(short=(1.0, 2.0))
    yield mapping.Slices(bits=8, per_cell=2)
    yield update_device("ecram-tang2018")
    yield reference_cell(update_device("ecram-tang2018"))
    yield PowerStep()
    yield PiecewiseStep(up=(1.0, 0.5), down=(0.5, 1.0))
    yield read_pass("rpu-gokmen2017")
    yield curves.ClippedPower(factor=1, exponent=1, low=0, high=1)
    yield pimlab.dram_pim.cxl_devices("cent", devices=2)
    yield pimlab.dram_pim.head_units("attacc")
    yield Streamed(machine=pimlab.target("warboy"))
    yield Wrapped(machine=pimlab.target("warboy"))
    model = pimlab.load_model("digits-mlp")
    yield model.graph
    yield planned(model, pimlab.target("hbm-pim"))
    yield pimlab.place(model, [pimlab.target("warboy")])
    yield pimlab.offer("rngd")
    stream = Sequencer(loops=((4, 256), (256, 1)), packet=256)
    yield Command(source="hbm", target="dm", read=stream, write=stream)
    yield tensor_dma("rngd")
    yield pimlab.farm.Service(name="digits", model="digits-mlp", rate="1 kHz", latency="1 ms")


def _walk(value, found):
    if isinstance(value, Value):
        found.setdefault(type(value), value)
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, tuple | list | frozenset):
        for one in value:
            _walk(one, found)


def _classes(base=Value):
    for kind in base.__subclasses__():
        yield kind
        yield from _classes(kind)


def _load_all():
    for module in pkgutil.walk_packages(pimlab.__path__, "pimlab."):
        if module.name != "pimlab.__main__":
            importlib.import_module(module.name)


_load_all()
CLASSES = sorted(
    {
        kind
        for kind in _classes()
        if kind.__module__.startswith("pimlab.") and not getattr(kind, "__abstractmethods__", None)
    },
    key=lambda kind: (kind.__module__, kind.__name__),
)


@lru_cache(maxsize=1)
def instances():
    """One valid instance of each class: from the presets, the devices, the formats, the list above, or from defaults."""
    found = {}
    for value in [
        *map(pimlab.target, pimlab.targets()),
        *map(devices.device, devices.device_names()),
        *_examples(),
        *map(formats.format, ("int8", "fp16", "mxfp4", "q4_0")),
    ]:
        _walk(value, found)
    for kind in CLASSES:
        if kind not in found:
            found.update(_built(kind, found))
    return found


def _built(kind, found):
    """{kind: an instance of plain values and of parts already found}; {} where its rules refuse them."""
    needed = [
        field
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    try:
        return {kind: kind(**{field.name: _plain(field.metadata, found) for field in needed})}
    except (TypeError, ValueError):
        return {}


def _plain(meta, found):
    match meta.get("kind"):
        case "quantity":
            return (
                meta["high"] - 0.5
                if meta["high"] <= 0
                else min(meta["high"], 2 * max(meta["low"], meta["above"] or 0, 0.25))
            )
        case "integer":
            return meta["low"]
        case "choice":
            return meta["options"][0]
        case "part":
            return next(
                (one for kind, one in found.items() if issubclass(kind, meta["types"])), None
            )
        case _:
            return "a name"


def _checked(kind):
    return [field for field in dataclasses.fields(kind) if field.metadata.get("kind")]


CHECKED = [kind for kind in CLASSES if _checked(kind)]


def _id(kind):
    return f"{kind.__module__.removeprefix('pimlab.')}.{kind.__name__}"


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind.fields()], ids=_id)
def test_a_typo_is_answered_with_the_nearest_field(kind):
    for name in kind.fields():
        with pytest.raises(TypeError) as caught:
            kind(**{name + name[-1]: 1})
        text = str(caught.value)
        assert text.startswith(
            f"{kind.__name__} has no {name + name[-1]!r}; did you mean {name!r}?"
        )
        assert "fields: " in text


@pytest.mark.parametrize("kind", CHECKED, ids=_id)
def test_there_is_an_example_of_every_class(kind):
    assert kind in instances(), f"no preset holds a {_id(kind)}: add one to _examples()"
    assert instances()[kind].but() == instances()[kind]


def _refused(example, name, value):
    """The message with which `example.but(name=value)` is refused; fails where it is taken."""
    with pytest.raises((ValueError, TypeError)) as caught:
        example.but(**{name: value})
    return str(caught.value)


def _allowed(field):
    """A text the message must hold: what is allowed."""
    meta = field.metadata
    if meta["kind"] == "quantity":
        return ("outside", "not a", "not an")
    if meta["kind"] == "integer":
        return (f"{meta['low']}..{meta['high']}",)
    return (
        (", ".join(meta["options"]),)
        if meta["kind"] == "choice"
        else tuple(kind.__name__ for kind in meta["types"])
    )


def _bad(field):
    meta = field.metadata
    never = [] if field.default is None else [None]
    if meta["kind"] == "quantity":
        below = (
            [-1.0, "-1"]
            if meta["low"] >= 0 or (meta["above"] is not None and meta["above"] >= 0)
            else []
        )
        beyond = [meta["high"] * 1.01 + 1] if math.isfinite(meta["high"]) else []
        edge = [meta["above"]] if meta["above"] is not None else []
        return [
            math.nan,
            math.inf,
            -math.inf,
            True,
            [1.0],
            "1 furlong",
            "1 V" if meta["unit"] != "V" else "1 S",
            "",
            *never,
            *below,
            *beyond,
            *edge,
        ]
    if meta["kind"] == "integer":
        return [meta["low"] - 1, meta["high"] + 1, 1.5, math.nan, True, "8", *never]
    return ["nonesuch", 3.5, *never]


@pytest.mark.parametrize("kind", CHECKED, ids=_id)
def test_a_bad_value_is_named_with_what_is_allowed(kind):
    example = instances()[kind]
    for field in _checked(kind):
        for value in _bad(field):
            text = _refused(example, field.name, value)
            assert text.startswith(f"{kind.__name__} {field.name}={value!r}"), text
            assert any(allowed in text for allowed in _allowed(field)), text


FIELDS = {
    f"{kind.__name__}.{field.name}": (kind, field) for kind in CHECKED for field in _checked(kind)
}


def _named(wanted):
    return sorted(name for name, (_, field) in FIELDS.items() if field.metadata["kind"] == wanted)


@given(st.sampled_from(_named("quantity")), st.floats())
def test_no_number_outside_the_bounds_is_taken(name, value):
    kind, field = FIELDS[name]
    meta = field.metadata
    inside = (
        math.isfinite(value)
        and meta["low"] <= value <= meta["high"]
        and (meta["above"] is None or value > meta["above"])
    )
    if not inside:
        assert f"{kind.__name__} {field.name}={value!r} is outside" in _refused(
            instances()[kind], field.name, value
        )


@given(st.sampled_from(_named("integer")), st.integers())
def test_no_integer_outside_the_bounds_is_taken(name, value):
    kind, field = FIELDS[name]
    if not field.metadata["low"] <= value <= field.metadata["high"]:
        assert f"{kind.__name__} {field.name}={value!r} is outside" in _refused(
            instances()[kind], field.name, value
        )


def _numbers(kind):
    """Fields that hold a number, or a tuple of them, and that no `quantity` or `integer` checks."""
    if kind.__name__ in ANSWERS:
        return
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if not field.metadata.get("kind") and hints[field.name] in (float, int, tuple[float, ...]):
            yield field.name, (math.nan,) if hints[field.name] == tuple[float, ...] else math.nan


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if any(_numbers(kind))], ids=_id)
def test_no_other_number_may_be_nan(kind):
    for name, value in _numbers(kind):
        text = _refused(instances()[kind], name, value)
        assert name in text, text
        assert "nan" in text, text


def test_numpy_numbers_are_taken():
    assert MacOp(name="a", m=np.int64(2), k=3, n=4).macs == 24
    assert devices.device("pcm-joshi2020").but(g_max=np.float32(2.5e-5)).g_max == pytest.approx(
        2.5e-5
    )


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_a_host_is_a_machine_and_a_name_a_text(name):
    with pytest.raises(
        TypeError,
        match=r"host='warboy' is not a Target; write for example pimlab.target\('warboy'\)",
    ):
        presets.target(name).but(host="warboy")
    with pytest.raises(TypeError, match="name=3 is not a text"):
        presets.target(name).but(name=3)
