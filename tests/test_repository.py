"""May anyone cite, use and check out this repository? Citation, licence, and nothing that belongs to one machine."""

import datetime
import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

import pimlab

ROOT = Path(__file__).parents[1]
LARGEST = 5 * 10**6

TEXT = {"type": "string", "minLength": 1}
DATE = {"type": "string", "pattern": r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"}
URL = {"type": "string", "pattern": r"^(https?|s?ftp)://"}
PLACE = ("address", "alias", "city", "country", "email", "fax", "post-code", "region", "tel")
PERSON = dict.fromkeys(
    (*PLACE, "family-names", "given-names", "name-particle", "name-suffix", "affiliation"), TEXT
)
ENTITY = dict.fromkeys((*PLACE, "name", "location"), TEXT) | {"date-start": DATE, "date-end": DATE}
PERSON, ENTITY = ({**one, "orcid": URL, "website": URL} for one in (PERSON, ENTITY))
AUTHOR = {
    "anyOf": [
        {"type": "object", "properties": PERSON, "additionalProperties": False, "minProperties": 1},
        {
            "type": "object",
            "properties": ENTITY,
            "additionalProperties": False,
            "required": ["name"],
        },
    ]
}
AUTHORS = {"type": "array", "minItems": 1, "uniqueItems": True, "items": AUTHOR}
CITATION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["authors", "cff-version", "message", "title"],
    "properties": {
        "abstract": TEXT,
        "authors": AUTHORS,
        "cff-version": {"const": "1.2.0"},
        "commit": TEXT,
        "contact": AUTHORS,
        "date-released": DATE,
        "doi": {"type": "string", "pattern": r"^10\.\d{4,9}/\S+$"},
        "identifiers": {"type": "array", "minItems": 1},
        "keywords": {"type": "array", "minItems": 1, "uniqueItems": True, "items": TEXT},
        "license": TEXT,
        "license-url": URL,
        "message": TEXT,
        "preferred-citation": {"type": "object"},
        "references": {"type": "array", "minItems": 1},
        "repository": URL,
        "repository-artifact": URL,
        "repository-code": URL,
        "title": TEXT,
        "type": {"enum": ["software", "dataset"]},
        "url": URL,
        "version": {"type": ["string", "number"]},
    },
}
"""The parts of the Citation File Format 1.2.0 (Druskat et al., 2021) that a CITATION.cff of software uses, in our words."""

FOREIGN = {
    "a path of one machine": re.compile(
        rb"(?<![\w.:/-])/(?:work|root|Users)/\w|(?<![\w.:/-])/home/\w"
    ),
    "a package registry": re.compile(
        rb"(?:py(?:pi)\.org|python(?:hosted)\.org|art(?:ifactory)|anaconda\.(?:org|com)/)",
        re.IGNORECASE,
    ),
}


def _citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text())


def _project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_citation_file_is_valid():
    jsonschema.validate(_citation(), CITATION)


def test_the_citation_file_says_what_the_package_says():
    cited, project = _citation(), _project()
    assert (cited["title"], cited["version"], cited["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert project["version"] == pimlab.__version__
    assert [author["name"] for author in cited["authors"]] == [
        author["name"] for author in project["authors"]
    ]
    datetime.date.fromisoformat(cited["date-released"])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("authors", None),
        ("authors", []),
        ("authors", [{"nam": "x"}]),
        ("cff-version", "1.1.0"),
        ("date-released", "21 Nov 2026"),
        ("titel", "pimlab"),
        ("type", "program"),
        ("doi", "zenodo"),
        ("url", "pimlab"),
        ("message", None),
    ],
)
def test_a_wrong_citation_is_seen(key, value):
    changed = {name: one for name, one in {**_citation(), key: value}.items() if one is not None}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, CITATION)


def test_the_licence_is_apache_2_word_for_word():
    words = (ROOT / "LICENSE").read_bytes()
    assert (
        hashlib.sha256(words).hexdigest()
        == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    )
    assert (_project()["license"], _project()["license-files"]) == ("Apache-2.0", ["LICENSE"])


def _committed():
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], check=True, capture_output=True
    ).stdout
    return [
        path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()
    ]


def _foreign(content):
    return [what for what, pattern in FOREIGN.items() if pattern.search(content)]


def test_no_committed_file_is_large():
    assert not {
        str(path): path.stat().st_size for path in _committed() if path.stat().st_size > LARGEST
    }


def test_no_committed_file_names_one_machine_or_a_registry():
    found = {str(path.relative_to(ROOT)): _foreign(path.read_bytes()) for path in _committed()}
    assert not {name: what for name, what in found.items() if what}


@pytest.mark.parametrize(
    "parts",
    [
        ("see /wo", "rk/x"),
        ("/ho", "me/me"),
        ("https://py", "pi.org/simple"),
        ("files.python", "hosted.org"),
    ],
)
def test_what_is_foreign_is_seen(parts):
    assert _foreign("".join(parts).encode())
    harmless = "".join(["https://example.org/wo", "rk/x, a/root/b, network/home"])
    assert not _foreign(harmless.encode())
