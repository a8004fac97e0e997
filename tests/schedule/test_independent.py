"""Is a schedule what a simulator of its own makes of the same ONNX file? It reads the file's edges and
windows itself, and keeps its own clock, queue and resources.
"""

from __future__ import annotations

import heapq

import numpy as np
import onnx
import pytest
from onnx_graphs import node, write

import pimlab as pim
from pimlab.machine.work import Work
from pimlab.plan import planned

RNG = np.random.default_rng(7)
BUFFERS = 2


def _weights(**shapes):
    return {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def _inception(path):
    """Two branches of convolutions that meet in a Concat."""
    nodes = [
        node("Conv", ["x", "w1"], "a", name="stem", pads=[1, 1, 1, 1]),
        node("Relu", ["a"], "b", name="stem_relu"),
        node("Conv", ["b", "w2"], "c", name="narrow"),
        node("Conv", ["b", "w3"], "d", name="wide", pads=[1, 1, 1, 1]),
        node("Relu", ["d"], "e", name="wide_relu"),
        node("Concat", ["c", "e"], "f", name="join", axis=1),
        node("Conv", ["f", "w4"], "g", name="mix", strides=[2, 2]),
        node("Flatten", ["g"], "h", name="flat"),
        node("Gemm", ["h", "w5"], "y", name="head", transB=1),
    ]
    weights = _weights(
        w1=(8, 3, 3, 3), w2=(4, 8, 1, 1), w3=(12, 8, 3, 3), w4=(8, 16, 2, 2), w5=(10, 8 * 36)
    )
    return write(path, nodes, {"x": (1, 3, 12, 12)}, weights)


def _residual(path):
    """Two residual blocks with a shortcut of its own, and a pool."""
    nodes = [
        node("Conv", ["x", "w1"], "a", name="first", pads=[1, 1, 1, 1]),
        node("Relu", ["a"], "b", name="first_relu"),
        node("Conv", ["b", "w2"], "c", name="second", pads=[1, 1, 1, 1]),
        node("Add", ["c", "b"], "d", name="sum"),
        node("Relu", ["d"], "e", name="sum_relu"),
        node("Conv", ["e", "w3"], "f", name="down", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Conv", ["e", "w4"], "g", name="shortcut", strides=[2, 2]),
        node("Add", ["f", "g"], "h", name="sum2"),
        node("GlobalAveragePool", ["h"], "i", name="mean"),
        node("Flatten", ["i"], "j", name="flat"),
        node("Gemm", ["j", "w5"], "y", name="head", transB=1),
    ]
    weights = _weights(
        w1=(8, 3, 3, 3), w2=(8, 8, 3, 3), w3=(16, 8, 3, 3), w4=(16, 8, 1, 1), w5=(5, 16)
    )
    return write(path, nodes, {"x": (1, 3, 10, 10)}, weights)


def _attention(path):
    """One head of attention with its residual edge."""
    nodes = [
        node("MatMul", ["x", "wq"], "q", name="query"),
        node("MatMul", ["x", "wk"], "k", name="key"),
        node("MatMul", ["x", "wv"], "v", name="value"),
        node("Transpose", ["k"], "kt", name="turn", perm=[0, 2, 1]),
        node("MatMul", ["q", "kt"], "s", name="scores"),
        node("Softmax", ["s"], "p", name="softmax", axis=-1),
        node("MatMul", ["p", "v"], "o", name="mixed"),
        node("Add", ["o", "x"], "r", name="residual"),
        node("Flatten", ["r"], "f", name="flat"),
        node("Gemm", ["f", "wo"], "y", name="head", transB=1),
    ]
    weights = _weights(wq=(16, 16), wk=(16, 16), wv=(16, 16), wo=(4, 6 * 16))
    return write(path, nodes, {"x": (1, 6, 16)}, weights)


NETWORKS = {"inception": _inception, "residual": _residual, "attention": _attention}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, tmp_path_factory):
    """Path of an ONNX file, and the model."""
    path = NETWORKS[request.param](tmp_path_factory.mktemp("net") / f"{request.param}.onnx")
    return path, pim.load_model(str(path))


def _needs(path, names):
    """Operator -> the operators whose outputs it reads, through nodes that are no operators."""
    graph = onnx.load(path).graph
    maker = {output: one for one in graph.node for output in one.output}

    def behind(value):
        one = maker.get(value)
        if one is None:
            return set()
        if one.name in names:
            return {one.name}
        return set().union(*(behind(each) for each in one.input))

    return {
        one.name: set().union(*(behind(each) for each in one.input))
        for one in graph.node
        if one.name in names
    }


def _simulated(plan, needs, order, inferences):
    """(operator, resource, inference) -> [(start, finish)]: a clock, a queue of ends, and a pool of
    ready jobs for each resource, the oldest inference first.
    """
    jobs, of_op = [], {}
    for name in order:
        machine = plan.machine(name)
        works = machine.work(next(op for op in plan.operators if op.name == name))
        works = works or (Work(name, 0.0),)  # nothing to do: ready as soon as its inputs are
        if machine.call and plan.operators[0].name == name:  # the driver hands the batch over
            moved = [one._replace(after=tuple(i + 1 for i in one.after) or (0,)) for one in works]
            works = (Work("driver", machine.call), *moved)
        first = len(jobs)
        for one in works:
            jobs.append((name, f"{machine.name}: {one.resource}", one.seconds, one.after, first))
        inner = {i for one in works for i in one.after}
        of_op[name] = {
            "begin": [first + i for i, one in enumerate(works) if not one.after],
            "end": [first + i for i in range(len(works)) if i not in inner],
        }
    before = {}
    for number, (name, _, _, after, first) in enumerate(jobs):
        before[number] = {(first + i, 0) for i in after}
        if not after:
            before[number] |= {(end, 0) for made in needs[name] for end in of_op[made]["end"]}
            readers = [other for other in order if name in needs[other]]
            before[number] |= {(end, BUFFERS) for other in readers for end in of_op[other]["end"]}
    todo = {(i, n): {(i - lag, b) for b, lag in before[n] if lag <= i}
            for i in range(inferences) for n in before}  # fmt: skip
    ended, running, taken, found, now = set(), [], {}, {}, 0.0
    while todo or running:
        ready = sorted(key for key, needed in todo.items() if needed <= ended)
        started = False
        for i, n in ready:
            name, resource, seconds, *_ = jobs[n]
            if resource not in taken:
                taken[resource] = (i, n)
                del todo[i, n]
                heapq.heappush(running, (now + seconds, (i, n)))
                found.setdefault((name, resource, i), []).append((now, now + seconds))
                started = True
        if started and running[0][0] > now:
            continue
        now = running[0][0]
        while running and running[0][0] == now:
            _, (i, n) = heapq.heappop(running)
            ended.add((i, n))
            del taken[jobs[n][1]]
    return found


def _random(path, seed):
    """Convolutions, sums and clips on images of one size, each reading any of those before it."""
    rng = np.random.default_rng(seed)
    values, nodes, weights = ["x"], [], {}
    for i in range(8):
        kind = ("Conv", "Add", "Relu")[rng.integers(3) if i else 0]
        read = [values[rng.integers(len(values))] for _ in range(1 + (kind == "Add"))]
        made = {"pads": [1, 1, 1, 1]} if kind == "Conv" else {}
        if kind == "Conv":
            weights[f"w{i}"] = (4, 4, 3, 3)
            read.append(f"w{i}")
        nodes.append(node(kind, read, f"v{i}", name=f"n{i}", **made))
        values.append(f"v{i}")
    nodes.append(node("Flatten", [values[-1]], "flat", name="flat"))
    nodes.append(node("Gemm", ["flat", "wy"], "y", name="head", transB=1))
    return write(path, nodes, {"x": (1, 4, 6, 6)}, _weights(**weights, wy=(5, 144)))


@pytest.mark.parametrize("seed", range(6))
def test_random_graphs_start_and_end_when_the_simulator_says(seed, tmp_path):
    path = _random(tmp_path / "random.onnx", seed)
    name = ("warboy", "hbm-pim", "pcm-hermes")[seed % 3]
    test_tasks_start_and_end_when_the_simulator_says((path, pim.load_model(str(path))), name)


@pytest.mark.parametrize("name", ["warboy", "hbm-pim", "pcm-hermes"])
def test_tasks_start_and_end_when_the_simulator_says(network, name):
    path, model = network
    plan = planned(model, pim.target(name))
    busy = pim.schedule(plan, inferences=5, slices=1, buffers=BUFFERS, replicas=None)
    order = list(dict.fromkeys(busy.layer.values[busy.inference.values == 0].tolist()))
    expected = _simulated(plan, _needs(path, set(order)), order, 5)
    found = {}
    for one in zip(busy.layer.values, busy.resource.values, busy.inference.values,
                   busy.start.values, busy.finish.values, strict=True):  # fmt: skip
        found.setdefault((one[0], one[1], int(one[2])), []).append((float(one[3]), float(one[4])))
    assert set(found) == set(expected)
    for key, spans in expected.items():
        np.testing.assert_allclose(sorted(found[key]), sorted(spans), rtol=1e-12, atol=1e-18)
    last = max(end for spans in expected.values() for _, end in spans)
    assert float(busy.finish.max()) == pytest.approx(last, rel=1e-12)


def _windows(path):
    """(maker, reader) -> row of the reader -> last row of the maker in its window, for
    convolutions that read what another convolution or a chain of element-wise nodes made.
    """
    graph = onnx.load(path).graph
    maker = {output: one for one in graph.node for output in one.output}
    weights = {one.name: one.dims for one in graph.initializer}
    found = {}
    for one in graph.node:
        made = maker.get(one.input[0])
        if one.op_type == "Conv" and made is not None and made.op_type in ("Relu", "Concat"):
            values = {each.name: list(each.ints) for each in one.attribute}
            stride, pad = values.get("strides", [1])[0], values.get("pads", [0])[0]
            found[made.name, one.name] = (stride, weights[one.input[1]][2] - 1 - pad)
    return found


@pytest.mark.parametrize("slices", [3, 16])
def test_no_row_of_a_convolution_starts_before_its_window_is_there(network, slices):
    path, model = network
    busy = pim.schedule(model, pim.target("warboy"), inferences=3, slices=slices)
    rows = model.graph.rows
    checked = 0
    for (made, reader), (stride, reach) in _windows(path).items():
        spans = {
            name: [
                busy.isel(task=np.flatnonzero((busy.layer == name) & (busy.inference == i)))
                for i in range(3)
            ]
            for name in (made, reader)
        }
        for first, second in zip(spans[made], spans[reader], strict=True):
            ends, starts = (
                _by_row(first, "finish", rows.get(made, 1)),
                _by_row(second, "start", rows.get(reader, 1)),
            )
            for row, start in enumerate(starts):
                needed = min(rows.get(made, 1) - 1, row * stride + reach)
                assert start >= ends[needed] - 1e-18
                checked += 1
    assert checked or not _windows(path)


def _by_row(tasks, which, rows):
    """Seconds at which each row is there (or begun): those of the slice it is in. Row r is in the
    slice whose last row is the first that is not before r.
    """
    parts = int(tasks.slice.max()) + 1
    times = np.full(parts, -np.inf if which == "finish" else np.inf)
    better = max if which == "finish" else min
    for part, seconds in zip(tasks.slice.values, tasks[which].values, strict=True):
        times[part] = better(times[part], seconds)
    last = [(part + 1) * rows // parts - 1 for part in range(parts)]
    found = np.empty(rows)
    for row in range(rows):
        found[row] = times[next(part for part, end in enumerate(last) if end >= row)]
    return found
