"""A property of your own in ten lines, and a sampler that looks for it.

    python examples/own_property.py [RUN [ITERATIONS]]

The example looks for much lithium by weight, in neutral compounds. A property maps a batch of crystals to one number
each; a configuration names it as ``module:function`` and gives it a goal.
"""

import sys
from pathlib import Path

import numpy as np
import torch

import crystalgfn
from crystalgfn.config import load_config, load_preset
from crystalgfn.crystallography.elements import ATOMIC_MASS, atomic_number
from crystalgfn.runs.model import untrained
from crystalgfn.runs.training import train


def lithium_share(crystals):
    masses = crystals.counts.double() * torch.as_tensor(ATOMIC_MASS[list(crystals.elements)])  # (B, D)
    lithium = crystals.elements.index(atomic_number("Li"))
    return 100 * masses[:, lithium] / masses.sum(1)


lithium_share.name = "lithium_share"
lithium_share.unit = "wt%"


def main(folder="runs/lithium", iterations="300"):
    changes = [
        "objective[0].property=own_property:lithium_share",
        "objective[0].goal=maximise",
        "objective[0].strength=0.2",
        "policy.width=64",
        f"training.iterations={iterations}",
        "training.batch_size=32",
    ]
    train(load_config("twelve-elements", changes), Path(folder))
    trained = crystalgfn.load(folder, trust=True).sample(200, seed=0)
    before = lithium_share(untrained(load_preset("twelve-elements")).sample(200, seed=0))
    after = trained.column("lithium_share")
    print(f"lithium: {float(before.mean()):.0f} wt% untrained, {np.mean(after):.0f} wt% trained")
    print("for example", ", ".join(trained.formulas[:5]))


if __name__ == "__main__":
    main(*sys.argv[1:])
