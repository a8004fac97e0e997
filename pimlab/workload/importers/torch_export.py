"""How is a program that `torch.export` saved (.pt2) run on a machine? As a torch module, whose
products are caught one by one.

The file holds graph, weights and the inputs that it was exported with. Its batch must have been
left open (`dynamic_shapes`), since costs are those of one sample of it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.workload.importers.torch_trace import TorchModel, _torch
from pimlab.workload.model import ModelError

_OPEN = "torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim('batch')},))"


def load_program(
    path: str | Path, example: np.ndarray | Mapping[str, np.ndarray] | None = None
) -> TorchModel:
    """The model of a .pt2 file, named after it; its inputs have the names that the file gives them.

    example : array (1, ...) as the program takes it, or for several inputs a mapping of their names
    to arrays; None for the inputs that the file holds. ImportError where torch is missing;
    FileNotFoundError for no file; ModelError for a file that is no program, takes no tensors, or
    fixes its batch.
    """
    path, torch = Path(path), _torch()
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; allowed: what torch.export.save wrote")
    if not zipfile.is_zipfile(path):
        raise ModelError(f"{path.name}: is no program that torch.export.save wrote, or is cut off")
    try:
        program = torch.export.load(path)
    except (RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(
            f"{path.name}: torch.export.load does not read it: {str(error).splitlines()[0]}"
        ) from error
    names = _open_inputs(program, path.name)
    given = _held(program, names, path.name) if example is None else _named(example, names, path)
    return TorchModel(_Program(program), given, name=path.stem)


def _open_inputs(program: Any, file: str) -> tuple[str, ...]:
    """Names of the inputs, whose first axes are open; ModelError names one that has another."""
    names = tuple(program.graph_signature.user_inputs)
    nodes = {node.name: node for node in program.graph.nodes}
    for name in names:
        size = getattr(nodes[name].meta.get("val") if name in nodes else None, "shape", None)
        if size is None:
            raise ModelError(f"{file}: input {name!r} is no tensor; allowed: tensors")
        shape = tuple(size)
        if not shape or isinstance(shape[0], int):
            raise ModelError(
                f"{file}: input {name!r} has the fixed shape {shape}; allowed: an open batch, as "
                f"{_OPEN} leaves it"
            )
    return names


def _named(example: Any, names: tuple[str, ...], path: Path) -> dict[str, np.ndarray]:
    """The arrays of an example by input, in the order of the program's inputs."""
    given = example if isinstance(example, Mapping) else {names[0]: example}
    if set(given) != set(names):
        raise ModelError(
            f"{path.name}: takes the inputs {', '.join(names)}; example= gives {', '.join(given)}"
        )
    return {name: np.asarray(given[name]) for name in names}


def _held(program: Any, names: tuple[str, ...], file: str) -> dict[str, np.ndarray]:
    """The first sample of the inputs that the file holds; ModelError where it holds none."""
    args, named = program.example_inputs or ((), {})
    values = [*args, *named.values()]
    if len(values) != len(names):
        raise ModelError(
            f"{file}: holds no example of its inputs {', '.join(names)}; write "
            "pimlab.load_model(path, example=array) with an array (1, ...), or one for each name"
        )
    return {
        name: np.asarray(value.detach().numpy())[:1]
        for name, value in zip(names, values, strict=True)
    }


class _Program:
    """What TorchModel asks a module for; an exported one has no modes to change."""

    def __init__(self, program: Any):
        self._module, self._text = program.module(), str(program.graph)
        self._keywords = tuple(program.example_inputs[1]) if program.example_inputs else ()

    def eval(self) -> _Program:
        """This: a program is what was exported."""
        return self

    def __call__(self, *values: Any) -> Any:
        plain = len(values) - len(self._keywords)
        return self._module(
            *values[:plain], **dict(zip(self._keywords, values[plain:], strict=True))
        )

    def __repr__(self) -> str:
        return self._text

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        """Weights by name."""
        yield from self._module.named_parameters()

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Tensors beside the weights by name."""
        yield from self._module.named_buffers()

    def state_dict(self) -> dict[str, Any]:
        """Both by name."""
        return dict(self._module.state_dict())
