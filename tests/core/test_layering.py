"""Do rooms depend one way, does one file own the compiler's options, and does `import pimlab` stay light?"""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import pimlab

ROOT = Path(pimlab.__file__).parent
ROOMS = {
    path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
}

GROUND = {"units", "canonical", "values", "keys", "constants", "arguments", "progress"}
MATERIAL = GROUND | {"kernels", "formats", "catalogue", "cost", "machine"}
STAGES = {"npu", "dram_pim", "analog"}
PLANNED = MATERIAL | {"workload"}
STUDY = PLANNED | STAGES | {"result", "__init__"}
EVERY = ROOMS
MAY_IMPORT = {
    "units": set(),
    "canonical": set(),
    "progress": set(),
    "values": {"units", "canonical"},
    "arguments": {"units", "values"},
    "keys": {"units", "values"},
    "constants": {"units", "values"},
    "result": {"units", "values"},
    "kernels": {"progress"},
    "reference": {"kernels"},
    "formats": GROUND | {"kernels"},
    "catalogue": GROUND,
    "cost": GROUND | {"catalogue"},
    "machine": GROUND | {"kernels", "catalogue", "cost"},
    "npu": MATERIAL | {"result"},
    "dram_pim": MATERIAL | {"result"},
    "analog": MATERIAL | {"result"},
    "workload": MATERIAL | {"result"},
    "plan": PLANNED | {"result"},
    "schedule": PLANNED | {"plan", "result"},
    "cluster": PLANNED | {"plan", "result"},
    "serving": PLANNED | {"plan", "schedule", "cluster", "result"},
    "farm": PLANNED | {"plan", "schedule", "cluster", "serving", "result"},
    "studies": STUDY | {"plan", "schedule"},
    "plot": GROUND | {"result"},
    "interchange": STUDY | {"plan", "schedule", "studies"},
    "roadmap": STUDY | {"plan", "schedule", "studies", "plot"},
    "lab": STUDY | {"plan", "schedule", "studies", "plot", "interchange"},
    "__init__": {"values"},
    "cli": EVERY,
    "__main__": {"cli"},
}
"""Direct imports. `machine.presets` and `__init__` also reach rooms by name, on first use;
`reference` takes constants only."""
HEAVY = {"onnx", "onnxruntime", "sklearn", "torch", "gguf", "tokenizers", "dask", "distributed"}
"""Imported inside functions only, wherever they are."""
COMPILER = {"njit", "jit", "vectorize", "guvectorize", "stencil", "cfunc", "generated_jit"}


@functools.cache
def trees():
    return {
        path.relative_to(ROOT): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))
    }


@functools.cache
def walked(tree):
    """Every node of `tree`, listed once for all the rules."""
    return list(ast.walk(tree))


def _room(path):
    return path.parts[0].removesuffix(".py")


