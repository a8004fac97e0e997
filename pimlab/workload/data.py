"""On what is a model judged? Samples with labels, a metric, and samples that calibrate and never
are those that are scored.
"""

from __future__ import annotations

import functools
import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pimlab.units import is_integer
from pimlab.values import nearest
from pimlab.workload.files import DataError
from pimlab.workload.metrics import Metric
from pimlab.workload.named_metrics import metric as chosen_metric


class Data:
    """Samples with labels, how outputs are judged, and the samples that calibrate.

    >>> digits = pim.load_data("digits", limit=100)
    >>> pim.Data(digits.inputs, digits.labels)
    <Data own data, test: 90 samples (64,), accuracy; 10 calibrate>
    """

    name: str
    split: str
    licence: str
    source: str
    note: str
    metric: Metric
    inputs: np.ndarray
    labels: np.ndarray
    _calibration: Data | Callable[[], Data] | None

    def __init__(
        self,
        inputs: Any,
        labels: Any,
        *,
        metric: str | Metric | Callable[..., Any] = "accuracy",
        better: str | None = None,
        calibration: Any = None,
        name: str = "own data",
        split: str = "test",
        licence: str = "",
        source: str = "",
        note: str = "",
    ):
        """One's own samples, in one line.

        inputs : (n, ...) as the model takes them, finite numbers; for a model with several inputs a
        mapping of their names to such arrays.  labels : (n, ...), what `metric` judges by: class
        indices (n,) for "accuracy", numbers for "r2" and "rmse".
        metric, better : a built-in name, a `pimlab.workload.Metric`, or a function (outputs,
        labels) -> number(s) with its direction, "higher" or "lower".
        calibration : inputs (m, ...) that choose the ranges of activations, such as some training
        samples, or another Data; None takes every tenth sample (512 at most) out of `inputs`: these
        calibrate and are not scored.
        name, split, licence, source, note : text for reports; optional.
        DataError names what does not fit: lengths, shapes, text, values that are not finite or
        beyond float32, labels that the metric cannot judge.
        """
        about = {"name": name, "split": split, "licence": licence, "source": source, "note": note}
        for word, text in about.items():
            if not isinstance(text, str) or (word in ("name", "split") and not text):
                raise TypeError(f"data {word}={text!r:.60} is not a text")
        own = vars(self)
        own.update(about, metric=chosen_metric(metric, better))
        own["inputs"] = numbers(f"data {name!r}: inputs", inputs)
        own["labels"] = _labels(self, labels)
        own["_calibration"] = self._calibrating(calibration)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"data {self.name!r} is frozen; write data.but({name}=...)")

    def _calibrating(self, given: Any) -> Data | Callable[[], Data] | None:
        if self.split == "calibration":
            return None
        if callable(given) or isinstance(given, Data):
            return given
        if given is not None:
            inputs = numbers(f"data {self.name!r}: calibration", given)
            return self._of_calibration(inputs, None)
        picked = held_out(len(self))
        if len(picked) == 0:
            raise DataError(
                f"data {self.name!r}: one sample cannot both calibrate and be scored; give "
                "calibration=inputs of other samples"
            )
        kept = np.setdiff1d(np.arange(len(self)), picked)
        calibrating = self._of_calibration(self.inputs[picked], self.labels[picked])
        vars(self).update(inputs=self.inputs[kept], labels=self.labels[kept])
        return calibrating

    def _of_calibration(self, inputs: np.ndarray, labels: np.ndarray | None) -> Data:
        if _sample(inputs) != _sample(self.inputs):
            raise DataError(
                f"data {self.name!r}: calibration has samples {_sample(inputs)}, inputs "
                f"{_sample(self.inputs)}; allowed: the same"
            )
        return self.but(inputs=inputs, labels=labels, split="calibration")

    def but(self, **changes: Any) -> Data:
        """A copy with the named arguments changed, such as labels=...; TypeError names the nearest
        for one that is misspelt.
        """
        for word in changes:
            if word not in _ARGUMENTS:
                raise TypeError(f"Data has no {word!r}{nearest(word, _ARGUMENTS)}")
        parts = {word: getattr(self, word) for word in _ARGUMENTS - {"better", "calibration"}}
        parts["calibration"] = vars(self).get("_calibration")
        return Data(**{**parts, **changes})

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: slice) -> Data:
        """The samples of a slice, as Data; the same samples calibrate."""
        if not isinstance(chosen, slice):
            raise TypeError(
                f"data {self.name!r}[{chosen!r}]: allowed is a slice, such as data[:100]"
            )
        return self.but(inputs=self.inputs[chosen], labels=self.labels[chosen])

    def __repr__(self) -> str:
        own = self._calibration if isinstance(self._calibration, Data) else None
        more = f"; {len(own)} calibrate" if own is not None else ""
        licence = f", {self.licence}" if self.licence else ""
        return (
            f"<Data {self.name}, {self.split}: {len(self)} samples {_sample(self.inputs)}, "
            f"{self.metric.name}{licence}{more}>"
        )

    @functools.cached_property
    def sha256(self) -> str:
        """Hash of inputs and labels, with their types and shapes, and of the inputs of one's own
        that calibrate.
        """
        own = self._calibration if isinstance(self._calibration, Data) else None
        total = hashlib.sha256()
        for array in (self.inputs, self.labels, *([] if own is None else [own.inputs])):
            kind = array.dtype.descr if array.dtype.names else array.dtype.str
            total.update(f"{kind}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).data)
        return total.hexdigest()

    @property
    def calibration(self) -> Data:
        """The samples that choose the ranges of activations, never those that are scored; itself
        for data that is that split.
        """
        found = self._calibration
        return self if found is None else found() if callable(found) else found


_TEXTS = ("metric", "better", "name", "licence", "source", "note")
_ARGUMENTS = {"inputs", "labels", "calibration", "split", *_TEXTS}


def numbers(what: str, given: Any) -> np.ndarray:
    """`given` as an array (n, ...) of one sample or more, of finite numbers that float32 can hold;
    of a mapping a structured array (n,) with its names as fields.

    DataError names what else it is: text, objects, ragged rows, no samples, NaN, infinity.
    """
    if isinstance(given, Mapping):
        return _joined(what, given)
    try:
        array = np.asanyarray(given)
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} are no array ({error}); allowed: numbers (n, ...)") from None
    if array.dtype.names:
        return _joined(what, {name: array[name] for name in array.dtype.names})
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} are {array.dtype} ({given!r:.60}); allowed: an array of numbers")
    if array.ndim == 0:
        raise DataError(f"{what} are one number, {given!r}; allowed: an array (n, ...)")
    if array.size == 0:
        raise DataError(f"{what} {array.shape} are empty; allowed: one sample or more")
    with np.errstate(over="ignore"):
        wrong = ~np.isfinite(array.astype(np.float32) if array.dtype.kind == "f" else array)
    if wrong.any():
        first = array[wrong].ravel()[0]
        raise DataError(
            f"{what} hold {np.count_nonzero(wrong)} values that float32 cannot, such as {first}; "
            "allowed: finite numbers"
        )
    return array


