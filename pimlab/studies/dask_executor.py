"""How does a sweep use several processes? Dask workers, one thread each; the parent alone writes
the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import xarray as xr

Points = list[tuple[str, dict[str, Any]]]
# Dask limits BLAS and OpenMP to one thread a worker, and not Numba.
_ENVIRONMENT = {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def compute(
    one: Callable[[dict[str, Any]], xr.Dataset], points: Points, workers: int
) -> Iterator[tuple[str, xr.Dataset]]:
    """(text, Dataset) of every (text, point) as it is done, in any order.

    workers : 1 or more processes. ModuleNotFoundError names the extra where Dask is not installed.
    """
    if isinstance(workers, bool) or not hasattr(workers, "__index__") or workers < 1:
        raise ValueError(
            f"workers={workers!r}; allowed: an integer, 1 or more (leave it out to compute in this "
            "process)"
        )
    try:
        import dask
        from distributed import Client, LocalCluster, as_completed
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("workers= needs Dask: pip install 'pimlab[dask]'") from error
    settings = {"distributed.nanny.pre-spawn-environ": _ENVIRONMENT}
    with (
        _kept_environment(),
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", processes=True
        ) as cluster,
        # As the default client it would have xarray ask the workers for leave to write the file of
        # a point.
        Client(cluster, set_as_default=False) as client,
    ):
        futures = {client.submit(one, point, pure=False): text for text, point in points}
        for future in as_completed(list(futures), loop=client.loop):
            yield futures[future], future.result()
            future.release()


@contextmanager
def _kept_environment() -> Iterator[None]:
    """Dask writes the workers' environment into this process before it starts them, and leaves it
    there.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
