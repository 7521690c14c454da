"""Probability densities of given samples under a sampler, from trajectories that end in them."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates

BATCH = 5_000
"""Number of trajectories that are scored at once."""


@torch.no_grad()
def log_likelihood(
    policy: CrystalPolicy,
    space: CrystalSpace,
    states: CrystalStates,
    *,
    trajectories: int = 50,
    condition: Tensor | None = None,
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Estimate log p(x), p(x) = sum of P_F over the trajectories to x = E[P_F(τ) / P_B(τ | x)] over τ drawn from P_B.

    The mean is unbiased for p; its logarithm is too low by about half the square of the error.

    Args:
        policy: the sampler.
        space: masks, tables and limits.
        states: B samples.
        trajectories: number of trajectories drawn backward from each sample.
        condition: ``(n,)``, condition of the sampler, for a conditional policy.
        generator: source of randomness.

    Returns:
        two tensors ``(B,)`` float64: log p with respect to the measure of the unit cube, and its standard error by the
        delta method.
    """
    log_ratios = []
    each = max(1, BATCH // trajectories)
    for start in range(0, len(states), each):
        rows = torch.arange(start, min(start + each, len(states)), device=space.device)
        ends = states[rows.repeat_interleave(trajectories)]
        repeated = None if condition is None else condition.expand(len(ends), -1)
        drawn = policy.sample_backward(ends, space, condition=repeated, generator=generator)
        scores = policy.score(drawn, space)
        log_ratio = scores.log_pf_sum.double() - scores.log_pb_sum.double()
        log_ratios.append(log_ratio.view(len(rows), trajectories))
    log_ratio = torch.cat(log_ratios)
    log_p = torch.logsumexp(log_ratio, 1) - math.log(trajectories)
    relative = torch.exp(log_ratio - log_p[:, None])
    return log_p, relative.std(1) / math.sqrt(trajectories)
