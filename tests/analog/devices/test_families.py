"""Device families: published numbers, growth in time, levels, defects, temperature, telegraph noise, a user's own file."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pimlab import catalogue, units
from pimlab.analog import Crossbar, Slices, device, device_names
from pimlab.analog.devices import (
    Arrhenius,
    CubicCurrent,
    Defects,
    Device,
    Leak,
    SelectedCurrent,
    TelegraphNoise,
    check,
)
from pimlab.analog.devices.clipped import moments
from pimlab.analog.devices.conformance import ConformanceError

DATA = Path(__file__).parents[3] / "datasets" / "reference" / "analog"
G = np.array([0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0])


def _table(prefix):
    with open(DATA / "device_sigma_table.csv", newline="", encoding="utf-8") as stored:
        rows = {row[0]: [float(v) for v in row[1:]] for row in list(csv.reader(stored))[1:]}
    return next(values for name, values in rows.items() if name.startswith(prefix))


@pytest.mark.parametrize("name", device_names())
def test_every_device_passes_the_conformance_suite(name):
    assert len(check(device(name))) == 6


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("PCM Joshi2020 Fig3b", "pcm-joshi2020-crosssim"),
        ("ReRAM Wan2022 1s (AIH", "reram-wan2022"),
        ("SONOS Agrawal2022 day0", "sonos-agrawal2022"),
    ],
)
def test_programming_spread_table(prefix, name):
    cell = device(name)
    assert cell.programming.spread(G * cell.g_max) / cell.g_max == pytest.approx(
        _table(prefix), abs=1e-5
    )


def test_milo_spread_is_of_the_range():
    cell = device("reram-milo2021")
    g = cell.g_min + G * (cell.g_max - cell.g_min)
    assert cell.programming.spread(g) / (cell.g_max - cell.g_min) == pytest.approx(
        _table("ReRAM Milo"), abs=1e-5
    )


@pytest.mark.parametrize(
    ("label", "name", "day"),
    [
        ("ReRAM Wan2022 1d", "reram-wan2022", 1),
        ("ReRAM Wan2022 2d", "reram-wan2022", 2),
        ("SONOS Agrawal2022 day1", "sonos-agrawal2022", 1),
        ("SONOS Agrawal2022 day5", "sonos-agrawal2022", 5),
    ],
)
def test_spread_grows_to_the_measured_one(label, name, day):
    cell = device(name)
    assert cell.drift.spread(G * cell.g_max, day * 86400.0) / cell.g_max == pytest.approx(
        _table(label), abs=1e-5
    )
    target = np.full((300, 300), 0.5 * cell.g_max)
    now = cell.drifted(cell.program(target, 1), day * 86400.0, 1, target)
    assert now.std() / cell.g_max == pytest.approx(_table(label)[4], rel=0.015)


def test_two_digitisations_of_one_figure_are_an_interval():
    cell = device("reram-wan2022")
    low, high = cell.programming.interval(G * cell.g_max)
    assert (high - low).max() / cell.g_max == pytest.approx(0.018, abs=0.002)
    assert np.all(low <= cell.programming.spread(G * cell.g_max))


def test_two_fits_of_joshi_agree_within_a_tenth_of_a_percent():
    g = np.linspace(0, 25e-6, 50)
    first, second = (
        device(name).programming.spread(g) for name in ("pcm-joshi2020", "pcm-joshi2020-crosssim")
    )
    assert np.abs(first - second).max() / 25e-6 < 1.05e-3


def test_cmo_selects_the_curve_it_names():
    assert device("reram-cmo").programming.spread(np.array(50e-6)) == pytest.approx(
        (0.0112185391 + 0.01129027418 * 50) * 1e-6, rel=1e-6
    )
    assert device("reram-cmo-tight").programming.spread(np.array(50e-6)) == pytest.approx(
        (0.00081107 + 0.00106879 * 50) * 1e-6, rel=1e-6
    )
    now = device("reram-cmo").drifted(np.full((400, 400), 50e-6), "1 h", 3)
    assert now.mean() == pytest.approx(50e-6 - 0.08900206e-6 * np.log(3600), abs=5e-9)
    assert now.std() == pytest.approx((0.04201137 * np.log(3600) + 0.41183342) * 1e-6, rel=0.01)


def test_sonos_drifts_as_its_authors_last_fit():
    """CrossSim 3.2.0, day 1: -3.8 nA at 800 nA over 0.1 V (the fit it replaced: -24.9 nA)."""
    shift = device("sonos-agrawal2022").drift.shift
    assert shift(np.array(8e-6), 86400.0) == pytest.approx(-0.038e-6, abs=1e-9)
    day = np.diff(shift(np.linspace(3e-6, 16e-6, 50), 86400.0))
    assert (day < 0).all()
    assert day.min() > -5e-9


@pytest.mark.parametrize("relative", [0.0, 0.02, 0.2, 1.0])
def test_relaxation_is_cut_at_zero_once(relative):
    """ReRAM after a day: max(target + sigma z, 0), as aihwkit draws it; cutting both after programming
    and after a day shifted the mean of empty cells by 18 %."""
    cell = device("reram-wan2022").but(g_min=0.0)
    target = np.full((400, 500), relative * cell.g_max)
    now = cell.drifted(cell.program(target, 1), 86400.0, 1, target)
    sigma = cell.drift.spread(target[0, 0], 86400.0)
    mean, variance = (float(m) for m in moments(target[0, 0], sigma))
    error = np.sqrt(variance / now.size)
    assert abs(now.mean() - mean) < 4 * error
    assert now.std() == pytest.approx(np.sqrt(variance), rel=0.01)


def test_cells_written_exactly_stay_where_they_are_until_they_relax():
    cell = device("reram-wan2022").but(g_min=0.0, programming=None)
    target = np.zeros((300, 300))
    assert (cell.drifted(target, 1.0, 1) == 0).all()
    grown = np.sqrt(cell.drift.spread(0.0, 86400.0) ** 2 - cell.drift.spread(0.0, 1.0) ** 2)
    assert cell.drifted(target, 86400.0, 1).mean() == pytest.approx(
        grown / np.sqrt(2 * np.pi), rel=0.02
    )


@pytest.mark.parametrize("end", ["g_min", "g_max"])
def test_cmo_cells_stay_in_their_range(end):
    """As aihwkit's reram.py: drifted and noisy conductances are cut at both ends."""
    cell = device("reram-cmo")
    target = np.full((400, 400), getattr(cell, end))
    now = cell.drifted(cell.program(target, 1), "1 day", 1, target)
    assert now.min() >= cell.g_min
    assert now.max() <= cell.g_max
    seen = cell.read(now, 0.0, 1)
    assert seen.min() >= cell.g_min
    assert seen.max() <= cell.g_max
    age = np.log(86400)
    free = getattr(cell, end) - 0.08900206e-6 * age
    spread = np.hypot((0.04201137 * age + 0.41183342) * 1e-6, cell.programming.spread(target[0, 0]))
    z = np.random.default_rng(0).standard_normal(1_000_000)
    expected = np.clip(free + spread * z, cell.g_min, cell.g_max)
    assert now.mean() == pytest.approx(expected.mean(), abs=5 * expected.std() / 400)
    assert check(cell)


