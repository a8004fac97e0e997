"""Does a sweep compute every combination once, survive what stops it, and refuse what is not its own?"""

import errno
import json
import math
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import pimlab as pim
from pimlab import progress
from pimlab.studies import store as stores
from pimlab.studies.identity import digest
from pimlab.studies.store import Store, StoreError

SCALE = 2.0


def answer(x, y):
    place = f"{'xy'[x % 2]}"
    table = xr.DataArray(
        [[x, y]],
        dims=("layer", "component"),
        coords={"layer": ["fc"], "component": ["a", f"b{x % 2}"]},
    )
    found = xr.Dataset(
        {
            "energy": table.assign_attrs(units="J", long_name="energy"),
            "count": ((), x * 3 + len(str(y))),
        }
    )
    found = found.assign_coords(target="npu", place=place, at=0.5, x=x).assign_attrs(
        sources=f"a,{place}", version="1", seed=x
    )
    return found.assign_coords(target=found.target.assign_attrs(long_name="machine"))


@pim.study
def small(x, y=0):
    return answer(x, y)


def quiet(study, **given):
    return pim.sweep(study, progress=False, **given)


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


# --- what is computed ---------------------------------------------------------------------------------------------------------------


def test_every_combination_in_the_order_given():
    ds = quiet(small, x=[5, 2, 3], y=[1, 0])
    assert ds.energy.dims == ("x", "y", "layer", "component")
    assert ds.x.values.tolist() == [5, 2, 3]
    for x in (5, 2, 3):
        for y in (1, 0):
            one = ds.sel(x=x, y=y)
            assert float(one.energy.sel(component="a", layer="fc")) == x
            assert float(one.energy.sel(component=f"b{x % 2}", layer="fc")) == y
            assert int(one["count"]) == x * 3 + 1


def test_scalars_stay_scalars_where_they_agree_and_coordinates_where_not():
    ds = quiet(small, x=[1, 2], y=[0, 1])
    assert ds.target.shape == ds["at"].shape == ()
    assert ds.target.attrs == {"long_name": "machine"}
    assert ds.x.attrs == {"long_name": "x"}
    assert ds.component.dtype == object
    assert "place" in ds.coords
    assert ds.place.dims == ("x", "y")
    assert set(ds.data_vars) == {"energy", "count"}


def test_attributes_that_agree_and_all_sources_are_kept():
    ds = quiet(small, x=[1, 2])
    assert ds.attrs == {"sources": "a,x,y", "version": "1"}
    assert ds.energy.attrs == {"units": "J", "long_name": "energy"}


def test_without_coordinates_there_is_one_point():
    assert pim.sweep(pim.study(lambda: answer(1, 2)), progress=False).energy.shape == (1, 2)


def test_values_with_names_label_a_dimension():
    npu = pim.target("warboy")

    @pim.study
    def watts(machine):
        return xr.Dataset({"stage": machine.stage})

    ds = quiet(watts, machine=[npu, npu.but(name="other", host=None), pim.target("hbm-pim")])
    assert ds.machine.values.tolist() == ["warboy", "other", "hbm-pim"]
    assert ds.stage.values.tolist() == [1, 1, 2]


def test_store_and_memory_and_the_file_say_the_same(tmp_path):
    path = tmp_path / "s.zarr"
    memory, stored = (
        quiet(small, x=[1, 2], y=[0, 1]),
        quiet(small, x=[1, 2], y=[0, 1], store=str(path)),
    )
    xr.testing.assert_identical(memory, stored)
    xr.testing.assert_identical(stored, xr.open_zarr(path).load())


def test_more_values_join_a_store_and_only_they_are_computed(tmp_path):
    seen = []
    mark = _Marks(seen)  # a list that the study itself changes would change its identity

    @pim.study
    def counted(x):
        mark(x)
        return answer(x, 0)

    path = tmp_path / "s.zarr"
    quiet(counted, x=[1, 2], store=path)
    ds = quiet(counted, x=[2, 3, 1], store=path)
    assert seen == [1, 2, 3]
    assert ds.x.values.tolist() == [2, 3, 1]
    xr.testing.assert_identical(ds, xr.open_zarr(path).load())


