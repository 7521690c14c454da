"""Comparison of one conditional model with models trained separately for each weight.

    python benchmarks/preferences.py RUN --term band_gap --separate 0.25=RUN1 --separate 1=RUN2 ... -n 4000

RUN was trained with ``weights`` for the term, RUN1 ... with the term's strength times each weight. For each weight, the
benchmark prints the medians of all properties of the objective for both models, plain and by importance weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from _common import parser, report

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.gflownet.weights import effective_sample_size, normalised, truncated
from crystalgfn.runs.model import Model, load


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below which half of the weight lies."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())])


def medians(model: Model, n: int, seed: int) -> dict[str, Any]:
    """Return medians of the objective's properties, plain and by weight, with sample size and diversity."""
    crystals: Crystals = model.sample(n, seed=seed)
    cut = truncated(np.asarray(crystals.columns["log_weight"], dtype=float))
    numbers: dict[str, Any] = {"ESS": round(effective_sample_size(cut) / n, 3), "formulas": len(set(crystals.formulas))}
    for term in model.target.reward.terms:
        column = term.criterion.column
        values = crystals.column(column).astype(float)
        numbers[column] = round(float(np.median(values)), 3)
        numbers[f"{column} by weight"] = round(weighted_median(values, normalised(cut)), 3)
    return numbers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("model", help="run folder of the conditional model")
    options_parser.add_argument("--term", default="band_gap", help="property whose weight is chosen")
    options_parser.add_argument("--separate", action="append", default=[], help="WEIGHT=RUN")
    options_parser.add_argument("-n", type=int, default=4000)
    options = options_parser.parse_args(arguments)
    model, results = load(options.model), []
    for pair in options.separate:
        weight, _, run = pair.partition("=")
        one = medians(model.weighted(**{options.term: float(weight)}), options.n, options.seed)
        other = medians(load(run), options.n, options.seed)
        results.append({"weight": float(weight), "conditional": one, "separate": other})
        print(f"weight {weight}")
        for name, row in (("conditional", one), ("separate", other)):
            print(f"  {name:<12}" + ", ".join(f"{key} {value}" for key, value in row.items()))
    report("preferences", options, {"model": options.model, "term": options.term, "n": options.n}, results)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
