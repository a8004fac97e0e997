"""Is the bound above and the placement below the true optimum, which an independent programme finds?"""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from pimlab.cluster.placement import LayerPlacement, maximum_flow, read_lp, solve
from pimlab.cluster.placement.bound import cheapest, configurations, covered, islands, upper_bound
from pimlab.cluster.placement.flow import edges

HELIX = Path(__file__).parents[3] / "datasets" / "reference" / "system" / "helix"


def random_problem(seed, layers=5, machines=4, slow=False):
    rng = np.random.default_rng(seed)
    kinds = [
        {n: float(rng.uniform(50, 100) / n) for n in range(1, rng.integers(2, 5))} for _ in range(2)
    ]
    rates = {str(i): kinds[i % 2] for i in range(machines)}
    capacity = (lambda: float(rng.uniform(5, 60))) if slow else (lambda: 1e3)
    links = {(a, b): capacity() for a in rates for b in rates if a != b and rng.random() < 0.8}
    ends = dict.fromkeys(rates, 1e3)
    return LayerPlacement(
        layers=layers, rates=rates, links=links, source=ends, sink=ends, partial=bool(seed % 2)
    )


def optimum(problem):
    """The flow of the best placement: a binary for each run of each machine, a flow for each pair of runs that may follow."""
    runs = [
        (name, (first, count))
        for name, held in problem.rates.items()
        for count in held
        for first in range(problem.layers - count + 1)
    ]
    links = [("source", j) for j, (n, r) in enumerate(runs) if r[0] == 0 and n in problem.source]
    links += [
        (j, "sink")
        for j, (n, r) in enumerate(runs)
        if sum(r) == problem.layers and n in problem.sink
    ]
    links += [
        (i, j)
        for i, (a, r) in enumerate(runs)
        for j, (b, q) in enumerate(runs)
        if (a, b) in problem.links and problem.follows(r, q)
    ]
    size, rows, low, high = len(runs) + len(links), [], [], []

    def row(terms, least, most):
        line = np.zeros(size)
        for k, value in terms:
            line[k] += value
        rows.append(line), low.append(least), high.append(most)

    def into(j):
        return [len(runs) + k for k, (_, end) in enumerate(links) if end == j]

    def out(j):
        return [len(runs) + k for k, (start, _) in enumerate(links) if start == j]

    for name in problem.rates:
        row([(k, 1) for k, (n, _) in enumerate(runs) if n == name], 0, 1)
    for j, (name, run) in enumerate(runs):
        row([(k, 1) for k in into(j)] + [(k, -1) for k in out(j)], 0, 0)
        row([(k, 1) for k in into(j)] + [(j, -problem.rates[name][run[1]])], -np.inf, 0)
    for a, b in problem.links:
        pair = [
            len(runs) + k
            for k, (i, j) in enumerate(links)
            if i not in ("source",) and j not in ("sink",) and (runs[i][0], runs[j][0]) == (a, b)
        ]
        if pair:
            row([(k, 1) for k in pair], 0, problem.links[a, b])
    gain = np.zeros(size)
    gain[[len(runs) + k for k, (start, _) in enumerate(links) if start == "source"]] = -1
    upper = np.r_[np.ones(len(runs)), np.full(len(links), 1e3)]
    answer = milp(
        gain,
        constraints=LinearConstraint(np.array(rows), low, high),
        integrality=np.r_[np.ones(len(runs)), np.zeros(len(links))],
        bounds=Bounds(0, upper),
    )
    return -answer.fun


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_lies_between_placement_and_bound(seed, slow):
    problem = random_problem(seed, slow=slow)
    best, ours = optimum(problem), solve(problem, limit=0.5, gap=1e-4)
    assert ours.bound >= best * (1 - 1e-6)
    assert ours.value <= best * (1 + 1e-6) + 1e-9
    assert maximum_flow(problem, ours.runs)[0] == pytest.approx(ours.value)


@pytest.mark.parametrize(
    ("name", "machines", "published"),
    [
        ("quality", 10, 286.58740975464212),
        ("llama30b_a100", 4, 1044.5333450564908),
        ("llama30b_t4", 12, 397.68506408357825),
        ("llama30b_l4", 8, 252.64984602820833),
    ],
)
def test_problems_of_helix_are_proved_optimal(name, machines, published):
    problem = read_lp(HELIX / f"{name}.lp.gz")
    answer = solve(problem)
    assert len(problem.rates) == machines
    assert answer.value == pytest.approx(published, rel=1e-9)
    assert answer.gap < 1e-6


