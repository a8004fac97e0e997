"""Can every public answer be cited? A walk over all public functions that return a Dataset."""

import functools
import importlib
import inspect

import numpy as np
import pytest

import pimlab as pim
from pimlab.machine.protocol import MacOp

ROOMS = [name for name in pim.__all__ if inspect.ismodule(getattr(pim, name))]


@functools.cache
def mlp():
    return pim.load_model("digits-mlp"), pim.load_data("digits", limit=10)


def small_sweep():
    @pim.study
    def one(seed):
        return pim.run(*mlp_on("pcm-hermes"), seed=seed)[["energy"]]

    return pim.sweep(one, seed=[0, 1], progress=False)


def mlp_on(target):
    model, data = mlp()
    return model, pim.target(target), data


def busy(target):
    return pim.schedule(mlp()[0], pim.target(target), inferences=4)


def plain_stream():
    machine = pim.dram_pim.TARGETS["hbm-pim"]()
    banks = pim.dram_pim.Banks(
        **{
            name: getattr(machine.organisation, name)
            for name in pim.dram_pim.Banks.fields()
            if hasattr(machine.organisation, name)
        }
    )
    requests = np.arange(8)
    return pim.dram_pim.schedule(
        machine.timing, banks, np.zeros(8, bool), requests % 4, requests * 0, requests
    )


def digits_on():
    """Step times of a small network, requests for it, and a bound that they keep."""
    times = pim.serving.of_model(mlp()[0], pim.target("warboy"), batches=(1, 8))
    return times, pim.serving.single_shots(rate="1 kHz", count=200), pim.Slo(ttft="1 s")


def digits_farm():
    farm = pim.farm
    digits = farm.Service(name="digits", model="digits-mlp", rate="2 MHz", latency="1 ms")
    clouds = [farm.Cloud(name=name, power="100 kW", racks=5) for name in ("a", "b")]
    rules = farm.Rules(vendors=2, clouds=2)
    return [digits], ["warboy", "atom"], clouds, rules


def digits_years():
    services, offers, clouds, rules = digits_farm()
    years = [pim.farm.Period(name="2025", start=2025, end=2025, rules=rules)]
    return pim.farm.roadmap(services, offers, clouds, years)


LAYER = {"width": 256, "heads": 4, "hidden": 512, "context": 16}
ANSWERS = {
    "run": lambda: pim.run(*mlp_on("hbm-pim")),
    "explain": lambda: pim.explain(*mlp_on("warboy")),
    "compare": lambda: pim.compare(["digits-mlp"], ["warboy"], limit=5),
    "compare_results": lambda: pim.compare_results(
        *(pim.run(pim.load_model("digits-mlp"), pim.target(name)) for name in ("warboy", "rngd"))
    ),
    "likely_energy": lambda: pim.likely_energy(pim.run(*mlp_on("warboy"))),
    "decisive": lambda: pim.decisive("digits-mlp", ["warboy", "hbm-pim"]),
    "sweep": small_sweep,
    "npu.roofline": lambda: pim.npu.roofline(
        pim.target("warboy"), [MacOp(name="a", m=8, k=8, n=8)]
    ),
    "dram_pim.gemv": lambda: pim.dram_pim.gemv("hbm-pim", 64, 64),
    "dram_pim.elementwise": lambda: pim.dram_pim.elementwise("gddr6-aim", "mul", 64),
    "dram_pim.host_read": lambda: pim.dram_pim.host_read("lpddr-pim", 4096),
    "dram_pim.host_write": lambda: pim.dram_pim.host_write("hbm-pim", 4096),
    "dram_pim.load": lambda: pim.dram_pim.load("hbm-pim", 64, 64),
    "dram_pim.trace": lambda: pim.dram_pim.trace("hbm-pim", "gemv", m=64, k=64),
    "dram_pim.read_results": lambda: pim.dram_pim.read_results("hbm-pim", 64, 64),
    "dram_pim.schedule": plain_stream,
    "dram_pim.integers": lambda: pim.dram_pim.integers("mul", [3], [4]),
    "dram_pim.trace_energy": lambda: pim.dram_pim.trace_energy(
        plain_stream(), "hbm2", clock=1e-9, access_bits=256
    ),
    "energy_at": lambda: pim.energy_at(busy("warboy"), "1 kHz"),
    "crossings": lambda: pim.crossings([busy("warboy"), busy("pcm-hermes")]),
    "schedule": lambda: busy("pcm-hermes"),
    "schedule.schedule": lambda: busy("pcm-hermes"),
    "schedule.energy_at": lambda: pim.energy_at(busy("hbm-pim"), "1 kHz"),
    "schedule.crossings": lambda: pim.crossings([busy("warboy"), busy("hbm-pim")]),
    "service_life": lambda: pim.service_life(*mlp_on("pcm-hermes"), rate="1 Hz"),
    "device_spec_map": lambda: pim.device_spec_map(
        *mlp(), window=[100.0], programming=[0.0], read=[0.0], drift=[0.0]
    ),
    "operating_points": lambda: pim.operating_points(*mlp_on("warboy")),
    "serve": lambda: pim.serve(*digits_on()[:2]),
    "serving.serve": lambda: pim.serving.serve(*digits_on()[:2]),
    "serving.most_rate": lambda: pim.serving.most_rate(*digits_on()),
    "serving.against_slo": lambda: pim.serving.against_slo(*digits_on()[:2], [digits_on()[2]]),
    "farm.changes": lambda: pim.farm.changes(pim.provision(*digits_farm())),
    "farm.k_perf": lambda: pim.farm.k_perf(["rngd"], ["llama3.1-8b"], [(512, 128)], [16]),
    "farm.roadmap": digits_years,
    "dram_pim.decode_layer": lambda: pim.dram_pim.decode_layer("gddr6-aim", **LAYER),
}
"""Public function -> a small call of it. One that is missing here fails the first test."""


WITHOUT_SOURCES = {"farm.pack": "a user's own partitions on a user's own nodes"}
"""Public function -> why no published number is behind its answer."""


def public():
    """(name, function) of everything public, room by room."""
    for name in pim.__all__:
        yield name, getattr(pim, name)
    for room in ROOMS:
        for name in getattr(getattr(pim, room), "__all__", ()):
            yield f"{room}.{name}", getattr(importlib.import_module(f"pimlab.{room}"), name)


def returns_a_dataset(thing):
    if not inspect.isfunction(thing):
        return False
    return "Dataset" in str(inspect.signature(thing).return_annotation)


def test_every_function_that_answers_is_walked():
    found = {name for name, thing in public() if returns_a_dataset(thing)}
    assert found <= set(ANSWERS) | set(WITHOUT_SOURCES), found - set(ANSWERS)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_answer_can_be_cited(name):
    answer = ANSWERS[name]()
    assert pim.cite(answer).startswith("@"), name
    assert all("," not in key for key in pim.result.sources_of(answer))


def test_plans_placements_machines_and_trained_networks_can_be_cited():
    model = mlp()[0]
    placed = pim.place(model, [pim.target("warboy"), pim.target("hbm-pim")])
    assert "@" in pim.cite(placed)
    assert set(pim.target("hbm-pim").cited) <= set(pim.result.sources_of(placed.table))
    assert pim.cite(pim.target("pcm-hermes")).startswith("@")
    labelled = pim.load_data("digits", "train", limit=64)
    trained = pim.train(model, pim.target("pcm-hermes"), labelled)
    assert pim.cite(trained.history).startswith("@")
