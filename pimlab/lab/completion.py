"""Which names and fields does the Tab key offer behind `pim.target("` and `machine.but(`?

IPython and JupyterLab ask `offers` while one types. It reads the text before the cursor, looks up
the function that is called among the notebook's names, and answers with the names of the catalogue,
the fields of a value, or the options of a field. Nothing of the notebook is run to find out: only
names, attributes of modules and fields of values are read, and `pim.target` and `pim.device` are
called with the names that stand in the text.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from pimlab import catalogue
from pimlab.values import Value

_CLOSES = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(
    r"(?P<quote>\"\"\"|'''|\"|')|(?P<comment>#[^\n]*)"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)"
)
_LOOKED_BACK = 2000
"""Characters before the cursor that are read."""


class Typed(NamedTuple):
    """What stands before the cursor: a call that is open, and the argument that is being typed.

    called : text of the function.  place, keyword : of the argument.  before : arguments that
    stand before it.  quoted : whether a text is open.  start : what is typed of the word.
    """

    called: str
    place: int
    keyword: str
    before: str
    quoted: bool
    start: str


def typed_call(text: str) -> Typed | None:
    """The innermost call that is open at the end of `text`; None where there is none.

    >>> pim.lab.completion.typed_call("pim.run(model, pim.target('war").called
    'pim.target'
    """
    text = text[-_LOOKED_BACK:]
    opened: list[tuple[str, int]] = []
    commas: list[list[int]] = [[]]
    at, quote = 0, None
    while found := _TOKEN.search(text, at):
        at = found.end()
        if found["quote"]:
            end = _closing(text, at, found["quote"])
            if end is None:
                quote = at
                break
            at = end
        elif found["open"]:
            opened.append((found["open"], at))
            commas.append([])
        elif found["close"] and opened:
            opened.pop()
            commas.pop()
        elif found["comma"]:
            commas[-1].append(at)
    return _innermost(text, opened, commas, quote)


def _closing(text: str, at: int, quote: str) -> int | None:
    """Behind the end of a text that was opened before `at`; None where it is still open."""
    while (end := text.find(quote, at)) >= 0 and text[end - 1] == "\\":
        at = end + 1
    return None if end < 0 else end + len(quote)


def _innermost(
    text: str, opened: list[tuple[str, int]], commas: list[list[int]], quote: int | None
) -> Typed | None:
    while opened and opened[-1][0] == "[":  # a list of names is still the same argument
        opened, commas = opened[:-1], commas[:-1]
    if not opened or opened[-1][0] != "(":
        return None
    _, begin = opened[-1]
    start = (commas[-1] or [begin])[-1]
    argument = text[start : quote - 1 if quote is not None else len(text)]
    keyword = re.match(r"\s*(\w+)\s*=", argument)
    word = re.search(r"\w*$", argument)
    return Typed(
        called=_callee(text[: begin - 1]),
        place=len(commas[-1]),
        keyword=keyword[1] if keyword else "",
        before=text[begin:start],
        quoted=quote is not None,
        start=text[quote:] if quote is not None else word[0] if word else "",
    )


def _callee(text: str) -> str:
    """The longest end of `text` that is a name, an attribute, or one of a call."""
    line = text.rsplit("\n", 1)[-1]
    for at in range(len(line)):
        if line[at].isalpha() or line[at] == "_":
            try:
                node = ast.parse(line[at:].strip(), mode="eval").body
            except SyntaxError:
                continue
            if isinstance(node, (ast.Name, ast.Attribute)):
                return line[at:].strip()
    return ""


def offers(text: str, names: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What is typed of a word at the end of `text`, and the words that may follow it.

    names : name -> object, those of the notebook.

    >>> pim.lab.completion.offers("pim.target('pcm", {"pim": pim})
    ('pcm', ['pcm-hermes', 'pcm-hermes-one-phase'])
    """
    call = typed_call(text)
    if call is None or not call.called:
        return "", []
    function = _resolved(ast.parse(call.called, mode="eval").body, names)
    words = _words(function, call) if function is not None else ()
    return call.start, [word for word in words if word.startswith(call.start)]


