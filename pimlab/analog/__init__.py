"""Stage 3: analog multiply-accumulate in non-volatile memory: cells, converters, arrays, drift.

Names load on first use: `device`, `Crossbar`, `ADC`, `DAC` and the others of `__all__`.
"""

from __future__ import annotations

import importlib
from typing import Any

_NAMES = {
    "ADC": "converters", "DAC": "converters", "Crossbar": "crossbar", "Device": "devices", "device": "devices", "devices": "devices",
    "GlobalDriftCompensation": "compensation", "MacroCosts": "costs", "macro": "costs", "ProgrammedCrossbar": "programmed",
    "TARGETS": "targets",
}  # fmt: skip
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        from pimlab.values import nearest

        raise AttributeError(f"pimlab.analog has no {name!r}{nearest(name, _NAMES)}")
    value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    globals()[name] = value
    return value
