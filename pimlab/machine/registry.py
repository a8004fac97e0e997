"""Which machines of one room are known by name? Those of its catalogue, looked up at every call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from pimlab.machine.protocol import Target

Build = Callable[[], Target]


class Registry(Mapping[str, Build]):
    """Name -> what builds the machine: nothing is listed beside the catalogue, so that a file added
    to it is a machine everywhere.

    names : what lists the names.  build : what makes the machine of a name.
    """

    def __init__(self, names: Callable[[], tuple[str, ...]], build: Callable[[str], Target]):
        self._names, self._build = names, build

    def __getitem__(self, name: str) -> Build:
        if name not in self._names():
            raise KeyError(name)
        return partial(self._build, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())
