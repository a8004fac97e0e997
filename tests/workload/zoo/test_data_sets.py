"""Data sets are what the manifest says, and their splits do not meet."""

import hashlib
import tomllib

import numpy as np
import pytest

from pimlab.workload import DataError, files, load_data, load_model
from pimlab.workload.files import ROOT
from pimlab.workload.zoo import data_sets

SIZES = {
    "fashion-mnist": (10_000, 512),
    "digits": (450, 256),
    "breast-cancer": (143, 256),
    "magika-files": (323, 89),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_types(name):
    test = load_data(name)
    assert (len(test), len(test.calibration)) == SIZES[name]
    assert test.labels.dtype == np.int64
    assert test.inputs.shape[1:] == test.calibration.inputs.shape[1:]
    assert test.split == "test"
    assert test.calibration.split == "calibration"
    assert test.licence
    assert test.source
    assert test.note


@pytest.mark.parametrize("name", SIZES)
def test_no_calibration_sample_is_in_the_test_split(name):
    test = load_data(name)
    seen = {row.tobytes() for row in test.inputs}
    assert not any(row.tobytes() in seen for row in test.calibration.inputs)


@pytest.mark.parametrize("name", ["digits", "breast-cancer"])
def test_calibration_samples_are_training_samples(name):
    train = {row.tobytes() for row in load_data(name, split="train").inputs}
    assert all(row.tobytes() in train for row in load_data(name, split="calibration").inputs)


def test_limit_and_slices_give_the_first_samples():
    whole = load_data("digits")
    first = load_data("digits", limit=10)
    np.testing.assert_array_equal(first.inputs, whole[:10].inputs)
    assert first.sha256 == whole[:10].sha256 != whole.sha256
    assert "10 samples" in repr(first)


@pytest.mark.parametrize("limit", [0, -3, 1.5, True])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(DataError, match=f"limit={limit!r}; allowed: an integer, 1 or more"):
        load_data("digits", limit=limit)


def test_unknown_names_answer_with_the_nearest():
    with pytest.raises(
        DataError, match="data 'fashion-mnst' is not known; did you mean 'fashion-mnist'"
    ):
        load_data("fashion-mnst")
    with pytest.raises(DataError, match="data 'digits' has no split 'tests'; did you mean 'test'"):
        load_data("digits", split="tests")
    with pytest.raises(TypeError, match=r"data \['digits'\] is not a name"):
        load_data(["digits"])
    with pytest.raises(TypeError, match="model None is neither a name nor a path"):
        load_model(None)


def test_training_images_that_are_not_installed_say_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(data_sets, "FASHION", tmp_path / "nowhere")
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        load_data("fashion-mnist", split="train")


def test_an_altered_file_is_an_error_that_names_it(monkeypatch, tmp_path):
    for name in ("MANIFEST.toml", "digits.npz"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(files, "ROOT", tmp_path)
    files.verified.cache_clear()
    content = bytearray((tmp_path / "digits.npz").read_bytes())
    content[1000] ^= 1
    (tmp_path / "digits.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"digits\.npz has sha256 .* expected"):
        load_data("digits")
    (tmp_path / "digits.npz").unlink()
    with pytest.raises(DataError, match=r"digits\.npz is missing"):
        load_data("digits")
    files.verified.cache_clear()


def test_an_empty_split_is_refused():
    with pytest.raises(DataError, match=r"data 'digits': inputs \(0, 64\) are empty"):
        load_data("digits")[:0]


def test_every_vendored_file_is_in_the_manifest_with_its_hash_and_licence():
    entries = tomllib.loads((ROOT / "MANIFEST.toml").read_text())["file"]
    for entry in entries:
        assert hashlib.sha256((ROOT / entry["file"]).read_bytes()).hexdigest() == entry["sha256"], (
            entry["file"]
        )
        assert entry["source"]
        assert entry["licence"]
        assert (ROOT / entry["file"]).stat().st_size < 5e6
    listed = {entry["file"] for entry in entries}
    lying = {
        str(path.relative_to(ROOT))
        for path in [*ROOT.glob("*"), *ROOT.glob("models/*")]
        if path.is_file()
    }
    assert lying - listed <= {"MANIFEST.toml", "NOTICES.md", "README.md"}
