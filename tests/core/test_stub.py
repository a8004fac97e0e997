"""Do type checkers see the names that `pimlab` loads on first use, and no others?"""

import ast
import inspect
import typing
from pathlib import Path

import pytest

import pimlab
from pimlab.studies.lists import model_names
from pimlab.workload.zoo.data_sets import SOURCES


def test_the_stub_names_what_is_exported():
    tree = ast.parse(Path(pimlab.__file__).with_suffix(".pyi").read_text())
    imported = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    written = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert imported | set(written) == set(pimlab.__all__) - {"__version__"}
    for name, node in written.items():
        given = [one.arg for one in node.args.args + node.args.kwonlyargs]
        assert given == list(inspect.signature(getattr(pimlab, name)).parameters)


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("_Target", lambda: pimlab.targets()),
        ("_Device", lambda: pimlab.analog.device_names()),
        ("_Model", lambda: model_names()),
        ("_DataSet", lambda: SOURCES),
    ],
)
def test_editors_are_offered_names_that_exist(kind, known):
    """Names of the catalogue that came later may lack: an editor is only less helpful then."""
    tree = ast.parse(Path(pimlab.__file__).with_suffix(".pyi").read_text())
    node = next(n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == kind)
    offered = [one.value for one in node.value.slice.elts]
    assert len(offered) > 3
    assert set(offered) <= set(known())


def _callables():
    """Every public function and method, by its dotted name."""
    found, rooms = {}, [pimlab]
    while rooms:
        room = rooms.pop()
        for name in set(room.__all__) - {"__version__"}:
            thing = getattr(room, name)
            if inspect.ismodule(thing) and hasattr(thing, "__all__"):
                rooms.append(thing)
            elif inspect.isfunction(thing):
                found[f"{room.__name__}.{name}"] = thing
            elif inspect.isclass(thing) and thing.__module__.startswith("pimlab"):
                methods = inspect.getmembers(thing, inspect.isfunction)
                found |= {f"{room.__name__}.{name}.{m}": f for m, f in methods if m[0] != "_"}
    return found


def test_every_public_annotation_resolves():
    """Documentation, notebooks and other programs ask for them with `typing.get_type_hints`."""
    unresolved = {}
    for name, function in _callables().items():
        try:
            typing.get_type_hints(function)
        except NameError as error:
            unresolved[name] = str(error)
    assert unresolved == {}
