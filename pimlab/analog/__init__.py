"""Stage 3: analog multiply-accumulate in non-volatile memory: cells, converters, arrays, drift.

Names load on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "circuit.nonlinear": ("nonlinear_currents",),
    "circuit.nodes": ("node_voltages",),
    "circuit.noise": ("read_variance", "variance_matrix"),
    "circuit.power": ("dissipation", "power_matrices"),
    "compensation": ("DriftCompensation", "ReferenceColumns", "Refresh", "StatisticsCompensation"),
    "converter_circuits": ("linearity",),
    "converters": ("ADC", "ConverterParts", "DAC", "lossless_bits"),
    "costs": ("MacroCosts", "array_area", "macro"),
    "crossbar": ("Crossbar",),
    "digital": ("DigitalUnits",),
    "faults": ("ArrayFaults",),
    "devices": ("Device", "check", "device", "device_names"),
    "energy": ("adc_energy", "adc_price", "lifetime", "programming_energy"),
    "mapping": ("Slices",),
    "non_ideal": ("NonIdeal",),
    "physics": ("sampled_voltage", "sampling_energy", "shot_current", "thermal_current"),
    "programmed": ("ProgrammedCrossbar",),
    "supply": ("Supply",),
    "targets": ("TARGETS", "target"),
    "learning": (
        "SGD",
        "MixedPrecision",
        "TikiTaka",
        "TikiTakaV2",
        "UpdateDevice",
        "update_device",
        "update_device_names",
    ),
    "circuit.wires": (
        "Wires",
        "effective_conductance",
        "first_order_loss",
        "read_time",
        "settling_time",
        "wire_currents",
    ),
}
_NAMES = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        from pimlab.values import nearest

        raise AttributeError(f"pimlab.analog has no {name!r}{nearest(name, _NAMES)}")
    value = getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    globals()[name] = value
    return value
