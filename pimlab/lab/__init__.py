"""How does one explore a machine in JupyterLab? Widgets and HTML views of public calls; nothing
that only a widget can do.
"""

from typing import Any

_EXPORTS = {
    "explore": "pimlab.lab.explorer",
    "explore_schedule": "pimlab.lab.windows",
    "explore_device": "pimlab.lab.devices",
    "html": "pimlab.lab.views",
    "settings": "pimlab.lab.moves",
}

__all__ = ["explore", "explore_device", "explore_schedule", "html", "settings"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    from pimlab.values import nearest

    if name not in __all__:
        raise AttributeError(f"pimlab.lab has no {name!r}{nearest(name, __all__)}")
    try:
        return getattr(import_module(_EXPORTS[name]), name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] != "ipywidgets":
            raise
        raise ImportError(f"{name} needs the package ipywidgets: pip install pimlab[lab]") from None
