"""Which rearrangement of a model's operands keeps its quality on a coarse machine at the least
energy?
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.arguments import typed
from pimlab.machine.protocol import Target
from pimlab.plan import Plan, planned
from pimlab.plan.capacity import NEEDED
from pimlab.result import finished, sources_of, variable
from pimlab.studies.layer_damage import by_worth, damages, movable
from pimlab.studies.layer_damage import hosted as hosted_plan
from pimlab.studies.run import run
from pimlab.values import Value, number, quantity
from pimlab.workload.transform.outliers import OutlierAware, Rearrangement

FREE = tuple(itertools.product((None, 0.5), (False, True)))
"""(smoothing, per_token) that change values and no count of the machine."""
ROUNDING = 1e-9
"""Relative difference of two energies below which they are the same."""


class Choice(NamedTuple):
    """Arguments of `workload.language.outlier_aware`."""

    digital: int
    centred: bool
    smoothing: float | None
    per_token: bool
    hosted: tuple[str, ...] = ()
    """Operators that the host multiplies whole."""

    def __str__(self) -> str:
        parts = [f"{self.digital} digital features"] if self.digital else []
        parts += ["centred inputs"] if self.centred else []
        parts += [f"smoothing {self.smoothing:g}"] if self.smoothing is not None else []
        parts += ["scaled tokens"] if self.per_token else []
        parts += [f"{len(self.hosted)} layers on the host"] if self.hosted else []
        return ", ".join(parts) or "as it was"


class Rearranged(Value):
    """The model that was found, and what else was tried.

    model : the rearranged model, and plan : which machine runs which of its operators; `run` takes
    them together.  choice : how it is rearranged.  quality : the metric of the data.  energy : J an
    inference.
    tried : Dataset over choice: the metric, and energy [J] an inference, of all that were run.
    """

    model: Any
    plan: Plan
    choice: Choice
    metric: str
    quality: float = number()
    energy: float = quantity("J", low=0)
    tried: Any = dataclasses.field(compare=False, repr=False)

    @property
    def why(self) -> str:
        """One sentence: what was chosen, and how many cheaper choices missed the bound."""
        return (
            f"{self.choice}: {self.metric} {self.quality:.4g} at {self.energy:.3g} J an inference, "
            f"the cheapest of {self.tried.sizes['choice']} choices that were run within the bound"
        )


@typed
def outlier_aware(
    model: Any,
    target: Target | Plan,
    data: Any,
    bound: float,
    *,
    digital: Sequence[int] = (0, 1, 2, 4, 8, 16),
    hosted: Sequence[int] = (0,),
    at: str | float = 0.0,
    seed: int = 0,
) -> Rearranged:
    """The rearrangement of `model` that keeps the metric of `data` within `bound` on `target` at
    the least energy: digital columns, centred and smoothed inputs, scaled tokens, and layers that
    the host multiplies whole.

    bound : worst value of the metric that is allowed: a perplexity or error at most, an accuracy at
    least.  data : samples that the choice is judged by; report on others.  digital : numbers of
    input features of each operator that the host may multiply.
    hosted : numbers of layers that may move to the host (the last machine of a plan), 0..all. Each
    layer is tried alone on its machine, all others exact; first move those that cost more energy
    where they are, the most damaged one before the others, then those that lose most damage for
    each joule added.
    at : seconds [s] or text after programming.  seed : of the machine.
    Choices are run from the cheapest on, the energy that does not depend on values first, so none
    that needs less meets the bound; of those with the same energy the best is taken. The choices
    are those of `pimlab.workload.language.outlier_aware`, smoothing 0.5 or none.
    Raises ValueError where no choice meets the bound, with the best of them; as `run` does.

    >>> digits, mlp = pim.load_data("digits", limit=100), pim.load_model("digits-mlp")
    >>> pim.outlier_aware(mlp, pim.target("pcm-hermes"), digits, bound=0.9).quality >= 0.9
    True
    """
    if not math.isfinite(bound):
        raise ValueError(f"bound={bound!r}; allowed: a finite value of {data.metric.name}")
    search = _Search(model, target, data, units.seconds(at), seed)
    found: list[tuple[Choice, float, float]] = []
    sources: set[str] = set()
    for several in search.by_energy(digital, hosted):
        best: Rearranged | None = None
        for choice in several:
            made, plan = search.made(choice)
            answer = run(made, plan, data, at=at, seed=seed, chips=NEEDED)
            value, joules = _value(answer, data), float(answer.energy.sum())
            sources |= set(sources_of(answer))
            found.append((choice, value, joules))
            if _meets(value, bound, data) and (best is None or _better(value, best.quality, data)):
                best = Rearranged(
                    model=made,
                    plan=plan,
                    choice=choice,
                    metric=data.metric.name,
                    quality=value,
                    energy=joules,
                    tried=None,
                )
        if best is not None:
            return best.but(tried=_table(found, data, sources))
    value, choice = _best(found, data)
    raise ValueError(
        f"{data.metric.name} {bound:g} is out of reach of {len(found)} rearrangements of "
        f"{model.name} on {target.name}: the best ({choice}) gives {value:.4g}; allow more digital "
        "features or layers on the host, or train for the machine (pim.train)"
    )


class _Search:
    """Rearranged models and the plans that run them, for one model, machine and data."""

    def __init__(self, model: Any, target: Target | Plan, data: Any, at: float, seed: int):
        self.parts, self.data, self.at, self.seed = Rearrangement(model, data), data, at, seed
        self.target, self.base = target, planned(model, target)

    def made(self, choice: Choice) -> tuple[OutlierAware, Plan]:
        """The model of a choice, and the plan of the original with its own operators in it."""
        model = self.parts.model(
            digital=choice.digital,
            smoothing=choice.smoothing,
            per_token=choice.per_token,
            centred=choice.centred,
            left=choice.hosted,
        )
        if isinstance(self.target, Plan):
            plan = self.base.but(model=model)
        else:  # what the model alone needs no host for may need one now
            plan = planned(model, self.target)
        return model, hosted_plan(plan, choice.hosted)

    def by_energy(self, digital: Iterable[int], hosted: Sequence[int]) -> Iterator[list[Choice]]:
        """Choices that need the same energy, what depends on values left out; the least first."""
        counts, layers = _counts(self.parts, digital), self._layers(hosted)
        costs = []
        for count, centred in itertools.product(counts, (False, True)):
            order = self._order(count, centred) if max(layers) else []
            for moved in layers:
                one = Choice(count, centred, None, False, tuple(order[:moved]))
                energy = float(run(*self.made(one), chips=NEEDED).energy.sum())
                costs.append((energy, [one._replace(smoothing=s, per_token=t) for s, t in FREE]))
        costs.sort(key=lambda pair: pair[0])
        together: list[tuple[float, list[Choice]]] = []
        for energy, several in costs:
            if together and energy <= together[-1][0] * (1 + ROUNDING):
                together[-1][1].extend(several)
            else:
                together.append((energy, several))
        for _, several in together:
            yield several

    def _order(self, digital: int, centred: bool) -> list[str]:
        """Layers in the order in which they move to the host."""
        _, plan = self.made(Choice(digital, centred, None, False))
        return by_worth(plan, damages(plan, self.data, self.at, self.seed))

    def _layers(self, hosted: Sequence[int]) -> list[int]:
        """The numbers of layers that can move."""
        most = len(movable(self.base))
        able = sorted({int(count) for count in hosted if 0 <= count <= most})
        if not able:
            raise ValueError(
                f"hosted={tuple(hosted)}; allowed: numbers within 0..{most}, the layers of "
                f"{self.base.name} that its host serves"
            )
        return able


def _counts(parts: Rearrangement, digital: Iterable[int]) -> list[int]:
    """The numbers of digital features that every operator can spare."""
    able = sorted({int(count) for count in digital if 0 <= count < max(parts.narrowest, 1)})
    if not able:
        raise ValueError(
            f"digital={tuple(digital)}; allowed: numbers within 0..{max(parts.narrowest - 1, 0)}"
        )
    return able


def _value(answer: xr.Dataset, data: Any) -> float:
    return float(np.asarray(answer[data.metric.name]).reshape(-1)[-1])


def _better(a: float, b: float, data: Any) -> bool:
    return a > b if data.metric.better == "higher" else a < b


def _meets(value: float, bound: float, data: Any) -> bool:
    return value == bound or _better(value, bound, data)


def _best(found: Sequence[tuple[Choice, float, float]], data: Any) -> tuple[float, Choice]:
    sign = 1 if data.metric.better == "higher" else -1
    choice, value, _ = max(found, key=lambda one: sign * one[1])
    return value, choice


def _table(
    found: Sequence[tuple[Choice, float, float]], data: Any, sources: Iterable[str]
) -> xr.Dataset:
    words = {"units": "1", "long_name": data.metric.long_name, "better": data.metric.better}
    values = {
        data.metric.name: ("choice", [value for _, value, _ in found], words),
        "energy": variable("energy", "choice", [joules for *_, joules in found]),
    }
    table = xr.Dataset(values, coords={"choice": [str(choice) for choice, *_ in found]})
    return finished(table, sources)
