"""Is a vendored file the one that the manifest names, wherever the package stands?"""

import hashlib

import pytest

from pimlab.workload import files


def test_data_lie_beside_the_package_in_a_checkout_and_in_it_once_installed(tmp_path):
    package = tmp_path / "site" / "pimlab"
    assert files.folder(package) == package / "datasets"
    beside = tmp_path / "site" / "datasets"
    beside.mkdir(parents=True)  # another distribution's package of that name
    assert files.folder(package) == package / "datasets"
    (beside / "MANIFEST.toml").write_text("")
    assert files.folder(package) == beside


def test_every_file_of_the_manifest_is_the_one_it_names():
    assert files.manifest()
    for name, entry in files.manifest().items():
        assert files.verified(name).is_file()
        assert entry["source"]
        assert entry["licence"]


def test_an_unknown_file_is_answered_with_the_nearest():
    with pytest.raises(files.DataError, match="did you mean 'digits.npz'"):
        files.verified("digit.npz")


def test_an_altered_file_is_refused(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    files.check(path, hashlib.sha256(b"abc").hexdigest())
    with pytest.raises(files.DataError, match="was altered or is incomplete"):
        files.check(path, hashlib.sha256(b"abd").hexdigest())


def test_a_package_without_its_data_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    with pytest.raises(files.DataError, match="install it again"):
        files.manifest.__wrapped__()
