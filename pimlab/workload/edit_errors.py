"""How far is what was read from what is written? Edits of characters and of words, over their
number.
"""

from __future__ import annotations

import numpy as np

from pimlab.units import is_integer
from pimlab.workload import intervals
from pimlab.workload.metric import Metric, Summary, finite


class CharacterError(Metric):
    """Edits that turn what was read into what was written, over the characters written; lower is
    better.
    """

    name = "character_error"
    long_name = "edit distance over characters written"
    better = "lower"

    def check(self, labels: np.ndarray) -> None:
        """Labels are whole numbers (n, letters), 0 behind the end of a line."""
        _numbered(self.name, "labels", labels)

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, 2): edits and characters of each line.

        outputs : int, shape (n, steps) with repeats and blanks (0), or their scores float (n,
        steps, characters).  labels : int, shape (n, letters), 0 behind the end.
        """
        rows = [
            (edits(read, wanted), len(wanted))
            for read, wanted in zip(*self._lines(outputs, labels), strict=True)
        ]
        return np.array(rows, dtype=np.float64)

    def _lines(
        self, outputs: np.ndarray, labels: np.ndarray
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """What was read and what was written, line by line, without repeats and blanks."""
        if np.ndim(outputs) == 3:
            finite(self.name, "outputs", outputs)
            outputs = outputs.argmax(axis=2)
        if np.ndim(outputs) != 2 or np.ndim(labels) != 2 or len(outputs) != len(labels):
            raise ValueError(
                f"{self.name}: outputs {np.shape(outputs)} and labels {np.shape(labels)}; allowed: "
                "(n, steps) or (n, steps, characters), and (n, letters)"
            )
        read = _numbered(self.name, "outputs", outputs)
        wanted = _numbered(self.name, "labels", labels)
        return [collapsed(line) for line in read], [line[line > 0] for line in wanted]

    def summarise(self, contributions: np.ndarray) -> Summary:
        """Edits over characters, with the normal 95 % interval of a ratio over lines. Unit 1."""
        value, error = intervals.ratio(contributions[:, 0], contributions[:, 1])
        return value, max(0.0, value - error), value + error


class WordError(CharacterError):
    """Edits of words over the words written; lower is better.

    space : the number of the character that parts words; None where each number is a word.
    """

    name = "word_error"
    long_name = "edit distance over words written"

    def __init__(self, space: int | None = None):
        if space is not None and (not is_integer(space) or space < 1):
            raise ValueError(f"word_error space={space!r}; allowed: an integer, 1 or more, or None")
        self.space = space

    def contributions(self, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """float64, shape (n, 2): edits and words of each line, outputs and labels as of
        CharacterError.
        """
        rows = []
        for read, wanted in zip(*self._lines(outputs, labels), strict=True):
            known: dict[tuple[int, ...], int] = {}
            found, written = (
                np.array([known.setdefault(word, len(known)) for word in self._words(line)], int)
                for line in (read, wanted)
            )
            rows.append((edits(found, written), len(written)))
        return np.array(rows, dtype=np.float64)

    def _words(self, line: np.ndarray) -> list[tuple[int, ...]]:
        if self.space is None:
            return [(int(one),) for one in line]
        parts = np.split(line, np.flatnonzero(line == self.space))
        words = [tuple(part[part != self.space].tolist()) for part in parts]
        return [word for word in words if word]


def collapsed(steps: np.ndarray) -> np.ndarray:
    """Characters of a line of steps: repeats once, blanks (0) gone (CTC, Graves et al. 2006).
    Integers, shape (characters,), from a line of shape (steps,).
    """
    changed = np.concatenate([[True], steps[1:] != steps[:-1]])
    return steps[changed & (steps > 0)]


def edits(a: np.ndarray, b: np.ndarray) -> int:
    """Levenshtein's distance between two rows of numbers (unit: edits)."""
    row = np.arange(len(b) + 1)
    for value in a:
        kept = np.minimum(row[1:] + 1, row[:-1] + (b != value))
        row = np.minimum.accumulate(
            np.concatenate([[row[0] + 1], kept]) - np.arange(len(b) + 1)
        ) + np.arange(len(b) + 1)
    return int(row[-1])


def _numbered(name: str, what: str, values: np.ndarray) -> np.ndarray:
    """The values as int64; ValueError where they are no whole numbers from 0."""
    finite(name, what, values)
    found = np.asarray(values)
    if (found < 0).any() or (found != np.floor(found)).any():
        raise ValueError(f"{name}: {what} are not all whole numbers from 0 (0 is the blank)")
    return found.astype(np.int64)
