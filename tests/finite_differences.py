"""Are these gradients the slopes of the loss? Central differences along random ways."""

import numpy as np

STEP = 2e-4


def assert_gradients(graph, inputs, rng, step=STEP, tolerance=5e-3):
    """Every gradient of a Graph of one forward and backward pass is a central difference.

    A way that happens to cross a kink of a Relu or a maximum may miss, so the median of seven ways
    is compared.
    """
    outputs = graph.outputs(inputs, graph.exact)
    slope = rng.standard_normal(outputs.shape).astype(np.float32)
    seen = graph.operands(slope)
    held = [(graph.weights[layer], one.weights, layer) for layer, one in seen.items()]
    held += [(graph.biases[layer], seen[layer].biases, layer) for layer in graph.biases]
    held += [(graph.parameters[name], graph.gradients[name], name) for name in graph.parameters]
    for values, gradient, name in held:
        assert gradient.shape == values.shape, name
        misses = []
        for _ in range(7):
            way = rng.standard_normal(values.shape).astype(np.float32)
            ends = [
                _moved(graph, inputs, slope, values, sign * np.float32(step) * way)
                for sign in (1, -1)
            ]
            exact = float(np.sum(gradient * way, dtype=np.float64))
            misses.append(abs((ends[0] - ends[1]) / (2 * step) - exact) / (1 + abs(exact)))
        assert np.median(misses) < tolerance, (name, misses)


def _moved(graph, inputs, slope, values, by):
    before = values.copy()
    values += by
    found = float(np.sum(slope * graph.outputs(inputs, graph.exact), dtype=np.float64))
    values[...] = before
    return found
