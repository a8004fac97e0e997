"""Small requests and step times that the tests of the room `serving` share."""

import numpy as np

from pimlab.serving import Requests, StepTimes


def times(**other):
    """A step takes 1 s, 0.1 s a token, and 1 ms for each token of context that a sequence looks at;
    it costs ten joules a second, 4 to 40, and 100 W are always drawn."""

    def table(seconds):
        seconds = np.asarray(seconds, float)
        return np.stack([seconds, 10 * seconds, 4 * seconds, 40 * seconds, seconds], axis=-1)

    batch, context, queries = np.array([1, 64]), np.array([1, 10_000]), np.array([1, 10_000])
    given = {
        "name": "clock",
        "tokens": [1, 10_000],
        "rest": table([1.1, 1001.0]),
        "batch": batch,
        "context": context,
        "decode": table(1e-3 * np.outer(batch, context)),
        "queries": queries,
        "behind": context,
        "prompt": np.zeros((2, 2, 5)),
        "static": (100.0, 50.0, 200.0, 100.0),
        "held": 10_000,
        "longest": 5_000,
        "token_bytes": 1000.0,
    }
    return StepTimes(**{**given, **other})


def requests(arrival, prompt, output, **other):
    """Requests with these numbers."""
    return Requests(name="given", arrival=arrival, prompt=prompt, output=output, **other)
