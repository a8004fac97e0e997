"""How is a farm written down in a file? TOML: offers by name, services, clouds, and rules.

offers = ["rngd", "atom"]
rules  = "k-cloud"              # or a table [rules], or tables [[period]] with [period.rules]

[[service]]
name = "cameras"
model = "fashion-cnn"
rate = "5 MHz"
latency = "20 ms"

[[cloud]]
name = "kt"
power = "1 MW"
racks = 40
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from pimlab.farm.answer import Farm
from pimlab.farm.provision import provision
from pimlab.farm.rules import Period, Rules, k_cloud
from pimlab.farm.services import Service
from pimlab.farm.sites import Cloud, Rack
from pimlab.values import nearest

PROGRAMME = "k-cloud"
PARTS = ("offers", "rules", "service", "cloud", "period")


class FarmFileError(ValueError):
    """A file describes no farm: the message names the file and what is wrong."""


class Asked(NamedTuple):
    """What a file asks for, as `provision` takes it."""

    services: list[Service]
    offers: list[str]
    clouds: list[Cloud]
    rules: Rules | list[Period] | None


def provision_file(path: str | Path, **how: Any) -> Farm:
    """The farm of a TOML file; `how` as `provision` takes it. FarmFileError names the file and what
    it lacks.
    """
    return provision(*read_farm(path), **how)


def read_farm(path: str | Path) -> Asked:
    """Services, offers, clouds and rules of a TOML file. FarmFileError names the file and what it
    lacks.
    """
    file = Path(path)
    try:
        text = tomllib.loads(file.read_text())
    except OSError as error:
        raise FarmFileError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FarmFileError(f"{path}: not TOML: {error}") from None
    for key in text:
        if key not in PARTS:
            raise FarmFileError(f"{path}: no part {key!r}{nearest(key, PARTS)}")
    try:
        services = [Service(**one) for one in _tables(text, "service")]
        clouds = [_cloud(one) for one in _tables(text, "cloud")]
        rules = _rules(text)
    except (TypeError, ValueError) as error:
        raise FarmFileError(f"{path}: {error}") from None
    return Asked(services, text.get("offers", []), clouds, rules)


def _tables(text: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = text.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} is no list of tables; write [[{name}]]")
    return found


def _cloud(table: dict[str, Any]) -> Cloud:
    rack = table.get("rack")
    return Cloud(**{**table, **({"rack": Rack(**rack)} if isinstance(rack, dict) else {})})


def _rules(text: dict[str, Any]) -> Rules | list[Period] | None:
    rules = text.get("rules")
    periods = _tables(text, "period")
    if periods and rules is not None:
        raise ValueError("rules and [[period]]; allowed: one of them")
    if rules == PROGRAMME:
        return list(k_cloud())
    if isinstance(rules, dict):
        return Rules(**rules)
    if rules is not None:
        raise ValueError(f"rules={rules!r}; allowed: {PROGRAMME!r} or a table [rules]")
    parts = [{**one, "rules": Rules(**one.get("rules", {}))} for one in periods]
    return [Period(**one) for one in parts] or None
