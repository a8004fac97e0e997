"""Does a sweep run on a cluster that is there already, outlive a worker, and refuse by name what cannot start?"""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import xarray as xr
from distributed import Client

import pimlab as pim
from pimlab.studies import dask_executor


@pim.study
def small(x):
    return xr.Dataset({"y": x})


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and two workers of it, each started by itself."""
    file = tmp_path / "scheduler.json"
    here = ["--scheduler-file", str(file), "--no-dashboard"]
    alone = ["--nthreads", "1", "--no-nanny"]
    commands = [["scheduler", "--host", "127.0.0.1", "--port", "0"], *[["worker", *alone]] * 2]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, *here],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for what, *options in commands
    ]
    try:
        _wait_until(file.exists)
        yield json.loads(file.read_text())["address"], started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def _wait_until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_sweep_on_a_cluster_outlives_one_of_its_workers(cluster, tmp_path):
    address, processes = cluster
    steps = range(8)

    @pim.study
    def slow(x):
        time.sleep(0.1)
        return xr.Dataset({"y": 1 / (x + 1), "worker": os.getpid()})

    def murdered(client):
        """Kill a worker as soon as it has finished a point."""
        seen = set()
        _wait_until(lambda: len(client.scheduler_info()["workers"]) == 2)
        for text, result in dask_executor.compute(lambda point: slow(**point), asked, client):
            seen.add(int(result.worker))
            if len(seen) == 2 and processes[0].poll() is None:
                processes[0].kill()
            yield text, result

    asked = [(f"slow(x={x})", {"x": x}) for x in steps]
    with Client(address, set_as_default=False) as client:
        found = dict(murdered(client))
        assert processes[0].poll() is not None
        assert client.status == "running"  # it is the user's, and stays
    assert [float(found[f"slow(x={x})"].y) for x in steps] == [1 / (x + 1) for x in steps]

    there = pim.sweep(slow, x=steps, workers=address, store=tmp_path / "s.zarr", progress=False)
    np.testing.assert_array_equal(there.y, [1 / (x + 1) for x in steps])
    assert set(there.worker.values.tolist()) == {processes[1].pid}
    assert len(list(tmp_path.glob("s.zarr.points/*.nc"))) == len(steps)


def test_an_address_where_nobody_answers_is_named(monkeypatch):
    monkeypatch.setattr(dask_executor, "_PATIENCE", "0.2 s")
    for address in ("tcp://127.0.0.1:1", "2", "nonsense://x"):
        with pytest.raises(ValueError, match=f"workers='{address}': no Dask scheduler answers"):
            pim.sweep(small, x=[1], workers=address, progress=False)


UNGUARDED = """
import xarray as xr
import pimlab as pim

@pim.study
def one(x):
    return xr.Dataset({"y": x})

pim.sweep(one, x=[1, 2], workers=2, progress=False)
"""


def test_a_script_without_a_guard_hears_one_sentence(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(UNGUARDED)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "RuntimeError: workers=2: each worker process imports plain.py again and would start the "
        "sweep there too; write what starts it below the line  if __name__ == '__main__':"
    )
    assert len(done.stderr.splitlines()) < 25


@pytest.mark.parametrize(
    ("text", "guarded"),
    [
        ("{}", False),
        ("if True:\n    {}", False),
        ("if __name__ == '__main__':\n    {}", True),
        ("def main():\n    {}\n\nif '__main__' == __name__:\n    main()", True),
    ],
)
def test_a_guard_is_seen_where_the_script_runs(text, guarded, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(text.format("seen.append(guarded(__file__))"))
    seen = []
    names = {"seen": seen, "guarded": dask_executor._guarded}
    runpy.run_path(str(script), names, run_name="__main__")
    assert seen == [guarded]


def test_processes_of_a_cluster_do_not_hear_ctrl_c():
    """They inherit that it is ignored; this process hears it again once they run."""
    before = signal.getsignal(signal.SIGINT)
    assert dask_executor._started(lambda: signal.getsignal(signal.SIGINT)) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) == before


def test_a_thread_leaves_signals_as_they_are():
    """Only the main thread may set them: a sweep in a thread starts its workers all the same."""
    found = []
    thread = threading.Thread(
        target=lambda: found.append(dask_executor._started(lambda: signal.getsignal(signal.SIGINT)))
    )
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]
