"""Which weights serve this machine best? `train` finds them: through the machine's own noise, or by
pulses in its cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from pimlab import units
from pimlab.analog.learning import UpdateRule
from pimlab.arguments import named
from pimlab.kernels import philox
from pimlab.keys import Key, as_key
from pimlab.machine.protocol import Target
from pimlab.plan import Plan, machine_text, planned
from pimlab.result import finished
from pimlab.studies.interrupted import going_on
from pimlab.studies.run import Times
from pimlab.studies.training_machines import Adapters, Machines, by_gradients
from pimlab.studies.training_pulses import by_pulses
from pimlab.studies.training_steps import Steps
from pimlab.units import is_integer
from pimlab.values import unknown
from pimlab.workload.language.model import LanguageModel
from pimlab.workload.training import Graph, Objective, Recipe, trained, trained_language
from pimlab.workload.transform.adapters import Adapted, check_rank

STARTS = ("model", "random")


@named
def train(
    model: Any,
    target: Target | Plan | UpdateRule,
    data: Any,
    *,
    epochs: int = 1,
    rate: float = 1e-3,
    seed: int = 0,
    batch: int = 128,
    at: Times = 0.0,
    rule: str = "minmax",
    start: str = "model",
    recipe: Recipe | None = None,
) -> Any:
    """A network of the same kind as `model`, trained on `data`; its `history` says what happened,
    epoch by epoch.

    model : a network of an ONNX file, or a language model with weights.
    target : a machine or a plan: each step writes the weights anew with fresh noise, reads them
    after one of the times `at` in turn (drift-aware training), and follows the loss back through
    the float weights (straight-through); an NPU gives quantisation-aware training. Or a rule of
    `pimlab.analog.learning` (`SGD`, `MixedPrecision`, `TikiTaka`, `TikiTakaV2`): weights live in
    cells that learn by pulses, sample after sample; biases stay digital. Its fields `forward` and
    `backward` (`ReadPass`) are the converters and noise of the two directions.
    data : a training split: class labels, text, lines of characters (judged by character error;
    their loss is `workload.training.ctc`), or real numbers (judged by r2 or rmse).
    epochs, batch : passes over it, and samples a step
    (for a rule: samples between two reads of the weights).  rate : of Adam, falling to 0 along half
    a cosine; for a rule, what a weight moves by for a gradient of 1, constant.  at : seconds [s] or
    text, or several; machines only.  rule : how activation ranges are calibrated, anew every 32
    steps.  start : "model", or "random" for new weights (He et al. 2015) and zero biases.
    recipe : loss, schedule, distillation, clipping, noise, adapters and the like; machines only.
    Raises TypeError and ValueError for arguments of another kind, the test split, or a loss that
    diverges; ModelError for an operator through which no loss can be followed back, or an adapter
    as large as its layer. Ctrl-C keeps whole epochs: the same call goes on from there.

    >>> digits = pim.load_data("digits", split="train", limit=256)
    >>> mlp, pcm = pim.load_model("digits-mlp"), pim.target("pcm-hermes")
    >>> tuned = pim.train(mlp, pcm, digits, epochs=1, at="1 month")
    >>> tuned.history.loss.dims
    ('epoch',)
    """
    _checked(target, data, {"epochs": epochs, "batch": batch}, rate, start)
    recipe = _recipe(recipe, target, at, rule)
    graph, key, objective = Graph(model), as_key(seed).child("train"), Objective(data, recipe)
    _fits(model, objective)
    if recipe.adapter is not None:
        check_rank(model, recipe.adapter)
    if start == "random":
        _fresh(graph, key.child("start"))
    teacher = Graph(model) if recipe.distil else None
    learned: dict[str, Any] = {}
    adapters = None if recipe.adapter is None else Adapters(graph, recipe, key.child("adapters"))
    asked = (epochs, rate, key, batch, _times(at), rule, start, recipe)
    about = (*_about(model, target, data), *asked)
    what, an_epoch = f"train {model.name} for {target.name}", -(-len(data) // batch)
    with going_on(about, what, epochs, "epoch", an_epoch) as (
        kept,
        bar,
    ):
        steps = Steps(graph, objective, epochs, batch, key.child("order"), teacher, kept, bar)
        if isinstance(target, UpdateRule):
            history = by_pulses(steps, target, rate, key)
        else:
            plan = planned(model, target)
            machines = Machines(plan, graph, objective, recipe, rule, _times(at), adapters)
            history = finished(by_gradients(steps, machines, rate, key), plan.cited)
            learned = {name: machines.learned(name) for name in machines.ranges}
    history.attrs.update(
        model=model.name,
        target=target.name,
        data=data.name,
        data_sha256=data.sha256,
        seed=as_key(seed).seed,
        rate=rate,
        batch=batch,
        start=start,
        recipe=repr(recipe),
    )
    answer = _answer(model, graph, f"{model.name} for {target.name}", history, adapters)
    if learned:
        answer.ranges = learned
    return answer


def _answer(
    model: Any, graph: Graph, name: str, history: xr.Dataset, adapters: Adapters | None
) -> Any:
    """The model as trained, of the kind it was."""
    if adapters is not None:
        adapted = Adapted(model, adapters.final())
        adapted.name, adapted.history = name, history
        return adapted
    make = trained_language if isinstance(model, LanguageModel) else trained
    return make(model, graph.weights, graph.biases, name, history, graph.parameters)


def _about(model: Any, target: Target | Plan | UpdateRule, data: Any) -> tuple[Any, ...]:
    """Model, machine and data, as an interrupted training is recognised by."""
    machine = target if isinstance(target, UpdateRule) else machine_text(planned(model, target))
    return model.sha256, machine, data.name, data.split, data.sha256, len(data)


def _recipe(recipe: Recipe | None, target: Any, at: Times, rule: str) -> Recipe:
    """The recipe asked for, or the plain one; ValueError for what a rule of pulses has not."""
    if not (recipe is None or isinstance(recipe, Recipe)):
        raise TypeError(
            f"recipe={recipe!r:.80} is no Recipe; write for example pimlab.Recipe(clip=2.5)"
        )
    if isinstance(target, UpdateRule) and (at != 0.0 or rule != "minmax"):
        raise ValueError(
            f"at={at!r}, rule={rule!r} with target {target.name}: cells that learn are read as "
            "they stand, by the passes of their rule; allowed: neither is given (they are for "
            "machines)"
        )
    if isinstance(target, UpdateRule) and recipe not in (None, Recipe()):
        raise ValueError(
            f"recipe={recipe!r} with target {target.name}: pulses have a rule of their own; "
            "allowed: no recipe (it is for machines)"
        )
    return recipe or Recipe()


def _fits(model: Any, objective: Objective) -> None:
    """TypeError where text meets a network that takes none, or a language model no text; the
    model's own error where a sample is not as it takes them.
    """
    if isinstance(model, LanguageModel) != objective.tokens:
        raise TypeError(
            f"data={objective.data!r} has no class labels for {model.name!r}; allowed: text for a "
            "language model, samples for a network of an ONNX file"
        )
    model.execute(objective.data.inputs[:1], model.exact)


def _times(at: Times) -> list[float]:
    single = isinstance(at, str) or not np.iterable(at)
    each: Any = [at] if single else at
    times = [units.seconds(t) for t in each]
    if not times:
        raise ValueError(
            "at=[] names no time; allowed: one time or more, such as at=['1 h', '1 month']"
        )
    return times


def _checked(target: Any, data: Any, counts: Mapping[str, int], rate: float, start: str) -> None:
    if not isinstance(target, (Target, Plan, UpdateRule)):
        raise TypeError(
            f"target={target!r} is neither a Target, a Plan nor an UpdateRule; write for example "
            "pimlab.target('pcm-hermes')"
        )
    if not hasattr(data, "metric"):
        raise TypeError(
            f"data={data!r:.80} has no class labels; allowed: data judged by accuracy, such as "
            "load_data('digits', 'train')"
        )
    if data.split == "test":
        raise ValueError(
            f"data {data.name!r} is the test split; allowed: another, such as "
            f"load_data({data.name!r}, split='train')"
        )
    for name, value in counts.items():
        if not is_integer(value) or value < 1:
            raise ValueError(f"{name}={value!r}; allowed: an integer, 1 or more")
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < float("inf"):
        raise ValueError(f"rate={rate!r}; allowed: finite, above 0")
    if start not in STARTS:
        raise ValueError(unknown("start", start, STARTS))


def _fresh(graph: Graph, key: Key) -> None:
    """Normal weights of variance 2 / k and zero biases: He et al., ICCV 2015, equation 10."""
    for name, w in graph.weights.items():
        drawn = np.empty((w.shape[0] * w.shape[1], w.shape[2]), np.float32)
        philox.normal(*key.child(name).words, 0, 0, drawn)
        w[:] = drawn.reshape(w.shape) * np.float32(np.sqrt(2 / w.shape[1]))
    for b in graph.biases.values():
        b[:] = 0