def test_sonos_read_noise():
    cell = device("sonos-agrawal2022").but(drift=None)
    seen = cell.read(np.full((300, 300), 4e-6), 0, 3)
    assert seen.std() == pytest.approx(12.58037 * (1 - np.exp(-400 / 215.36557)) * 1e-8, rel=0.01)


def test_binary_cells_take_one_of_two_states():
    cell = device("stt-mram").but(programming=None)
    assert set(np.unique(cell.program(np.linspace(cell.g_min, cell.g_max, 9)))) == {
        cell.g_min,
        cell.g_max,
    }
    with pytest.raises(ValueError, match="holds 2 levels"):
        Crossbar(cell=cell)
    with pytest.raises(ValueError, match="holds 8 levels"):
        Crossbar(cell=device("fefet-hsieh2021"), slices=Slices(bits=8, per_cell=4))


def test_stuck_cells_are_the_share_asked_for():
    cell = device("ideal").but(defects=Defects(stuck_low=0.02, stuck_high=0.01))
    g = cell.program(np.full((400, 500), 5e-6), 1)
    assert (g == 0).mean() == pytest.approx(0.02, rel=0.05)
    assert (g == cell.g_max).mean() == pytest.approx(0.01, rel=0.1)
    assert np.array_equal(g, cell.program(np.full((400, 500), 5e-6), 1))


