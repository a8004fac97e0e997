"""Where does a result come from? Version, commit, lock and sources of a Dataset, and their
BibTeX.
"""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache
from pathlib import Path

import xarray as xr

import pimlab
from pimlab import catalogue
from pimlab.machine.protocol import Target
from pimlab.plan import Plan
from pimlab.result import sources_of

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


def stamp() -> dict[str, str]:
    """The attributes every Dataset carries: version, commit and lock hash."""
    return {"pimlab": pimlab.__version__, "commit": commit(), "lock": lock()}


def cite(answer: xr.Dataset | Plan | Target) -> str:
    """BibTeX of every published number behind `answer`: what any function of pimlab returned as a
    Dataset, a plan, or a machine.

    TypeError for anything else; ValueError for a Dataset that pimlab did not make (no attribute
    `sources`), or that names a source this version does not know.

    >>> model, data = pim.load_model("digits-mlp"), pim.load_data("digits", limit=50)
    >>> answer = pim.run(model, pim.target("warboy"), data)
    >>> print(pim.cite(answer).splitlines()[0])  # one entry a source
    @misc{accelforge,
    """
    if isinstance(answer, Target):
        return "\n\n".join(map(_bibtex, _with_hosts(answer)))
    if isinstance(answer, Plan):
        return "\n\n".join(map(_bibtex, answer.cited))
    if not isinstance(answer, xr.Dataset):
        raise TypeError(
            "cite takes a Dataset that run, sweep, compare or explain returned, a plan or a "
            f"machine, not {type(answer).__name__}"
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
            f"{pimlab.__version__}; was it made by another version?"
        )
    fields = dict(catalogue.sources()[key])
    kind = fields.pop("type")
    body = "\n".join(f"  {name} = {{{value}}}," for name, value in fields.items())
    return f"@{kind}{{{key},\n{body}\n}}"
