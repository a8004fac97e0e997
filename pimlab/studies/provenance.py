"""Where does a result come from? Version, commit, lock and sources of a Dataset, and their
BibTeX.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import pimlab
from pimlab import catalogue
from pimlab.analog.devices.device import Device
from pimlab.arguments import named as by_name
from pimlab.machine.protocol import Target
from pimlab.plan import Plan
from pimlab.result import sources_of
from pimlab.values import from_canonical

_ROOT = Path(__file__).parents[2]


@lru_cache(maxsize=1)
def commit() -> str:
    """The git commit of the checkout pimlab runs from, with "-dirty" when the package differs;
    "unknown" outside one.
    """
    try:
        head = _git("rev-parse", "HEAD")
        return head + (
            "-dirty"
            if _git("status", "--porcelain", "--untracked-files=no", "--", "pimlab")
            else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", "-C", str(_ROOT), *words], check=True, capture_output=True, text=True
    ).stdout.strip()


@lru_cache(maxsize=1)
def lock() -> str:
    """sha256 of `requirements.lock` of the checkout; "unknown" where there is none."""
    path = _ROOT / "requirements.lock"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "unknown"


@lru_cache(maxsize=1)
def blas() -> str:
    """The kernel of BLAS that NumPy multiplies with, such as "openblas Haswell".

    It is chosen by the processor. Another kernel adds floating-point products in another order:
    integer results of NPUs and DRAM-PIM are the same to the bit, what goes through float32 products
    (crossbars, perplexity and other metrics of float outputs, float32 layers) differs in the last
    digits, and calibrated ranges with it.
    """
    from threadpoolctl import threadpool_info

    np.dot(np.ones((2, 2)), np.ones((2, 2)))
    found = [one for one in threadpool_info() if one["user_api"] == "blas"]
    own = [one for one in found if "numpy" in one["filepath"]] or found
    kernels = {f"{one['internal_api']} {one.get('architecture', '')}".strip() for one in own}
    return ", ".join(sorted(kernels)) or "unknown"


@lru_cache(maxsize=1)
def cpu() -> str:
    """The processor's name, such as "AMD EPYC 7B13", else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "unknown"


def stamp() -> dict[str, str]:
    """The attributes every Dataset carries: version, commit, lock hash, processor and kernel of
    BLAS.
    """
    return {
        "pimlab": pimlab.__version__,
        "commit": commit(),
        "lock": lock(),
        "cpu": cpu(),
        "blas": blas(),
    }


@by_name
def target_of(result: xr.Dataset, model: Any = None) -> Any:
    """The machine (or plan) that computed `result`, built again: it equals the one that `run` was
    given.

    result : what run, explain, compare or sweep returned, or the same read back from a file. One of
    several machines is chosen first: `pim.target_of(ds.isel(adc_bits=0))`.  model : the model of a
    result that was computed on a plan; a plan says which machine runs which of its operators.
    TypeError for what is no Dataset; ValueError for one that names no machine, or several, one
    whose classes are not known here, and a plan without its model.

    >>> machine = pim.target("pcm-hermes").but(adc=pim.ADC(bits=4))
    >>> answer = pim.run(pim.load_model("digits-mlp"), machine, None)
    >>> pim.target_of(answer) == machine
    True
    """
    if not isinstance(result, xr.Dataset):
        raise TypeError(
            "target_of takes a Dataset that run, sweep, compare or explain returned, not "
            f"{type(result).__name__}"
        )
    built = from_canonical(_machine_of(result))
    if not isinstance(built, dict):
        return built
    wanted = result.attrs.get("model_sha256")
    if model is None or wanted not in (None, model.sha256):
        raise ValueError(
            f"target_of model={model!r}: this result was computed on a plan of the model "
            f"{result.attrs.get('model', '?')!r} (sha256 {wanted}); give that model"
        )
    return Plan(model=model, **built)


def _machine_of(result: xr.Dataset) -> str:
    """The canonical form of the one machine that `result` names."""
    if "machine" in result.attrs:
        return str(result.attrs["machine"])
    if "machine_id" not in result.coords or "machines" not in result.attrs:
        raise ValueError(
            "this Dataset has no attribute 'machine'; target_of takes what run, sweep, compare or "
            "explain returned"
        )
    labels = sorted(set(np.ravel(result.machine_id.values).tolist()))
    if len(labels) != 1:
        dims = ", ".join(f"{dim}=0" for dim in result.machine_id.dims)
        raise ValueError(
            f"this Dataset holds {len(labels)} machines; select one first, such as "
            f"pimlab.target_of(result.isel({dims}))"
        )
    return str(json.loads(result.attrs["machines"])[labels[0]])


def with_machines(results: Sequence[xr.Dataset]) -> tuple[list[xr.Dataset], dict[str, str]]:
    """Results of several machines, each with a scalar coordinate `machine_id` that names its own by
    the first digits of its digest; and the attribute `machines` (JSON: name -> canonical form) of
    what they are joined to.

    Results of one machine, and those that name none, stay as they are.
    """
    forms = [result.attrs.get("machine") for result in results]
    if len(set(forms)) < 2 or None in forms:
        return list(results), {}
    names = [hashlib.sha256(str(form).encode()).hexdigest()[:12] for form in forms]
    named = [r.assign_coords(machine_id=name) for r, name in zip(results, names, strict=True)]
    return named, {"machines": json.dumps(dict(zip(names, forms, strict=True)))}


@by_name
def cite(answer: xr.Dataset | Plan | Target | Device) -> str:
    """BibTeX of every published number behind `answer`: what any function of pimlab returned as a
    Dataset, a plan, a machine, or a memory cell.

    TypeError for anything else; ValueError for a Dataset that pimlab did not make (no attribute
    `sources`), or that names a source this version does not know.

    >>> model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=50)
    >>> answer = pim.run(model, pim.target("warboy"), data)
    >>> print(pim.cite(answer).splitlines()[0])  # one entry a source
    @misc{accelforge,
    """
    if isinstance(answer, Target):
        return "\n\n".join(map(_bibtex, _with_hosts(answer)))
    if isinstance(answer, (Plan, Device)):
        return "\n\n".join(map(_bibtex, answer.cited))
    if not isinstance(answer, xr.Dataset):
        raise TypeError(
            "cite takes a Dataset that run, sweep, compare or explain returned, a plan, a machine "
            f"or a memory cell, not {type(answer).__name__}"
        )
    if "sources" not in answer.attrs:
        raise ValueError(
            "this Dataset has no attribute 'sources'; cite takes what run, sweep or explain "
            "returned"
        )
    return "\n\n".join(map(_bibtex, sources_of(answer)))


def _with_hosts(machine: Target | None) -> tuple[str, ...]:
    """Keys of the sources of a machine and of the hosts it names, sorted."""
    keys: set[str] = set()
    while machine is not None:
        keys.update(machine.cited)
        machine = machine.host
    return tuple(sorted(keys))


def _bibtex(key: str) -> str:
    if key not in catalogue.sources():
        raise ValueError(
            f"source {key!r} of this Dataset is not in the catalogue of pimlab "
            f"{pimlab.__version__}; was it made by another version, or with files of your own "
            "(pimlab.add_catalogue)?"
        )
    fields = dict(catalogue.sources()[key])
    kind = fields.pop("type")
    body = "\n".join(f"  {name} = {{{value}}}," for name, value in fields.items())
    return f"@{kind}{{{key},\n{body}\n}}"