def test_temperature_scales_by_arrhenius():
    warm = device("ideal").but(temperature=Arrhenius(energy="0.2 eV", temperature="350 K"))
    factor = warm.drifted(np.array([1e-6]), 0)[0] / 1e-6
    assert factor == pytest.approx(
        np.exp(-0.2 * 1.602176634e-19 / 1.380649e-23 * (1 / 350 - 1 / 300))
    )
    w = np.ones((4, 2), np.float32)
    assert Crossbar(cell=warm).program(w).matmul(np.ones((1, 4), np.float32)) == pytest.approx(
        4 * factor, rel=1e-5
    )


@pytest.mark.parametrize("active", [200, 3])
def test_telegraph_noise_in_both_regimes(active):
    noise = TelegraphNoise(depth=0.1, share=0.2)
    cell = Device(name="rtn", g_min=0, g_max=1e-5, read_noise=noise)
    w, x = np.ones((200, 1), np.float32), np.zeros((1, 200), np.float32)
    x[0, :active] = 1
    y = Crossbar(cell=cell).program(w).matmul(np.repeat(x, 40_000, axis=0), 3)[:, 0]
    assert y.mean() == pytest.approx(active * (1 - 0.02), rel=2e-3)
    assert y.std() == pytest.approx(np.sqrt(active * 0.2 * 0.8) * 0.1, rel=0.02)
    if active == 3:
        assert len(np.unique(np.round(y, 4))) == 4


def test_nonlinear_currents_matter_to_voltages_not_to_pulses():
    from pimlab.analog import DAC

    cell = device("reram-milo2021").but(programming=None)
    w, x = np.eye(5, dtype=np.float32), np.diag(np.linspace(0.1, 1, 5)).astype(np.float32)
    x[:, 4] = 1
    straight = np.diag(x @ w)

    def diagonal(dac):
        return np.diag(Crossbar(cell=cell, dac=dac, scaling="layer").program(w).matmul(x))

    pulses = diagonal(DAC(bits=12, encoding="pulse width"))
    volts = diagonal(DAC(bits=12))
    assert pulses / pulses[4] == pytest.approx(straight, rel=2e-3)
    assert np.abs(volts / volts[4] - straight).max() > 2e-3


def test_cubic_current_by_hand():
    curve = CubicCurrent(second=(0.0,), third=(-2e-5,), limit=0.5)
    assert curve.current(np.array(1e-4), np.array([-0.2, 0.2])) == pytest.approx(
        np.array([-1, 1]) * (1e-4 * 0.2 - 2e-5 * 0.008)
    )
    with pytest.raises(ValueError, match=r"outside -0\.5\.\.0\.5 V"):
        curve.current(np.array(1e-4), np.array(0.6))


def test_a_users_own_file(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'model = "generic"\n[g_min]\nvalue = "1 uS"\nstatus = "assumed"\nreason = "test"\n'
        '[g_max]\nvalue = "5 uS"\nstatus = "assumed"\nreason = "test"\n'
    )
    assert device(mine).g_max == 5e-6
    assert check(device(mine))
    mine.write_text(mine.read_text().replace('"generic"', '"genric"'))
    with pytest.raises(catalogue.CatalogueError, match="genric"):
        device(str(mine))


