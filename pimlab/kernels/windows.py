"""Which inputs does each output pixel of a convolution see? The columns of all windows (im2col),
gathered in one pass.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import inline, kernel

WIDE = 8
"""Values that one instruction moves."""
_ONE, _WIDE = np.uint64(1), np.uint64(WIDE)


@inline
def _eight(source, a, into, b):
    """into[b : b + 8] = source[a : a + 8], read before it is written, so that it compiles to one
    load and one store.
    """
    # all are read before any is written: the compiler cannot know that the arrays do not overlap
    v0, v1, v2, v3 = (
        source[a],
        source[a + np.uint64(1)],
        source[a + np.uint64(2)],
        source[a + np.uint64(3)],
    )
    v4, v5, v6, v7 = (
        source[a + np.uint64(4)],
        source[a + np.uint64(5)],
        source[a + np.uint64(6)],
        source[a + np.uint64(7)],
    )
    into[b], into[b + np.uint64(1)], into[b + np.uint64(2)], into[b + np.uint64(3)] = v0, v1, v2, v3
    (
        into[b + np.uint64(4)],
        into[b + np.uint64(5)],
        into[b + np.uint64(6)],
        into[b + np.uint64(7)],
    ) = v4, v5, v6, v7


@kernel
def gather(x, starts, offsets, run, out):
    """out[i, j, m] = x[i, starts[j] + offsets[m]]: the value at offset m in the window that starts
    at pixel j.

    x : float32, shape (images, pixels), flat and already padded;  starts : uint64,
    shape (windows,);  offsets : uint64, shape (k,), ascending;
    run : uint64, at most 8, a divisor of k: offsets come in runs of so many neighbours;  out :
    float32, shape (images, windows, k), written. Signed indices would cost a test each. One thread:
    a copy at the speed of memory, between two BLAS calls. A run is copied as eight values; what
    follows it overwrites the rest, so the last windows go value by value.
    """
    k, windows, reach = np.uint64(len(offsets)), np.uint64(len(starts)), offsets[-1] + _WIDE
    for i in range(out.shape[0]):
        row, into = x[i], out[i].reshape(-1)
        for j in range(windows):
            base, first = starts[j], j * k
            if run > _ONE and j + _WIDE < windows and base + reach <= np.uint64(len(row)):
                for m in range(np.uint64(0), k, run):
                    _eight(row, base + offsets[m], into, first + m)
            else:
                for m in range(k):
                    into[first + m] = row[base + offsets[m]]
