"""Which constants may a device's file hold, and in which units? What is misspelt, or of another
unit, is refused by name.

A curve `name` is one number, or a row of polynomial coefficients `name`, or `name_saturating`
(top, width), or
`name_bounds` with `name_power` (factor, exponent) or with `name_low` (slope, offset in ln), which
`name_split` and `name_high` (polynomial above it) may follow, as they may a row of polynomial
coefficients. `name_reference` is the conductance
it was normalised by, where that is not g_max.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pimlab.catalogue import CatalogueError, Entry
from pimlab.values import nearest

FACTS = (
    "write_energy",
    "write_time",
    "write_pulses",
    "endurance",
    "read_voltage",
    "retention",
    "cell_area",
    "step",
)
_UNITS = {
    "g_min": "S",
    "g_max": "S",
    "levels": "",
    "programming_floor": "S",
    "stuck_low": "",
    "stuck_high": "",
    "drift_time": "s",
    "leak_time": "s",
    "read_time": "s",
    "read_log_factor": "S",
    "read_absolute": "S",
    "read_relative": "",
    "telegraph_depth": "",
    "telegraph_share": "",
    "current_second": "",
    "current_third": "",
    "current_limit": "V",
    "current_v0": "V",
    "selector_conductance": "S",
    "selector_v0": "V",
    "relaxation_times": "s",
    "relaxation_shift_until": "",
    "relaxation_shift_rate": "S",
    "relaxation_spread_rate": "S",
    "relaxation_spread": "S",
    "relaxation_reference": "S",
    "activation_energy": "J",
    "temperature": "K",
    "temperature_reference": "K",
    "write_energy": "J",
    "write_time": "s",
    "write_pulses": "",
    "endurance": "",
    "read_voltage": "V",
    "retention": "s",
    "cell_area": "m^2",
    "step": "",
}
_CURVES = {
    "programming_sigma": "S",
    "programming_sigma_other": "S",
    "drift_mean": "",
    "drift_sigma": "",
    "read": "",
    "read_sigma": "S",
    "relaxation_sigma": "S",
    "relaxation_shift": "S",
}
_FORMS = {
    "": None,
    "_saturating": None,
    "_bounds": None,
    "_power": None,
    "_low": None,
    "_high": None,
    "_split": "",
    "_reference": "S",
}
_KNOWN = _UNITS | {
    curve + form: unit if own is None else own
    for curve, unit in _CURVES.items()
    for form, own in _FORMS.items()
}
_TEXTS = ("title", "model", "source", "paper", "note", "relaxation_scale", "bounded", "current_law")


def table(key: str) -> str:
    """The table of the file that the constant `key` stands in: without its place in a row."""
    return re.sub(r"\.\d+$", "", key)


def refuse_unknown(entry: Entry) -> None:
    """CatalogueError for the first text, constant or unit that no device has."""
    for text, value in entry.meta.items():
        if text in _KNOWN:
            raise CatalogueError(
                f"{entry.name}: {text} = {value!r} stands by itself; write a table [{text}] with "
                f"value = {value!r} and its status, and source and where, or reason"
            )
        if text not in _TEXTS:
            raise CatalogueError(
                f"{entry.name}: {text}={entry.meta[text]!r} is not known{nearest(text, _TEXTS)}"
            )
    for key, constant in entry.items():
        name = re.sub(r"^(relaxation_(?:sigma|shift))_\d+", r"\1", table(key))
        if name not in _KNOWN:
            raise CatalogueError(
                f"{entry.name}: [{table(key)}] is no constant of a device{nearest(name, _KNOWN)}"
            )
        if constant.unit != _KNOWN[name]:
            raise CatalogueError(
                f"{entry.name}: [{key}] is in {constant.unit or 'no unit'}; allowed: "
                f"{_KNOWN[name] or 'a plain number'}"
            )
    for needed in ("g_min", "g_max"):
        if needed not in entry:
            raise CatalogueError(
                f"{entry.name}: [{needed}] is missing; a device needs g_min and g_max"
            )


def refuse_unused(entry: Entry, used: Iterable[str]) -> None:
    """CatalogueError for the first constant that became no part of the device."""
    left = [key for key in entry if key not in set(used)]
    if left:
        raise CatalogueError(
            f"{entry.name}: [{table(left[0])}] makes no part of the device: what belongs with it "
            "is missing, "
            "or another form of the same curve stands beside it"
        )
