"""Which inputs does each output pixel of a convolution see? The columns of all windows (im2col), gathered in one pass."""

from __future__ import annotations

from pimlab.kernels.jit import kernel


@kernel
def gather(x, starts, offsets, out):
    """out[i, j, m] = x[i, starts[j] + offsets[m]]: the value at offset m in the window that starts at pixel j.

    x : float32 (images, pixels), flat and already padded;  starts : int64 (windows,);  offsets : int64 (k,);
    out : float32 (images, windows, k), written. One thread: a copy at the speed of memory, between two BLAS calls.
    """
    for i in range(out.shape[0]):
        row, into = x[i], out[i].reshape(-1)
        k = len(offsets)
        for j in range(len(starts)):
            base, first = starts[j], j * k
            for m in range(k):
                into[first + m] = row[base + offsets[m]]
