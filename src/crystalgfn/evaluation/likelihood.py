"""Whether a sampler gives crystals the probabilities that their rewards ask for: correlation of log p and log R."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.measured import measured

Floats = NDArray[np.float64]

REPEATS = 1_000
"""Bootstrap samples."""

FEWEST = 10
"""Crystals below which no correlation is given."""


@dataclass(frozen=True)
class Correlation:
    """Correlations of two quantities of n crystals, with bootstrap standard errors.

    Attributes:
        pearson, pearson_error: linear correlation.
        spearman, spearman_error: correlation of ranks.
    """

    pearson: float
    pearson_error: float
    spearman: float
    spearman_error: float


def correlation(x: Floats, y: Floats, *, repeats: int = REPEATS, seed: int = 0) -> Correlation:
    """Correlate ``(n,)`` with ``(n,)``; errors are standard deviations over crystals drawn again with replacement.

    Args:
        x, y: finite numbers.
        repeats: bootstrap samples.
        seed: of these.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.integers(0, len(x), len(x)) for _ in range(repeats)]
    linear = [_pearson(x[rows], y[rows]) for rows in drawn]
    ranked = [_pearson(_ranks(x[rows]), _ranks(y[rows])) for rows in drawn]
    return Correlation(
        pearson=_pearson(x, y),
        pearson_error=_spread(linear),
        spearman=_pearson(_ranks(x), _ranks(y)),
        spearman_error=_spread(ranked),
    )


def _spread(values: list[float]) -> float:
    """Standard deviation of those that are known: a bootstrap sample of equal crystals has no correlation."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.std(known)) if known else float("nan")


def _pearson(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else float("nan")


def _ranks(values: Floats) -> Floats:
    """Ranks ``(n,)``, the same mean rank for equal values."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def likelihood_numbers(crystals: Crystals, what: str, key: str, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Measure how far log p follows log R.

    Args:
        crystals: of :meth:`crystalgfn.runs.model.Model.likelihoods`.
        what: they are, for the methods.
        key: end of the names.
        seed: of the bootstrap.

    Returns:
        numbers with their methods: ``pearson_*`` and ``spearman_*`` with their errors, and ``log_p_*``.
    """
    log_p, log_reward = (crystals.columns[name].astype(float) for name in ("log_likelihood", "log_reward"))
    n = len(crystals)
    if n < FEWEST:
        why = f"not measured: {n} of {what} lie in the model's space, needed: {FEWEST} or more"
        return {f"{name}_{key}": measured(None, why, n) for name in ("pearson", "spearman", "log_p")}
    found = correlation(log_p, log_reward, seed=seed)
    error = float(np.median(crystals.columns["log_likelihood_error"].astype(float)))
    how = f"log p by trajectories drawn backward, median error {error:.2g} nats"
    numbers = {}
    for name, kind in (("pearson", "linear correlation"), ("spearman", "rank correlation")):
        method = f"{kind} of log p and log reward over {what} in the model's space; {how}; 1 for a perfect sampler"
        numbers[f"{name}_{key}"] = measured(getattr(found, name), method, n)
        by = f"its standard error over {REPEATS:,} bootstrap samples of the crystals"
        numbers[f"{name}_{key}_error"] = measured(getattr(found, f"{name}_error"), by, n)
    numbers[f"log_p_{key}"] = measured(float(log_p.mean()), f"mean log p (nats, measure of the cube), {how}", n)
    return numbers
