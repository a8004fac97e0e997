"""How does a sweep use several processes? Dask workers of this computer, one thread each, or those
of a cluster that runs already; the parent alone writes the store.
"""

from __future__ import annotations

import ast
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from pimlab import units
from pimlab.units import is_integer

Points = list[tuple[str, dict[str, Any]]]
# Dask limits BLAS and OpenMP to one thread a worker, and not Numba.
_ENVIRONMENT = {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
_PATIENCE = "10 s"
"""How long a scheduler may take to answer to its address."""


def compute(
    one: Callable[[dict[str, Any]], xr.Dataset], points: Points, workers: Any
) -> Iterator[tuple[str, xr.Dataset]]:
    """(text, Dataset) of every (text, point) as it is done, in any order.

    workers : 1 or more processes of this computer, the address of a running scheduler such as
    "tcp://10.0.0.1:8786", or a `distributed.Client`. A worker that dies loses nothing: its points
    go to the others.
    ModuleNotFoundError names the extra where Dask is not installed; ValueError for other workers
    and for an address where no scheduler answers; RuntimeError in a script whose own processes
    would start the sweep again.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("workers= needs Dask: pip install 'pimlab[dask]'") from error
    if is_integer(workers):
        _refuse_unguarded(workers)
    with _client(workers) as client:
        futures = {client.submit(one, point, pure=False): text for text, point in points}
        try:
            for future in distributed.as_completed(list(futures), loop=client.loop):
                yield futures[future], future.result()
                future.release()
        finally:  # of a sweep that was stopped, a cluster of the user's keeps nothing
            client.cancel([future for future in futures if not future.done()])


@contextmanager
def _client(workers: Any) -> Iterator[Any]:
    """The client of a cluster that runs, or of one that runs as long as this."""
    from distributed import Client

    if isinstance(workers, Client):
        if workers.asynchronous or workers.status != "running":
            raise ValueError(
                f"workers={workers!r}; allowed: a client that runs and waits (asynchronous=False)"
            )
        yield workers
    elif isinstance(workers, str):
        with _connected(workers) as client:
            yield client
    else:
        with _own(_counted(workers)) as client:
            yield client


def _counted(workers: Any) -> int:
    if not is_integer(workers) or workers < 1:
        raise ValueError(
            f"workers={workers!r}; allowed: an integer, 1 or more, the address of a running Dask "
            "scheduler, or a distributed.Client (leave it out to compute in this process)"
        )
    return workers.__index__()


def _connected(address: str) -> Any:
    from distributed import Client
    from distributed.comm import get_address_host_port

    try:
        # A client that never connected may be collected while the next one holds Dask's lock, and
        # then waits for that lock without end; so no client is made where nobody listens.
        place = get_address_host_port(address, strict=True)
        socket.create_connection(place, timeout=units.seconds(_PATIENCE)).close()
        return Client(address, set_as_default=False, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"workers={address!r}: no Dask scheduler answers there ({error}); allowed: an address "
            "such as 'tcp://127.0.0.1:8786', which `dask scheduler` prints, or a number of workers"
        ) from None


@contextmanager
def _own(workers: int) -> Iterator[Any]:
    """The client of so many worker processes of this computer."""
    import dask
    from distributed import Client, LocalCluster

    settings = {"distributed.nanny.pre-spawn-environ": _ENVIRONMENT}
    with (
        _kept_environment(),
        dask.config.set(settings),
        _started(
            LocalCluster,
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            processes=True,
            # What goes wrong in a point reaches the caller; a worker that is stopped has no news.
            silence_logs=logging.CRITICAL,
        ) as cluster,
        # As the default client it would have xarray ask the workers for leave to write the file of
        # a point.
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _refuse_unguarded(workers: int) -> None:
    """RuntimeError in a script that starts the sweep wherever it is imported: each worker imports
    it, and would start workers of its own.
    """
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    imported_again = file is not None and not (spec and spec.name.endswith(".__main__"))
    starting = getattr(multiprocessing.current_process(), "_inheriting", False)
    if starting or (imported_again and not _guarded(str(file))):
        name = Path(file).name if file else "the script"
        raise RuntimeError(
            f"workers={workers}: each worker process imports {name} again and would start the "
            "sweep there too; write what starts it below the line  if __name__ == '__main__':"
        )


def _guarded(file: str) -> bool:
    """Whether the script `file`, if it runs right now, is in a block that asks for its name."""
    frame = sys._getframe()
    while frame and not (frame.f_code.co_name == "<module>" and frame.f_code.co_filename == file):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None or not Path(file).is_file():
        return True
    for statement in ast.parse(Path(file).read_bytes()).body:
        if statement.lineno <= frame.f_lineno <= (statement.end_lineno or statement.lineno):
            test = ast.dump(statement.test) if isinstance(statement, ast.If) else ""
            return "__name__" in test
    return True


def _started(cluster: Callable[..., Any], **settings: Any) -> Any:
    """A cluster whose processes do not hear Ctrl-C: a shell sends it to all of them, and this
    process alone, which stops the others, has something to say.
    """
    if threading.current_thread() is not threading.main_thread():
        return cluster(**settings)  # only the main thread may say what a signal does
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which new processes inherit
    try:
        return cluster(**settings)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


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