class _Marks:
    """Where a study leaves marks that are no part of what it computes."""

    def __init__(self, marks):
        self.marks = marks

    def __call__(self, mark):
        self.marks.append(mark)

    def __getstate__(self):
        return None


# --- wrong coordinates --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"z": [1]}, TypeError, ("study small", "'z'", "known: x, y")),
        ({"y": [1]}, TypeError, ("small needs values of x",)),
        ({"x": 3}, TypeError, ("x=3", "list of values")),
        ({"x": "abc"}, TypeError, ("x='abc'", "list of values")),
        ({"x": []}, ValueError, ("x=[]", "one value or more")),
        ({"x": [1, 2, 1]}, ValueError, ("x=[1, 2, 1]", "repeats")),
        ({"x": [1, 1.0]}, ValueError, ("repeats",)),
        ({"x": [1, "a"]}, ValueError, ("mixes text and numbers",)),
        ({"x": [None]}, TypeError, ("x: None has no name", "'none'")),
        ({"x": [[1]]}, TypeError, ("x: [1] has no name",)),
        ({"x": [1, math.nan]}, ValueError, ("nan labels nothing",)),
    ],
)
def test_wrong_coordinates_are_named(given, kind, words):
    with pytest.raises(kind) as caught:
        quiet(small, **given)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_misspelt_coordinate_names_the_nearest():
    @pim.study
    def converters(adc_bits):
        return answer(adc_bits, 0)

    with pytest.raises(TypeError, match="'adc_bit'.*did you mean 'adc_bits'"):
        quiet(converters, adc_bit=[4])


def test_two_variants_of_one_name_are_told_to_take_another():
    npu = pim.target("warboy")
    with pytest.raises(ValueError, match=r"repeats a value.*but\(name="):
        quiet(small, x=[npu, npu.but(host=None)])


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda x: 3, TypeError, "returned int; allowed: an xarray.Dataset"),
        (lambda x: xr.Dataset(coords={"x": [1, 2]}), ValueError, "already has the dimension 'x'"),
        (lambda x: xr.Dataset({"x": 1.0}), ValueError, "already has the variable 'x'"),
    ],
)
def test_a_study_that_returns_something_else(function, kind, words):
    with pytest.raises(kind, match=words):
        quiet(pim.study(function), x=[1, 2])


def test_what_is_no_study_is_refused():
    with pytest.raises(TypeError, match=r"marked with @pimlab\.study"):
        pim.sweep(answer, x=[1])
    with pytest.raises(TypeError, match="marks a function of coordinates, not 3"):
        pim.study(3)


@pytest.mark.parametrize("store", [3, "results/s", "s.nc", ""])
def test_a_store_must_be_a_zarr_path(store):
    with pytest.raises(ValueError, match=r"store=.*ends in \.zarr"):
        quiet(small, x=[1], store=store)


@pytest.mark.parametrize("workers", [0, -1, True, 1.5, [2]])
def test_workers_are_counted(workers):
    with pytest.raises(ValueError, match=re.escape(f"workers={workers!r}; allowed: an integer")):
        quiet(small, x=[1], workers=workers)


@given(
    st.lists(
        st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False),
        min_size=1,
        max_size=5,
        unique=True,
    )
)
def test_numbers_label_as_they_are(labels):
    ds = quiet(pim.study(lambda x: xr.Dataset({"twice": 2.0 * x})), x=labels)
    assert ds.x.values.tolist() == labels
    assert ds.twice.values.tolist() == [2.0 * label for label in labels]


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5, unique=True))
def test_text_labels_as_it_is(labels):
    ds = quiet(pim.study(lambda x: xr.Dataset({"size": len(x)})), x=labels)
    assert ds.x.values.tolist() == labels
    assert ds["size"].values.tolist() == [len(label) for label in labels]


# --- stores of others ---------------------------------------------------------------------------------------------------------------


