"""Fine-tuning: a trained policy goes on learning in a narrower space, for a time or a number of updates."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import replace

from crystalgfn.errors import ConfigError
from crystalgfn.gflownet.recipe import TrainingRecipe
from crystalgfn.gflownet.target import Target
from crystalgfn.gflownet.trainer import Progress, Trainer
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.spaces.crystal import CrystalSpace

LEARNING_RATE = 1e-3
"""Below that at the start of training: the weights are near a good place."""

EPSILON = 0.02
"""Share of uniform actions: what training never drew under the narrower masks has to be tried."""


def finetune(
    policy: CrystalPolicy,
    space: CrystalSpace,
    target: Target,
    recipe: TrainingRecipe,
    *,
    seconds: float | None = None,
    iterations: int | None = None,
    seed: int = 0,
    report: Callable[[Progress, float], None] | None = None,
) -> tuple[CrystalPolicy, int]:
    """Train a copy of a policy on.

    Args:
        policy: as trained; left as it is.
        space: may be narrower than that of training.
        target: reward over that space.
        recipe: of the training; learning rate, schedule, exploration and replay are replaced.
        seconds: wall time to stop after; how far it gets depends on the machine.
        iterations: updates to stop after; with the same seed the same result.
        seed: of every draw.
        report: called now and then with the progress and the share of the time or the updates that is done.

    Returns:
        the averaged policy, and how many updates it took.

    Raises:
        ConfigError: neither or both of ``seconds`` and ``iterations``, or one that is not positive.
    """
    if (seconds is None) == (iterations is None):
        raise ConfigError("finetune: allowed: either seconds or iterations")
    limit = seconds if seconds is not None else iterations
    if limit is None or limit <= 0:
        raise ConfigError(f"finetune: found {limit}, allowed: above 0")
    changed = replace(
        recipe,
        iterations=iterations if iterations is not None else 1_000_000_000,
        lr=LEARNING_RATE,
        schedule="cosine" if iterations is not None else "constant",
        epsilon=EPSILON,
        epsilon_final=0.0 if iterations is not None else EPSILON,
        replay_share=0.0,
        data_share=0.0,
    )
    learner = copy.deepcopy(policy).train().requires_grad_(True)
    trainer = Trainer(learner, space, target, changed, seed=seed)
    started, done = time.monotonic(), 0.0
    while done < 1:
        progress = trainer.step(measure=report is not None and trainer.iteration % 10 == 9)
        spent = trainer.iteration if iterations is not None else time.monotonic() - started
        done = spent / limit
        if report is not None and progress is not None:
            report(progress, min(1.0, done))
    return trainer.sampling_policy.eval().requires_grad_(False), trainer.iteration
