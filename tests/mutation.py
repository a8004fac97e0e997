"""Would a test notice a wrong operator, constant, condition or return value? Mutates 100 places and runs their tests.

    python tests/mutation.py [--seed 0] [--count 100] [--part 1/4] [--only TEXT] [--resume] [--show]

Every place of `pimlab/` where an operator, a comparison, a number, a truth value, a condition or a returned value
stands is a site. A hash of seed and site orders them, so that the same hundred are drawn again after unrelated code
has changed. Each is mutated in a copy of the tree, and tests run until one fails: the module's own test file first,
then the test files that name the mutated function, then the room's folder. A test that computes longer than the
limit (seconds of CPU, so that a busy machine kills nothing) counts as failing. Tests that failed are run once more on
the copy as it was: a kill counts only where they pass there.

What each mutant came to is written to `.cache/mutation/log.jsonl` at once. `--resume` goes on after the last of them;
without it, the test that killed a mutant the last time is tried first.

Survivors that no test can see, since they mean the same or only cost time, stand with their reason in
`tests/mutants.toml`. Left out are type annotations, texts, what is raised, and the looks of figures (numbers in
`plot`). A kernel is first tested uncompiled; Numba's cache on disk does not know when an inlined function changed, so
all that may call the kernel is then compiled anew.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".cache" / "mutation"
LIMIT = 100.0
"""Seconds of CPU that one test may take; the slowest of `make test` takes a fifth of it."""
WALL = 3600.0
"""Seconds after which a run of tests is given up: nothing is said of the mutant then."""
TABLE = ROOT / "tests" / "mutants.toml"
COSMETIC = ("pimlab/plot/", "pimlab/roadmap/figures.py", "pimlab/lab/")
"""Where numbers are sizes, places and shades of a figure."""

OTHER = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd, ast.MatMult: ast.Add,
    ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one file: the bytes `start` to `end` become `after`."""

    path: str
    function: str
    line: int
    start: int
    end: int
    before: str
    after: str
    turn: int
    """How many equal changes stand before it in the same function."""
    statement: bool

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What names it when lines have moved."""
        return self.path, self.function, self.before, self.after, self.turn

    def text(self) -> str:
        """One line for a reader."""
        return f"{self.path}:{self.line} {self.function}: {self.before} -> {self.after}"


def _changed(node: ast.AST, cosmetic: bool) -> Iterator[ast.AST]:
    """The mutants of one node, as new nodes in its place."""
    if isinstance(node, ast.BinOp | ast.AugAssign):
        new = ast.parse(ast.unparse(node)).body[0]
        changed = new if isinstance(node, ast.AugAssign) else new.value  # type: ignore[attr-defined]
        changed.op = OTHER[type(node.op)]()
        yield changed
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(OTHER[type(node.op)](), node.values)
    elif isinstance(node, ast.Compare):
        yield ast.Compare(node.left, [OTHER[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float) and not cosmetic:
            yield ast.Constant(
                node.value + 1 if isinstance(node.value, int) else 1.5 * node.value or 1.0
            )
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below that compute something: no annotation, text, raise, or decorator."""
    skipped = {"annotation", "returns", "decorator_list", "type_comment"}
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            values = value if isinstance(value, list) else [value]
            yield from (one for one in values if isinstance(one, ast.AST))


def _sites(node: ast.AST, function: str, cosmetic: bool) -> Iterator[tuple[ast.AST, ast.AST, str]]:
    """(node, its replacement, enclosing function) of everything below."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert):
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    yield from ((node, new, function) for new in _changed(node, cosmetic))
    if isinstance(node, ast.If | ast.While):
        yield node.test, ast.UnaryOp(ast.Not(), node.test), function
    for child in _children(node):
        yield from _sites(child, function, cosmetic)


def mutants(path: str, source: str) -> list[Mutant]:
    """Every mutant of one file."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: list[Mutant] = []
    turns: dict[tuple[str, ...], int] = {}
    for node, new, function in _sites(ast.parse(source), "", path.startswith(COSMETIC)):
        start = starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        before, after = ast.unparse(node), ast.unparse(ast.fix_missing_locations(new))
        key = (function, before, after)
        turns[key] = turns.get(key, -1) + 1
        found.append(
            Mutant(
                path,
                function,
                node.lineno,
                start,
                end,
                before,
                after,
                turns[key],  # type: ignore[attr-defined]
                isinstance(node, ast.stmt),
            )
        )
    return found


def drawn(seed: int, count: int, root: Path = ROOT) -> list[Mutant]:
    """`count` mutants of the package, in the order of a hash of the seed and the site."""
    every = [
        one
        for path in sorted((root / "pimlab").rglob("*.py"))
        for one in mutants(path.relative_to(root).as_posix(), path.read_text())
    ]
    every.sort(key=lambda one: hashlib.sha256(repr((seed, *one.key)).encode()).digest())
    return every[:count]


