"""Fine-tuning: a trained policy is trained on in a narrower space."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.frozen_policy import FrozenPolicy
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.target import Target
from crystalgfn.gflownet.trainer import Progress, Trainer
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.spaces.crystal import CrystalSpace

LEARNING_RATE, LEARNING_RATE_FROM_PRIOR = 1e-3, 3e-4
"""Lower than the default of training: the weights are near an optimum already. Policies that were trained from a prior
are larger and know more, and lose it faster."""

EPSILON, EPSILON_FROM_PRIOR = 0.02, 0.0
"""Share of uniform actions: actions that training never drew have to be tried under the narrower masks. A policy that
was trained from a prior draws them by itself, and crystals of uniform actions say little about the others."""


def finetune(
    policy: CrystalPolicy,
    space: CrystalSpace,
    target: Target,
    recipe: TrainingRecipe,
    *,
    iterations: int,
    seed: int = 0,
    prior: FrozenPolicy | None = None,
    report: Callable[[Progress, float], None] | None = None,
) -> CrystalPolicy:
    """Continue the training of a policy in a copy.

    Args:
        policy: trained policy; it is not changed.
        space: may be narrower than in training.
        target: reward over that space.
        recipe: hyperparameters of the training; learning rate, schedule, exploration and shares of replay and data
            are replaced.
        iterations: number of updates.
        seed: seed of every draw.
        prior: the prior of the training, if there was one.
        report: called after every tenth update with the progress and the share of the updates so far.

    Returns:
        the averaged policy; the same for the same seed.

    Raises:
        ConfigError: ``iterations`` is below 1.
    """
    if iterations < 1:
        raise ConfigError(f"finetune: found {iterations} iterations, allowed: 1 or more")
    rate, epsilon = (LEARNING_RATE, EPSILON) if prior is None else (LEARNING_RATE_FROM_PRIOR, EPSILON_FROM_PRIOR)
    tuning = replace(
        recipe,
        iterations=iterations,
        lr=rate,
        schedule="cosine",
        epsilon=epsilon,
        epsilon_final=0.0,
        replay_share=0.0,
        data_share=0.0,
    )
    learner = copy.deepcopy(policy).requires_grad_(True)
    trainer = Trainer(learner, space, target, tuning, seed=seed, prior=prior)
    while trainer.iteration < iterations:
        progress = trainer.step(measure=report is not None and trainer.iteration % 10 == 9)
        if report is not None and progress is not None:
            report(progress, trainer.iteration / iterations)
    return trainer.sampling_policy