def test_another_study_is_refused_by_name_and_untouched(tmp_path):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1], store=path)
    before = files(tmp_path)
    other = pim.study(lambda x: answer(x, 0))
    with pytest.raises(
        StoreError, match=r"s\.zarr was written by another study: study='small', here '<lambda>'"
    ):
        quiet(other, x=[1], store=path)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("field", "value", "how"),
    [
        ("pimlab", "0.0.9", "by another version"),
        ("code", "f" * 64, "by another version"),
        ("format", 99, "in another format"),
        ("blas", "openblas Katmai", "with another kernel of BLAS"),
    ],
)
def test_another_version_is_refused_by_name_and_untouched(tmp_path, field, value, how):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1], store=path)
    mark = tmp_path / "s.zarr.points" / "identity.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), field: value}))
    before = files(tmp_path)
    with pytest.raises(
        StoreError,
        match=rf"s\.zarr was written {how}: {field}={value!r}, here .*choose another store",
    ):
        quiet(small, x=[1, 2], store=path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("field", ["pimlab", "code", "blas"])
def test_a_store_goes_on_across_versions_when_asked_and_keeps_the_change(tmp_path, field):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1], store=path)
    mark = tmp_path / "s.zarr.points" / "identity.json"
    ours = json.loads(mark.read_text())
    mark.write_text(json.dumps({**ours, field: "other", "commit": "0" * 40}))
    with pytest.raises(StoreError, match="go on with across_versions=True, choose another store"):
        quiet(small, x=[1, 2], store=path)
    quiet(small, x=[1, 2], store=path, across_versions=True)
    kept = json.loads(mark.read_text())
    assert kept.pop("earlier") == [{**ours, field: "other", "commit": "0" * 40}]
    assert kept == ours
    quiet(small, x=[1, 2], store=path)  # the store is of this version now
    mark.write_text(json.dumps({**ours, "function": "other"}))
    with pytest.raises(StoreError, match="another form of the study.*; choose another store"):
        quiet(small, x=[1], store=path, across_versions=True)


def test_what_differs_of_versions_is_listed_in_the_answer():
    @pim.study
    def stamped(x):
        return xr.Dataset({"y": x}).assign_attrs(commit=f"c{x}", blas="openblas A", other=x)

    assert quiet(stamped, x=[2, 1]).attrs == {"commit": "c1; c2", "blas": "openblas A"}


def test_points_swapped_by_name_are_refused(tmp_path):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1, 2], store=path)
    one, two = sorted((tmp_path / "s.zarr.points").glob("*.nc"))
    (name_one, sum_one), (name_two, sum_two) = (f.stem.split("-") for f in (one, two))
    one.rename(tmp_path / "kept")
    two.rename(two.with_name(f"{name_one}-{sum_two}.nc"))
    (tmp_path / "kept").rename(one.with_name(f"{name_two}-{sum_one}.nc"))
    with pytest.raises(StoreError, match="is damaged or another point's"):
        quiet(small, x=[1, 2], store=path)


def test_a_linked_store_stays_a_link(tmp_path):
    real, link = tmp_path / "disk" / "real.zarr", tmp_path / "s.zarr"
    real.parent.mkdir()
    link.symlink_to(real)
    first = quiet(small, x=[1], store=link)
    again = quiet(small, x=[1, 2], store=link)
    assert link.is_symlink()
    assert link.resolve() == real
    assert xr.open_zarr(real).equals(xr.open_zarr(link))
    assert again["count"].values.tolist() == [*first["count"].values, 7]


def test_a_comment_in_a_source_file_leaves_its_meaning():
    plain = 'def f(x):\n    """Why."""\n    return x + 1\n'
    other = 'def f(x):\n    """Why\n    not?\n    """\n    # a comment\n    return (\n        x + 1\n    )\n'
    assert stores.meaning(".py", plain) == stores.meaning(".py", other)
    said = "def f(x, a=1, *, b={'y', 'x'}):\n    return a in {'p', 'q'} and (lambda c: c.real + 1)(x)\n"
    changes = [("1", "2"), ("1", "1.0"), ("'q'", "'r'"), ("*, ", ""), ("real", "imag"), ("'x'", "'z'"), ("+", "-")]  # fmt: skip
    forms = [stores.meaning(".py", said.replace(*change)) for change in changes]
    assert len({stores.meaning(".py", said), *forms}) == len(forms) + 1
    table = '[a]\nvalue = "1 J"\n'
    assert stores.meaning(".toml", table) == stores.meaning(".toml", f"# why\n\n{table}")
    assert stores.meaning(".toml", table) != stores.meaning(".toml", table.replace("1", "2"))


