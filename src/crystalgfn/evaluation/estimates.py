"""Estimates of a sampler's quality from samples: bounds on logZ, effective sample size, distance of marginals.

With log w = log R + log P_B - log P_F of trajectories drawn from P_F, E[w] = Z, so the mean of log w is below log Z
(ELBO) and the log of the mean of w estimates log Z. For trajectories drawn backward from exact samples of the target,
the mean of log w is above log Z (EUBO); it also counts what the sampler misses. Where the target cannot be sampled
exactly, this mean is estimated from the sampler's own trajectories, weighted by w: weighted so, they follow R P_B / Z,
except in regions that no trajectory reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Generator, Tensor

from crystalgfn.gflownet.weights import log_weights


@dataclass(frozen=True)
class LogZEstimates:
    """Estimates from n trajectories of the forward policy, natural logarithms.

    Attributes:
        n: trajectories.
        elbo: mean of log w; log Z - elbo is the gap, the KL divergence of the sampler's trajectories from the target's.
        elbo_error: standard error of elbo.
        log_z: log of the mean of w.
        log_z_error: standard error of log_z, by the delta method.
        ess: effective sample size as a share of n, (sum w)^2 / (n sum w^2).
        eubo: mean of log w by weight, sum of w log w / sum of w: at least log_z and at most log_z + log n. It tends to
            the upper bound as n grows; where no trajectory has reached a part of the target it is too low.
        eubo_error: standard error of eubo, by the delta method.
    """

    n: int
    elbo: float
    elbo_error: float
    log_z: float
    log_z_error: float
    ess: float
    eubo: float
    eubo_error: float


def estimate_log_z(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor) -> LogZEstimates:
    """Estimate the ELBO, the importance-weighted logZ, the effective sample size, and the EUBO by weight.

    Args:
        log_pf, log_pb: ``(B,)`` log-probabilities of trajectories that P_F drew.
        log_reward: ``(B,)`` log R of the samples that they end in.
    """
    log_w = log_weights(log_pf, log_pb, log_reward).detach()
    n = len(log_w)
    log_z = torch.logsumexp(log_w, 0) - log(n)
    relative = torch.exp(log_w - log_z)
    shares = relative / n
    # a state of weight 0 adds nothing, though its logarithm is not finite
    upper = float(torch.where(shares > 0, shares * log_w, 0.0).sum())
    deviations = torch.where(shares > 0, shares * (log_w - upper), 0.0)
    return LogZEstimates(
        n=n,
        elbo=float(log_w.mean()),
        elbo_error=float(log_w.std() / n**0.5),
        log_z=float(log_z),
        log_z_error=float(relative.std() / n**0.5),
        ess=float(1 / relative.square().mean()),
        eubo=upper,
        eubo_error=float(deviations.square().sum().sqrt()),
    )


def eubo(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor) -> tuple[float, float]:
    """Return the upper bound on logZ and its standard error.

    Args:
        log_pf, log_pb, log_reward: ``(B,)`` values of trajectories that P_B drew from exact samples of the target.
    """
    log_w = log_weights(log_pf, log_pb, log_reward).detach()
    return float(log_w.mean()), float(log_w.std() / len(log_w) ** 0.5)


def total_variation(samples: Tensor, probabilities: Tensor) -> float:
    """Return the total variation between the frequencies of samples ``(n,)`` int64 and exact probabilities ``(C,)``."""
    p = probabilities.double()
    frequency = torch.bincount(samples, minlength=len(p)).double() / len(samples)
    return float((frequency - p.to(frequency.device)).abs().sum() / 2)


def total_variation_floor(probabilities: Tensor, n: int) -> float:
    """Return the expected total variation of n exact draws: the value of a perfect sampler.

    The mean absolute deviation of a binomial is 2 v (1 - p) P(X = v) with v = floor(n p) + 1 (de Moivre).
    """
    p = probabilities.double().cpu()
    p = p[(p > 0) & (p < 1)]
    v = torch.floor(n * p) + 1
    choose = torch.lgamma(torch.tensor(n + 1.0).double()) - torch.lgamma(v + 1) - torch.lgamma(n - v + 1)
    deviation = 2 * v * (1 - p) * torch.exp(choose + v * torch.log(p) + (n - v) * torch.log1p(-p))
    return float(deviation.sum() / (2 * n))


def total_variation_quantile(
    probabilities: Tensor, n: int, *, quantile: float = 0.95, repeats: int = 200, generator: Generator
) -> float:
    """Return the total variation that n exact draws stay below with probability ``quantile``, by simulation."""
    draws = torch.multinomial(probabilities.double(), n * repeats, replacement=True, generator=generator)
    values = [total_variation(part, probabilities) for part in draws.view(repeats, n)]
    return float(torch.tensor(values).quantile(quantile))
