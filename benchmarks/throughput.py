"""Trajectories per second: training with the proxy inside, and sampling.

    python benchmarks/throughput.py --preset twelve-elements --threads 1 --json results.jsonl

``train``: whole rounds of the trainer (draw, decode, predict; then score and update for each batch). ``sample``: draw
and decode with all masks on. ``sample_scored``: with predicted properties, log P_F and log P_B as well, the
content of the tables of ``crystalgfn sample``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import torch
from _common import Setup, batches, describe, measure, parser, report, setup

WORKS = ("train", "sample", "sample_scored")


def works(built: Setup, batch: int, *, seed: int) -> dict[str, tuple[Callable[[], object], int]]:
    """Return the timed functions by name, with the trajectories of one call."""
    policy, space = built.policy, built.space
    generator = torch.Generator().manual_seed(seed)

    def sample() -> None:
        space.crystals(policy.sample(batch, space, generator=generator).states)

    @torch.no_grad()
    def sample_scored() -> None:
        trajectories = policy.sample(batch, space, generator=generator)
        built.target.evaluate(trajectories.states)
        policy.score(trajectories, space)

    trainer = built.trainer(batch)
    recipe = trainer.recipe

    def train() -> None:
        for _ in range(recipe.rollout_batches * recipe.passes):
            trainer.step(measure=False)

    calls = ((train, batch * recipe.rollout_batches), (sample, batch), (sample_scored, batch))
    return dict(zip(WORKS, calls, strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("--batch", type=batches, default=[10, 100, 1000], metavar="N,N,...")
    options_parser.add_argument("--only", choices=WORKS, action="append")
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results = []
    for batch in options.batch:
        built = setup(options.preset, options.set, seed=options.seed)
        for name, (call, trajectories) in works(built, batch, seed=options.seed).items():
            if name in (options.only or WORKS):
                rate = measure(call, trajectories, seconds=options.seconds)
                results.append({"what": name, "batch": batch, **rate.as_dict()})
    report("throughput", options, describe(built.config, options.preset), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
