"""Seconds of an iteration of training on one process and on several, in turn, by the size of the batch.

    torchrun --standalone --nproc-per-node 2 benchmarks/ranks.py --preset default --batch 100,1000,10000

In each round the first process trains alone while the others wait, then all train together, on the same global batch.
The ratio of a round says by what factor several processes are faster; other work disturbs it little. ``cpu_s`` is what
an iteration costs on all processes together.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence

import torch
from _common import batches, describe, parser, report, setup

from crystalgfn.cli.processes import training_processes
from crystalgfn.gflownet.ranks import Ranks
from crystalgfn.gflownet.trainer import Trainer


def timed(trainer: Trainer, ranks: Ranks, *, alone: bool) -> tuple[float, float]:
    """Seconds by the clock, and CPU seconds of all processes, of an iteration, from one whole round of the trainer."""
    iterations = trainer.recipe.rollout_batches * trainer.recipe.passes
    ranks.wait()
    clock, cpu = time.perf_counter(), time.process_time()
    if ranks.first or not alone:
        for _ in range(iterations):
            trainer.step(measure=False)
    spent = torch.tensor(time.process_time() - cpu, dtype=torch.float64)
    ranks.add_up(spent)  # waits for all
    return (time.perf_counter() - clock) / iterations, float(spent) / iterations


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__, preset="default")
    options_parser.add_argument("--batch", type=batches, default=[100, 1000, 10000], metavar="N,N,...")
    options_parser.add_argument("--rounds", type=int, default=5)
    options = options_parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    with training_processes("cpu") as ranks:
        results = []
        for batch in options.batch:
            one, several = (setup(options.preset, options.set, seed=options.seed) for _ in range(2))
            trainers = one.trainer(batch), several.trainer(batch, ranks)
            turns = range(options.rounds + 1)  # the first one warms up
            rounds = [[timed(t, ranks, alone=t is trainers[0]) for t in trainers] for _ in turns]
            (clock, cpu), (clock_all, cpu_all) = (zip(*clocks, strict=True) for clocks in zip(*rounds[1:], strict=True))
            ratios = [alone / together for alone, together in zip(clock, clock_all, strict=True)]
            results.append(
                {
                    "batch": batch,
                    "one_s": statistics.median(clock),
                    f"{ranks.size}_s": statistics.median(clock_all),
                    "times_as_fast": statistics.median(ratios),
                    "least": min(ratios),
                    "most": max(ratios),
                    "one_cpu_s": statistics.median(cpu),
                    f"{ranks.size}_cpu_s": statistics.median(cpu_all),
                }
            )
        if ranks.first:
            report("ranks", options, describe(one.config, options.preset), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
