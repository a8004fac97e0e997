"""What runs on the machines? Models split into MAC operators and the rest, data sets, metrics and
calibration.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pimlab.workload.calibration import RULES, calibrate
    from pimlab.workload.data import Data
    from pimlab.workload.edit_errors import CharacterError, WordError
    from pimlab.workload.files import DataError
    from pimlab.workload.graph import Edge, Graph
    from pimlab.workload.importers.onnx_split import OnnxModel
    from pimlab.workload.importers.torch_trace import TorchModel
    from pimlab.workload.metrics import (
        Accuracy,
        AveragePrecision,
        Determination,
        Metric,
        PearsonSimilarity,
        RootMeanSquareError,
        TopAccuracy,
    )
    from pimlab.workload.model import Model, ModelError
    from pimlab.workload.zoo.data_sets import load_data
    from pimlab.workload.zoo.models import load_model
    from pimlab.workload.zoo.services import FIELDS, SERVICES, Service, services

_EXPORTS = {
    "RULES": "calibration",
    "calibrate": "calibration",
    "Data": "data",
    "DataError": "files",
    "load_data": "zoo.data_sets",
    "CharacterError": "edit_errors",
    "WordError": "edit_errors",
    "Accuracy": "metrics",
    "Metric": "metrics",
    "PearsonSimilarity": "metrics",
    "Edge": "graph",
    "Graph": "graph",
    "AveragePrecision": "metrics",
    "Determination": "metrics",
    "RootMeanSquareError": "metrics",
    "TopAccuracy": "metrics",
    "Model": "model",
    "ModelError": "model",
    "load_model": "zoo.models",
    "OnnxModel": "importers.onnx_split",
    "TorchModel": "importers.torch_trace",
    "FIELDS": "zoo.services",
    "SERVICES": "zoo.services",
    "Service": "zoo.services",
    "services": "zoo.services",
}

__all__ = [
    "FIELDS",
    "RULES",
    "SERVICES",
    "Accuracy",
    "AveragePrecision",
    "CharacterError",
    "Data",
    "DataError",
    "Determination",
    "Edge",
    "Graph",
    "Metric",
    "Model",
    "ModelError",
    "OnnxModel",
    "PearsonSimilarity",
    "RootMeanSquareError",
    "Service",
    "TopAccuracy",
    "TorchModel",
    "WordError",
    "calibrate",
    "load_data",
    "load_model",
    "services",
]


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        from pimlab.values import nearest

        raise AttributeError(f"pimlab.workload has no {name!r}{nearest(name, _EXPORTS)}")
    globals()[name] = getattr(importlib.import_module(f"pimlab.workload.{_EXPORTS[name]}"), name)
    return globals()[name]
