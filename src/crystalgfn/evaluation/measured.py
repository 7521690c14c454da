"""Numbers that carry their method: the entries of ``metrics.json``."""

from __future__ import annotations

import math
from typing import Any


def measured(value: float | int | None, method: str, n: int) -> dict[str, Any]:
    """Return a number with its method.

    Args:
        value: the number; None, or not finite, if it could not be measured: the method then says why.
        method: definition, unit, tools and data.
        n: number of crystals that were measured: the denominator of a share.

    Returns:
        JSON-able: ``value``, ``method``, ``n``.
    """
    if value is not None and not math.isfinite(value):
        value = None
    return {"value": value, "method": method, "n": n}


def missing(package: str) -> str:
    """Return the method of a number whose package is not installed."""
    return f"not measured: needs {package} (pip install 'crystalgfn[report]')"
