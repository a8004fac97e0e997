"""Does environment.yml ask for the same packages and bounds as pyproject.toml?"""

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rattler import MatchSpec

ROOT = Path(__file__).parents[1]
OPTIONAL = ("dask", "docs", "lab", "llm", "test")
"""Extras that conda serves; pip adds the others, whose names differ there."""


def asked_by_pyproject() -> dict[str, SpecifierSet]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [
        line for extra in OPTIONAL for line in project["optional-dependencies"][extra]
    ]
    found = {Requirement(line).name.lower(): Requirement(line).specifier for line in lines}
    return {**found, "python": SpecifierSet(project["requires-python"])}


def asked_by_conda(text: str) -> dict[str, SpecifierSet]:
    environment = yaml.safe_load(text)
    assert environment["channels"] == ["conda-forge"]
    assert environment["dependencies"][-1] == {"pip": ["-e .[browser,farm]"]}
    specs = [MatchSpec(line) for line in environment["dependencies"][:-1] if line != "pip"]
    return {spec.name.normalized: SpecifierSet(str(spec.version)) for spec in specs}


def test_environment_asks_for_the_same_as_pyproject():
    assert asked_by_conda((ROOT / "environment.yml").read_text()) == asked_by_pyproject()


@pytest.mark.parametrize(
    ("old", "new"),
    [("numba >=0.65", "numba >=0.66"), (",<0.70", ",<0.71"), ("  - tqdm >=4.67,<5\n", "")],
)
def test_one_edited_bound_is_seen(old, new):
    text = (ROOT / "environment.yml").read_text()
    assert old in text
    assert asked_by_conda(text.replace(old, new, 1)) != asked_by_pyproject()


def test_locks_hold_hashes_and_no_address():
    for name in ("requirements.lock", "requirements-uv.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pins = [line for line in text.splitlines() if line and not line[0].isspace()]
        assert pins
        assert all("==" in line and line.endswith("\\") for line in pins)
