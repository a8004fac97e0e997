"""Where does each random number come from? From a key: a seed and the path of causes that asks for
it.

A key is hashed to the 64 key bits of Philox; the counter is the index of the cell or output and the
row. So the same numbers come for any thread count, batch size, chunking or worker, and switching
one cause off does not shift the others.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np

from pimlab.units import is_integer
from pimlab.values import Value


class Key(Value):
    """A seed and the path of names below it, such as `Key(seed=0).child("read noise", "conv1",
    3)`.
    """

    seed: int
    path: tuple[str | int, ...] = ()
    row: int = 0
    """Index of the first row (sample) of the batch that will be read: chunks of one batch continue
    each other.
    """

    def check(self) -> None:
        """Seed is an integer 0..2**63 - 1 and row is not negative."""
        if not is_integer(self.seed):
            raise TypeError(f"seed={self.seed!r} is not an integer")
        object.__setattr__(self, "seed", int(self.seed))
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed!r} is outside 0..2**63 - 1")
        if not (is_integer(self.row) and self.row >= 0):
            raise ValueError(f"Key row={self.row!r} is not an integer from 0")

    def child(self, *names: str | int) -> Key:
        """The key of a cause below this one."""
        return self._derived((*self.path, *names), self.row)

    def rows(self, first: int) -> Key:
        """The same key for a chunk whose first row is row `first` of the whole batch."""
        if first < 0:
            return self.but(row=int(first))  # says what is allowed
        return self._derived(self.path, int(first))

    def _derived(self, path: tuple[str | int, ...], row: int) -> Key:
        """A key of the same seed, without another look at its fields: cells ask for thousands."""
        key = object.__new__(type(self))
        key.__dict__.update(seed=self.seed, path=path, row=row)
        return key

    @property
    def words(self) -> tuple[np.uint32, np.uint32]:
        """The two 32-bit Philox key words, uint32, shape (), of (seed, path): a BLAKE2b hash, so
        that paths do not collide in practice.
        """
        return _words(repr((self.seed, self.path)))


@lru_cache(maxsize=1024)
def _words(text: str) -> tuple[np.uint32, np.uint32]:
    hashed = hashlib.blake2b(text.encode(), digest_size=8).digest()
    low, high = np.frombuffer(hashed, dtype="<u4")
    return np.uint32(low), np.uint32(high)


def as_key(key: int | Key) -> Key:
    """A `Key` from an integer seed; a `Key` passes through. TypeError for anything else."""
    return key if isinstance(key, Key) else Key(seed=key)
