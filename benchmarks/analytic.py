"""Train on a target with exactly known logZ, and measure how far from exact the sampler ends.

    python benchmarks/analytic.py --trajectories 100000 --set training.passes=3 --json results.jsonl

Space and recipe are those of the preset (``twelve-elements``: 230 groups, 12 elements, 2 to 4 of them, 24 atoms in the
primitive cell, every constraint on); the reward is :class:`crystalgfn.evaluation.analytic.AnalyticTarget`. Measured
with the averaged weights:

    gap         logZ - ELBO, nats: 0 for a perfect sampler; and the gap of each stage, which add up to the whole
    upper gap   EUBO - logZ, nats, from exact samples: large if modes are missed
    logZ error  error of the importance-weighted estimate, with its standard error
    TV          total variation of the space-group marginal, beside that of as many exact draws
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from _common import describe, parser, report
from torch import Generator, Tensor

from crystalgfn.config import load_config
from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.evaluation.estimates import (
    estimate_log_z,
    eubo,
    total_variation,
    total_variation_floor,
    total_variation_quantile,
)
from crystalgfn.gflownet.trainer import Trainer
from crystalgfn.policy.policy import Scores
from crystalgfn.runs.build import build_policy, build_recipe, build_space
from crystalgfn.spaces.states import CrystalStates

JUDGE_SEED = 12345


@torch.no_grad()
def judge(trainer: Trainer, target: AnalyticTarget, exact: CrystalStates) -> dict[str, float]:
    """Compare the averaged weights with the exact answers, from as many draws as there are exact samples."""
    policy, space = trainer.sampling_policy, trainer.space
    generator, n = Generator().manual_seed(JUDGE_SEED), len(exact)
    forward = policy.sample(n, space, generator=generator)
    scores = policy.score(forward, space)
    states = forward.states
    estimates = estimate_log_z(scores.log_pf_sum, scores.log_pb_sum, target.log_reward(states))
    back = policy.score(policy.sample_backward(exact, space, generator=generator), space)
    upper, upper_error = eubo(back.log_pf_sum, back.log_pb_sum, target.log_reward(exact))
    marginal = target.space_group_marginal
    parts = stage_gaps(scores, states, target)
    return {
        "gap": round(target.log_z - estimates.elbo, 4),
        "gap error": round(estimates.elbo_error, 4),
        **{f"gap of {stage}": round(float(part.mean()), 4) for stage, part in parts.items()},
        "upper gap": round(upper - target.log_z, 4),
        "upper gap error": round(upper_error, 4),
        "logZ error": round(estimates.log_z - target.log_z, 4),
        "logZ standard error": round(estimates.log_z_error, 4),
        "ESS": round(estimates.ess, 4),
        "TV": round(total_variation(states.space_group, marginal), 4),
        "TV of exact draws": round(total_variation_floor(marginal, n), 4),
        "TV of 95 % of exact draws": round(total_variation_quantile(marginal, n, generator=generator), 4),
    }


def stage_gaps(scores: Scores, states: CrystalStates, target: AnalyticTarget) -> dict[str, Tensor]:
    """Return log P_F - log P_B - log p of each stage, ``(n,)`` each; p is exact, given earlier stages."""
    difference = (scores.log_pf - scores.log_pb).double()
    own = {name.replace("_", " "): difference[:, columns].sum(1) for name, columns in scores.columns.items()}
    exact = target.log_conditionals(states)
    return {name: log_ratio - log_p for (name, log_ratio), log_p in zip(own.items(), exact, strict=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("--trajectories", type=int, default=100_000, help="drawn in training")
    options_parser.add_argument("--draws", type=int, default=10_000, help="samples to judge by")
    options_parser.add_argument("--reports", type=int, default=1, help="times to judge, evenly over training")
    options_parser.add_argument("--target-seed", type=int, default=0, help="of the coefficients of the target")
    options_parser.add_argument("--scale", type=float, default=1.0, help="nats, of the target's coefficients")
    options_parser.add_argument(
        "--balanced", action="store_true", help="groups with few compositions as likely as others"
    )
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)

    config = load_config(options.preset, [*options.set, f"seed={options.seed}"])
    space = build_space(config.constraints)
    started = time.perf_counter()
    target = AnalyticTarget(
        space,
        options.target_seed,
        group_scale=options.scale,
        composition_scale=options.scale,
        balanced=options.balanced,
    )
    exact_seconds = time.perf_counter() - started
    exact = target.sample(options.draws, generator=Generator().manual_seed(options.seed))

    # replayed samples need no further calls of the reward, so only fresh ones are counted
    batch = config.training.batch_size
    fresh = batch - round(batch * config.training.replay.share)
    updates = max(1, options.trajectories // fresh) * config.training.passes
    recipe = replace(build_recipe(config.training), iterations=updates)
    trainer = Trainer(build_policy(config, space), space, target, recipe, seed=options.seed)
    results = []
    started = time.process_time()
    judging = 0.0
    for part in range(1, options.reports + 1):
        trainer.run(part * recipe.iterations // options.reports)
        before = time.process_time()
        cpu_s = before - started - judging
        numbers = judge(trainer, target, exact)
        judging += time.process_time() - before
        results.append({"trajectories": trainer.trajectories, "cpu_s": round(cpu_s, 1), **numbers})
    configuration = describe(config, options.preset) | {
        "property": f"analytic target {options.target_seed}, scale {options.scale:g}, balanced {options.balanced}",
        "log Z": round(target.log_z, 4),
        "exact sum": f"{exact_seconds:.0f} s",
        "recipe": " ".join(f"{key}={value}" for key, value in vars(recipe).items()),
    }
    report("analytic", options, configuration, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
