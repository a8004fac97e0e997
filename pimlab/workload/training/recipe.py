"""How is a network trained for a machine? The choices of hardware-aware training, each absent
unless asked for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pimlab.values import Value, choice, integer, number, truth


class Recipe(Value):
    """Loss, learning rate and regularisation of `pimlab.train`.

    schedule : how the rate falls from its first value to 0: along half a cosine, in a line, or not
    at all; warm_up is the share of steps before that in which it rises in a line.
    loss : "cross entropy" of classes or next tokens, "mean square" of real outputs, or "by data".
    distil : share of the loss that compares with the outputs of the model before training, on the
    exact machine (Hinton, Vinyals, Dean, arXiv:1503.02531): the cross entropy between softmaxes at
    `temperature`, times temperature squared; with "mean square" the mean square.
    clip : after each step weights are cut at so many root mean squares of their output column
    (about a mean of 0; Rasch et al., Nat. Commun. 14, 5282 (2023)), so that no outlier sets the
    scale of the others; None: never.
    noise : standard deviation of a normal error of each weight in each step, relative to the
    largest weight of its column, beside what the machine does (the same paper; Joshi et al. 2020).
    drop_connect : share of the weights that each step takes for 0 (Wan et al., ICML 2013), as
    cells that are stuck.
    ranges : "calibrated" by `rule`, or "learned": the largest input of each product is trained like
    a weight (Esser et al., arXiv:1902.08153; Rasch et al. 2023), shrinks by `range_decay` of itself
    a step times the rate, and goes with the model (`pimlab.run(..., rule="learned")`).
    adapter : rank of digital low-rank adapters (Hu et al., arXiv:2106.09685) beside the analog
    weights, which then stay as they are; None: the weights are trained. adapter_scale : what the
    adapter's product is multiplied by.
    parameters : whether gains and embeddings are trained with the weights.

    >>> pim.Recipe(clip=2.5, distil=1.0, warm_up=0.05).clip
    2.5
    """

    schedule: str = choice("cosine", "linear", "constant", default="cosine")
    warm_up: float = number(low=0, high=1, default=0.0)
    loss: str = choice("by data", "cross entropy", "mean square", default="by data")
    distil: float = number(low=0, high=1, default=0.0)
    temperature: float = number(above=0, default=1.0)
    clip: float | None = number(above=0, default=None)
    noise: float = number(low=0, default=0.0)
    drop_connect: float = number(low=0, high=0.99, default=0.0)
    ranges: str = choice("calibrated", "learned", default="calibrated")
    range_decay: float = number(low=0, default=0.01)
    adapter: int | None = integer(1, default=None)
    adapter_scale: float = number(above=0, default=1.0)
    parameters: bool = False

    def check(self) -> None:
        """`parameters` is True or False; adapters leave the analog weights alone."""
        truth("Recipe parameters", self.parameters)
        if self.adapter is not None:
            for name in ("clip", "parameters"):
                if getattr(self, name):
                    raise ValueError(
                        f"Recipe {name}={getattr(self, name)!r} with adapter={self.adapter}: "
                        "adapters train beside weights that stay; allowed: one of the two"
                    )

    def rate(self, step: int, steps: int) -> float:
        """What the first rate is multiplied by in step 0..steps - 1 (unit 1)."""
        rising = self.warm_up * steps
        if step < rising:
            return (step + 1) / (rising + 1)
        share = (step - rising) / max(1.0, steps - rising)
        if self.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * share)) if self.schedule == "cosine" else 1 - share

    def clipped(self, w: np.ndarray) -> None:
        """Cut weights float32, shape (groups, k, n), in place."""
        if self.clip is not None:
            top = np.float32(self.clip) * np.sqrt(np.mean(np.square(w), axis=1, keepdims=True))
            np.clip(w, -top, top, out=w)

    def disturbed(self, w: np.ndarray, normals: Any, uniforms: Any) -> np.ndarray:
        """Weights float32, shape (k, n) as one step writes them: with errors, and some at 0.

        normals, uniforms : functions of a shape that draw float32 arrays.
        """
        if self.noise:
            top = np.abs(w).max(axis=0, keepdims=True)
            w = w + np.float32(self.noise) * top * normals(w.shape)
        return np.where(uniforms(w.shape) < self.drop_connect, 0, w) if self.drop_connect else w