def test_a_placement_keeps_rates_links_and_layers():
    problem = read_lp(HELIX / "quality.lp.gz")
    answer = solve(problem)
    allowed = edges(problem, answer.runs)
    for pair, flow in answer.flow.items():
        assert flow <= allowed[pair] * (1 + 1e-9)
    for name, (_, count) in answer.runs.items():
        into = sum(flow for (_, end), flow in answer.flow.items() if end == name)
        assert into <= problem.rates[name][count] * (1 + 1e-9)


def test_the_cheapest_pattern_by_hand():
    """60 of 100 twice, or 60 and 40: costs 3 + 3, or 3 + 1."""
    assert cheapest(np.array([3.0, 1.0]), np.array([60.0, 40.0]), 100.0, 9.0) in (
        {0: 1, 1: 1},
        {1: 3},
    )
    assert cheapest(np.array([3.0, 3.0]), np.array([60.0, 40.0]), 100.0, 6.0) is None


def test_configurations_that_are_dominated_are_left_out():
    held = {1: 100.0, 2: 60.0, 3: 40.0, 4: 45.0}
    found = [(one.layers, one.rate) for one in configurations([held], 50.0)]
    assert found == [(2, 50.0), (4, 45.0)]


def test_two_islands_that_must_share_cover_less():
    rates = {name: {1: 100.0} for name in "abcd"}
    fast = {(a, b): 1e3 for a in "abcd" for b in "abcd" if a != b}
    cut = {pair: 10.0 if len({"ab", "cd"} & {"".join(sorted(pair))}) == 0 else 1e3 for pair in fast}
    ends = dict.fromkeys("abcd", 1e3)
    whole, parted = (
        LayerPlacement(layers=4, rates=rates, links=links, source=ends, sink=ends)
        for links in (fast, cut)
    )
    assert len(islands(whole, 100.0)) == 1
    assert sorted(islands(parted, 100.0)) == [("a", "b"), ("c", "d")]
    assert covered(whole, 99.0) == pytest.approx(4)
    assert covered(parted, 99.0) < 4
    assert upper_bound(parted) < upper_bound(whole)
    assert solve(whole).value == pytest.approx(100)
    assert solve(parted, limit=1).value == pytest.approx(10)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rates": {}}, "names no machine"),
        ({"rates": {"a": {}}}, "machine 'a' holds no number of layers"),
        ({"rates": {"a": {1: 0.0}}}, "machine 'a' with 1 layers at 0.0"),
        ({"links": {("a", "b"): 1.0}}, "machine 'b' is not there"),
        ({"links": {("a", "a"): float("nan")}}, "link a to a has capacity nan"),
        ({"source": {}}, "source={}: no machine is joined"),
        ({"sink": {"a": -1.0}}, "sink has capacity -1.0"),
        ({"layers": 0}, "LayerPlacement layers=0"),
    ],
)
def test_bad_problems_are_refused_by_name(change, text):
    good = {
        "layers": 1,
        "rates": {"a": {1: 1.0}},
        "links": {},
        "source": {"a": 1.0},
        "sink": {"a": 1.0},
    }
    assert solve(LayerPlacement(**good)).value == pytest.approx(1.0)
    with pytest.raises(ValueError, match=text):
        LayerPlacement(**{**good, **change})


def test_too_few_machines_say_how_many_layers_are_missing():
    one = {"a": 1.0}
    problem = LayerPlacement(layers=5, rates={"a": {2: 1.0}}, links={}, source=one, sink=one)
    with pytest.raises(ValueError, match="hold 2 layers at most, the model has 5: 3 too few"):
        solve(problem)
    with pytest.raises(ValueError, match="cannot hold 1 layers from layer 0"):
        maximum_flow(problem, {"a": (0, 1)})


def test_files_of_another_kind_are_refused(tmp_path):
    other = tmp_path / "other.lp"
    other.write_text("Maximize\n x\nSubject To\n c1: x <= 1\nEnd\n")
    with pytest.raises(ValueError, match="0 different numbers of layers"):
        read_lp(other)
    other.write_text("nothing")
    with pytest.raises(ValueError, match="no line 'Subject To'"):
        read_lp(other)


@pytest.mark.full
def test_the_problem_of_24_machines_is_proved_optimal():
    answer = solve(read_lp(HELIX / "raw_24.lp.gz"), limit=120)
    assert answer.value == pytest.approx(1754.381889564989)
    assert answer.gap < 1e-6
