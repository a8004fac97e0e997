"""Is a point kept whole or not at all, and is a store of another study, or damaged, refused?"""

import json

import numpy as np
import pytest
import xarray as xr

from pimlab.studies import store
from pimlab.studies.store import Store, StoreError

POINT = xr.Dataset({"a": ("x", np.arange(3.0))}, coords={"x": list("uvw")}, attrs={"unit": "J"})


def test_a_point_comes_back_as_it_was(tmp_path):
    kept = Store(tmp_path / "s.zarr", "study")
    assert not kept.has("p")
    kept.write("p", POINT)
    again = Store(tmp_path / "s.zarr", "study")
    assert again.has("p")
    assert again.read("p").identical(POINT)
    with pytest.raises(KeyError):
        again.file("q")


def test_a_damaged_or_swapped_file_is_not_read(tmp_path):
    kept = Store(tmp_path / "s.zarr", "study")
    kept.write("p", POINT)
    kept.write("q", POINT * 2)
    one, two = kept.file("p"), kept.file("q")
    held = one.read_bytes(), two.read_bytes()
    one.write_bytes(held[1])
    with pytest.raises(StoreError, match="damaged or another point's"):
        kept.read("p")
    assert kept.read("q").identical(POINT * 2)


def test_the_joined_result_takes_the_place_of_an_earlier_one(tmp_path):
    kept = Store(tmp_path / "s.zarr", "study")
    kept.finish(POINT)
    kept.finish(POINT * 3)
    with xr.open_zarr(tmp_path / "s.zarr") as found:
        np.testing.assert_array_equal(found.a, [0, 3, 6])
    assert not list((tmp_path / "s.zarr.points").glob("joined.part-*"))


def test_another_study_and_another_version_are_refused(tmp_path):
    Store(tmp_path / "s.zarr", "study", "digest")
    with pytest.raises(StoreError, match="study='study'"):
        Store(tmp_path / "s.zarr", "other", "digest")
    mark = tmp_path / "s.zarr.points" / "identity.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"code": "earlier"}))
    with pytest.raises(StoreError, match="across_versions=True"):
        Store(tmp_path / "s.zarr", "study", "digest")
    Store(tmp_path / "s.zarr", "study", "digest", across_versions=True)
    assert json.loads(mark.read_text())["earlier"][0]["code"] == "earlier"
    mark.write_text("{")
    with pytest.raises(StoreError, match="is damaged"):
        Store(tmp_path / "s.zarr", "study", "digest")


def test_a_folder_that_no_sweep_made_is_left_alone(tmp_path):
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(StoreError, match="was not made by a sweep"):
        Store(tmp_path / "mine.zarr", "study")
    with pytest.raises(ValueError, match=r"ends in \.zarr"):
        Store(tmp_path / "mine.nc", "study")


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    place = tmp_path / "file"
    store.replace(place, b"old")

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(store.os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        store.replace(place, b"new")
    assert place.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_cannot_be_made_is_named_and_no_points_are_claimed(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"s\.zarr: .*; nothing was written; choose a store in"):
        Store(tmp_path / "file" / "s.zarr", "study")
