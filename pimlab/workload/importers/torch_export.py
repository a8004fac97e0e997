"""How is a program that `torch.export` saved (.pt2) run on a machine? As a torch module, whose
products are caught one by one.

The file holds graph, weights and the inputs that it was exported with. Its batch must have been
left open (`dynamic_shapes`), since costs are those of one sample of it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.workload.importers.torch_trace import TorchModel, _torch
from pimlab.workload.model import ModelError

_OPEN = "torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim('batch')},))"


def load_program(path: str | Path, example: np.ndarray | None = None) -> TorchModel:
    """The model of a .pt2 file, named after it.

    example : array (1, ...) as the program takes it; None for the inputs that the file holds.
    ImportError where torch is missing; FileNotFoundError for no file; ModelError for a file that is
    no program, takes several inputs, or fixes its batch.
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
    _check_batch(program, path.name)
    given = _held(program, path.name) if example is None else np.asarray(example)
    return TorchModel(_Program(program), given, name=path.stem)


def _check_batch(program: Any, file: str) -> None:
    """The program has one input, whose first axis is open; ModelError says what it has."""
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise ModelError(f"{file}: takes {len(names)} inputs ({', '.join(names)}); allowed: one")
    node = next(n for n in program.graph.nodes if n.name == names[0])
    shape = tuple(node.meta["val"].shape)
    if not shape or isinstance(shape[0], int):
        raise ModelError(
            f"{file}: input {names[0]!r} has the fixed shape {shape}; allowed: an open batch, as "
            f"{_OPEN} leaves it"
        )


def _held(program: Any, file: str) -> np.ndarray:
    """The first sample of the inputs that the file holds; ModelError where it holds none."""
    args, named = program.example_inputs or ((), {})
    values = [*args, *named.values()]
    if not values:
        raise ModelError(
            f"{file}: holds no example of its input; write "
            "pimlab.load_model(path, example=array) with an array (1, ...)"
        )
    return np.asarray(values[0].detach().numpy())[:1]


class _Program:
    """What TorchModel asks a module for; an exported one has no modes to change."""

    def __init__(self, program: Any):
        self._module, self._text = program.module(), str(program.graph)

    def eval(self) -> _Program:
        """This: a program is what was exported."""
        return self

    def __call__(self, x: Any) -> Any:
        return self._module(x)

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