README_SWEEP = """
import sys
import pimlab as pim

model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=4)

def macro(adc_bits, cell):
    return pim.Crossbar(rows=256, cols=256, cell=pim.device(cell), dac=pim.DAC(bits=8), adc=pim.ADC(bits=adc_bits))

host, hosts = pim.target("warboy"), {"warboy": pim.target("warboy")}

@pim.study
def converters(adc_bits, cell, machine):
    print("computed")
    return pim.run(model, macro(adc_bits, cell).but(host=hosts[host.name]), data)[["accuracy", "energy"]]

pim.sweep(converters, adc_bits=[4, 6], cell=["pcm-joshi2020"], machine=[pim.target("t4")], store=sys.argv[1], progress=False)
"""


def test_the_sweep_of_the_readme_goes_on_in_another_process(tmp_path):
    script, store = tmp_path / "script.py", tmp_path / "converters.zarr"
    script.write_text(README_SWEEP)
    printed = [
        subprocess.run(
            [sys.executable, script, store], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert printed == ["computed\n" * 2, ""]
    assert len(points(store)) == 2


def test_a_changed_function_or_value_is_another_study(tmp_path, monkeypatch):
    @pim.study
    def scaled(x):
        return xr.Dataset({"y": SCALE * x})

    path = tmp_path / "s.zarr"
    quiet(scaled, x=[1], store=path)
    before = files(tmp_path)
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    with pytest.raises(StoreError, match="written by another form of the study"):
        quiet(scaled, x=[1], store=path)
    assert files(tmp_path) == before


def test_a_zarr_of_somebody_else_is_untouched(tmp_path):
    path = tmp_path / "s.zarr"
    answer(1, 2).to_zarr(path, mode="w", consolidated=False, zarr_format=2)
    before = files(tmp_path)
    with pytest.raises(StoreError, match=r"s\.zarr exists and was not made by a sweep"):
        quiet(small, x=[1], store=path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null"])
def test_a_damaged_mark_is_named(tmp_path, content):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1], store=path)
    (tmp_path / "s.zarr.points" / "identity.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"identity\.json is damaged; delete"):
        quiet(small, x=[1], store=path)


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:100], lambda b: b"", lambda b: b[:2000] + bytes([b[2000] ^ 1]) + b[2001:]],
)
def test_a_damaged_point_is_named_and_computed_anew_once_deleted(tmp_path, damage):
    path = tmp_path / "s.zarr"
    whole = quiet(small, x=[1, 2], store=path)
    point = sorted((tmp_path / "s.zarr.points").glob("*.nc"))[0]
    content = point.read_bytes()
    point.write_bytes(damage(content))
    with pytest.raises(
        StoreError, match=rf"{point.name} is damaged.*delete it to compute small\(x=\d\) anew"
    ):
        quiet(small, x=[1, 2], store=path)
    point.unlink()
    xr.testing.assert_identical(quiet(small, x=[1, 2], store=path), whole)
    assert point.read_bytes() == content


# --- what a digest tells apart ------------------------------------------------------------------------------------------------------


def _made(source, **names):
    exec(source, names)
    return names["f"]


def test_digest_sees_code_defaults_and_values_and_not_comments():
    base = digest(_made("def f(x):\n    return x * k", k=2))
    assert digest(_made("def f(x):\n    # why\n\n    return x * k", k=2)) == base
    others = [
        _made("def f(x):\n    return x + k", k=2),
        _made("def f(x):\n    return x * k", k=3),
        _made("def f(x):\n    return x * k", k=[2]),
        _made("def f(x):\n    return x * k", k=np.arange(3)),
        _made("def f(x):\n    return x * k", k=np.arange(3.0)),
        _made("def f(x):\n    return x * k", k=pim.target("warboy")),
        _made("def f(x):\n    return x * k", k=pim.target("warboy").but(host=pim.target("t4"))),
        _made("def f(x):\n    return x * k", k=pim.load_data("digits", split="test", limit=3)),
        _made("def f(x):\n    return x * k", k=pim.load_data("digits", split="test", limit=4)),
        _made("def f(x):\n    return x * k", k=lambda: 1),
        _made("def f(x):\n    return x * k", k=lambda: 2),
        _made("def f(x, y=1):\n    return x * k", k=2),
        _made("def f(x, y=2):\n    return x * k", k=2),
        _made("def f(x, *, y=2):\n    return x * k", k=2),
    ]
    assert len({base, *map(digest, others)}) == len(others) + 1


