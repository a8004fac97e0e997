"""Do the tests mirror the tree: a test file of its name for every module that does something?"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWINS = ("reference", "kernels")
"""tests/test_kernels.py walks over all of both: every public kernel is set beside its twin there."""
DECIDING = {Path("kernels/blas"), Path("kernels/jit"), Path("kernels/threads")}
"""They decide threads and compilation, and have no twin."""


def modules():
    """Path below pimlab/, without the ending, of every module that defines a function or a class."""
    for path in sorted((ROOT / "pimlab").rglob("*.py")):
        kinds = ast.FunctionDef | ast.ClassDef
        if any(isinstance(node, kinds) for node in ast.parse(path.read_text()).body):
            yield path.relative_to(ROOT / "pimlab").with_suffix("")


def has_tests(module):
    """Whether tests/ has a file of the module's name in its room."""
    name = module.parent.name or "pimlab" if module.name == "__init__" else module.name
    rooms = [module.parent] if module.parent.parts else [Path("core"), Path()]
    return any((ROOT / "tests" / room / f"test_{name}.py").exists() for room in rooms)


def test_every_module_has_its_test_file():
    lacking = {
        module.as_posix()
        for module in modules()
        if (module.parts[0] not in TWINS or module in DECIDING) and not has_tests(module)
    }
    assert not lacking