def _joined(what: str, given: Mapping[str, Any]) -> np.ndarray:
    """Named arrays (n, ...) as one structured array (n,)."""
    if not given:
        raise DataError(f"{what} name no array; allowed: one or more")
    arrays = {name: numbers(f"{what}[{name!r}]", array) for name, array in given.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{what} have {lengths} samples; allowed: the same number in all")
    kinds = [(str(name), array.dtype, array.shape[1:]) for name, array in arrays.items()]
    joined = np.empty(next(iter(lengths.values())), kinds)
    for name, array in arrays.items():
        joined[str(name)] = array
    return joined


def _sample(inputs: np.ndarray) -> Any:
    """The shape of one sample, of named inputs each."""
    names = inputs.dtype.names
    return {name: inputs[name].shape[1:] for name in names} if names else inputs.shape[1:]


def _labels(data: Data, given: Any) -> np.ndarray:
    if given is None and data.split == "calibration":
        return np.zeros(len(data), np.int64)
    labels = np.asarray(given)
    if labels.dtype.kind == "O" or labels.ndim == 0:
        raise DataError(f"data {data.name!r}: labels {given!r:.60}; allowed: an array (n, ...)")
    if len(data.inputs) != len(labels):
        raise DataError(
            f"data {data.name!r}: {len(data.inputs)} inputs and {len(labels)} labels; "
            "allowed: one label a sample"
        )
    try:
        data.metric.check(labels)
    except ValueError as error:
        raise DataError(f"data {data.name!r}: {error}") from None
    return labels


def held_out(n: int) -> np.ndarray:
    """Indices of the samples that calibrate where nobody names others: every tenth, 512 at most,
    evenly spaced, so that sorted labels do no harm; of one sample none. Int64, shape (samples,).
    """
    count = min(512, max(1, n // 10)) if n > 1 else 0
    return np.unique((np.arange(count) + 0.5) * n / max(count, 1)).astype(np.int64)


def check_limit(name: Any, limit: int | None) -> None:
    """DataError unless `limit` is None or a count of samples."""
    if limit is not None and (not is_integer(limit) or limit < 1):
        raise DataError(
            f"data {name!r}: limit={limit!r}; allowed: an integer, 1 or more, or None for all "
            "samples"
        )


def load_file(path: str | os.PathLike[str], limit: int | None = None) -> Data:
    """Data of a .npz file with the arrays inputs and labels (or x and y), and if they are there
    calibration and the texts metric, better, licence, source and note.

    numpy.savez("mine.npz", x=x, y=y, metric="rmse")

    The inputs of a model with several are arrays called inputs.NAME, those that calibrate
    calibration.NAME: numpy.savez("mine.npz", **{"inputs.ids": ids, "inputs.mask": mask}, y=y)

    DataError for a file that is not there or no such archive, and as `Data` raises it.
    """
    place = Path(path)
    try:
        with open(place, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {
                _ALIASES.get(name, name): archive[name] for name in archive.files
            }
    except FileNotFoundError:
        raise DataError(f"{place}: there is no such file") from None
    except _DAMAGE as error:
        raise DataError(f"{place} is no .npz file of arrays of numbers ({error})") from None
    known = ("inputs", "labels", "calibration", *_TEXTS)
    for part in ("inputs", "calibration"):
        named = [name for name in arrays if name.startswith(f"{part}.")]
        if named and part not in arrays:
            arrays[part] = {name.partition(".")[2]: arrays.pop(name) for name in named}
    for name in arrays:
        if name not in known:
            raise DataError(
                f"{place}: array {name!r} is not known{nearest(name, known)} (known: "
                f"{', '.join(known)}; x and y are inputs and labels; of a model with several "
                "inputs inputs.NAME)"
            )
    for name in ("inputs", "labels"):
        if name not in arrays:
            raise DataError(f"{place} has no array {name!r} (it has {', '.join(arrays) or 'none'})")
    texts = {name: str(arrays.pop(name)) for name in _TEXTS if name in arrays}
    calibration = arrays.pop("calibration", None)
    data = Data(**{"name": place.stem, **texts}, **arrays, calibration=calibration)
    return data if limit is None else data[:limit]


_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy and zipfile raise for archives that are none, are cut, or ask for what they lack."""
_ALIASES = {"x": "inputs", "y": "labels"}
