"""Does every PIM memory of the catalogue count, time, price and compute, and do generic formats behave as formats?"""

import itertools
import pathlib

import numpy as np
import pytest

import pimlab.dram_pim as pim
from pimlab import catalogue
from pimlab.cost import price
from pimlab.dram_pim import presets
from pimlab.formats import FloatAccumulator
from pimlab.machine.protocol import Calibration, MacOp, Range

OP = MacOp(name="fc", m=3, k=300, n=700)


@pytest.mark.parametrize("name", sorted(pim.TARGETS))
def test_every_preset_answers(name):
    target = pim.TARGETS[name]()
    energy = price({**target.events(OP), **target.static}, target.prices)
    assert all(energy.low[c] <= energy.nominal[c] <= energy.high[c] for c in energy.nominal)
    assert sum(target.latency(OP).values()) > 0
    assert float(pim.host_read(target, 10**6).seconds) > 0
    x, w = np.ones((2, 300), np.float32), np.full((300, 7), 0.5, np.float32)
    np.testing.assert_allclose(pim.matmul(x, w, target), 150, rtol=0.01)


@pytest.mark.parametrize(
    "name",
    ["hbm2", "hbm3", "hbm4", "gddr6", "lpddr5", "ddr5", "gddr6-aim", "lpddr5x-pim", "lpddr6-pim"],
)
def test_every_timing_table_schedules_host_traffic_validly(name):
    table = pim.timing(name)
    target = pim.TARGETS["hbm-pim"]().but(timing=table)
    for op in ("read", "write"):
        trace = pim.trace(target, op, bytes=1 << 21)
        assert pim.validate(trace, table) == trace.sizes["index"]
    assert pim.validate(pim.trace(target, "gemv", m=100, k=300), table) > 200


def test_unknown_tables_and_presets_name_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'hbm[234]'"):
        pim.timing("hbm5")
    with pytest.raises(ValueError, match="did you mean 'upmem'"):
        pim.gemv("upmen", 4, 4)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        # 32 pseudo-channels x 8 units x 32 bytes every 4 x 0.625 ns; the pins take 32 in 1.25 ns
        ("hbm3-pim", 3.2768e12, 0.8192e12),
        ("hbm4-pim", 8.192e12, 2.048e12),  # 64 x 8 x 32 bytes every 4 x 0.5 ns; 32 in 1 ns
        # 8 channels x 16 banks x 32 bytes every 4 x 0.9375 ns; 32 in 1.875 ns: eight times
        ("lpddr5x-pim", 1.092267e12, 0.136533e12),
        ("lpddr6-pim", 1.092267e12, 0.113778e12),  # every 10 x 0.375 ns; 32 in 2.25 ns
        (
            "aimx",
            16.384e12,
            1.024e12,
        ),  # 32 channels x 16 banks x 32 bytes a ns, twice 512 GB/s each
    ],
)
def test_bandwidth_of_the_banks_follows_from_the_organisation(name, inside, outside):
    machine = pim.TARGETS[name]()
    org, t = machine.organisation, machine.timing
    pins = org.channels * org.access_bits / 8 / (t.tCCDS * t.tCK)
    assert pins == pytest.approx(outside, rel=1e-5)
    assert pins * org.bandwidth_ratio(t) == pytest.approx(inside, rel=1e-5)


def test_the_claim_of_lpddr5x_pim_is_what_units_in_every_bank_give():
    claimed = 8  # "up to eight times", Herald, 12 February 2026
    machine = pim.TARGETS["lpddr5x-pim"]()
    assert machine.organisation.bandwidth_ratio(machine.timing) == claimed


@pytest.mark.parametrize(
    ("name", "cycles"),
    [
        # of 256 more inputs: registers of even and odd banks are written, two tiles of two rows read
        (
            "hbm3-pim",
            20 + 2 - 10 + 8 + 28 + 10 + 2 + 10 + 9 + 26 + 15 + 28 + 45 + 26 + 31 + 2 * 314,
        ),
        ("hbm4-pim", 25 + 28 + 25 + 12 + 33 + 19 + 28 + 54 + 33 + 39 + 2 * (62 * 4 + 84)),
    ],
)
def test_a_pair_of_tiles_takes_its_commands_by_hand(name, cycles):
    machine = pim.TARGETS[name]()
    org, t = machine.organisation, machine.timing
    few, more = (org.gemv(t, 1, k, 1, False, None).cycles for k in (512, 768))
    # activates hold the row bus for two cycles each
    assert cycles < more - few <= 1.011 * cycles


@pytest.mark.parametrize(
    ("name", "cycles"),
    [
        # switch, bias, 64 inputs, switch, activate, 64 products, switch, read
        ("lpddr5x-pim", 1 + 18 + 64 * 2 + 1 + 18 + 20 + 63 * 4 + 1 + 18 + 4),
        ("lpddr6-pim", 1 + 43 + 64 * 6 + 1 + 43 + 48 + 63 * 10 + 1 + 43 + 8),
    ],
)
def test_one_row_of_all_banks_takes_its_commands_by_hand(name, cycles):
    machine = pim.TARGETS[name]()
    assert machine.organisation.gemv(machine.timing, 128, 1024, 1, False, None).cycles == cycles


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("cxl-pnm", 122.016e-6),  # 16384 x 4096 weights of 2 bytes at 1.1 TB/s
        ("axdimm", 3.495253e-3),  # at twice 19.2 GB/s
        ("smartssd", 44.739243e-3),  # at 3 GB/s
    ],
)
def test_memory_beside_an_accelerator_reads_its_weights_once(name, seconds):
    assert float(pim.gemv(name, 16384, 4096).seconds) == pytest.approx(seconds, rel=1e-5)
    assert float(pim.gemv(name, 16384, 4096, 8).seconds) < 3 * seconds


