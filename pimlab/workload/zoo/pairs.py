"""On which data is a model scored, when nobody says otherwise?"""

from __future__ import annotations

from pimlab.workload.zoo.services import SERVICES

DATA: dict[str, str] = {
    **{row.model: row.data for row in SERVICES},
    "fashion-cnn": "fashion-mnist",
    "smollm2-135m": "kjv-smollm2",
}
"""Model name -> data name. Shapes without weights are in no row: they have costs alone."""
