"""What every test starts from: Ctrl-C is heard, also where the tests run in the background; nothing
draws how far it is; kernels are compiled before anything else needs them.
"""

import gc
import itertools
import os
from pathlib import Path

import hypothesis
import interrupts
import pytest

LAST = ("tests/test_notebooks.py", "tests/core")
"""Notebooks when all is compiled, and the many small tests at the end, so that no process waits."""
WALK = "tests/test_kernels.py::test_kernel_equals_its_twin["


hypothesis.settings.register_profile("house", deadline=None)  # busy machines fail no example
hypothesis.settings.load_profile("house")


def pytest_configure(config):
    interrupts.hear()
    os.environ["PIMLAB_PROGRESS"] = "0"  # notebooks and commands started by tests inherit it
    if config.args == ["tests"]:
        config.args[:] = _turned(Path(__file__).parent, os.environ.get("PYTEST_XDIST_WORKER", ""))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Looks for no garbage while tests are collected, and never among what lasts as long as they:
    a fifth of the time went there.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _turned(folder, worker):
    """What `folder` holds, read from its end by every second process: each then finds half of the
    files compiled by another, which takes a third of the time that tests are collected.
    """
    own = sorted(path for path in folder.iterdir() if path.is_dir() or path.match("test_*.py"))
    names = [str(path) for path in own if path.name != "__pycache__"]
    return names[::-1] if worker.endswith(tuple("13579")) else names


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
    items.sort(key=lambda item: str(item.path))  # the same for all processes
    shares = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    places = [0 if _kernel(item) else _place(item) for item in items]
    deal = [_compiling] + [_dealt] * (1 + len(LAST))
    parts = [
        share([item for item, at in zip(items, places, strict=True) if at == place], shares)
        for place, share in enumerate(deal)
    ]
    items[:] = [item for share in range(shares) for part in parts for item in part[share]]
