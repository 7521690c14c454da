"""Factors of chemical classes with which a reward keeps the classes that are wanted.

A reward for stability alone drifts to the classes whose crystals are stable most often, the intermetallics. The factors
of the term ``chemical_classes`` undo the drift: they are the wanted share of each class over the share that prior x
reward without the term has, by samples of the prior.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Generator

from crystalgfn.crystallography.chemical_classes import CLASSES
from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.gflownet.weights import normalised, truncated
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.spaces.crystal import CrystalSpace

CHUNK = 1_000


@torch.inference_mode()
def class_factors(
    prior: FrozenPolicy,
    space: CrystalSpace,
    target: CrystalTarget,
    *,
    proposal: CrystalPolicy | None = None,
    wanted: Mapping[str, float] | None = None,
    n: int = 20_000,
    most: float = 20.0,
    seed: int = 0,
) -> dict[str, float]:
    """Return the factor of each chemical class that occurs, such that the mean factor of prior x reward is 1.

    Args:
        prior: the prior.
        space: space of the samples, within that of the prior.
        target: reward without the term ``chemical_classes``.
        proposal: policy that draws the samples, which are weighted to the prior; that of the prior if None. In a space
            narrower than the prior's, both draw in the narrower one.
        wanted: share of each class; those of the prior in the space if None.
        n: number of samples.
        most: factors beyond this, or below its inverse, count as this: a class that hardly occurs stays rare.
        seed: the same seed gives the same factors.
    """
    policy = prior.policy if proposal is None else proposal
    generator = Generator(device=space.device).manual_seed(seed)
    classes: list[str] = []
    priors, rewards = [], []
    for start in range(0, n, CHUNK):
        drawn = policy.sample(min(CHUNK, n - start), space, generator=generator)
        evaluation = target.evaluate(drawn.states)
        classes += classes_of(evaluation.crystals)
        log_pf = policy.score(drawn, space).log_pf_sum.double()
        priors.append((prior.log_prob(drawn, space).double() - log_pf).cpu())
        rewards.append(evaluation.log_reward.double().cpu())
    log_prior, log_reward = torch.cat(priors).numpy(), torch.cat(rewards).numpy()
    goals = weighted_shares(classes, log_prior) if wanted is None else wanted
    factors = {}
    for name, share in weighted_shares(classes, log_prior + log_reward).items():
        goal = goals.get(name, 0.0)
        if share > 0 and goal > 0:
            factors[name] = float(min(max(goal / share, 1 / most), most))
    return factors


def weighted_shares(classes: Sequence[str], log_weights: np.ndarray) -> dict[str, float]:
    """Return the share of each chemical class among crystals of ``classes`` (B,) with importance weights (B,)."""
    weights, names = normalised(truncated(log_weights)), np.array(classes)
    return {name: float(weights[names == name].sum()) for name in CLASSES}
