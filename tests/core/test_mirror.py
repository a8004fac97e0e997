"""Do the tests mirror the tree: a test file of its name for every module that does something?"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
TWINS = ("reference", "kernels")
"""tests/test_kernels.py walks over all of both: every public kernel is set beside its twin there."""
DECIDING = {Path("kernels/blas"), Path("kernels/jit")}
"""They decide threads and compilation, and have no twin."""
NOT_YET = {
    "__init__",
    "analog/__init__",
    "analog/bias_rows",
    "analog/circuit/nodes",
    "analog/converters",
    "analog/costs",
    "analog/design",
    "analog/devices/__init__",
    "analog/devices/conformance",
    "analog/devices/drift",
    "analog/devices/read_noise",
    "analog/devices/vocabulary",
    "analog/learning/tiles",
    "analog/physics",
    "analog/programmed",
    "analog/ranges",
    "analog/read",
    "analog/read_energy",
    "analog/readers",
    "analog/written",
    "cluster/costs",
    "cluster/plans",
    "cluster/training_search",
    "cluster/placement/assignment",
    "cluster/placement/bound",
    "cluster/placement/chains",
    "cluster/placement/flow",
    "cluster/placement/lp_file",
    "cluster/placement/problem",
    "cluster/placement/solve",
    "dram_pim/arithmetic",
    "dram_pim/pins",
    "machine/protocol",
    "plot/__init__",
    "workload/__init__",
    "workload/importers/functions",
    "workload/importers/segments",
    "workload/importers/traces",
    "workload/language/__init__",
    "workload/metric",
    "workload/model",
    "workload/training/graph",
    "workload/training/optimiser",
    "workload/training/trained",
    "workload/zoo/hyperscale",
}
"""Modules that only tests of other names reach. Take a name off once its file is there; put none on."""


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
    assert lacking <= NOT_YET
