"""What every test starts from: Ctrl-C is heard, also where the tests run in the background; nothing
draws how far it is; kernels are compiled before anything else needs them.
"""

import itertools
import os

import interrupts

LAST = ("tests/test_notebooks.py", "tests/core")
"""Notebooks when all is compiled, and the many small tests at the end, so that no process waits."""
WALK = "tests/test_kernels.py::test_kernel_equals_its_twin["


def pytest_configure():
    interrupts.hear()
    os.environ["PIMLAB_PROGRESS"] = "0"  # notebooks and commands started by tests inherit it


def _place(item):
    path = item.nodeid.split("::")[0]
    return next((n + 2 for n, folder in enumerate(LAST) if path.startswith(folder)), 1)


def _dealt(items, shares):
    """`items` in equal parts: neighbours stay together, because they share fixtures."""
    ends = [len(items) * n // shares for n in range(shares + 1)]
    return [items[start:end] for start, end in itertools.pairwise(ends)]


def _kernel(item):
    """The module of the kernel that an item of the walk compiles; None for any other test."""
    if not item.nodeid.startswith(WALK):
        return None
    covers = item.module.TABLE[item.callspec.params["name"]].covers
    return covers[0].split(".")[0] if covers else None


def _compiling(items, shares):
    """The walk over the kernels, dealt by module."""
    modules = [_kernel(item) for item in items]
    numbers = {name: n % shares for n, name in enumerate(sorted(set(modules)))}
    return [
        [item for item, name in zip(items, modules, strict=True) if numbers[name] == share]
        for share in range(shares)
    ]


def pytest_collection_modifyitems(items):
    """xdist gives each of its processes an equal share of the list, in the order of the list: each
    share starts with kernels, so that no two processes compile the same one at the same time.
    """
    shares = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    places = [0 if _kernel(item) else _place(item) for item in items]
    deal = [_compiling] + [_dealt] * (1 + len(LAST))
    parts = [
        share([item for item, at in zip(items, places, strict=True) if at == place], shares)
        for place, share in enumerate(deal)
    ]
    items[:] = [item for share in range(shares) for part in parts for item in part[share]]