def test_a_card_has_the_memory_of_its_packages_and_a_controller():
    card, bare = pim.TARGETS["aimx"](), pim.TARGETS["gddr6-aim"]()
    assert card.organisation.capacity == 16 << 30
    assert card.link.name == "pcie4-x16"
    assert bare.link is None
    assert card.static["controller second"] == 1
    assert card.static_owners["controller second"] == "chip"
    assert card.latency(OP) == bare.latency(OP)
    assert card.all_bank_power() == bare.all_bank_power()


def test_upmem_pipeline_fills_at_eleven_tasklets():
    org = pim.TARGETS["upmem"]().organisation
    cycles = [org.but(tasklets=n).pipeline(100_000) for n in range(1, 25)]
    assert cycles[0] == 1_100_000
    assert cycles[10:] == [100_000] * 14
    assert all(a > b for a, b in itertools.pairwise(cycles[:11]))


def test_upmem_refuses_what_scalar_cores_do_not_have():
    with pytest.raises(ValueError, match="issue no DRAM commands"):
        pim.trace("upmem", "gemv", m=4, k=4)
    with pytest.raises(ValueError, match="bytes a bank"):
        pim.gemv("upmem", 10**7, 10**5)
    with pytest.raises(ValueError, match="needs timing=None"):
        pim.TARGETS["upmem"]().but(timing=pim.timing("hbm2"))
    with pytest.raises(ValueError, match="needs a timing table"):
        pim.TARGETS["hbm-pim"]().but(timing=None)


def _operands():
    rng = np.random.default_rng(0)
    return rng.standard_normal((5, 96)).astype(np.float32), rng.standard_normal((96, 11)).astype(
        np.float32
    )


@pytest.mark.parametrize(
    ("inputs", "weights", "tolerance"),
    [
        ("int8", "int8", 0.02),
        ("int8", "int4", 0.2),
        ("fp8_e4m3", "fp8_e4m3", 0.08),
        ("bf16", "bf16", 0.01),
        ("mxfp8_e4m3", "mxfp4", 0.3),
    ],
)
def test_what_if_the_bank_had_another_format(inputs, weights, tolerance):
    x, w = _operands()
    target = pim.TARGETS["hbm-pim"]().but(arithmetic=pim.AnyFormat(inputs=inputs, weights=weights))
    error = np.abs(pim.matmul(x, w, target) - x @ w).mean() / np.abs(x @ w).mean()
    assert 0 < error < tolerance
    np.testing.assert_allclose(
        pim.matmul(x, w, target.with_causes(())), x @ w, rtol=1e-4, atol=1e-4
    )


def test_accumulators_of_any_format_lose_bits():
    x, w = np.abs(_operands()[0]), np.abs(_operands()[1])
    base = pim.TARGETS["hbm-pim"]()
    exact = pim.matmul(x, w, base.but(arithmetic=pim.AnyFormat(inputs="bf16", weights="bf16")))
    narrow = pim.AnyFormat(
        inputs="bf16", weights="bf16", accumulator=FloatAccumulator(format="bf16")
    )
    assert np.abs(pim.matmul(x, w, base.but(arithmetic=narrow)) - exact).max() > 0.01


def test_calibrated_inputs_clip_at_the_range():
    sample = np.zeros((1, 4), np.float32)
    calibration = Calibration(
        x=Range(low=-1, high=1), y=Range(low=-1, high=1), sample=sample, rule="minmax"
    )
    target = pim.TARGETS["upmem"]()
    y = target.program(np.eye(4, dtype=np.float32), calibration=calibration).matmul(
        np.full((1, 4), 3, np.float32)
    )
    np.testing.assert_allclose(y, 1, rtol=1e-6)


def test_mixed_integers_and_floats_are_refused():
    with pytest.raises(ValueError, match="integers multiply integers"):
        pim.AnyFormat(inputs="fp16", weights="int8")
    with pytest.raises(ValueError, match="write accumulator=None"):
        pim.AnyFormat(accumulator=FloatAccumulator())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[channels]", "[chanels]", r"no \[channels\]; it has \[chanels\]"),
        ("[ranks]", "[rank]", r"no \[ranks\]; it has \[rank\]"),
    ],
)
def test_a_file_with_a_misspelt_table_says_which(tmp_path, before, after, said):
    text = (pathlib.Path(catalogue.__file__).parent / "pim" / "gddr6-aim.toml").read_text()
    assert before in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(before, after))
    with pytest.raises(catalogue.CatalogueError, match=said):
        presets.organisation(catalogue.load(file))
