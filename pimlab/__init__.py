"""pimlab: what accuracy, energy and latency does a trained model get on an NPU, on DRAM-PIM, on
analog in-memory MAC?

The names below load on first use, so that `import pimlab` stays cheap.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

__version__ = "0.1.0"

_EXPORTS = {
    "run": "pimlab.studies",
    "sweep": "pimlab.studies",
    "study": "pimlab.studies",
    "explain": "pimlab.studies",
    "cite": "pimlab.studies",
    "target_of": "pimlab.studies",
    "compare": "pimlab.studies",
    "compare_results": "pimlab.studies.difference",
    "decisive": "pimlab.studies.decisive",
    "likely_energy": "pimlab.studies.likely",
    "operating_points": "pimlab.studies.operating",
    "place": "pimlab.studies.place",
    "outlier_aware": "pimlab.studies.outlier_search",
    "service_life": "pimlab.studies.service_life",
    "schedule": "pimlab.schedule",
    "energy_at": "pimlab.schedule",
    "crossings": "pimlab.schedule",
    "write_trace": "pimlab.schedule",
    "Plan": "pimlab.plan",
    "summary": "pimlab.result",
    "link": "pimlab.machine.links",
    "network": "pimlab.cluster",
    "Cluster": "pimlab.cluster",
    "parallelise": "pimlab.cluster",
    "provision": "pimlab.farm",
    "offer": "pimlab.farm",
    "serve": "pimlab.serving",
    "load_requests": "pimlab.serving",
    "poisson": "pimlab.serving",
    "Slo": "pimlab.serving",
    "write_manifests": "pimlab.farm",
    "streamed": "pimlab.machine.streamed",
    "device_spec_map": "pimlab.studies.spec_map",
    "train": "pimlab.studies.training",
    "Recipe": "pimlab.workload.training",
    "load_model": "pimlab.workload",
    "load_data": "pimlab.workload",
    "compress": "pimlab.workload.transform.compressed",
    "Data": "pimlab.workload",
    "target": "pimlab.machine.presets",
    "targets": "pimlab.machine.presets",
    "device": "pimlab.analog",
    "Crossbar": "pimlab.analog",
    "ADC": "pimlab.analog",
    "DAC": "pimlab.analog",
    "check": "pimlab.analog",
    "add_catalogue": "pimlab.catalogue",
    "Key": "pimlab.keys",
    "Constant": "pimlab.constants",
    "assumed": "pimlab.constants",
    "machines": "pimlab.studies.lists",
    "devices": "pimlab.studies.lists",
    "models": "pimlab.studies.lists",
    "datasets": "pimlab.studies.lists",
    "macros": "pimlab.studies.lists",
    "papers": "pimlab.studies.lists",
    "scores": "pimlab.studies.papers",
    "explore": "pimlab.lab",
    "explore_device": "pimlab.lab",
    "explore_schedule": "pimlab.lab",
}
_ROOMS = (
    "analog",
    "catalogue",
    "cluster",
    "cost",
    "dram_pim",
    "farm",
    "formats",
    "interchange",
    "lab",
    "npu",
    "plan",
    "plot",
    "result",
    "serving",
    "units",
    "workload",
)

__all__ = ["__version__", *_EXPORTS, *_ROOMS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"pimlab.{name}")
    else:
        from pimlab.values import nearest

        raise AttributeError(f"pimlab has no {name!r}{nearest(name, __all__)}")
    globals()[name] = value
    if "xarray" in sys.modules and "pimlab.lab.accessor" not in sys.modules:
        importlib.import_module("pimlab.lab.accessor")  # answer.pim.plot() and its like
    return value


def _html(thing: Any) -> str:
    return importlib.import_module("pimlab.lab").html(thing)


def _answer_html(answer: Any) -> str:
    """Of a Dataset: ours shows its summary first, another's is as xarray shows it."""
    return _html(answer) if "sources" in answer.attrs else answer._repr_html_()


def _offers(names: dict[str, Any]) -> Any:
    def offered(context: Any) -> Any:
        return importlib.import_module("pimlab.lab.completion").matcher(names)(context)

    offered.matcher_api_version = 2  # type: ignore[attr-defined]  # of IPython's completer
    return offered


def _show_in_notebooks() -> None:
    """Tell IPython, where it runs, that `pimlab.lab.html` shows what is ours, and that the Tab key
    offers our names.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and shell.display_formatter is not None:
        shown = shell.display_formatter.formatters["text/html"]
        shown.for_type_by_name("pimlab.values", "Value", _html)
        shown.for_type_by_name("pimlab.workload.model", "Model", _html)
        shown.for_type_by_name("xarray.core.dataset", "Dataset", _answer_html)
        shell.Completer.custom_matchers.append(_offers(shell.user_ns))


_show_in_notebooks()


def __dir__() -> list[str]:
    return sorted(__all__)