def test_digest_looks_into_inner_functions_and_ends_at_loops():
    one, two = (
        _made(
            f"def f(x):\n    def g(y):\n        return f(y) + {n}\n    return [g(i) for i in {{'a', 'b'}}]"
        )
        for n in (1, 2)
    )
    assert digest(one) == digest(
        _made(
            "def f(x):\n    def g(y):\n        return f(y) + 1\n    return [g(i) for i in {'b', 'a'}]"
        )
    )
    assert digest(one) != digest(two)


# --- stopped and started again ------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys, time
import xarray as xr
import pimlab as pim

@pim.study
def slow(x, seed):
    pause(0.1)
    return xr.Dataset({"y": ("layer", [x + 0.1 * seed, 1 / (x + 1)], {"units": "J"})}, coords={"layer": ["a", "b"]})

class Pause:
    def __call__(self, seconds):
        time.sleep(seconds if __name__ == "__main__" else 0.0)

pause = Pause()

def asked(store):
    return pim.sweep(slow, x=range(5), seed=range(4), store=store, progress=False)

if __name__ == "__main__":
    asked(sys.argv[1])
"""


def points(path):
    return {
        file.name: file.read_bytes() for file in path.with_name(path.name + ".points").glob("*.nc")
    }


def wait_for_points(path, count, process):
    end = time.monotonic() + 60
    while len(points(path)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_killed_and_started_again_ends_with_the_same_bytes(tmp_path):
    script, whole, broken = (
        tmp_path / "script.py",
        tmp_path / "a" / "s.zarr",
        tmp_path / "b" / "s.zarr",
    )
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(script), str(broken)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_for_points(broken, 3, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    kept = points(broken)
    assert 3 <= len(kept) < 20
    assert not broken.exists()
    asked = runpy.run_path(str(script))["asked"]
    asked(str(broken))
    asked(str(whole))
    assert files(whole) == files(broken)
    assert points(whole) == points(broken)
    assert len(points(broken)) == 20
    assert kept.items() <= points(broken).items()


@pytest.fixture
def sigint():
    """Ctrl-C as in the foreground: a shell starts jobs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_keeps_what_is_finished(tmp_path, sigint):
    @pim.study
    def stopped(x):
        if x == 3:
            signal.raise_signal(signal.SIGINT)
        return answer(x, 0)

    with pytest.raises(
        KeyboardInterrupt, match="stopped; 3 of 5 points are kept in .*s.zarr.points"
    ):
        quiet(stopped, x=range(5), store=tmp_path / "s.zarr")
    assert len(points(tmp_path / "s.zarr")) == 3
    assert [name for name in files(tmp_path) if not name.endswith(".nc")] == [
        "s.zarr.points/identity.json"
    ]


def test_ctrl_c_without_a_store_goes_on_in_this_process(sigint, tmp_path):
    record = tmp_path / "calls"
    record.write_text("")

    @pim.study
    def stopped(x):
        calls = record.read_text() + str(x)
        record.write_text(calls)
        if calls == "0123":
            signal.raise_signal(signal.SIGINT)
        return answer(x, 0)

    with pytest.raises(KeyboardInterrupt, match="stopped: 3 of 5 points are kept in this process"):
        quiet(stopped, x=range(5))
    assert quiet(stopped, x=range(5)).sizes["x"] == 5
    assert record.read_text() == "012334"


def test_ctrl_c_keeps_nothing_of_a_study_that_cannot_be_told_again(sigint, tmp_path):
    with (tmp_path / "open").open("w") as file:

        @pim.study
        def stopped(x):
            if x == 3:
                file.flush()
                signal.raise_signal(signal.SIGINT)
            return answer(x, 0)

        with pytest.raises(KeyboardInterrupt, match="stopped after 3 of 5 points; none is kept"):
            quiet(stopped, x=range(5))


# --- a full disk --------------------------------------------------------------------------------------------------------------------


