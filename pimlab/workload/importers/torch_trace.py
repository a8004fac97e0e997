"""How does a torch module run on a machine that only multiplies and adds? Every product is caught
as torch issues it.

A dispatch mode sees `mm`, `addmm`, `bmm`, `baddbmm` and `convolution`, also those inside attention,
which hooks on modules miss; attention is held to its plain form so that its products are issued at
all. The rest runs in torch.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from pimlab.machine.protocol import MacOp, VectorOp
from pimlab.workload.importers import im2col
from pimlab.workload.importers.graph_inputs import Input
from pimlab.workload.importers.im2col import Window
from pimlab.workload.model import Model, ModelError, Multiply

SUPPORTED = ("mm", "addmm", "bmm", "baddbmm", "convolution")

REFUSED = frozenset(
    {
        "_native_multi_head_attention",
        "_transformer_encoder_layer_fwd",
        "addbmm",
        "addmv",
        "addr",
        "dot",
        "mkldnn_rnn_layer",
        "mv",
        "vdot",
    }
)
"""Operators of torch that multiply and add in a form that is not caught."""

READERS = frozenset(
    {
        "_prelu_kernel",
        "_to_copy",
        "add",
        "cat",
        "clone",
        "copy",
        "div",
        "embedding",
        "gather",
        "index",
        "index_select",
        "mul",
        "native_batch_norm",
        "native_group_norm",
        "native_layer_norm",
        "stack",
        "sub",
        "upsample_bicubic2d",
        "upsample_bilinear2d",
        "upsample_linear1d",
        "upsample_nearest1d",
        "upsample_nearest2d",
        "where",
    }
)
"""Operators that may read a parameter of two axes or more without multiplying matrices; any other
one is refused.
"""

VIEWS = frozenset({"_unsafe_view", "detach"})
"""Operators that compute nothing, though torch does not declare them views."""


class _Product(NamedTuple):
    """A product as first seen: its weights (groups, k, n) and bias where they are parameters, and
    where these lie, by which a later product with the same is known.
    """

    name: str
    weights: np.ndarray | None
    bias: np.ndarray | None
    place: tuple[Any, ...] | None = None


class _Call(NamedTuple):
    """One product that torch issues, of the operator that holds its weights: the rows of one
    sample, and how many came before them.
    """

    op: MacOp
    rows: int
    before: int


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError("torch models need torch: pip install torch==2.13.0") from error
    return torch


class TorchModel(Model):
    """A torch.nn.Module in evaluation mode, whose first axis of input and output is the batch.

    module : torch.nn.Module.  example : inputs (1, ...) of one sample, a NumPy array as torch takes
    it, or for several inputs a mapping of names to such arrays, in the order of the module's
    arguments. ImportError when torch is missing; ModelError, naming the operator, for products that
    are not caught.
    """

    def __init__(
        self, module: Any, example: np.ndarray | Mapping[str, np.ndarray], name: str = "torch-model"
    ):
        self._module, self.name = module.eval(), name
        given = example if isinstance(example, Mapping) else {"x": example}
        samples = {key: np.asarray(value)[:1] for key, value in given.items()}
        self.inputs = tuple(Input(key, v.shape[1:], v.dtype, True) for key, v in samples.items())
        self._parameters = {
            p.untyped_storage().data_ptr(): n
            for n, p in [*module.named_parameters(), *module.named_buffers()]
        }
        self.sha256 = _hash(module)
        self.stored, self.rectified = {}, frozenset()
        one, two = (
            self._traced(_joined([samples] * batch)) for batch in (2, 4)
        )  # a batch of 1 skips some copies
        self._turned = self._time_major(samples)
        measured = [
            self._measured(a, b, product)
            for a, b, product in zip(one.shapes, two.shapes, one.products, strict=True)
        ]
        self._calls = _shared(measured, one.products)
        self.mac_ops = tuple({call.op.name: call.op for call in self._calls}.values())
        held = {p.name: p for p in one.products if any(p.name == op.name for op in self.mac_ops)}
        self.weights = {name: p.weights for name, p in held.items() if p.weights is not None}
        self.biases = {name: p.bias for name, p in held.items() if p.bias is not None}
        self.vector_ops = tuple(_vector_ops(one.elements, two.elements))
        for op, w in self.weights.items():
            if not np.isfinite(w).all():
                raise ModelError(
                    f"{name}: {op!r} holds {np.count_nonzero(~np.isfinite(w))} non-finite weights"
                )

    def execute(self, inputs: Any, multiply: Multiply, first: int = 0) -> np.ndarray:
        """Outputs (n, ...) for inputs (n, ...); every product goes through `multiply`.

        inputs : an array, or for several inputs a mapping of their names to arrays, or a structured
        array with their names as fields.
        """
        feeds = self._feeds(inputs)
        count = len(next(iter(feeds.values())))
        if count > 1:
            return self._run(feeds, self._catching(count, multiply, first))
        # torch issues other operators for a batch of 1: it runs twice, and is multiplied once
        twice = self._catching(1, multiply, first, copies=2)
        return self._run(_joined([feeds, feeds]), twice)[:1]

    def _catching(self, count: int, multiply: Multiply, first: int, copies: int = 1) -> _Catch:
        """What hands each product of `count` samples to `multiply`; the batch holds `copies` of
        them.
        """

        def call(index: int, x: np.ndarray, w: np.ndarray | None) -> np.ndarray:
            op, rows, before = self._calls[index]
            turned, axis = index in self._turned, 1 if w is None else 0
            x = _swapped(x, rows, count * copies) if turned else x
            x = np.split(x, copies, axis=axis)[0]
            w = w if w is None else np.split(w, copies)[0]
            if rows == op.m:
                y = multiply(op, x, w, first * op.m)
            else:  # samples apart: their rows do not follow each other in an operator used again
                parts = enumerate(np.split(x, count, axis=1), first)
                y = np.concatenate(
                    [multiply(op, part, w, i * op.m + before) for i, part in parts], axis=1
                )
            y = np.concatenate([y] * copies, axis=axis)
            return _swapped(y, count * copies, rows) if turned else y

        return _Catch(self._parameters, call, self.name)

    def oracle(self, inputs: Any) -> np.ndarray:
        """Outputs of torch itself. Batch first: shape (batch, ...)."""
        torch = _torch()
        with torch.no_grad():
            return self._module(*map(torch.from_numpy, self._feeds(inputs).values())).numpy()

    def _feeds(self, inputs: Any) -> dict[str, np.ndarray]:
        """Input name -> array (n, ...), in the order of the module's arguments."""
        names = [one.name for one in self.inputs]
        if not isinstance(inputs, Mapping):
            array = np.asarray(inputs)
            fields = array.dtype.names
            inputs = {key: array[key] for key in fields} if fields else {names[0]: array}
        if set(inputs) != set(names):
            raise ModelError(
                f"{self.name}: inputs {sorted(inputs)} given; the model has {sorted(names)}"
            )
        feeds = {key: np.ascontiguousarray(inputs[key]) for key in names}
        shapes = [value.shape for value in feeds.values()]
        if len({shape[:1] for shape in shapes}) > 1:
            raise ModelError(f"{self.name}: inputs of shapes {shapes}; allowed: one n for all")
        if 0 in (shapes[0] or (0,))[:1] or not all(np.isfinite(v).all() for v in feeds.values()):
            raise ValueError(
                f"{self.name}: inputs of shape {', '.join(map(str, shapes))}; allowed: one sample "
                "or more, all values finite"
            )
        return feeds

    def _run(self, feeds: Mapping[str, np.ndarray], catch: _Catch) -> np.ndarray:
        torch = _torch()
        plain = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
        fused, packed = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
        # they run a whole attention layer, and a whole LSTM, as one operator
        torch.backends.mha.set_fastpath_enabled(False)
        torch.backends.mkldnn.enabled = False
        try:
            with torch.no_grad(), plain, catch.mode():
                return self._module(*map(torch.from_numpy, feeds.values())).numpy()
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            torch.backends.mkldnn.enabled = packed

    def _traced(self, feeds: Mapping[str, np.ndarray]) -> _Catch:
        catch = _Catch(self._parameters, None, self.name)
        self._run(feeds, catch)
        return catch

    def _time_major(self, samples: Mapping[str, np.ndarray]) -> frozenset[int]:
        """The products whose rows run over samples fastest: those whose first rows change with the
        second sample.
        """
        other = {key: _another(value) for key, value in samples.items()}
        same, mixed = (self._traced(_joined([samples, second])) for second in (samples, other))
        halves = [
            (a[:, : a.shape[1] // 2], b[:, : b.shape[1] // 2])
            for a, b in zip(same.operands, mixed.operands, strict=True)
        ]
        weighted = [product.weights is not None for product in same.products]
        return frozenset(
            i
            for i, (a, b) in enumerate(halves)
            if weighted[i] and not np.allclose(a, b, rtol=1e-4, atol=1e-5)
        )

    def _measured(self, one: tuple[int, ...], two: tuple[int, ...], product: _Product) -> MacOp:
        groups, m, k, n = one
        computed = product.weights is None
        if (
            two != ((2 * groups, m, k, n) if computed else (groups, 2 * m, k, n))
            or (groups if computed else m) % 2
        ):
            raise ModelError(
                f"{self.name}: {product.name!r} multiplies {one} for two samples and {two} for "
                "four (groups, m, k, n); "
                "allowed: a batch on the first axis"
            )
        if computed:
            return MacOp(name=product.name, m=m, k=k, n=n, groups=groups // 2, kind="activations")
        return MacOp(name=product.name, m=m // 2, k=k, n=n, groups=groups)


def _shared(ops: list[MacOp], products: list[_Product]) -> list[_Call]:
    """What each product is of: those with the same weights, such as the steps of a recurrent layer,
    are one operator, whose rows are theirs.
    """
    first = {p.place: i for i, p in reversed([*enumerate(products)]) if p.place is not None}
    owners = [i if p.place is None else first[p.place] for i, p in enumerate(products)]
    total, before = dict.fromkeys(owners, 0), []
    for op, owner in zip(ops, owners, strict=True):
        before.append(total[owner])
        total[owner] += op.m
    whole = {owner: dataclasses.replace(ops[owner], m=rows) for owner, rows in total.items()}
    return [_Call(whole[o], op.m, b) for o, op, b in zip(owners, ops, before, strict=True)]


def _joined(samples: list[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Input name -> array (samples, ...)."""
    return {key: np.concatenate([one[key] for one in samples]) for key in samples[0]}


def _another(example: np.ndarray) -> np.ndarray:
    """A sample that differs from `example` and that a module takes as well."""
    if example.dtype.kind == "f":
        return example * example.dtype.type(0.5) + example.dtype.type(0.25)
    return np.ascontiguousarray(example[..., ::-1])


def _swapped(x: np.ndarray, outer: int, inner: int) -> np.ndarray:
    """Rows (groups, outer * inner, k) in the order (inner, outer)."""
    return np.ascontiguousarray(np.swapaxes(x.reshape(len(x), outer, inner, -1), 1, 2)).reshape(
        x.shape
    )


def _hash(module: Any) -> str:
    total = hashlib.sha256(repr(module).encode())
    for name, value in module.state_dict().items():
        total.update(name.encode())
        total.update(value.detach().cpu().numpy().tobytes())
    return total.hexdigest()


def _vector_ops(one: list[tuple[str, int]], two: list[tuple[str, int]]) -> list[VectorOp]:
    """Operators whose elements grow with the batch, from traces of two and of four samples."""
    grown = [(kind, (b - a) // 2) for (kind, a), (_, b) in zip(one, two, strict=True) if b > a]
    return [
        VectorOp(name=f"{kind}_{index}", kind=kind, elements=elements)
        for index, (kind, elements) in enumerate(grown)
    ]


class _Catch:
    """What happens to each operator that torch issues: products go to `call` (or, while tracing,
    are made and measured).
    """

    def __init__(
        self,
        parameters: dict[int, str],
        call: Callable[[int, np.ndarray, np.ndarray | None], np.ndarray] | None,
        model: str,
    ):
        self.parameters, self.call, self.model = parameters, call, model
        self.derived: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no other tensor takes the place of a derived one
        self.products: list[_Product] = []
        self.shapes: list[tuple[int, ...]] = []
        self.operands: list[np.ndarray] = []
        self.elements: list[tuple[str, int]] = []
        self.count = 0

    def mode(self) -> Any:
        """The dispatch mode that hands every operator to `operator`."""
        from torch.utils._python_dispatch import TorchDispatchMode

        outer = self

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(
                self, function: Any, types: Any, args: Any = (), kwargs: Any = None
            ) -> Any:
                return outer.operator(function, args, kwargs or {})

        return Mode()

    def operator(self, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """The result of one operator of torch; ModelError for one that hides products."""
        name = function._schema.name.split("::")[1]
        if (parameter := self._of_parameters(args, kwargs)) is not None:
            result = function(*args, **kwargs)
            self._derive(result, parameter)
            return result
        if name in REFUSED or (name not in SUPPORTED and self._hides(function, name, args)):
            raise ModelError(
                f"{self.model}: operator {name!r} multiplies and adds where no target can; "
                f"supported: {', '.join(SUPPORTED)}"
            )
        if name in SUPPORTED:
            return getattr(self, f"_{name}")(*args, **kwargs)
        result = function(*args, **kwargs)
        if (
            name not in VIEWS
            and hasattr(result, "numel")
            and not any(a.alias_info for a in function._schema.returns)
        ):
            self.elements.append((name, result.numel()))
        return result

    def _hides(self, function: Any, name: str, args: Any) -> bool:
        """Whether an operator that is no view reads a matrix of parameters, so that it may multiply
        by it unseen.
        """
        if name in READERS or any(a.alias_info for a in function._schema.returns):
            return False
        tensors = [a for a in args if hasattr(a, "untyped_storage")]
        return any(t.ndim >= 2 and self._parameter(t) is not None for t in tensors)

    def _parameter(self, tensor: Any) -> str | None:
        """The name of the parameter that a tensor is, or is a view of."""
        return self.parameters.get(tensor.untyped_storage().data_ptr())

    def _constant(self, tensor: Any) -> str | None:
        """The name of the parameter that a tensor is, is a view of, or was computed of."""
        pointer = tensor.untyped_storage().data_ptr()
        return self.parameters.get(pointer) or self.derived.get(pointer)

    def _of_parameters(self, args: Any, kwargs: dict[str, Any]) -> str | None:
        """The name of the first of the tensors that an operator reads, where all are constant."""
        names = [self._constant(tensor) for tensor in _tensors([*args, *kwargs.values()])]
        return names[0] if names and None not in names else None

    def _derive(self, result: Any, parameter: str) -> None:
        """Remember that what an operator made is constant."""
        for tensor in _tensors([result]):
            self._kept.append(tensor)
            self.derived[tensor.untyped_storage().data_ptr()] = parameter

    def _made(
        self, x: np.ndarray, w: np.ndarray | None, product: Callable[[], _Product]
    ) -> np.ndarray:
        """The product's result; x float32, shape (groups, rows, k), and w where it is computed."""
        index, self.count = self.count, self.count + 1
        if self.call is not None:
            return self.call(index, x, w)
        seen = product()
        right = w if w is not None else seen.weights
        if right is None:
            raise ModelError(f"{self.model}: product {index} has no right operand")
        self.products.append(seen)
        self.operands.append(x)
        self.shapes.append((*x.shape, right.shape[2]))
        y = np.matmul(x, right)
        return y if seen.bias is None else y + seen.bias.reshape(len(y), 1, -1)

    def _named(self, parameter: str | None) -> str:
        base = parameter.removesuffix(".weight") if parameter else "product"
        taken = [p.name for p in self.products]
        return (
            base
            if base not in taken and parameter
            else f"{base}_{sum(t.split('_')[0] == base or t.startswith(base) for t in taken)}"
        )

    def _mm(self, x: Any, w: Any, bias: Any = None) -> Any:
        torch = _torch()
        name = self._constant(w)
        if name is None:
            hint = (
                "its left operand is a parameter"
                if self._constant(x)
                else "both of its operands are computed"
            )
            raise ModelError(
                f"{self.model}: an mm {tuple(x.shape)} @ {tuple(w.shape)} has no batch: {hint}; "
                "allowed: x @ parameter, or bmm"
            )
        addend = None if bias is None else _floats(bias)
        y = self._made(
            _floats(x)[None],
            None,
            lambda: _Product(self._named(name), _floats(w)[None], addend, _place(w, bias)),
        )
        return torch.from_numpy(y[0])

    def _addmm(self, addend: Any, x: Any, w: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        constant = (
            self._constant(addend) is not None and addend.ndim == 1 and len(addend) == w.shape[1]
        )
        if constant and beta == alpha == 1:
            return self._mm(x, w, addend)
        return beta * addend + alpha * self._mm(x, w)

    def _bmm(self, x: Any, w: Any) -> Any:
        return _torch().from_numpy(
            self._made(_floats(x), _floats(w), lambda: _Product(self._named(None), None, None))
        )

    def _baddbmm(self, addend: Any, x: Any, w: Any, *, beta: float = 1, alpha: float = 1) -> Any:
        return beta * addend + alpha * self._bmm(x, w) if beta else alpha * self._bmm(x, w)

    def _convolution(
        self,
        x: Any,
        w: Any,
        bias: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        transposed: bool,
        extra: Any,
        groups: int,
    ) -> Any:
        torch, name = _torch(), self._constant(w)
        if name is None or (bias is not None and self._constant(bias) is None):
            raise ModelError(
                f"{self.model}: a convolution has a computed kernel or bias; allowed: parameters"
            )
        axes = len(w.shape) - 2
        stride, padding, dilation, extra = (
            [*v] * axes if len(v) == 1 else [*v] for v in (stride, padding, dilation, extra)
        )
        addend = None if bias is None else _floats(bias)
        window = Window(
            tuple(w.shape[2:]), tuple(stride), tuple(dilation), tuple((p, p) for p in padding)
        )
        values, kernel, sizes = _floats(x), _floats(w), tuple(x.shape[2:])
        if transposed:
            return torch.from_numpy(
                self._transposed(values, kernel, addend, window, extra, groups, name)
            )
        y = self._made(
            im2col.columns(values, window, groups),
            None,
            lambda: _Product(
                self._named(name), im2col.flattened(kernel, groups), addend, _place(w, bias)
            ),
        )
        return torch.from_numpy(im2col.images(y, len(values), window.outputs(sizes)))

    def _transposed(
        self,
        x: np.ndarray,
        kernel: np.ndarray,
        bias: np.ndarray | None,
        window: Window,
        extra: list[int],
        groups: int,
        name: str,
    ) -> np.ndarray:
        sizes, ones = x.shape[2:], (1,) * (x.ndim - 2)
        pixels = Window(ones, ones, ones, ((0, 0),) * len(sizes))
        rows = zip(sizes, window.strides, window.spans, window.pads, extra, strict=True)
        outputs = tuple((n - 1) * s + span - 2 * pad[0] + e for n, s, span, pad, e in rows)
        y = self._made(
            im2col.columns(x, pixels, groups),
            None,
            lambda: _Product(self._named(name), im2col.flattened_transposed(kernel, groups), None),
        )
        made = im2col.scattered(y, len(x), window, sizes, outputs)
        return made if bias is None else made + bias.reshape(1, -1, *ones)


def _place(w: Any, bias: Any) -> tuple[Any, ...]:
    """Where the weights and the bias of a product lie in memory, and how."""
    return tuple((t.data_ptr(), tuple(t.shape), tuple(t.stride())) for t in _tensors([w, bias]))


def _tensors(values: Any) -> Iterator[Any]:
    """The tensors among values, and among those that lists of them hold."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _tensors(value)
        elif hasattr(value, "untyped_storage"):
            yield value


def _floats(tensor: Any) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)
