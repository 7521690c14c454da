"""Train a small sampler from Python: oxides of lithium and magnesium, on a tiny budget.

    python examples/train.py [RUN [ITERATIONS]]

A preset is the starting point; ``key=value`` changes a key. The run folder can be given to ``crystalgfn.load``
and to every verb of the command line. A real run takes thousands of iterations: see docs/configuration.md.
"""

import sys
from pathlib import Path

import crystalgfn
from crystalgfn.config import load_config
from crystalgfn.runs.training import train


def main(folder="runs/example", iterations="200"):
    changes = [
        "constraints.elements=[Li, Mg, O]",
        "constraints.elements.required=[O]",
        "constraints.n_atoms_primitive=[2, 12]",
        "policy.width=64",
        f"training.iterations={iterations}",
        "training.batch_size=32",
    ]
    config = load_config("twelve-elements", changes)

    def report(progress):
        if progress.iteration % 50 == 0:
            print(f"iteration {progress.iteration}: loss {progress.loss:.3g}, effective sample size {progress.ess:.0%}")

    train(config, Path(folder), on_iteration=report)
    crystals = crystalgfn.load(folder).sample(200, seed=0)
    print(f"{len(crystals)} crystals, among them {', '.join(sorted(set(crystals.formulas))[:5])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
