"""The crossbar as a machine: ideal limits, converters, threads, chunks, drift, counts."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimlab.analog import (
    ADC,
    DAC,
    Crossbar,
    DriftCompensation,
    Refresh,
    Slices,
    Wires,
    device,
)
from pimlab.analog.devices import Arrhenius, Defects, GaussianReadNoise
from pimlab.analog.targets import TARGETS
from pimlab.keys import Key
from pimlab.machine.protocol import Calibration, MacOp, Range, VectorOp


@pytest.fixture(scope="module")
def hermes():
    return TARGETS["pcm-hermes"]()


@pytest.fixture(scope="module")
def operands():
    rng = np.random.default_rng(5)
    return rng.standard_normal((300, 40)).astype(np.float32), rng.standard_normal(
        (170, 300)
    ).astype(np.float32)


def _error(y, exact):
    return np.linalg.norm(y - exact) / np.linalg.norm(exact)


def test_ideal_machine_is_the_product(operands):
    w, x = operands
    bias = np.arange(40, dtype=np.float32)
    assert _error(Crossbar().program(w, 0, bias=bias).matmul(x), x @ w + bias) < 1e-6


@pytest.mark.parametrize("scaling", ["layer", "tile", "column"])
def test_no_scaling_rule_changes_an_ideal_machine(operands, scaling):
    w, x = operands
    assert _error(Crossbar(scaling=scaling).program(w).matmul(x), x @ w) < 1e-6


def test_zero_noise_is_ideal(operands):
    w, x = operands
    quiet = Crossbar(
        cell=device("pcm-joshi2020").but(programming=None, drift=None, read_noise=None)
    )
    assert _error(quiet.program(w, 3).matmul(x, 4, "1 y"), x @ w) < 1e-6


def test_more_adc_bits_are_never_worse(operands):
    w, x = operands
    errors = [
        _error(Crossbar(adc=ADC(bits=bits)).program(w).matmul(x), x @ w) for bits in (4, 6, 8, 10)
    ]
    assert errors == sorted(errors, reverse=True)


def test_lossless_adc_is_integer_matmul():
    rng = np.random.default_rng(1)
    w, x = rng.integers(-7, 8, (100, 11)), rng.integers(-7, 8, (30, 100))
    w[0], x[:, 0] = 7, 7
    machine = Crossbar(
        rows=32,
        dac=DAC(bits=4),
        adc=ADC(bits=20, range="fixed", margin=(2**19 - 1) / 49),
        scaling="layer",
    )
    assert np.array_equal(np.rint(machine.program(w).matmul(x.astype(np.float32))), x @ w)


@pytest.mark.parametrize("noise", ["catalogue", "one sigma", "clipped"])
def test_threads_and_chunks_do_not_matter(hermes, operands, noise):
    w, x = operands
    noises = {
        "catalogue": hermes.cell.read_noise,
        "one sigma": GaussianReadNoise(absolute=1e-9),
        "clipped": GaussianReadNoise(absolute=4e-7),
    }
    machine = hermes.but(cell=hermes.cell.but(read_noise=noises[noise]))
    programmed = machine.program(w, 1)
    x = x.copy()
    x[40:60, 3:] = 0
    whole = programmed.matmul(x, Key(seed=2).rows(100), "1 h")
    parts = [
        programmed.matmul(x[a:b], Key(seed=2).rows(100 + a), "1 h")
        for a, b in [(0, 1), (1, 29), (29, 170)]
    ]
    assert np.array_equal(np.vstack(parts), whole)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    assert np.array_equal(machine.program(w, 1).matmul(x, Key(seed=2).rows(100), "1 h"), whole)
    numba.set_num_threads(before)


def test_one_noise_off_leaves_the_others_where_they_are(hermes, operands):
    w, x = operands
    still = hermes.with_causes(("programming", "read noise")).program(w, 1)
    both = hermes.with_causes(("programming", "drift", "read noise")).program(w, 1)
    assert np.array_equal(still.polarities[0][0][1].programmed, both.polarities[0][0][1].programmed)
    assert np.array_equal(still.matmul(x, 2), both.matmul(x, 2))


def test_reads_differ_by_key_and_row(hermes, operands):
    w, x = operands
    programmed = hermes.but(adc=None).program(w, 1)
    same = np.repeat(x[:1], 3, axis=0)
    y = programmed.matmul(same, 7)
    assert np.abs(y[0] - y[1]).min() > 0
    assert np.abs(y - programmed.matmul(same, 8)).min() > 0


def test_compensation_undoes_the_mean_of_drift(hermes, operands):
    w, x = operands
    day = [
        _error(machine.program(w, 1).matmul(x, 2, "30 days"), x @ w)
        for machine in (hermes, hermes.but(compensation=None))
    ]
    assert day[0] < 0.6 * day[1]
    common = hermes.with_causes(("drift",))
    same_nu = common.but(
        cell=common.cell.but(
            drift=common.cell.drift.but(
                sigma=None, mean=common.cell.drift.mean.above.but(coefficients=(0.05,))
            )
        )
    )
    assert _error(same_nu.program(w, 1).matmul(x, 2, "1 y"), x @ w) < 1e-5


def test_calibrated_ranges_clip(operands):
    w, x = operands
    calibration = Calibration(
        x=Range(low=-1.0, high=1.0),
        y=Range(low=-1, high=1),
        sample=np.clip(x[:64], -1, 1),
        rule="minmax",
    )
    machine = Crossbar(dac=DAC(bits=12), adc=ADC(bits=12))
    programmed = machine.program(w, 0, calibration=calibration)
    assert _error(programmed.matmul(np.clip(x[:64], -1, 1)), np.clip(x[:64], -1, 1) @ w) < 2e-3
    assert np.allclose(programmed.matmul(9 * x[:2]), programmed.matmul(np.clip(9 * x[:2], -1, 1)))


def test_counts_by_hand(hermes):
    op = MacOp(name="conv", m=10, k=600, n=300, groups=2)
    assert hermes.arrays(op) == (3, 2)
    assert hermes.events(op) == {
        "array slot": 120 * 4 * 127,
        "row slot": 24000 * 4 * 127,
        "column slot": 18000 * 4 * 127,
        "digital add": 12000,
        "digital scale": 6000,
    }
    assert hermes.latency(op) == {"array read": pytest.approx(10 * 521e-9, rel=1e-4)}
    assert set(hermes.events(op)) <= set(hermes.prices)
    assert not hermes.serves(op.but(kind="activations"))
    assert not hermes.serves(VectorOp(name="softmax", kind="softmax", elements=3))


def test_cell_energy_by_hand():
    machine = TARGETS["pcm-hermes"]().with_causes(()).but(rows=2, scaling="layer")
    programmed = machine.program(np.array([[1.0], [-0.5]], np.float32))
    joules = programmed.integrals(np.array([[2.0, -1.0]], np.float32))["cell read"]
    assert joules == pytest.approx(0.2**2 * 508e-9 * 20.7e-6 * (1.0 + 0.5 * 64 / 127))


def test_causes(hermes):
    assert hermes.causes == ("dac", "programming", "drift", "read noise", "adc")
    only = hermes.with_causes(("drift",))
    assert only.causes == ("drift",)
    assert only.dac is None
    with pytest.raises(ValueError, match="did you mean 'drift'"):
        hermes.with_causes(("drft",))


def test_errors_teach(hermes, operands):
    w, x = operands
    with pytest.raises(TypeError, match="did you mean 'adc'"):
        hermes.but(adc_bit=6)
    with pytest.raises(ValueError, match="for no converter write adc=None"):
        ADC(bits=0)
    with pytest.raises(ValueError, match="not a time"):
        hermes.program(w).matmul(x, 0, -1.0)
    with pytest.raises(ValueError, match="allowed \\(batch, 300\\)"):
        hermes.program(w).matmul(x[:, :7])
    with pytest.raises(ValueError, match="finite"):
        hermes.program(np.full((2, 2), np.nan, np.float32))


def test_drift_compensation_is_a_part():
    assert Crossbar(compensation=DriftCompensation(vectors=8)).compensation.vectors == 8


def test_effective_bits_are_what_they_say():
    ramp = np.linspace(-1, 1, 20_001, dtype=np.float32)[:, None]
    machine = Crossbar(adc=ADC(bits=8, range="fixed", margin=1.0, enob=6.0), scaling="layer")
    y = machine.program(np.array([[1.0], [0.0]])).matmul(np.hstack([ramp, np.ones_like(ramp)]), 3)[
        :, 0
    ]
    assert (y - ramp[:, 0])[500:-500].std() == pytest.approx(2 / 2**6 / np.sqrt(12), rel=0.05)


def test_gain_offset_and_uneven_codes_are_drawn_once(operands):
    w, x = operands
    plain = Crossbar(adc=ADC(bits=8))
    for change in ({"gain_error": 0.05}, {"offset_error": 3.0}, {"dnl": 0.5}):
        poor = plain.but(adc=plain.adc.but(**change)).program(w, 1)
        assert np.array_equal(poor.matmul(x), poor.matmul(x))
        assert _error(poor.matmul(x), x @ w) > 1.02 * _error(plain.program(w, 1).matmul(x), x @ w)


def test_driver_errors_are_drawn_once():
    w, x = np.eye(300, dtype=np.float32), np.eye(300, dtype=np.float32)
    poor = Crossbar(dac=DAC(bits=8, gain_error=0.02)).program(w, 1)
    assert np.array_equal(poor.matmul(x), poor.matmul(x))
    assert np.diag(poor.matmul(x)).std() == pytest.approx(0.02, rel=0.15)
    shifted = (
        Crossbar(dac=DAC(bits=8, offset_error=0.5))
        .program(w, 1)
        .matmul(np.zeros((1, 300), np.float32))
    )
    assert shifted.std() == pytest.approx(0.5 / 127, rel=0.15)


def test_shared_converters_take_turns():
    adc = ADC(bits=8, columns=8, clock="1 GHz")
    assert adc.conversion_time == pytest.approx(64e-9)
    assert adc.but(kind="ramp").conversion_time == pytest.approx(8 * 256e-9)
    assert adc.but(kind="flash").conversion_time == pytest.approx(8e-9)


def _made(kind, **fields):
    try:
        return kind(**fields), ""
    except ValueError as error:
        return None, str(error)


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(-3, 40),
    enob=st.one_of(st.none(), st.floats(-1, 30)),
    margin=st.floats(-1, 10),
    codes=st.text(max_size=9),
)
def test_any_adc_is_made_or_refused_by_name(bits, enob, margin, codes):
    adc, refusal = _made(ADC, bits=bits, enob=enob, margin=margin, codes=codes)
    if adc is None:
        assert refusal.startswith("ADC")
    else:
        assert adc.low <= 0 < adc.high
        assert adc.noise >= 0


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(-1, 20),
    slice_bits=st.integers(0, 20),
    encoding=st.sampled_from(["amplitude", "pulse width", "bit serial"]),
    codes=st.sampled_from(["symmetric", "complement", "unsigned"]),
    data=st.data(),
)
def test_the_steps_of_any_dac_add_up_to_its_codes(bits, slice_bits, encoding, codes, data):
    dac, refusal = _made(DAC, bits=bits, slice_bits=slice_bits, encoding=encoding, codes=codes)
    if dac is None:
        assert refusal.startswith("DAC")
        return
    low = 0 if codes == "unsigned" else -dac.top
    sent = np.array(
        [data.draw(st.lists(st.integers(low, dac.top), min_size=1, max_size=8))], np.float32
    )
    steps = dac.phases(sent)
    assert len(steps) == dac.steps
    assert all(np.abs(step).max() <= dac.drive for _, step in steps)
    assert np.array_equal(sum(weight * step for weight, step in steps), sent)


def test_blas_threads_do_not_matter(hermes, operands):
    from threadpoolctl import threadpool_limits

    w, x = operands
    calibration = Calibration(
        x=Range(low=-3, high=3), y=Range(low=-1, high=1), sample=x[:64], rule="minmax"
    )
    read = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            read.append(hermes.program(w, 1, calibration=calibration).matmul(x, 2, "1 h"))
    assert np.array_equal(*read)


VARIANTS = {
    "ideal": {},
    "quantised": {"dac": DAC(bits=4), "adc": ADC(bits=5)},
    "sigma range": {"adc": ADC(bits=5, range="sigma")},
    "wires": {"wires": Wires(r_in=1, r_out=1)},
    "warm": {"cell": device("ideal").but(temperature=Arrhenius(energy="0.2 eV", temperature=350))},
    "curve": {"cell": device("reram-milo2021").but(programming=None)},
    "compensated": {"compensation": DriftCompensation()},
    "refreshed": {"refresh": Refresh(period="1 day")},
    "ideal enob": {"adc": ADC(bits=6, enob=6)},
    "driver gain": {"dac": DAC(bits=4, gain_error=0.02)},
    "driver offset": {"dac": DAC(bits=4, offset_error=0.3)},
    "ADC gain": {"adc": ADC(bits=6, gain_error=0.05)},
    "ADC offset": {"adc": ADC(bits=6, offset_error=2)},
    "driver INL": {"dac": DAC(bits=4, inl=0.5)},
    "one-bit INL": {"dac": DAC(bits=4, encoding="bit serial", inl=0.5)},
    "ADC INL": {"adc": ADC(bits=6, inl=1.0)},
    "ADC of few codes": {"adc": ADC(bits=2, inl=1.0)},
    "ADC steps": {"adc": ADC(bits=6, dnl=0.5)},
    "ADC noise": {"adc": ADC(bits=6, enob=4)},
    "programming": {"cell": device("pcm-joshi2020").but(drift=None, read_noise=None)},
    "drift": {"cell": device("pcm-joshi2020").but(programming=None, read_noise=None)},
    "relaxation": {"cell": device("reram-wan2022").but(programming=None)},
    "read noise": {"cell": device("pcm-joshi2020").but(programming=None, drift=None)},
    "stuck cells": {"cell": device("ideal").but(defects=Defects(stuck_low=0.2))},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_varies_is_true_exactly_when_keys_or_times_matter(operands, name):
    w, x = operands[0][:, :5], operands[1][:20]
    machine = Crossbar(**VARIANTS[name])
    answers = [
        machine.program(w, key).matmul(x, read, at)
        for key, read, at in ((0, 0, 0.0), (1, 0, 0.0), (0, 1, 0.0), (0, 0, "1 month"))
    ]
    assert machine.varies == any(not np.array_equal(answers[0], other) for other in answers[1:])


def test_what_clips_is_counted_by_hand():
    w = np.ones((2, 1), np.float32)
    x = np.array([[1, 1], [2, 0], [0.4, 0.4], [-3, -3]], np.float32)
    known = Calibration(
        x=Range(low=-1, high=1),
        y=Range(low=-1, high=1),
        sample=np.array([[1, 0.2]], np.float32),
        rule="minmax",
    )
    for dac, inputs in ((None, None), (DAC(bits=8), 3)):
        machine = Crossbar(dac=dac, adc=ADC(bits=8))
        programmed = machine.program(w, calibration=known)
        y, counts = programmed.counted(x)
        # the range is 1.2 (one calibration row): rows 0 and 3 sum to +-2 of full inputs (without DAC +-6), row 1 to 1 (without: 2)
        assert counts == (
            {"sums clipped": 3} if dac is None else {"inputs clipped": inputs, "sums clipped": 2}
        )
        assert np.array_equal(y, programmed.matmul(x))
    assert Crossbar().program(w).counted(x)[1] == {}
    halves = [
        programmed.counted(part, Key(seed=0).rows(row))[1] for row, part in ((0, x[:1]), (1, x[1:]))
    ]
    assert {name: halves[0][name] + halves[1][name] for name in counts} == counts


def test_a_lossless_range_clips_nothing(hermes, operands):
    w, x = operands
    assert Crossbar(adc=ADC(bits=8, range="worst case")).program(w).counted(x)[1] == {
        "sums clipped": 0
    }
    assert (
        hermes.program(w, 1).counted(x, 2, "1 day")[1]["sums clipped"]
        < 0.001 * x.shape[0] * w.shape[1] * 2
    )
    biased = Crossbar(bias_rows=2, dac=DAC(bits=6)).program(
        w,
        bias=np.ones(40, np.float32),
        calibration=Calibration(
            x=Range(low=-1, high=1), y=Range(low=-1, high=1), sample=x[:8], rule="minmax"
        ),
    )
    assert biased.counted(x)[1]["inputs clipped"] == np.count_nonzero(np.abs(x) > 1 + 0.5 / 31)


def test_a_column_carries_no_more_than_its_limit(operands):
    """V g x by hand, cut at 4 uA; what an ADC of a larger range sees is cut before it."""
    w, x = operands[0][:20, :4], np.abs(operands[1][:6, :20])
    machine = Crossbar(current_limit="4 uA")
    y, counts = machine.program(w).counted(x)
    scale, full = np.abs(w).max(axis=0), x.max(axis=1, keepdims=True)
    amperes = 1e-5 * machine.read_voltage * (x / full) @ (w / scale)
    cut = np.clip(amperes, -4e-6, 4e-6)
    assert counts == {"sums clipped": np.count_nonzero(cut != amperes)}
    assert 0 < counts["sums clipped"] < cut.size
    np.testing.assert_allclose(y, cut / (1e-5 * machine.read_voltage) * scale * full, atol=2e-6)
    wide = machine.but(adc=ADC(bits=12, range="worst case"), current_limit="1 uA")
    low, counts = wide.program(w).counted(x)
    assert np.abs(low).max() < np.abs(y).max() / 3
    assert counts["sums clipped"] == np.count_nonzero(np.abs(amperes) > 1e-6)
    with pytest.raises(ValueError, match="pulse widths"):
        machine.but(dac=DAC(bits=6, encoding="pulse width"))
    with pytest.raises(ValueError, match="current_limit='0 A'"):
        Crossbar(current_limit="0 A")


@pytest.mark.parametrize("subtract", ["analog", "digital"])
def test_balanced_pairs_hold_both_halves(operands, subtract):
    w, x = operands
    machine = Crossbar(pairs="balanced", subtract=subtract)
    programmed = machine.program(w)
    assert _error(programmed.matmul(x), x @ w) < 1e-6
    (_, plus), (_, minus) = programmed.conductances()
    np.testing.assert_allclose(plus + minus, machine.pair_cell.g_max, rtol=1e-6)
    with pytest.raises(ValueError, match="allowed there: 'one-sided'"):
        machine.but(coding="offset", subtract="analog")


@pytest.mark.parametrize("coding", ["differential", "offset", "offset column"])
def test_slices_added_before_one_conversion(operands, coding):
    """Without a converter the sum is the same; with one, a lossless code makes it exact, and a
    conversion a weight is counted where there were four."""
    w, x = operands
    dac, slices = DAC(bits=4), Slices(bits=8, per_cell=2)
    apart = Crossbar(dac=dac, slices=slices, coding=coding, rows=128)
    joined = apart.but(slices=slices.but(combine="analog"))
    np.testing.assert_allclose(
        joined.program(w).matmul(x), apart.program(w).matmul(x), rtol=1e-5, atol=1e-4
    )
    exact = joined.but(adc=ADC(bits=24, range="lossless")).program(w).matmul(x)
    np.testing.assert_allclose(exact, apart.program(w).matmul(x), rtol=1e-5, atol=1e-4)
    coarse = joined.but(adc=ADC(bits=8)).program(w).matmul(x)
    assert 1e-3 < _error(coarse, exact) < 0.3  # an offset takes up most of the range
    op = MacOp(name="x", m=1, k=300, n=40)
    count, before = (m.but(adc=ADC(bits=8)).events(op)["ADC conversion"] for m in (joined, apart))
    assert before == apart.columns_a_weight * count
    assert joined.arrays(op) == apart.arrays(op)


def test_slices_that_are_added_before_keep_the_noise_of_their_cells(operands):
    """The variance of a sum is that of its columns, by the square of their weights."""
    w, x = operands[0][:, :8], np.tile(operands[1][:1], (4000, 1))
    machine = Crossbar(
        cell=device("gaussian").but(programming=None),
        dac=DAC(bits=6),
        slices=Slices(bits=6, per_cell=2, combine="analog"),
        rows=128,
    )
    apart = machine.but(slices=machine.slices.but(combine="digital"))
    joined, before = (m.program(w, 1).matmul(x, 2).astype(float) for m in (machine, apart))
    np.testing.assert_allclose(joined, before, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="allowed there: 'digital'"):
        machine.but(subtract="digital")


def test_the_area_of_a_chip_is_that_of_its_arrays_and_of_the_rest():
    machine = TARGETS["colonnade"]().but(capacity=3)
    array = sum(part.value for part in machine.area.values())
    assert machine.chip_area.value == pytest.approx(3 * array)
    assert machine.but(capacity=None).chip_area is None
    assert machine.but(costs=machine.costs.but(areas=())).chip_area is None
    rest = next(iter(machine.area.values()))
    costs = machine.costs.but(areas=(*machine.costs.areas, ("chip", rest)))
    assert machine.but(costs=costs).chip_area.value == pytest.approx(3 * array + rest.value)
