"""Do the pages of the documentation work as printed? Every cell of code is run, page by page; every public name has its page."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import pimlab

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if "{code-cell}" in path.read_text() and "generated" not in path.parts
)
CELL = re.compile(r"^```\{code-cell\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RAISES = ":tags: [raises-exception]"


@pytest.fixture
def pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    yield importlib.import_module("pages")
    sys.modules.pop("pages", None)


# `make docs` runs every page; those that take seconds are left to it and to the full run.
LONG = ("gallery", "macro", "serve", "train")


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=pytest.mark.full if p.stem in LONG else ()) for p in PAGES],
    ids=lambda page: page.stem,
)
def test_every_cell_runs(page, monkeypatch):
    monkeypatch.delenv("PIMLAB_CATALOGUE", raising=False)
    names: dict = {}
    for cell in CELL.findall(page.read_text()):
        if RAISES in cell:
            with pytest.raises((TypeError, ValueError)):
                exec(cell.replace(RAISES, ""), names)
        else:
            exec(compile(cell, page.name, "exec"), names)


def test_every_link_inside_leads_somewhere(pages, tmp_path):
    pages.write(tmp_path / "generated")
    for page in [*DOCS.glob("*.md"), *DOCS.glob("howto/*.md"), *DOCS.glob("ko/*.md")]:
        for link in re.findall(r"\]\(([^)#:]+\.md)", page.read_text()):
            there = (page.parent / link).resolve().relative_to(DOCS)
            inside = there.parts[0] == "generated"
            found = tmp_path / there if inside else DOCS / there
            assert found.exists(), f"{page.name}: {link}"


def test_every_page_is_listed():
    index = (DOCS / "index.md").read_text()
    for page in [*DOCS.glob("*.md"), *DOCS.glob("howto/*.md")]:
        name = page.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or re.search(rf"^{name}$", index, re.MULTILINE), name


def test_every_public_name_is_documented(pages, tmp_path):
    pages.write(tmp_path)
    rooms = {room for room in pimlab.__all__ if type(getattr(pimlab, room)).__name__ == "module"}
    rooms -= {"result", "units"}
    for room in ["pimlab", *(f"pimlab.{name}" for name in rooms)]:
        text = (tmp_path / "api" / f"{room}.rst").read_text()
        for name in importlib.import_module(room).__all__:
            thing = getattr(importlib.import_module(room), name)
            if not name.startswith("__") and type(thing).__name__ != "module":
                assert re.search(rf":: {name}$", text, re.MULTILINE), f"{room}.{name}"


def test_every_constant_of_the_catalogue_stands_on_a_page(pages, tmp_path):
    pages.write(tmp_path)
    for kind in pimlab.catalogue.kinds():
        text = (tmp_path / "catalogue" / f"{kind}.md").read_text()
        for name in pimlab.catalogue.names(kind):
            assert all(f"| `{key}` |" in text for key in pimlab.catalogue.entry(kind, name)), name


def test_docstrings_become_text_in_which_only_code_keeps_a_meaning(pages):
    lines = [
        "Noise *of* a read | of `g_max`.",
        "",
        "x : float32 (rows, n), V;  y : the same,",
        "    later.",
        "",
        ">>> 1 + 1",
        "2",
    ]
    pages.docstring(None, "function", "f", None, None, lines)
    assert lines == [
        "Noise \\*of\\* a read \\| of ``g_max``.",
        "",
        "",
        "- **x**: float32 (rows, n), V",
        "- **y**: the same, later.",
        "",
        ">>> 1 + 1",
        "2",
        "",
    ]
