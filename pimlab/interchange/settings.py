"""How is the configuration of another program read? Every field is known, used, or named.

`Settings` holds what a file gives beside the other program's defaults. A field that the other
program does not have is refused with the nearest name; one that differs from its default and that
nothing here takes is listed, so that no setting gets lost without a word.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pimlab.analog.crossbar import Crossbar
from pimlab.values import unknown

CLASS = "class"
"""Key of a nested configuration that names its class."""


class Imported(NamedTuple):
    """What became of another program's configuration.

    machine : the macro.  unmatched : field -> what the file says of it and why nothing here is its
    counterpart; "" where pimlab has none. Empty: everything was taken over.
    """

    machine: Crossbar
    unmatched: dict[str, str]


class Settings:
    """Fields of a configuration, those that are given over those that are usual.

    given : field -> value, nested.  usual : field -> default of the other program, nested; None
    stands for whatever the field holds.  where : what errors call it.
    """

    def __init__(self, given: Any, usual: Mapping[str, Any], where: str):
        if not isinstance(given, Mapping):
            raise ValueError(f"{where}={given!r:.60} is no table of fields")
        for name in given:
            if name not in usual and name != CLASS:
                raise ValueError(unknown(f"{where}: field", name, usual))
        self.given, self.usual, self.where = given, usual, where
        self.parts: dict[str, Settings] = {}
        self.taken: set[str] = set()
        self.notes: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        """The value of a field, which counts as taken over."""
        self.taken.add(name)
        return self.given.get(name, self.usual[name])

    def number(self, name: str) -> float:
        """A field that is a number; ValueError for another kind."""
        value = self[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{self.where}.{name}={value!r:.60} is no number")
        return float(value)

    def whole(self, name: str) -> int:
        """A field that is a whole number; ValueError for another."""
        value = self.number(name)
        if not value.is_integer():
            raise ValueError(f"{self.where}.{name}={value!r} is no whole number")
        return int(value)

    def member(self, name: str, members: Mapping[Any, str]) -> str:
        """The name of an enumeration's member, which a file gives by number or by name; ValueError
        for another, with the nearest.
        """
        value = self[name]
        number = isinstance(value, int) and not isinstance(value, bool)
        found = members.get(value, value) if number else value
        if found not in members.values():
            raise ValueError(unknown(f"{self.where}.{name}", str(found), members.values()))
        return str(found)

    def part(self, name: str) -> Settings:
        """A nested configuration."""
        if name not in self.parts:
            given = self.given.get(name)
            self.parts[name] = Settings(
                {} if given is None else given, self.usual[name], f"{self.where}.{name}"
            )
        self.taken.add(name)
        return self.parts[name]

    def note(self, name: str, why: str) -> None:
        """Say why a field has no exact counterpart."""
        self.notes[name] = f"{self.given.get(name, self.usual[name])!r}: {why}"

    def unmatched(self) -> dict[str, str]:
        """Field -> what it says, of every field that is not at its default and was not taken, and
        of those with a note.
        """
        found = {f"{self.where}.{name}": why for name, why in self.notes.items()}
        for name, value in self.given.items():
            if name in self.taken or name == CLASS:
                continue
            if isinstance(self.usual[name], Mapping) and isinstance(value, Mapping):
                found |= Settings(value, self.usual[name], f"{self.where}.{name}").unmatched()
            elif value != self.usual[name]:
                found[f"{self.where}.{name}"] = f"{value!r:.80}: no counterpart in pimlab"
        for part in self.parts.values():
            found |= part.unmatched()
        return found


def read(source: Any, what: str) -> Any:
    """A configuration as nested tables, from a mapping, a path, JSON or YAML text, or the text that
    the other program prints.

    ValueError for a text that is none of them; FileNotFoundError for a path without a file.
    """
    ends = isinstance(source, str) and source.endswith((".json", ".yaml", ".yml"))
    if isinstance(source, os.PathLike) or (ends and "\n" not in source):
        try:
            source = Path(source).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{what}: {source} is no text: {error}") from None
    if not isinstance(source, str):
        return source
    if source.lstrip().startswith("{"):
        try:
            return json.loads(source)
        except json.JSONDecodeError as error:
            raise ValueError(f"{what}: the text is no JSON: {error}") from None
    try:
        return _evaluated(ast.parse(source.strip(), mode="eval").body, what)
    except SyntaxError:
        return _yaml(source, what)


def _yaml(text: str, what: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ImportError(f"{what} in YAML needs the package pyyaml: pip install pyyaml") from None
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{what}: the text is no YAML: {error}") from None
    if not isinstance(found, Mapping):
        raise ValueError(f"{what}: {text[:40]!r} is no JSON, YAML or printed configuration")
    return found


def _evaluated(node: ast.AST, what: str) -> Any:
    """What a printed configuration says: calls with keywords become tables; nothing is run."""
    if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
        if node.args:
            raise ValueError(f"{what}: {ast.unparse(node)[:60]!r} has arguments without names")
        named = {str(one.arg): _evaluated(one.value, what) for one in node.keywords}
        return {CLASS: ast.unparse(node.func).split(".")[-1], **named}
    if isinstance(node, ast.Attribute):  # a member of an enumeration
        return node.attr
    if isinstance(node, ast.Name):  # a class
        return node.id
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{what}: {ast.unparse(node)[:60]!r} is no value") from None
