"""A rehearsal of a training: everything that it will load is built and used once, and nothing is written."""

from __future__ import annotations

import torch

from crystalgfn.config import Config
from crystalgfn.runs.build import build_policy, build_space, build_trainer
from crystalgfn.runs.prior import build_prior_trainer
from crystalgfn.spaces.crystal import CrystalSpace

SAMPLES = 8
"""Number of crystals whose reward is computed."""


def rehearse(config: Config) -> CrystalSpace:
    """Build what a training of this configuration builds, and compute the reward of a few crystals.

    A prior that names no table of crystals is built without one.

    Returns:
        the space of the run.

    Raises:
        CrystalGFNError: what training would end with: a file or package that is missing, a property that does not know
            the elements or fails, weights that do not fit, constraints that leave no crystal.
    """
    if config.is_prior and config.training.data is None:
        space = build_space(config.constraints)
        build_policy(config, space)
        return space
    if config.is_prior:
        return build_prior_trainer(config)[0].space
    trainer = build_trainer(config)
    generator = torch.Generator(device=trainer.space.device).manual_seed(config.seed)
    condition = torch.full((SAMPLES, config.conditions), 0.5) if config.conditions else None
    with torch.inference_mode():
        drawn = trainer.policy.sample(SAMPLES, trainer.space, condition=condition, generator=generator)
        trainer.target.log_reward(drawn.states, condition)
    return trainer.space
