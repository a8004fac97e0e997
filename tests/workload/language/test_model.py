"""An evaluation of a language model that is killed goes on where it stopped, and ends with the same bytes."""

import runpy
import signal
import subprocess
import sys
import time

import numpy as np

import pimlab as pim

WINDOWS = 8
SCRIPT = f"""
import sys
import pimlab as pim
import xarray as xr


@pim.study
def window(index):
    model, genesis = pim.load_model("small-lm"), pim.load_data("kjv", limit={WINDOWS})[index : index + 1]
    surprise = genesis.metric.contributions(model.execute(genesis.inputs, model.exact), genesis.labels)
    return xr.Dataset({{"perplexity": ((), genesis.metric.summarise(surprise)[0], {{"units": "1"}})}})


if __name__ == "__main__":
    pim.sweep(window, index=range({WINDOWS}), store=sys.argv[1], progress=False)
"""


def started(folder):
    folder.mkdir(exist_ok=True)
    script = folder / "evaluate.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder / "lm.zarr")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(folder):
    return {
        str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()
    }


def kept(folder):
    return {name: content for name, content in contents(folder).items() if name.endswith(".nc")}


def killed_after_a_window(folder):
    process, end = started(folder), time.monotonic() + 120
    while not kept(folder):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.communicate()


def test_a_killed_evaluation_keeps_its_windows_and_ends_with_the_same_bytes(tmp_path):
    killed, straight = tmp_path / "killed", tmp_path / "straight"
    killed_after_a_window(killed)
    before = kept(killed)
    assert 1 <= len(before) < WINDOWS
    assert not (killed / "lm.zarr").exists()
    again = started(killed)
    window = runpy.run_path(str(killed / "evaluate.py"))["window"]
    pim.sweep(window, index=range(WINDOWS), store=str(straight / "lm.zarr"), progress=False)
    out, error = again.communicate(timeout=120)
    assert again.returncode == 0, out + error
    assert {name: kept(killed)[name] for name in before} == before
    assert kept(killed) == kept(straight)
    assert contents(killed / "lm.zarr") == contents(straight / "lm.zarr")


def test_windows_one_by_one_are_the_windows_together():
    model, data = pim.load_model("small-lm").at(context=256), pim.load_data("kjv", limit=2)
    machine = pim.target("warboy")
    together = pim.run(model, machine, data, seed=0).perplexity
    apart = [float(pim.run(model, machine, data[i : i + 1], seed=0).perplexity) for i in range(2)]
    np.testing.assert_allclose(np.exp(np.mean(np.log(apart))), together, rtol=1e-6)
