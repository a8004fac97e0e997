"""Do type checkers see the names that `pimlab` loads on first use, and no others?"""

import ast
from pathlib import Path

import pimlab


def test_the_stub_names_what_is_exported():
    tree = ast.parse(Path(pimlab.__file__).with_suffix(".pyi").read_text())
    seen = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(pimlab.__all__) - {"__version__"}
