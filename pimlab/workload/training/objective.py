"""What is a training to bring down? The loss of a batch, by what its data are: classes, next tokens
or real numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pimlab.workload.edit_errors import CharacterError, collapsed
from pimlab.workload.language.perplexity import Perplexity
from pimlab.workload.metrics import Accuracy, Determination, RootMeanSquareError
from pimlab.workload.training.loss import cross_entropy, ctc, distillation, mean_square
from pimlab.workload.training.recipe import Recipe


class Judged(NamedTuple):
    """A batch judged.

    loss : sum over its terms (samples, or scored tokens);  gradient : of that sum by the outputs,
    float32, of their shape (...);  terms : how many;  right : how many classes or tokens are the
    likeliest output, None for real numbers;  guessing : the mean loss of a guess.
    """

    loss: float
    gradient: np.ndarray
    terms: int
    right: int | None
    guessing: float


class Objective:
    """The loss of a `Recipe` on a data set. TypeError for data that it cannot judge."""

    def __init__(self, data: Any, recipe: Recipe):
        self.data, self.recipe = data, recipe
        metric = getattr(data, "metric", None)
        self.tokens = isinstance(metric, Perplexity)
        self.lines = isinstance(metric, CharacterError)
        classes = self.tokens or self.lines or isinstance(metric, Accuracy)
        real = isinstance(metric, Determination | RootMeanSquareError)
        if not (classes or real) or (real and recipe.loss == "cross entropy"):
            raise TypeError(
                f"data={data!r} has no class labels; allowed: data judged by accuracy, perplexity "
                "or character error, such as load_data('digits', 'train'), or by r2 or rmse with "
                "the loss 'mean square'"
            )
        self.square = real or recipe.loss == "mean square"
        if (self.tokens or self.lines) and self.square:
            what = "lines" if self.lines else "tokens"
            raise TypeError(
                f"data={data!r} are {what}, which have no mean square; allowed: loss='cross "
                "entropy'"
            )

    def inputs(self, chosen: np.ndarray) -> np.ndarray:
        """What the network reads of the samples of those indices, shape (n, ...); a text without
        the last token of each window.
        """
        read = self.data.inputs[chosen]
        return np.asarray(read)[:, :-1] if self.tokens else read

    def judged(
        self, outputs: np.ndarray, chosen: np.ndarray, teacher: np.ndarray | None = None
    ) -> Judged:
        """The loss of outputs (n, ...) of the samples of those indices.

        teacher : outputs of the same shape (n, ...) by the model before training, for
        `Recipe.distil`.
        """
        if self.square:
            return self._square(outputs, chosen, teacher)
        if self.lines:
            return self._spelled(outputs, chosen, teacher)
        rows, labels, kept = outputs, self.data.labels[chosen], None
        if self.tokens:
            kept = np.asarray(labels, bool).ravel()
            rows = outputs.reshape(-1, outputs.shape[-1])[kept]
            labels = np.asarray(self.data.inputs[chosen])[:, 1:].ravel()[kept]
            teacher = None if teacher is None else teacher.reshape(-1, outputs.shape[-1])[kept]
        if rows.ndim == 2 and self.recipe.distil == 1 and teacher is not None:
            loss, slope = distillation(rows, teacher, self.recipe.temperature)
        else:
            loss, slope = cross_entropy(rows, labels)
            loss, slope = self._mixed(loss, slope, rows, teacher)
        gradient = slope
        if kept is not None:
            gradient = np.zeros((kept.size, outputs.shape[-1]), np.float32)
            gradient[kept] = slope
        right = int((rows.argmax(axis=1) == labels).sum())
        guess = float(np.log(rows.shape[1]))
        total = float(loss.sum())
        return Judged(total, gradient.reshape(outputs.shape), len(rows), right, guess)

    def _mixed(
        self, loss: np.ndarray, slope: np.ndarray, rows: np.ndarray, teacher: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        share = self.recipe.distil
        if teacher is None or not share:
            return loss, slope
        more, steeper = distillation(rows, teacher, self.recipe.temperature)
        mixed = (1 - share) * slope + share * steeper
        return (1 - share) * loss + share * more, mixed.astype(np.float32)

    def _spelled(
        self, outputs: np.ndarray, chosen: np.ndarray, teacher: np.ndarray | None
    ) -> Judged:
        """Lines of text: each is a term, right where all its characters are."""
        labels, share = np.asarray(self.data.labels[chosen]), self.recipe.distil
        loss, slope = ctc(outputs, labels)
        if teacher is not None and share:
            own, its = (one.reshape(-1, outputs.shape[-1]) for one in (outputs, teacher))
            more, steeper = distillation(own, its, self.recipe.temperature)
            loss = (1 - share) * loss + share * more.reshape(len(loss), -1).sum(axis=1)
            slope = (1 - share) * slope + share * steeper.reshape(slope.shape)
        read = [collapsed(line) for line in outputs.argmax(axis=2)]
        right = sum(
            np.array_equal(line, wanted[wanted > 0])
            for line, wanted in zip(read, labels, strict=True)
        )
        guess = float(outputs.shape[1] * np.log(outputs.shape[2]))
        return Judged(float(loss.sum()), slope.astype(np.float32), len(loss), right, guess)

    def _square(
        self, outputs: np.ndarray, chosen: np.ndarray, teacher: np.ndarray | None
    ) -> Judged:
        labels, share = np.asarray(self.data.labels)[chosen], self.recipe.distil
        if labels.dtype.kind in "iu" and labels.ndim == 1 and outputs.shape[1:] != (1,):
            labels = np.eye(outputs.shape[1])[labels]
        loss, slope = mean_square(outputs, labels)
        if teacher is not None and share:
            more, steeper = mean_square(outputs, teacher)
            loss, slope = (1 - share) * loss + share * more, (1 - share) * slope + share * steeper
        guess = 0.5 * max(float(np.var(np.asarray(self.data.labels, float))), 1e-12)
        return Judged(float(loss.sum()), slope.astype(np.float32), len(loss), None, guess)
