"""Fine-tuning: a trained policy is trained on in a narrower space, for a time or a number of updates."""

from __future__ import annotations

import copy
import time
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
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    prior: FrozenPolicy | None = None,
    report: Callable[[Progress, float], None] | None = None,
) -> tuple[CrystalPolicy, int]:
    """Continue the training of a policy in a copy.

    Args:
        policy: trained policy; it is not changed.
        space: may be narrower than in training.
        target: reward over that space.
        recipe: hyperparameters of the training; learning rate, schedule, exploration and shares of replay and data
            are replaced.
        seconds: wall time to stop after; the number of updates then depends on the machine.
        iterations: number of updates to stop after; the result then depends on the seed alone.
        seed: seed of every draw.
        prior: the prior of the training, if there was one.
        report: called after every tenth update with the progress and the share of the time or updates so far.

    Returns:
        the averaged policy, and the number of updates.

    Raises:
        ConfigError: neither or both of ``seconds`` and ``iterations`` are given, or the limit is not positive.
    """
    if (seconds is None) == (iterations is None):
        raise ConfigError("finetune: allowed: either seconds or iterations")
    limit = seconds if seconds is not None else iterations
    if limit is None or limit <= 0:
        raise ConfigError(f"finetune: found {limit}, allowed: above 0")
    rate, epsilon = (LEARNING_RATE, EPSILON) if prior is None else (LEARNING_RATE_FROM_PRIOR, EPSILON_FROM_PRIOR)
    tuning = replace(
        recipe,
        iterations=iterations if iterations is not None else 1_000_000_000,
        lr=rate,
        schedule="cosine" if iterations is not None else "constant",
        epsilon=epsilon,
        epsilon_final=0.0 if iterations is not None else epsilon,
        replay_share=0.0,
        data_share=0.0,
    )
    learner = copy.deepcopy(policy).requires_grad_(True)
    trainer = Trainer(learner, space, target, tuning, seed=seed, prior=prior)
    start, share = time.monotonic(), 0.0
    while share < 1:
        progress = trainer.step(measure=report is not None and trainer.iteration % 10 == 9)
        spent = trainer.iteration if iterations is not None else time.monotonic() - start
        share = spent / limit
        if report is not None and progress is not None:
            report(progress, min(1.0, share))
    return trainer.sampling_policy, trainer.iteration
