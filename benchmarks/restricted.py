"""Comparison of a trained model under constraints given only when sampling with models trained under them.

    python benchmarks/restricted.py RUN --retrained "Fe-O=RUN1" --retrained "cubic=RUN2" ... --pool 100000

RUN is a model of the preset ``starling``; RUN1 ... were trained for the same reward with the constraints of SETS. The
benchmark prints for each set: effective sample size under the constraints, plain and after fine-tuning, and the
total-variation distance of the shares of space groups and of elements between each way of sampling and the retrained
model, with the expected distance of random samples of one distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from _common import parser, report

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.gflownet.weights import effective_sample_size, normalised, share_error, truncated
from crystalgfn.runs.model import Model, load

SETS: dict[str, dict[str, Any]] = {
    "Fe-O": {"required": ["Fe", "O"], "n_elements": [2, 2], "atoms_per_element": [1, 10]},
    "Li-Mn-O": {"required": ["Li", "Mn", "O"], "n_elements": [3, 3]},
    "cubic": {"crystal_system": ["cubic"]},
    "10-20 A, 75-135 degree": {"lengths": [10.0, 20.0], "angles": [75.0, 135.0]},
}
"""The restricted sets of the authors' later work, as limits on a trained model."""


def shares(crystals: Crystals, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted shares of space groups ``(231,)`` and elements, by presence ``(D,)``; each adds up to 1."""
    groups = np.bincount(crystals.space_group.numpy(), weights, minlength=231)
    present = weights @ (crystals.counts > 0).double().numpy()
    return groups / groups.sum(), present / present.sum()


def distance(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> list[float]:
    """Return the total variation of each pair of shares."""
    return [round(float(np.abs(a - b).sum() / 2), 4) for a, b in zip(one, other, strict=True)]


def described(model: Model, n: int, seed: int) -> tuple[dict[str, Any], Crystals, np.ndarray]:
    """Return the sizes of a sample, the sample, and its truncated weights."""
    crystals = model.sample(n, seed=seed)
    log_weights = np.asarray(crystals.columns["log_weight"], dtype=float)
    cut = truncated(log_weights)
    sizes = {
        "samples": n,
        "ESS": round(effective_sample_size(cut)),
        "ESS before cutting": round(effective_sample_size(log_weights)),
    }
    return sizes, crystals, normalised(cut)


def compare(model: Model, retrained: Model, pool: int, iterations: int, seed: int) -> dict[str, Any]:
    """Compare every way of sampling a set with the retrained model, whose samples are weighted too."""
    sizes, crystals, weights = described(retrained, pool // 2, seed + 1)
    reference = shares(crystals, weights)
    plain = shares(crystals, np.full(len(crystals), 1 / len(crystals)))
    row: dict[str, Any] = {"retrained": sizes | {"TV of its plain samples": distance(plain, reference)}}
    samplers = {"restricted": model}
    if iterations:
        samplers["fine-tuned"] = model.finetuned(iterations=iterations, seed=seed)
    for name, sampler in samplers.items():
        numbers, crystals, weights = described(sampler, pool, seed)
        even = np.full(pool, 1 / pool)
        groups = len(crystals.space_group.unique())
        smaller = min(numbers["ESS"], sizes["ESS"])
        row[name] = numbers | {
            "TV plain": distance(shares(crystals, even), reference),
            "TV by weight": distance(shares(crystals, weights), reference),
            "TV by chance": round(share_error(groups, smaller), 3),
            "groups": groups,
        }
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("model", help="run folder")
    options_parser.add_argument("--retrained", action="append", default=[], help="SET=RUN")
    options_parser.add_argument("--pool", type=int, default=100_000)
    options_parser.add_argument("--finetune", type=int, default=0, help="updates")
    options = options_parser.parse_args(arguments)
    model = load(options.model)
    results = []
    for pair in options.retrained:
        name, _, run = pair.rpartition("=")
        row = compare(model.restricted(**SETS[name]), load(run), options.pool, options.finetune, options.seed)
        results.append({"set": name, **row})
        print(name)
        for way, numbers in row.items():
            print(f"  {way:<12}" + ", ".join(f"{key} {value}" for key, value in numbers.items()))
    about = {"model": options.model, "pool": options.pool, "updates": options.finetune}
    report("restricted", options, about, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