def _file(tmp_path, **tables):
    """A device file of assumed numbers: `name="5 uS"`, or `name=([0.1, 0.2], "uS")`."""
    lines = ['model = "generic"']
    for name, value in {"g_min": "1 uS", "g_max": "5 uS", **tables}.items():
        number, unit = value if isinstance(value, tuple) else (value, "")
        lines.append(
            f'[{name}]\nvalue = {number!r}\nunit = "{unit}"\nstatus = "assumed"\nreason = "test"'
        )
    (tmp_path / "mine.toml").write_text("\n".join(lines))
    return tmp_path / "mine.toml"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"programing_sigma": ([0.1], "uS")},
            r"\[programing_sigma\] is no constant of a device; did you mean 'programming_sigma'",
        ),
        ({"programming_sigma": ([0.1], "")}, r"\[programming_sigma.0\] is in no unit; allowed: S"),
        ({"levels": 2.5}, r"\[levels\] 2.5 is not an integer"),
        ({"g_max": "5 uA"}, r"\[g_max\] is in A; allowed: S"),
        ({"drift_mean": ([0.05], "")}, r"\[drift_mean\] makes no part of the device"),
        (
            {"read_relative": 0.1, "telegraph_depth": 0.1, "telegraph_share": 0.1},
            r"\[read_relative\] makes no part",
        ),
    ],
)
def test_a_file_that_would_be_read_in_part_is_refused(tmp_path, tables, message):
    with pytest.raises(catalogue.CatalogueError, match=message):
        device(_file(tmp_path, **tables))


def test_a_file_without_a_range_is_refused(tmp_path):
    path = _file(tmp_path)
    path.write_text(path.read_text().replace("[g_max]", "[read_absolute]"))
    with pytest.raises(catalogue.CatalogueError, match=r"\[g_max\] is missing"):
        device(path)
    path.write_text('relaxation_scal = "log"\n' + _file(tmp_path).read_text())
    with pytest.raises(
        catalogue.CatalogueError,
        match="relaxation_scal='log' is not known; did you mean 'relaxation_scale'",
    ):
        device(path)


def test_a_file_may_hold_any_part(tmp_path):
    mine = device(
        _file(
            tmp_path,
            programming_sigma_bounds=([0.1, 0.4], "uS"),
            programming_sigma_power=([0.2, 0.5], "uS"),
            telegraph_depth=0.3,
            telegraph_share=0.1,
            stuck_low=0.01,
            leak_time="1 day",
            activation_energy="0.2 eV",
            temperature="350 K",
            temperature_reference="300 K",
        )
    )
    assert mine.read_noise == TelegraphNoise(depth=0.3, share=0.1)
    assert mine.temperature == Arrhenius(energy="0.2 eV", temperature=350, reference=300)
    assert mine.drift == Leak(time="1 day")
    assert mine.defects == Defects(stuck_low=0.01)
    assert check(mine)


def test_a_spread_may_be_one_number(tmp_path):
    mine = device(_file(tmp_path, programming_sigma="1.2 uS", read_sigma="0.1 uS"))
    assert mine.programming.spread(np.array([1e-6, 5e-6])) == pytest.approx([1.2e-6, 1.2e-6])
    assert mine.read_noise.spread(np.array([1e-6]), 0.0, np.array([1e-6])) == pytest.approx([1e-7])
    path = _file(tmp_path)
    path.write_text('programming_sigma = "1.2 uS"\n' + path.read_text())
    with pytest.raises(
        catalogue.CatalogueError,
        match=r"programming_sigma = '1.2 uS' stands by itself; write a table \[programming_sigma\]",
    ):
        device(path)


def test_only_devices_are_checked():
    with pytest.raises(
        TypeError, match=r"'pcm-joshi2020' is not a Device; write pim.device\('pcm-joshi2020'\)"
    ):
        check("pcm-joshi2020")


def test_conformance_names_the_broken_promise():
    class Forgetful(Device):
        def program(self, g_target, key=0):
            return np.asarray(g_target, float) + np.random.default_rng().random() * 1e-9

    with pytest.raises(ConformanceError, match="the same key gave other conductances"):
        check(Forgetful(name="forgetful", g_min=0, g_max=1e-5))


def test_a_users_own_class_ages_in_an_array():
    class Fading(Device):
        def drifted(self, g, at, key=0, target=None):
            return np.asarray(g, float) * (0.5 if units.seconds(at) > 0 else 1.0)

    fading = Fading(name="fading", g_min=0, g_max=1e-5)
    assert check(fading)
    assert fading.varies
    assert Crossbar(cell=fading).varies
    assert not device("ideal").varies
    w, x = np.ones((4, 2), np.float32), np.ones((1, 4), np.float32)
    assert Crossbar(cell=fading).program(w).matmul(x, at="1 s") == pytest.approx(2.0)


