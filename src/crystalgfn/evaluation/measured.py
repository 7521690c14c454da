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


def measured_share(value: float | None, method: str, n: int) -> dict[str, Any]:
    """Return a share of n crystals with its method and its binomial standard error, sqrt(p (1 - p) / n).

    Args:
        value: the share, 0..1; a mean of probabilities has a smaller error than the one given here. None, or not
            finite, if it could not be measured.
        method: definition, unit, tools and data.
        n: number of crystals that were measured.

    Returns:
        JSON-able: ``value``, ``standard_error`` where there is a value, ``method``, ``n``.
    """
    number = measured(value, method, n)
    if number["value"] is not None and n:
        number["standard_error"] = math.sqrt(max(value * (1 - value), 0.0) / n)  # type: ignore[operator]
    return number


def missing(package: str) -> str:
    """Return the method of a number whose package is not installed."""
    return f"not measured: needs {package} (pip install 'crystalgfn[report]')"
