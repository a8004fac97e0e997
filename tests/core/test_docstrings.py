"""Does a public function say what its numbers are: the shape of its arrays, the unit of what it gives?"""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pimlab"
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
STATED = re.compile(r"\bshape\s*\(|\bunits?\b|\[(?:J|s|W|V|A|S|K|Hz|F|m)(?:[\^/ ][^\]]*)?\]", re.I)
"""A shape, the word unit, or a unit in brackets."""


def public(body, prefix=""):
    """Name and node of every function and method whose name and classes have no underscore."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, FUNCTIONS) and not node.name.startswith("_"):
            yield prefix + node.name, node


def arguments(node):
    """Names of the arguments of a function, self and cls left out."""
    given = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
    return [one.arg for one in given if one.arg not in ("self", "cls")]


def takes_or_gives(node):
    """Whether a function takes an argument, or gives something else than None."""
    gives = node.returns is not None and ast.unparse(node.returns) not in ("None", "NoReturn")
    return bool(arguments(node)) or gives


def states(node):
    """Whether the docstring of a function names a shape or a unit."""
    return bool(STATED.search(ast.get_docstring(node) or ""))


@pytest.fixture(scope="module")
def documented():
    trees = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    return {
        f"{path.relative_to(PACKAGE)}:{name}:{node.lineno}": states(node)
        for path, tree in trees.items()
        for name, node in public(tree.body)
        if takes_or_gives(node)
    }


def test_shapes_units_and_brackets_count_and_prose_does_not():
    texts = {
        "x : float32, shape (batch, k).": True,
        "Energy of one read [J].": True,
        "Power density [W/mm^2].": True,
        "Reads an input takes (unit: reads).": True,
        "The shapely united machine.": False,
        "The first [one] of them.": False,
    }
    for text, expected in texts.items():
        node = ast.parse(f'def f(a):\n    """{text}"""').body[0]
        assert states(node) is expected, text


def test_three_fifths_of_public_docstrings_state_a_shape_or_a_unit(documented):
    assert len(documented) > 1000
    assert sum(documented.values()) / len(documented) >= 0.6


def test_every_public_kernel_states_its_shapes(documented):
    kernels = {name: said for name, said in documented.items() if name.startswith("kernels/")}
    lacking = {name.split(":")[1] for name, said in kernels.items() if not said}
    lacking = {name for name in lacking if not name.startswith("Linked")}  # of Numba's compiler
    assert lacking <= {"kernel", "lean", "parallel", "inline", "one_thread", "advance"}
