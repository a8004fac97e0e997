"""Is the inner protocol whole: no import circle, one registry, every organisation typed and every source known?"""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab import catalogue
from pimlab.dram_pim import machine, presets
from pimlab.studies import cite

ROOM = Path(pim.__file__).parent
LAYER = {"width": 256, "hidden": 512, "heads": 2, "context": 128}


def _imports(path):
    """Modules of this room that a file imports, wherever in the file and also for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and "dram_pim" in node.module:
            first = node.module.removeprefix("pimlab.dram_pim").strip(".")
            yield from [first] if first else [alias.name for alias in node.names]


def test_no_module_of_the_room_imports_itself_by_a_detour():
    graph = {
        path.stem: set(_imports(path)) for path in ROOM.glob("*.py") if path.stem != "__init__"
    }
    assert graph["engine"] >= {"geometry", "machine", "streams", "timing"}
    left = dict(graph)
    while free := [name for name, needed in left.items() if not needed & set(left)]:
        for name in free:
            del left[name]
    assert not left, f"an import circle among {sorted(left)}"


@pytest.mark.parametrize("name", sorted(pim.TARGETS))
def test_every_preset_has_an_organisation_that_answers_the_whole_protocol(name):
    target = pim.TARGETS[name]()
    assert isinstance(target.organisation, pim.Organisation)
    assert not inspect.isabstract(type(target.organisation))
    run = target.organisation.gemv(target.timing, 64, 64, 1, True, None)
    short = machine.summary(run)
    assert sum(run.phases().values()) == run.cycles == short.cycles
    assert short.events == dict(run.events)
    assert isinstance(run, machine.Traced) == (target.timing is not None)


def test_the_registry_is_the_catalogues_room():
    assert tuple(pim.TARGETS) == catalogue.names("pim")
    assert len(pim.TARGETS) == len(catalogue.names("pim"))
    with pytest.raises(KeyError, match="hbm-pin"):
        pim.TARGETS["hbm-pin"]


def test_a_file_may_rest_on_another():
    wide, narrow = presets.table("upmem-int32"), presets.table("upmem")
    assert wide["clock"] == narrow["clock"]
    assert (wide["operand_bytes"].value, narrow["operand_bytes"].value) == (4, 1)
    assert pim.TARGETS["upmem-int32"]().arithmetic == pim.FixedPoint(fraction=10)


@pytest.mark.parametrize("name", sorted(pim.TARGETS))
def test_sources_are_those_of_organisation_timing_prices_and_package(name):
    target, described = pim.TARGETS[name](), presets.table(name)
    cited = set(target.sources)
    for key in described:
        if key not in ("refresh_commands",):
            assert cited >= set(described[key].sources), key
    if target.timing is not None:
        for constant in catalogue.entry("dram", target.timing.name).values():
            assert cited >= set(constant.sources)


@pytest.mark.parametrize(
    "answer",
    [
        lambda: pim.gemv("hbm-pim", 64, 64),
        lambda: pim.elementwise("hbm-pim", "add", 64),
        lambda: pim.host_read("gddr6-aim", 64),
        lambda: pim.host_write("upmem", 64),
        lambda: pim.load("hbm-pim", 64, 64),
        lambda: pim.trace("gddr6-aim", 64, 64),
        lambda: pim.decode_layer("hbm-pim", **LAYER),
    ],
)
def test_every_answer_can_be_cited(answer):
    text = cite(answer())
    assert "pimsimulator" in text or "aimsimulator" in text or "emergentmind-upmem" in text


def test_lanes_need_registers():
    target = pim.TARGETS["gddr6-aim"]().but(arithmetic=pim.HalfLanes())
    with pytest.raises(ValueError, match="lanes of registers, which AimPim has not"):
        target.program(np.ones((4, 4), np.float32))
