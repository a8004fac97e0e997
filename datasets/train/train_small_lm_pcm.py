"""Train the project's small language model for phase-change cells and write
datasets/language/small-lm-pcm.npz.

It needs this project alone and about nine minutes of one core:

    python datasets/train/train_small_lm_pcm.py [--out datasets/language/small-lm-pcm.npz]

Hardware-aware training from the weights of `small-lm`: each step writes the weights to cells of
`pcm-hermes` with fresh errors, reads them an hour, a month or a year later, follows the loss back,
and cuts weights at 2.5 root mean squares of their column. Three parts of 70 steps of 16 windows,
each over other windows of the split "train", the rate falling in the last; a part that is done is
kept beside the result and not trained again. The perplexities on the calibration book right after
programming and a year later are printed, and kept in the file with the seconds it took.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import pimlab as pim
from pimlab.workload.zoo.small_lm import load_small

HERE = Path(__file__).resolve().parents[1] / "language"
SCHEDULES = ("constant", "constant", "linear")
BATCH, STEPS, RATE = 16, 70, 1e-3
TIMES = ["1 h", "1 month", "1 y"]


def part(model: Any, index: int, steps: int, batch: int) -> Any:
    """`model` after part `index` of the training."""
    data = pim.load_data("kjv", split="train")
    here = slice(index * steps * batch, (index + 1) * steps * batch)
    warm = 0.1 if index == 0 else 0.0
    return pim.train(
        model,
        pim.target("pcm-hermes"),
        data.but(inputs=data.inputs[here], labels=data.labels[here]),
        rate=RATE,
        seed=index,
        batch=batch,
        at=TIMES,
        recipe=pim.Recipe(
            schedule=SCHEDULES[index % len(SCHEDULES)], warm_up=warm, clip=2.5, parameters=True
        ),
    )


def save(model: Any, path: Path, facts: dict[str, float]) -> None:
    """As `load_small` reads it: float16 arrays by name, shape and merges. The head has weights of
    its own once it has been trained.
    """
    with np.load(HERE / "small-lm.npz") as old:
        kept = {name: old[name] for name in ("shape", "merges")}
    weights = {name: w[0] for name, w in model.weights.items()}
    arrays = {
        name: a.astype(np.float16) for name, a in {**weights, **dict(model.parameters)}.items()
    }
    np.savez(path, facts=np.array(json.dumps(facts)), **kept, **arrays)


def perplexities(model: Any) -> dict[str, float]:
    """On the calibration book, float and in cells at two times."""
    data = pim.load_data("kjv", split="calibration")
    data = data.but(calibration=data.inputs)
    found = pim.run(model, pim.target("pcm-hermes"), data, at=["0 s", "1 y"]).perplexity.values
    surprises = data.metric.contributions(model.execute(data.inputs, model.exact), data.labels)
    exact = data.metric.summarise(surprises)[0]
    return {"float": exact, "0 s": float(found[0]), "1 y": float(found[1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of each of the three parts")
    parser.add_argument("--batch", type=int, default=BATCH, help="windows of 256 tokens a step")
    parser.add_argument("--out", type=Path, default=HERE / "small-lm-pcm.npz")
    given = parser.parse_args()
    model, seconds = pim.load_model("small-lm"), 0.0
    for index in range(len(SCHEDULES)):
        kept = given.out.with_suffix(f".part{index}.npz")
        if not kept.exists():
            start = time.process_time()
            trained = part(model, index, given.steps, given.batch)
            seconds += time.process_time() - start
            save(trained, kept, {"seconds": seconds})
            print(f"part {index}: loss {trained.history.loss.values[-1]:.4f}, {seconds:.0f} s")
        model = load_small(kept, f"small-lm-pcm part {index}", kept.name)
        with np.load(kept) as file:
            seconds = json.loads(str(file["facts"]))["seconds"]
    facts = {**perplexities(model), "seconds": seconds}
    print(facts)
    save(model, given.out, facts)


if __name__ == "__main__":
    main()