def test_a_read_that_arrays_do_not_see_is_refused():
    class Elsewhere(Device):
        def read(self, g, at=0.0, key=0):
            return 0.9 * np.asarray(g, float)

    with pytest.raises(ConformanceError, match="arrays call `drifted`"):
        check(Elsewhere(name="elsewhere", g_min=0, g_max=1e-5))


def test_facts_carry_their_source():
    assert device("stt-mram").fact("endurance").value == 1e12
    with pytest.raises(KeyError, match="did you mean 'endurance'"):
        device("stt-mram").fact("enduranc")


def test_charge_leaks_away():
    cell = device("capacitor-li2018")
    g = np.array([[2e-6, 8e-6]])
    assert cell.drifted(g, 0.0) == pytest.approx(g)
    assert cell.drifted(g, cell.drift.time) == pytest.approx(g / np.e)
    assert cell.but(drift=Leak(time="1 min", rest="1 uS")).drifted(g, "1 h") == pytest.approx(1e-6)
    assert device("ecram-tang2018").drift is None
    w = np.array([[1.0, -0.5]], np.float32)
    programmed = Crossbar(cell=cell.but(programming=None)).program(w)
    assert programmed.matmul(np.ones((1, 1), np.float32), at=2.0)[0] == pytest.approx(
        w[0] * np.exp(-2.0)
    )
    assert Crossbar(cell=cell).varies


_OWN = """
title = "Steep cell"
model = "reram"
{law}
[g_min]
value = "1 uS"
status = "assumed"
reason = "a test"
[g_max]
value = "9 uS"
status = "assumed"
reason = "a test"
{curve}
"""
_V0 = '[current_v0]\nvalue = "0.1 V"\nstatus = "assumed"\nreason = "a test"'


@pytest.mark.parametrize(
    ("law", "factor"), [("", np.sinh(2) / 2), ('current_law = "exponential"', np.expm1(2) / 2)]
)
def test_a_file_holds_a_steep_curve(tmp_path, law, factor):
    own = tmp_path / "steep.toml"
    own.write_text(_OWN.format(law=law, curve=_V0), encoding="utf-8")
    current = device(own).current.current(np.array([2e-6]), np.array([0.2]))
    np.testing.assert_allclose(current, 2e-6 * 0.2 * factor)


@pytest.mark.parametrize(
    ("law", "curve", "words"),
    [
        ('current_law = "cubic"', _V0, "not one of sinh, exponential"),
        ('current_law = "sinh"', "", r"needs \[current_v0\]"),
    ],
)
def test_a_steep_curve_that_cannot_be(tmp_path, law, curve, words):
    own = tmp_path / "steep.toml"
    own.write_text(_OWN.format(law=law, curve=curve), encoding="utf-8")
    with pytest.raises(catalogue.CatalogueError, match=words):
        device(own)


_SELECTOR = (
    '[selector_conductance]\nvalue = "0.5 uS"\nstatus = "assumed"\nreason = "a test"\n'
    '[selector_v0]\nvalue = "40 mV"\nstatus = "assumed"\nreason = "a test"\n'
)


@pytest.mark.parametrize("law", ["sinh", "exponential"])
def test_a_file_holds_a_selector(tmp_path, law):
    own = tmp_path / "selected.toml"
    own.write_text(_OWN.format(law=f'current_law = "{law}"', curve=_SELECTOR), encoding="utf-8")
    expected = SelectedCurrent(conductance="0.5 uS", v0="40 mV", law=law)
    assert device(own).current == expected


@pytest.mark.parametrize(
    ("law", "curve", "words"),
    [
        ('current_law = "cubic"', _SELECTOR, "not one of sinh, exponential"),
        ("", _SELECTOR.split("[selector_v0]")[0], r"needs \[selector_v0\]"),
        ("", _SELECTOR + _V0, r"\[current_v0\] makes no part"),
    ],
)
def test_a_selector_that_cannot_be(tmp_path, law, curve, words):
    own = tmp_path / "selected.toml"
    own.write_text(_OWN.format(law=law, curve=curve), encoding="utf-8")
    with pytest.raises(catalogue.CatalogueError, match=words):
        device(own)
