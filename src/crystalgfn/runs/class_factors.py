"""Factors of chemical classes with which a reward keeps the classes that are wanted.

A reward for stability alone drifts to the classes whose crystals are stable most often, the intermetallics. The factors
of the term ``chemical_classes`` undo the drift: they are the wanted share of each class over the share that prior x
reward without the term has, by samples of the prior.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator

from crystalgfn.crystallography.chemical_classes import CLASSES
from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.target import CrystalTarget
from crystalgfn.rewards.terms.chemical_classes import classes_of
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.translation import rows_within, translated

CHUNK = 1_000


@torch.inference_mode()
def class_factors(
    prior: FrozenPolicy,
    space: CrystalSpace,
    target: CrystalTarget,
    *,
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
        wanted: share of each class; those of the prior in the space if None.
        n: number of samples of the prior.
        most: factors beyond this, or below its inverse, count as this: a class that hardly occurs stays rare.
        seed: the same seed gives the same factors.

    Raises:
        ConfigError: no sample of the prior lies in the space.
    """
    generator = Generator(device=space.device).manual_seed(seed)
    names = list(CLASSES)
    before, after = torch.zeros(len(names), dtype=torch.float64), torch.zeros(len(names), dtype=torch.float64)
    for start in range(0, n, CHUNK):
        drawn = prior.policy.sample(min(CHUNK, n - start), prior.space, generator=generator).states
        if space is not prior.space:
            drawn = drawn[rows_within(space, prior.space.crystals(drawn))]
            if not len(drawn):
                continue
            drawn = translated(drawn, prior.space, space)
        evaluation = target.evaluate(drawn)
        place = torch.tensor([names.index(name) for name in classes_of(evaluation.crystals)])
        reward = evaluation.log_reward.double().exp().cpu()
        before += torch.bincount(place, minlength=len(names))
        after += torch.bincount(place, reward, minlength=len(names))
    if not float(before.sum()):
        raise ConfigError(
            f"class factors: none of {n:,} samples of the prior lies in the space, allowed: a wider space"
        )
    shares, found = (before / before.sum()).tolist(), (after / after.sum()).tolist()
    goal = dict(zip(names, shares, strict=True)) if wanted is None else dict(wanted)
    factors = {}
    for name, share in zip(names, found, strict=True):
        if share > 0 and goal.get(name, 0) > 0:
            factors[name] = float(min(max(goal[name] / share, 1 / most), most))
    return factors
