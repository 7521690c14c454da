"""Likelihoods of crystals under a sampler: their correlation with rewards, and nats by part for a prior."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.measured import measured

Floats = NDArray[np.float64]

REPEATS = 1_000
"""Number of bootstrap samples."""

FEWEST = 10
"""Least number of crystals for a correlation."""


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
    """Correlate two quantities of n crystals; errors are standard deviations over bootstrap samples.

    Args:
        x, y: ``(n,)`` finite numbers.
        repeats: number of bootstrap samples.
        seed: seed of the bootstrap samples.
    """
    rng = np.random.default_rng(seed)
    resamples = [rng.integers(0, len(x), len(x)) for _ in range(repeats)]
    linear = [_pearson(x[rows], y[rows]) for rows in resamples]
    ranked = [_pearson(_ranks(x[rows]), _ranks(y[rows])) for rows in resamples]
    return Correlation(
        pearson=_pearson(x, y),
        pearson_error=_spread(linear),
        spearman=_pearson(_ranks(x), _ranks(y)),
        spearman_error=_spread(ranked),
    )


def _spread(values: list[float]) -> float:
    """Return the standard deviation of finite values: a bootstrap sample of equal crystals has no correlation."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.std(finite)) if finite else float("nan")


def _pearson(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else float("nan")


def _ranks(values: Floats) -> Floats:
    """Return ranks ``(n,)``; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def likelihood_numbers(crystals: Crystals, what: str, key: str, *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """Measure how closely log p follows log R, or log R + log P_prior where the target is prior x reward.

    Args:
        crystals: result of :meth:`crystalgfn.runs.model.Model.likelihoods`.
        what: description of the crystals in the methods.
        key: last part of the names of the numbers.
        seed: seed of the bootstrap.

    Returns:
        numbers with their methods: ``pearson_*`` and ``spearman_*`` with their errors, and ``log_p_*``.
    """
    log_p, target = (crystals.numbers(name) for name in ("log_likelihood", "log_reward"))
    named, n = "log reward", len(crystals)
    if "log_prior" in crystals.columns:
        target, named = target + crystals.numbers("log_prior"), "log reward + log p of the prior"
    if n < FEWEST:
        why = f"not measured: {n} of {what} lie in the model's space, needed: {FEWEST} or more"
        return {f"{name}_{key}": measured(None, why, n) for name in ("pearson", "spearman", "log_p")}
    correlations = correlation(log_p, target, seed=seed)
    error = float(np.median(crystals.numbers("log_likelihood_error")))
    how = f"log p by trajectories drawn backward, median error {error:.2g} nats"
    numbers = {}
    for name, kind in (("pearson", "linear correlation"), ("spearman", "rank correlation")):
        method = f"{kind} of log p and {named} over {what} in the model's space; {how}; 1 for a perfect sampler"
        numbers[f"{name}_{key}"] = measured(getattr(correlations, name), method, n)
        by = f"its standard error over {REPEATS:,} bootstrap samples of the crystals"
        numbers[f"{name}_{key}_error"] = measured(getattr(correlations, f"{name}_error"), by, n)
    numbers[f"log_p_{key}"] = measured(float(log_p.mean()), f"mean log p (nats, measure of the cube), {how}", n)
    return numbers


def nats_numbers(parts: Mapping[str, Floats], what: str, key: str, *, exact: bool) -> dict[str, dict[str, Any]]:
    """Measure how well a prior fits crystals: mean -log-likelihoods, part by part.

    Args:
        parts: result of :meth:`crystalgfn.runs.model.Model.nats`, ``(n,)`` each.
        what: description of the crystals in the methods.
        key: last part of the names of the numbers.
        exact: whether each crystal has one trajectory; otherwise the numbers are upper bounds.

    Returns:
        numbers with their methods: ``nats_*`` of whole crystals, with its standard error, and of each part.
    """
    total = np.sum(list(parts.values()), axis=0)
    n = len(total)
    if not n:
        return {f"nats_{key}": measured(None, f"not measured: none of {what} lies in the model's space", 0)}
    how = "exact, of one way to write a crystal" if exact else "an upper bound, from one trajectory drawn backward"
    method = f"mean -log p over {what} in the model's space, nats a crystal (measure of the cube for cells); {how}"
    numbers = {f"nats_{key}": measured(float(total.mean()), method, n)}
    if n > 1:
        error = float(total.std(ddof=1) / np.sqrt(n))
        numbers[f"nats_{key}_error"] = measured(error, "its standard error over the crystals", n)
    for name, nats in parts.items():
        numbers[f"nats_{name}_{key}"] = measured(float(nats.mean()), f"the part of nats_{key} of the {name} stage", n)
    return numbers
