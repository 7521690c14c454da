"""Probability densities of given samples under a sampler, from trajectories that end in them."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.trajectories import Trajectories
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
        trajectories: number of trajectories drawn backward from each sample; one is enough, and exact, where it is the
            only one.
        condition: ``(n,)``, condition of the sampler, for a conditional policy.
        generator: source of randomness.

    Returns:
        two tensors ``(B,)`` float64: log p with respect to the measure of the unit cube, and its standard error by the
        delta method, 0 where one trajectory leads to each sample.
    """
    trajectories = 1 if policy.single_parent else trajectories
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
    if policy.single_parent:
        return log_p, torch.zeros_like(log_p)
    relative = torch.exp(log_ratio - log_p[:, None])
    return log_p, relative.std(1) / math.sqrt(trajectories)


@torch.no_grad()
def nats_by_stage(policy: CrystalPolicy, trajectories: Trajectories, space: CrystalSpace) -> dict[str, Tensor]:
    """Parts of -log p(x) that the stages contribute: log P_B - log P_F of their transitions.

    Exact where the policy has single parents. Elsewhere, over trajectories drawn from P_B, the mean of the sum of all
    parts is an upper bound on -log p(x), by Jensen's inequality.

    Args:
        policy: the sampler.
        trajectories: B trajectories, drawn backward from the samples.
        space: masks, tables and limits.

    Returns:
        tensors ``(B,)`` float64, nats, by the name of the stage.
    """
    parts: dict[str, list[Tensor]] = {name: [] for name in policy.stages}
    for start in range(0, len(trajectories), BATCH):
        scores = policy.score(trajectories[start : start + BATCH], space)
        for name, columns in scores.columns.items():
            parts[name].append((scores.log_pb - scores.log_pf)[:, columns].double().sum(1))
    return {name: torch.cat(part) for name, part in parts.items()}
