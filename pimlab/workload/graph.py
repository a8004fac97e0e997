"""Which operator of a model needs what of another? The true dependencies of one inference.

An edge says how much of what one operator makes the next one needs before it can go on. Where both
make their outputs row after row (a convolution's lines of pixels, a sequence's tokens), row r of
the reader needs the maker's rows up to r stride + reach: a window of `kernel` rows `dilation`
apart, with `pad` rows of padding before the first, has reach = (kernel - 1) dilation - pad.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.units import is_integer
from pimlab.values import Value, integer, nearest, truth


class Edge(Value):
    """`reader` needs what `maker` makes: all of it, or row by row where `whole` is False."""

    maker: str
    reader: str
    whole: bool = True
    stride: int = integer(1, default=1, doc="rows of the maker from one row of the reader to next")
    reach: int = integer(-(2**53), default=0, doc="last row of the maker that row 0 needs")

    def check(self) -> None:
        """`whole` is True or False, and an operator does not wait for itself."""
        truth("Edge whole", self.whole)
        if self.maker == self.reader:
            raise ValueError(f"Edge: operator {self.maker!r} waits for itself")

    def needed(self, row: int, rows: int) -> int:
        """The last of the maker's `rows` rows that row `row` of the reader needs (unit: rows); -1
        for none (a window of padding alone).
        """
        return rows - 1 if self.whole else min(rows - 1, row * self.stride + self.reach)


class Graph(Value):
    """Edges among the operators of one inference, and how many rows each makes one after another.

    rows : operator -> rows of its output; operators that are not named make it all at once.
    """

    edges: tuple[Edge, ...]
    rows: Mapping[str, int]

    def check(self) -> None:
        """Edges are edges, and every operator makes one row or more."""
        object.__setattr__(self, "edges", tuple(self.edges))
        if not all(isinstance(edge, Edge) for edge in self.edges):
            raise TypeError(f"Graph edges={self.edges!r:.80}; allowed: a tuple of Edge")
        if not isinstance(self.rows, Mapping):
            raise TypeError(f"Graph rows={self.rows!r:.80}; allowed: operator -> number of rows")
        for name, count in self.rows.items():
            if not is_integer(count) or count < 1:
                raise ValueError(f"Graph rows[{name!r}]={count!r}; allowed: an integer, 1 or more")

    def order(self, names: Iterable[str]) -> tuple[str, ...]:
        """`names` with every operator after those it waits for, else in the order given.

        ValueError for an edge of an operator that is not among `names`, and for a circle, by its
        operators.
        """
        names = tuple(names)
        before: dict[str, set[str]] = {name: set() for name in names}
        for edge in self.edges:
            for name in (edge.maker, edge.reader):
                if name not in before:
                    raise ValueError(
                        f"graph: {name!r} is no operator of the model{nearest(name, names)}"
                    )
            before[edge.reader].add(edge.maker)
        return _sorted(names, before)


def _sorted(names: tuple[str, ...], before: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Depth first, so that an operator follows soon after what it waits for."""
    place = {name: i for i, name in enumerate(names)}

    def waits_for(name: str) -> Iterator[str]:
        return iter(sorted(before[name], key=place.__getitem__))

    done: dict[str, None] = {}
    for name in names:
        path = {name: waits_for(name)} if name not in done else {}
        while path:
            here = next(reversed(path))
            following = next((one for one in path[here] if one not in done), None)
            if following is None:
                done[here] = None
                del path[here]
            elif following in path:
                circle = [*path][[*path].index(following) :]
                shown = " -> ".join([*circle, following])
                raise ValueError(f"graph: operators wait for each other in a circle ({shown})")
            else:
                path[following] = waits_for(following)
    return tuple(done)


def chain(operators: Iterable[MacOp | VectorOp]) -> Graph:
    """The graph in which each operator waits for all of the one before it: what is known of a model
    that does not say more.
    """
    names = [op.name for op in operators]
    pairs = itertools.pairwise(names)
    return Graph(edges=tuple(Edge(maker=a, reader=b) for a, b in pairs), rows={})
