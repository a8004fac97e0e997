"""Does the room say which package it needs, and which name was meant?"""

import sys

import pytest

import pimlab as pim


def test_without_ipywidgets_the_answer_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.delitem(sys.modules, "pimlab.lab.explorer", raising=False)
    with pytest.raises(ImportError, match=r"pip install pimlab\[lab\]"):
        pim.lab.explore  # noqa: B018


def test_a_misspelt_name_gets_the_nearest():
    with pytest.raises(AttributeError, match="did you mean 'explore'"):
        pim.lab.explor  # noqa: B018
