"""Which samples does each step of a training read, and how does the loss fall? The batches, and
what the history says of them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from pimlab.kernels import philox
from pimlab.keys import Key
from pimlab.progress import Bar
from pimlab.workload.model import Multiply
from pimlab.workload.training import Graph, Objective, Operands

DIVERGED = 30.0
"""A loss this many times that of guessing means that the rate is too large."""


class Steps:
    """The batches of a training: each epoch has its own order. Follows the loss and refuses one
    that diverges.

    teacher : the graph of the model before training, whose exact outputs the loss compares with
    where `Recipe.distil` asks for it.
    kept : epoch -> state after it, of which the last is kept: Ctrl-C leaves it for the same call.
    bar : moves a step at a time.
    """

    def __init__(
        self,
        graph: Graph,
        objective: Objective,
        epochs: int,
        batch: int,
        key: Key,
        teacher: Graph | None,
        kept: dict[int, Any],
        bar: Bar,
    ):
        self.graph, self.objective, self.data = graph, objective, objective.data
        self.epochs, self.batch, self.key, self.teacher = epochs, batch, key, teacher
        self.an_epoch = -(-len(self.data) // batch)
        self.loss, self.right, self.terms = (np.zeros(epochs) for _ in range(3))
        self.classes = True
        self.kept, self.bar = kept, bar

    @property
    def total(self) -> int:
        """Steps of the whole training (unit: steps)."""
        return self.epochs * self.an_epoch

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """(epoch, indices of samples) of each step that an interrupted training did not do."""
        for epoch in range(len(self.kept), self.epochs):
            drawn = np.empty((1, len(self.data)))
            philox.uniform64(*self.key.words, epoch, 0, drawn)
            order = np.argsort(drawn[0], kind="stable")
            for first in range(0, len(order), self.batch):
                yield epoch, order[first : first + self.batch]
                self.bar.step()

    @property
    def done(self) -> int:
        """Steps that an interrupted training did (unit: steps)."""
        return len(self.kept) * self.an_epoch

    def restored(self, state: Any) -> Any:
        """`state` as it was after the last whole epoch of an interrupted training."""
        if not self.kept:
            return state
        counts, state = copy.deepcopy(self.kept[len(self.kept) - 1])
        self.loss, self.right, self.terms, self.classes, self.first = counts
        return state

    def keep(self, step: int, state: Any) -> None:
        """Keep `state` if this step ends an epoch that is not the last."""
        epoch, rest = divmod(step + 1, self.an_epoch)
        if rest == 0 and epoch < self.epochs:
            counts = (self.loss, self.right, self.terms, self.classes, self.first)
            if epoch > 1:
                self.kept[epoch - 2] = None  # one state is enough
            self.kept[epoch - 1] = copy.deepcopy((counts, state))

    def operands(
        self, epoch: int, chosen: np.ndarray, multiply: Multiply
    ) -> tuple[dict[str, Operands], int]:
        """What each product saw, gradients by term of the loss (not their mean), and how many terms
        there were; counts loss and hits.
        """
        inputs, taught = self.objective.inputs(chosen), None
        if self.teacher is not None:
            taught = self.teacher.outputs(inputs, self.teacher.exact)
        outputs = self.graph.outputs(inputs, multiply)
        judged = self.objective.judged(outputs, chosen, taught)
        mean = judged.loss / max(1, judged.terms)
        self._watch(epoch, mean, judged.guessing)
        self.loss[epoch] += judged.loss
        self.terms[epoch] += judged.terms
        self.classes = judged.right is not None
        self.right[epoch] += judged.right or 0
        return self.graph.operands(judged.gradient), max(1, judged.terms)

    def _watch(self, epoch: int, mean: float, guessing: float) -> None:
        """Refuse a loss that is far above that of guessing, and above that of the first step (of a
        network that had another loss before).
        """
        if not self.terms.any():
            self.first = mean
        if not mean < DIVERGED * max(guessing, self.first):
            raise ValueError(
                f"training diverges in epoch {epoch}: loss {mean:.3g} (guessing has "
                f"{guessing:.3g}); take a smaller rate"
            )

    first = 0.0
    """Mean loss of the first step."""

    def history(self) -> xr.Dataset:
        """Mean loss and accuracy of each epoch, over its training samples as they came."""
        terms = np.maximum(self.terms, 1)
        what = "tokens" if self.objective.tokens else "samples"
        name = "mean square error, halved," if not self.classes else "mean cross entropy (nat)"
        about = {"units": "1", "long_name": f"{name} of the training {what}"}
        table: dict[str, Any] = {"loss": ("epoch", self.loss / terms, about)}
        if self.classes:
            about = {"units": "1", "long_name": f"fraction of training {what} predicted right"}
            table["train_accuracy"] = ("epoch", self.right / terms, about)
        return xr.Dataset(table, coords={"epoch": np.arange(1, self.epochs + 1)})