def mutated(source: str, one: Mutant) -> str:
    """The file's text with the mutant in it; brackets keep its place in the expression."""
    text = source.encode()
    after = one.after if one.statement else f"({one.after})"
    return (text[: one.start] + after.encode() + text[one.end :]).decode()


def selections(one: Mutant, root: Path = ROOT) -> list[list[str]]:
    """Test files to run one after the other: the mirror, files that name the function, the room."""
    parts = Path(one.path).with_suffix("").parts[1:]
    room, module = parts[:-1], parts[-1]
    mirror = root.joinpath("tests", *room, f"test_{module}.py")
    if len(parts) == 1:
        mirror = next((root / "tests").glob(f"**/test_{module}.py"), mirror)
    if module == "__init__":
        mirror = root.joinpath("tests", *room[:-1], f"test_{room[-1]}.py") if room else mirror
    names = {name for name in one.function.split(".") if not name.startswith("_") and name}
    if not names:
        tree = ast.parse((root / one.path).read_text())
        names = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
    word = re.compile(r"\b(" + "|".join(sorted(names)) + r")\b") if names else None
    every = sorted((root / "tests").rglob("test_*.py"))
    naming = [path for path in every if word and word.search(path.read_text())]
    here = [path for path in every if room and path.is_relative_to(root.joinpath("tests", *room))]
    if parts[0] in ("kernels", "reference"):
        here.append(root / "tests" / "test_kernels.py")
    near = [path for path in naming if path in here]
    far = [path for path in naming if path not in here and "papers" not in path.parts]
    chosen: list[list[str]] = []
    seen: set[Path] = set()
    for group in ([mirror], near, here, far):
        new = [path for path in group if path not in seen and path.exists()]
        seen |= set(new)
        chosen += [[str(path.relative_to(root)) for path in new]] if new else []
    return chosen


def twins(module: str, root: Path = ROOT) -> list[str]:
    """The tests that set a kernel module's kernels beside their twins, on tiny inputs."""
    code = "import json, benchmarks.cases as b; print(json.dumps({n: c.covers for n, c in b.cases().items()}))"
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return [
        f"tests/test_kernels.py::test_kernel_equals_its_twin[tiny-{name}]"
        for name, covers in json.loads(listed).items()
        if any(one.startswith(f"{module}.") for one in covers)
    ]


def pytest_runtest_setup() -> None:
    """This file is also the plugin of the tests: from here a test may compute so long, then its process ends."""
    signal.setitimer(signal.ITIMER_PROF, float(os.environ["PIMLAB_MUTATION_LIMIT"]))


def failing(
    tests: list[str], copy: Path, limit: float, pure: bool, cache: Path, *more: str
) -> list[str]:
    """The tests that fail; "time limit" where one computed too long."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    command += ["-p", "mutation", "--no-header", *more, "-m"]
    command += ["not full and not browser and not torch and not services and not smollm2"]
    settings = {"NUMBA_CACHE_DIR": str(cache)}
    settings |= {"PYTHONPATH": str(copy / "tests"), "PIMLAB_MUTATION_LIMIT": str(limit)}
    settings |= {"PIMLAB_PURE": "1"} if pure else {}
    try:
        done = subprocess.run(
            [*command, *tests], cwd=copy, capture_output=True, text=True, timeout=WALL,
            env={**os.environ, **settings},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return []
    if done.returncode == -signal.SIGPROF:
        return ["time limit"]
    if done.returncode in (0, 5):
        return []
    names = re.findall(r"^(?:FAILED|ERROR) (\S.*?)(?: - |$)", done.stdout, re.MULTILINE)
    return names or ["the tests could not be collected"]


def callers(module: str, copy: Path) -> set[str]:
    """The kernel modules that hold compiled code of `module`: itself and what imports it, however far."""
    folder = copy / "pimlab" / "kernels"
    texts = {path.stem: path.read_text() for path in folder.glob("*.py")}
    found, new = {module}, {module}
    while new:
        word = re.compile(rf"^\s*(from|import) .*\b({'|'.join(sorted(new))})\b", re.MULTILINE)
        new = {name for name, text in texts.items() if word.search(text)} - found
        found |= new
    return found


def without(modules: set[str], cache: Path, home: Path) -> Path:
    """Numba's cache without what was compiled from these kernel modules."""
    for path in cache.rglob("*.nb[ic]"):
        if path.name.split(".")[0] not in modules:
            new = home / path.relative_to(cache)
            new.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, new)
    return home