def _full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_while_points_come_keeps_the_earlier_ones(tmp_path, monkeypatch):
    path = tmp_path / "s.zarr"
    whole = quiet(small, x=[1, 2], store=path)
    before = files(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(stores.os, "replace", _full)
        with pytest.raises(
            StoreError,
            match=r"s\.zarr: No space left on device; the points already kept in .*s\.zarr\.points are untouched",
        ):
            quiet(small, x=[1, 2, 3], store=path)
    assert files(tmp_path) == before
    xr.testing.assert_identical(quiet(small, x=[1, 2], store=path), whole)


def test_a_full_disk_at_the_end_keeps_the_earlier_result(tmp_path, monkeypatch):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1, 2], store=path)
    before = files(path)
    with monkeypatch.context() as patched:
        patched.setattr(xr.Dataset, "to_zarr", _full)
        with pytest.raises(StoreError, match="No space left on device"):
            quiet(small, x=[1, 2, 3], store=path)
    assert files(path) == before
    assert len(list((tmp_path / "s.zarr.points").iterdir())) == 4
    assert quiet(small, x=[1, 2, 3], store=path).sizes["x"] == 3


def test_a_file_that_the_system_cuts_off_is_one_error(tmp_path):
    path = tmp_path / "s.zarr"
    quiet(small, x=[1], store=path)
    before, limits = files(tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"s\.zarr: File too large; the points already kept"):
            quiet(small, x=[1, 2], store=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(tmp_path) == before


def test_a_folder_that_cannot_be_is_one_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=r"s\.zarr: Not a directory"):
        quiet(small, x=[1], store=tmp_path / "file" / "s.zarr")


def test_store_names_where_a_point_rests(tmp_path):
    kept = Store(tmp_path / "s.zarr", "study")
    assert not kept.has("p")
    kept.write("p", answer(1, 2))
    assert kept.has("p")
    assert kept.file("p").parent == tmp_path / "s.zarr.points"
    xr.testing.assert_identical(kept.read("p"), answer(1, 2))


# --- how it is shown and shared -----------------------------------------------------------------------------------------------------


def test_progress_is_shown_unless_off(capsys, monkeypatch):
    @pim.study
    def slow(x):
        time.sleep(0.1)
        return answer(x, 0)

    monkeypatch.setattr(progress, "visible", lambda: True)
    monkeypatch.setattr(progress, "DELAY", 0.01)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    pim.sweep(slow, x=[1, 2])
    assert "slow:  50%" in capsys.readouterr().err
    quiet(slow, x=[1, 2])
    assert capsys.readouterr().err == ""


def test_an_error_says_at_which_point(tmp_path):
    @pim.study
    def failing(x):
        if x == 2:
            raise ValueError("no such machine")
        return answer(x, 0)

    with pytest.raises(ValueError, match="no such machine") as caught:
        quiet(failing, x=[1, 2], store=tmp_path / "s.zarr")
    assert caught.value.__notes__ == ["at the point failing(x=2) of the sweep"]
    assert len(list((tmp_path / "s.zarr.points").glob("*.nc"))) == 1


def without_commit(name, content):
    """A file of a store; its attributes, and the copy of all of them, without the commit."""
    if not name.endswith((".zattrs", ".zmetadata")):
        return content
    read = json.loads(content)
    for attributes in (read, *read.get("metadata", {}).values()):
        attributes.pop("commit", None)
    return read


def test_workers_give_the_same_bits(tmp_path):
    model, data = pim.load_model("digits-mlp"), pim.load_data("digits", split="test", limit=10)

    @pim.study
    def point(target, seed):
        return pim.run(model, pim.target(target), data, seed=seed, at="1 day")

    asked, environment = {"target": ["pcm-hermes"], "seed": range(2)}, dict(os.environ)
    here = quiet(point, store=tmp_path / "here.zarr", **asked)
    there = quiet(point, store=tmp_path / "there.zarr", workers=2, **asked)
    assert dict(os.environ) == environment
    here.attrs["commit"] = there.attrs["commit"]  # a commit between the two is no difference
    xr.testing.assert_identical(here, there)
    ours, theirs = (
        {n: without_commit(n, c) for n, c in files(tmp_path / name).items()}
        for name in ("here.zarr", "there.zarr")
    )
    assert ours == theirs
    assert (
        float(here.energy.sel(target="pcm-hermes").sum("layer").sel(component="cells").std("seed"))
        > 0
    )
