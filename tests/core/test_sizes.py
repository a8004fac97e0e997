"""Does the code stay in pieces that are read at once? Code lines of functions and files, at 100 columns."""

import ast
import functools
import io
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "pimlab"
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(tree):
    """Numbers of the lines that docstrings take."""
    firsts = [node.body[0] for node in ast.walk(tree) if isinstance(node, DOCUMENTED) and node.body]
    texts = [
        one for one in firsts if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
    ]
    return {line for one in texts for line in range(one.lineno, one.end_lineno + 1)}


@functools.cache
def code(text):
    """Numbers of the lines of a source text that hold code: no comments, no docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {
        line
        for one in tokens
        if one.type not in SILENT
        for line in range(one.start[0], one.end[0] + 1)
    }
    return lines - docstrings(ast.parse(text))


def functions(text):
    """Name with its line, and code lines, of every function, nested ones too."""
    lines = code(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (
                f"{node.name}:{node.lineno}",
                sum(line in lines for line in range(node.lineno, node.end_lineno + 1)),
            )


def ranked(values, share):
    """The value that a share of all does not pass."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


@pytest.fixture(scope="module")
def sources():
    return {
        path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")
    }


@pytest.fixture(scope="module")
def lengths(sources):
    return {
        f"{path}:{name}": size for path, text in sources.items() for name, size in functions(text)
    }


def test_counting_leaves_out_comments_blanks_and_docstrings():
    text = 'def f(a):\n    """One\n    two."""\n\n    # why\n    b = (\n        a\n    )\n    return b\n'
    assert list(functions(text)) == [("f:1", 5)]


def test_no_function_is_longer_than_a_screen(lengths):
    assert {name: size for name, size in lengths.items() if size > 60} == {}


def test_most_functions_are_short(lengths):
    assert ranked(lengths.values(), 0.5) <= 6
    assert ranked(lengths.values(), 0.95) <= 30


def test_most_files_are_short(sources):
    assert ranked([len(code(text)) for text in sources.values() if text], 0.95) <= 300