def killed_by(one: Mutant, copy: Path, limit: float, cache: Path, last: str | None) -> str | None:
    """What notices the mutant, or None where it survives; `last` noticed it the last time."""
    path = copy / one.path
    source, times = path.read_text(), path.stat()
    kernel = one.path.startswith("pimlab/kernels/")
    paired = kernel or one.path.startswith("pimlab/reference/")
    path.write_text(mutated(source, one))
    try:
        compile(path.read_text(), one.path, "exec")
        near = twins(path.stem, copy) if paired else []
        again = [last] if last and "::" in last and last not in near else []
        if last in near:
            near = [last, *(test for test in near if test != last)]
        if near and (found := failing(near, copy, limit, True, cache, "-x")):
            return found[0]
        with tempfile.TemporaryDirectory(dir=cache.parent) as empty:
            home = without(callers(path.stem, copy), cache, Path(empty)) if kernel else cache
            for tests in [again, *selections(one, copy)] if again else selections(one, copy):
                found = failing(tests, copy, limit, False, home, "-x")
                if found and not (tests == again and "collected" in found[0]):
                    return found[0]
        return None
    finally:
        path.write_text(source)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def copied(folder: Path) -> Path:
    """A copy of the tree with its history, so that nothing is changed under an editor's hands.

    It stands at the same place each time: what Numba has compiled is found again by path and time of change.
    """
    copy = folder / "tree"
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(copy)], check=True)
    for name in ("pimlab", "tests", "benchmarks", "papers", "datasets"):
        shutil.rmtree(copy / name)
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", copy)
    return copy


def equivalent() -> dict[tuple[str, str, str, str, int], str]:
    """Mutant -> why no test can see it."""
    rows = tomllib.loads(TABLE.read_text()).get("mutant", []) if TABLE.exists() else []
    return {
        (row["path"], row["function"], row["before"], row["after"], row.get("turn", 0)): row["why"]
        for row in rows
    }


def voided(kills: dict[Mutant, str], copy: Path, limit: float, cache: Path) -> set[str]:
    """Tests among those that failed that fail without any mutant too."""
    void: set[str] = set()
    for pure in (True, False):
        names = {test for test in kills.values() if "::" in test}
        names = {test for test in names if test.startswith("tests/test_kernels.py") is pure}
        if names:
            void |= set(failing(sorted(names), copy, limit, pure, cache)) & names
    return void


def logged(log: Path) -> dict[tuple[str, str, str, str, int], str | None]:
    """Mutant -> what noticed it the last time; None where it survived."""
    lines = log.read_text().splitlines() if log.exists() else []
    rows = [json.loads(line) for line in lines]
    return {tuple(row["key"]): row["killer"] for row in rows}  # type: ignore[misc]


def run(
    chosen: list[Mutant], copy: Path, limit: float, folder: Path, resume: bool
) -> dict[Mutant, str]:
    """What notices each mutant; those that survive are missing. The log grows by each at once."""
    log, known, kills = folder / "log.jsonl", equivalent(), {}
    before = logged(log)
    for one in chosen:
        if resume and one.key in before:
            found = before[one.key]
        else:
            found = killed_by(one, copy, limit, folder / "numba", before.get(one.key))
            with log.open("a") as file:
                print(json.dumps({"key": one.key, "killer": found}), file=file)
        if found:
            kills[one] = found
        said = f"killed by {found}" if found else f"SURVIVED ({known.get(one.key, 'why?')})"
        print(f"{one.text()}: {said}", flush=True)
    return kills


def main(arguments: list[str] | None = None) -> int:
    """Draw, run and report; 1 where an unexplained mutant survived."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--part", default="1/1", help="2/4: the second quarter of the drawn ones")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds of CPU for one test")
    parser.add_argument("--show", action="store_true", help="list the mutants and run nothing")
    parser.add_argument("--only", default="", help="mutants whose line of text holds this")
    parser.add_argument("--resume", action="store_true", help="leave out those that the log has")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the log and the copy")
    options = parser.parse_args(arguments)
    part, parts = map(int, options.part.split("/"))
    chosen = [one for one in drawn(options.seed, options.count) if options.only in one.text()]
    chosen = chosen[part - 1 :: parts]
    if options.show:
        print(*(one.text() for one in chosen), sep="\n")
        return 0
    (options.folder / "numba").mkdir(parents=True, exist_ok=True)
    copy = copied(options.folder.resolve())
    kills = run(chosen, copy, options.limit, options.folder.resolve(), options.resume)
    void = voided(kills, copy, options.limit, options.folder.resolve() / "numba")
    return report(options.seed, chosen, kills, void, equivalent())


def report(
    seed: int,
    chosen: list[Mutant],
    kills: dict[Mutant, str],
    void: set[str],
    known: dict[tuple[str, str, str, str, int], str],
) -> int:
    """Print the counts; 1 where a mutant survived and no reason is known."""
    killed = [one for one, test in kills.items() if test not in void]
    alive = [one for one in chosen if one not in killed]
    unexplained = [one for one in alive if one.key not in known]
    print(
        f"seed {seed}: {len(killed)} of {len(chosen)} killed, "
        f"{len(alive) - len(unexplained)} explained in tests/mutants.toml, "
        f"{len(unexplained)} unexplained"
    )
    for test in sorted(void):
        print(f"fails without a mutant too, kills nothing: {test}")
    for one in unexplained:
        print(f"unexplained: {one.text()}")
    return bool(unexplained)


if __name__ == "__main__":
    sys.exit(main())