@functools.cache
def imported(tree):
    """(dotted name, line, whether on loading the module) of every import."""
    inside = {
        id(node)
        for function in walked(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    found = []
    for node in walked(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found += [(name, node.lineno, id(node) not in inside) for name in names]
    return found


def rooms(tree):
    """(room of pimlab, line) of every import of the project's own."""
    for name, line, _ in imported(tree):
        first, *rest = name.split(".")
        if first == "pimlab":
            yield (rest[0] if rest and rest[0] in ROOMS else "__init__"), line


def forbidden(room, tree):
    return [
        f"line {line}: {room} imports {other}"
        for other, line in rooms(tree)
        if other != room and other not in MAY_IMPORT[room]
    ]


def foreign(tree, packages, only_on_loading):
    found = (
        (name.split(".")[0], line)
        for name, line, loading in imported(tree)
        if loading or not only_on_loading
    )
    return [f"line {line}: {name}" for name, line in found if name in packages]


def compiles(tree):
    """Lines that name one of Numba's compilers."""
    return [
        f"line {node.lineno}: {node.attr}"
        for node in walked(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in COMPILER
        and ast.unparse(node.value).startswith("numba")
    ] + [
        f"line {line}: {name}"
        for name, line, _ in imported(tree)
        if name.startswith("numba.") and name.split(".")[-1] in COMPILER
    ]


def test_every_room_has_a_rule():
    assert set(MAY_IMPORT) == ROOMS


def test_rules_have_no_way_back():
    order = list(MAY_IMPORT)[: list(MAY_IMPORT).index("__init__")]
    for position, room in enumerate(order):
        assert MAY_IMPORT[room] - {"__init__"} <= set(order[:position]), room


def _breaches(rule):
    found = {str(path): rule(path, tree) for path, tree in trees().items()}
    return {path: lines for path, lines in found.items() if lines}


def test_a_room_imports_only_what_is_below_it():
    assert not _breaches(lambda path, tree: forbidden(_room(path), tree))


def test_heavy_packages_load_where_they_are_used():
    assert not _breaches(lambda path, tree: foreign(tree, HEAVY, only_on_loading=True))


def modules():
    """Dotted name -> syntax tree of every module of the package."""
    return {
        ".".join(("pimlab", *path.with_suffix("").parts)).removesuffix(".__init__"): tree
        for path, tree in trees().items()
    }


def depends(trees):
    """Module -> the modules that it imports anywhere: on loading, in functions, under TYPE_CHECKING."""
    found = {}
    for module, tree in trees.items():
        found[module] = set()
        for name, _, _ in imported(tree):
            while name and name not in trees:
                name = name.rpartition(".")[0]
            found[module] |= {name} - {module, ""}
    return found


def circles(graph):
    """Groups of modules that import each other, however far round."""
    reached = {}
    for module in graph:
        seen, waiting = set(), list(graph[module])
        while waiting:
            other = waiting.pop()
            if other not in seen:
                seen.add(other)
                waiting += graph[other]
        reached[module] = seen
    return sorted(
        {
            tuple(sorted(other for other in reached[module] if module in reached[other]))
            for module in graph
            if module in reached[module]
        }
    )


def test_no_modules_import_each_other():
    # `Target.together` makes its machine in the function that is asked for it
    late = ("pimlab.machine.protocol", "pimlab.machine.together", "pimlab.machine.wrapped")
    assert set(circles(depends(modules()))) <= {late}


def test_a_circle_is_seen_wherever_the_import_stands():
    sources = {
        "pimlab.a": "def f():\n    from pimlab.b import g",
        "pimlab.b": "if TYPE_CHECKING:\n    from pimlab.c import h",
        "pimlab.c": "import pimlab.a",
        "pimlab.d": "from pimlab import a",
    }
    trees = {name: ast.parse(source) for name, source in sources.items()}
    assert circles(depends(trees)) == [("pimlab.a", "pimlab.b", "pimlab.c")]
    assert not circles(depends({"pimlab.a": trees["pimlab.a"], "pimlab.b": ast.parse("")}))


def test_one_room_draws():
    assert not _breaches(
        lambda path, tree: (
            _room(path) != "plot" and foreign(tree, {"matplotlib"}, only_on_loading=False)
        )
    )


def test_one_file_owns_the_compiler():
    assert set(_breaches(lambda path, tree: compiles(tree))) == {"kernels/jit.py"}


def test_twins_take_only_constants_from_kernels():
    for path, tree in trees().items():
        if _room(path) == "reference":
            taken = {
                alias.asname or alias.name
                for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom)
                and str(node.module).startswith("pimlab.kernels")
                for alias in node.names
            }
            used = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) in taken
            }
            assert all(name.isupper() for name in used), f"{path}: {used}"


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("npu", "from pimlab.analog import ADC"),
        ("npu", "from pimlab import analog"),
        ("kernels", "import pimlab.values"),
        ("formats", "def f():\n    from pimlab.npu.target import build"),
        ("workload", "from pimlab import run"),
        ("analog", "from pimlab.reference import crossbar"),
        ("plot", "from pimlab.studies import run"),
    ],
)
def test_a_wrong_way_is_seen(room, source):
    assert forbidden(room, ast.parse(source))


def test_other_breaches_are_seen():
    assert foreign(ast.parse("import onnx"), HEAVY, only_on_loading=True)
    assert not foreign(ast.parse("def f():\n    import onnx"), HEAVY, only_on_loading=True)
    assert foreign(
        ast.parse("def f():\n    import matplotlib.pyplot"), {"matplotlib"}, only_on_loading=False
    )
    assert compiles(ast.parse("@numba.njit(cache=True)\ndef f(): ..."))
    assert compiles(ast.parse("from numba import njit"))


def test_import_pimlab_is_light():
    code = "import sys, pimlab; dir(pimlab); pimlab.units; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT.parent,
        ).stdout.split()
    )
    assert not loaded & (
        HEAVY | {"numba", "scipy", "xarray", "matplotlib", "pandas", "numpy", "zarr"}
    )
