"""Crystal-GFN: sample inorganic crystals in proportion to a reward, under hard constraints.

Example::

    import crystalgfn

    model = crystalgfn.load("default")
    crystals = model.sample(1000, seed=0)
    crystals.to_parquet("crystals.parquet")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crystalgfn.crystals.crystal import Crystals
    from crystalgfn.report.summary import best
    from crystalgfn.report.write import write_report
    from crystalgfn.runs.model import load

__version__ = "0.1.0"
__all__ = ["Crystals", "__version__", "best", "load", "write_report"]

# Imported on first use: importing torch alone takes longer than a user who asks for help wants to wait.
_HOME = {
    "Crystals": "crystalgfn.crystals.crystal",
    "best": "crystalgfn.report.summary",
    "load": "crystalgfn.runs.model",
    "write_report": "crystalgfn.report.write",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
