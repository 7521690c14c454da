"""Importance weights of samples: how far a sampler is from its target, and resampling from the target.

With log w = log R + log P_B - log P_F of trajectories drawn from P_F, weighted samples follow the target for any P_F
that can reach every state of the target.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crystalgfn.errors import DataError

Floats = NDArray[np.float64]


def log_weights(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor) -> Tensor:
    """Return log R + log P_B - log P_F, ``(B,)`` float64, of three tensors ``(B,)``."""
    return log_reward.double() + log_pb.double() - log_pf.double()


def normalised(log_weights: Floats) -> Floats:
    """Weights that add up to 1, ``(n,)``.

    Raises:
        DataError: there are no weights, or one is NaN or infinite.
    """
    if not len(log_weights) or not np.isfinite(log_weights).all():
        raise DataError("importance weights: found none or one that is not finite, allowed: finite logarithms")
    weights = np.exp(log_weights - log_weights.max())
    return np.asarray(weights / weights.sum(), dtype=float)


def truncated(log_weights: Floats) -> Floats:
    """Log-weights cut at sqrt(n) times their mean: a small bias for a finite variance (Ionides, JCGS 17, 295 (2008)).

    A sampler may miss a few states by orders of magnitude; one such state in a batch would outweigh all others.
    """
    logs = log_weights - log_weights[np.argmax(normalised(log_weights))]
    logs = logs - np.log(np.exp(logs).sum())  # normalised; as logarithms, no weight is too small
    return np.asarray(np.minimum(logs, -0.5 * np.log(len(logs))), dtype=float)


def effective_sample_size(log_weights: Floats) -> float:
    """Number of equally weighted samples that would be as good, (sum w)^2 / sum w^2: 1..n."""
    return float(1 / np.square(normalised(log_weights)).sum())


def effective_share(log_weights: Floats) -> float:
    """Effective sample size of truncated weights over their number, 0..1."""
    return effective_sample_size(truncated(log_weights)) / len(log_weights)


def resampled(log_weights: Floats, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows ``(n,)`` drawn in proportion to the truncated weights, in random order, by systematic resampling.

    A row of normalised weight w is drawn n w times, rounded up or down; rows repeat where n w is above 1.
    """
    ends = np.cumsum(normalised(truncated(log_weights)))
    points = (rng.random() + np.arange(n)) / n
    rows = np.minimum(np.searchsorted(ends, points), len(ends) - 1)
    return np.asarray(rng.permutation(rows), dtype=np.int64)


def share_error(categories: int, size: float) -> float:
    """Total-variation distance that sampling noise alone causes in shares of categories of ``size`` samples.

    Half the sum of mean absolute deviations: at most sqrt(categories / (2 pi size)), which equal shares reach.
    """
    return float(min(1.0, np.sqrt(categories / (2 * np.pi * size))))
