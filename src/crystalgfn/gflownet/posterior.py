"""How close a policy is to prior x reward, seen from the samples of both sides."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.target import Target
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.translation import rows_within, translated

COVERED = 0.1
"""Share of a trajectory's target density that the policy gives to a trajectory that it covers."""


@dataclass(frozen=True)
class Posterior:
    """Estimates from n trajectories of the policy and n of the prior; logarithms in nats.

    Attributes:
        n: number of trajectories of each.
        ess: effective sample size of the policy's samples, weighted to the target, as a share of n.
        kl_to_prior: mean of log P_F - log P_prior over the policy's samples.
        log_z: log of the prior's mean reward, from the policy's samples by their importance weights.
        log_z_error: its standard error, by the delta method.
        log_z_of_prior: the same number from the prior's own samples, which no policy can mislead.
        log_z_of_prior_error: its standard error.
        coverage: share of the target's probability, by the prior's samples weighted with the reward, to which the
            policy gives at least a tenth of the target's density. Near 1, nothing is missed; the policy's own samples
            cannot tell.
        ess_of_prior: effective sample size of the prior's samples, weighted to the target, as a share of n: what the
            reward alone leaves, and how far ``coverage`` is to be trusted.
    """

    n: int
    ess: float
    kl_to_prior: float
    log_z: float
    log_z_error: float
    log_z_of_prior: float
    log_z_of_prior_error: float
    coverage: float
    ess_of_prior: float

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"prior x reward, from {self.n:,} samples: effective sample size {self.ess:.1%}, coverage "
            f"{self.coverage:.1%}, KL to the prior {self.kl_to_prior:.2f} nats, log Z {self.log_z:.2f} +- "
            f"{self.log_z_error:.2f} (from samples of the prior {self.log_z_of_prior:.2f} +- "
            f"{self.log_z_of_prior_error:.2f})"
        )


@torch.no_grad()
def compare(
    policy: CrystalPolicy, space: CrystalSpace, target: Target, *, prior: FrozenPolicy, n: int = 2_000, seed: int = 0
) -> Posterior:
    """Compare a policy with prior x reward.

    Args:
        policy: sampler, in evaluation mode.
        space: space over which it is normalised, within that of the prior.
        target: reward over that space.
        prior: the prior.
        n: number of trajectories to draw from the policy, and from the prior.
        seed: seed of every draw.
    """
    generator = Generator(device=space.device).manual_seed(seed)
    drawn = policy.sample(n, space, generator=generator)
    log_pf, log_prior = policy.score(drawn, space).log_pf_sum.double(), prior.log_prob(drawn, space).double()
    log_w = log_prior + target.log_reward(drawn.states).double() - log_pf
    log_z, log_z_error, ess = _mean(log_w, n)

    real = prior.policy.sample(n, prior.space, generator=generator)
    states = real.states
    if space is not prior.space:  # samples of the prior that the narrower space forbids have reward 0
        real = real[rows_within(space, prior.space.crystals(states))]
        states = translated(real.states, prior.space, space)
    log_reward = target.log_reward(states).double()
    of_prior, of_prior_error, prior_ess = _mean(log_reward, n)
    of_policy = FrozenPolicy(policy, space, same_steps=prior.same_steps).log_prob(real, prior.space)
    wanted = prior.log_prob(real, prior.space) + log_reward - log_z
    covered = of_policy >= wanted + math.log(COVERED)
    return Posterior(
        n=n,
        ess=ess,
        kl_to_prior=float((log_pf - log_prior).mean()),
        log_z=log_z,
        log_z_error=log_z_error,
        log_z_of_prior=of_prior,
        log_z_of_prior_error=of_prior_error,
        coverage=float((torch.softmax(log_reward, 0) * covered).sum()),
        ess_of_prior=prior_ess,
    )


def _mean(log_w: Tensor, n: int) -> tuple[float, float, float]:
    """Log of the mean of n weights, its standard error, and the effective sample size as a share of n.

    Weights that are not in ``log_w`` are 0.
    """
    if not len(log_w):
        return -math.inf, math.nan, 0.0
    log_mean = torch.logsumexp(log_w, 0) - math.log(n)
    square = float(torch.exp(2 * (log_w - log_mean)).sum()) / n  # mean square of the weights over their mean
    return float(log_mean), math.sqrt(max(0.0, square - 1) / n), 1 / square