def _resolved(node: ast.AST, names: Mapping[str, Any]) -> Any:
    """The object that an expression names, as far as it can be found without running anything."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _resolved(node.value, names)
        if isinstance(owner, ModuleType):
            return getattr(owner, node.attr, None)
        if isinstance(owner, Value) and node.attr in owner.fields():
            return getattr(owner, node.attr)
        if isinstance(owner, Value) and node.attr == "but":
            return owner.but
        return None
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        function = _resolved(node.func, names)
        if _key(function) in LOOK_UPS and isinstance(node.args[0], ast.Constant):
            try:
                return function(node.args[0].value)
            except (ValueError, TypeError):
                return None
    return None


def _key(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}:{getattr(function, '__qualname__', '')}"


def _words(function: Any, call: Typed) -> Iterable[str]:
    """The names that an argument takes, or the fields that may stand next."""
    owner = getattr(function, "__self__", None)
    kind = function if inspect.isclass(function) else type(owner)
    if issubclass(kind, Value) and (inspect.isclass(function) or function.__name__ == "but"):
        return _of_value(kind, call)
    if not call.quoted:
        return ()
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()
    name = call.keyword or (parameters[call.place] if call.place < len(parameters) else "")
    listed = NAMES.get(_key(function), {}).get(name)
    return listed() if listed else ()


def _of_value(kind: type[Value], call: Typed) -> Iterable[str]:
    if not call.quoted:
        given = set(re.findall(r"(\w+)\s*=", call.before))
        return () if call.keyword else (f"{name}=" for name in kind.fields() if name not in given)
    return kind.options(call.keyword)


def _room(room: str) -> Callable[[], Iterable[str]]:
    return lambda: catalogue.names(room)


def _targets() -> Iterable[str]:
    from pimlab.machine.presets import targets

    return targets()


def _models() -> Iterable[str]:
    from pimlab.studies.lists import model_names

    return model_names()


def _data() -> Iterable[str]:
    from pimlab.workload.zoo.data_sets import SOURCES

    return sorted(SOURCES)


def _splits() -> Iterable[str]:
    from pimlab.workload.zoo.data_sets import SOURCES

    return sorted({split for source in SOURCES.values() for split in source.splits})


def _papers() -> Iterable[str]:
    from pimlab.studies.papers import folders

    return sorted(folders())


_DEVICES = _room("devices")
LOOK_UPS = ("pimlab.machine.presets:target", "pimlab.analog.devices:device")
"""Functions that only look up a name."""
NAMES: dict[str, dict[str, Callable[[], Iterable[str]]]] = {
    LOOK_UPS[0]: {"name": _targets},
    LOOK_UPS[1]: {"name": _DEVICES},
    "pimlab.workload.zoo.models:load_model": {"name": _models},
    "pimlab.workload.zoo.data_sets:load_data": {"name": _data, "split": _splits},
    "pimlab.studies.compare:compare": {"models": _models, "targets": _targets},
    "pimlab.studies.papers:scores": {"names": _papers},
    "pimlab.lab.explorer:explore": {"model": _models, "targets": _targets},
    "pimlab.lab.devices:explore_device": {"devices": _DEVICES},
    "pimlab.machine.links:link": {"name": _room("links")},
    "pimlab.cluster.networks:network": {"name": _room("networks")},
    "pimlab.farm.offers:offer": {"name": _room("offers")},
    "pimlab.farm.provision:provision": {"offers": _room("offers"), "baseline": _room("offers")},
}
"""Function -> parameter -> the names that it takes."""


def matcher(names: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """A matcher for IPython's completer: its `CompletionContext` in, completions out. Where pimlab
    has words to offer, files of the folder are not offered beside them.

    names : name -> object, those of the notebook, as they are when the Tab key is pressed.
    """

    def offered(context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        start, words = offers(context.full_text[: _offset(context)], names)
        found = [SimpleCompletion(word, type="param") for word in words]
        return {"completions": found, "matched_fragment": start, "suppress": bool(found)}

    offered.matcher_api_version = 2  # type: ignore[attr-defined]  # of IPython's completer
    return offered


def _offset(context: Any) -> int:
    """Characters before the cursor."""
    lines = context.full_text.split("\n")[: context.cursor_line]
    return sum(len(line) + 1 for line in lines) + context.cursor_position
