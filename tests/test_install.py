"""Does the package work where no checkout is: catalogue, models and data from an installed wheel?"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "pimlab", "datasets")
USED = """
import pathlib, sys
import pimlab as pim
from pimlab.workload import files
assert pathlib.Path(pim.__file__).is_relative_to(sys.argv[1]), pim.__file__
for name in files.manifest():
    files.verified(name)
model, data = pim.load_model("digits-mlp"), pim.load_data("digits", split="test", limit=20)
print(float(pim.run(model, pim.target("warboy"), data).accuracy))
"""


def _pip(*words):
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            *words,
            "--quiet",
            "--no-deps",
            "--disable-pip-version-check",
        ],
        check=True,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of what is committed, so that no build folder is left behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name,
                source / name,
                ignore=shutil.ignore_patterns("__pycache__", "reference"),
            )
        else:
            shutil.copy2(ROOT / name, source)
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    return next(out.glob("*.whl"))


def test_the_wheel_holds_what_the_manifest_names_and_no_training_script(wheel):
    held = {
        name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("pimlab/datasets")
    }
    assert {"pimlab/datasets/MANIFEST.toml", "pimlab/datasets/models/digits-mlp.onnx"} <= held
    assert not [name for name in held if "train/" in name or "reference/" in name]


def test_an_installed_package_runs_a_model_from_elsewhere(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    _pip("install", "--target", str(site), str(wheel))
    done = subprocess.run(
        [sys.executable, "-c", USED, str(site)],
        cwd=elsewhere,
        env={"PYTHONPATH": str(site), "PATH": "", "HOME": str(elsewhere)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) >= 0.9
