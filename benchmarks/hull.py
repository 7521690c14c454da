"""Comparison of an offline hull with the real one: share of compositions it covers, and error of its energies.

    python benchmarks/hull.py HULL_ENTRIES.parquet --hull builtin -n 1000 --json results.jsonl

HULL_ENTRIES.parquet has elements (JSON counts), formation_energy_per_atom and e_above_hull (eV/atom): their difference
is the energy of the real hull at the composition of the entry. Compounds (two elements or more) within the hull's
elements count once for each composition, or with ``--each-entry`` once for each entry. Differences are offline minus
real hull: where they are positive the energy above hull comes out too low, where negative too high.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _common import parser, report

from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull


def compositions(
    path: Path, elements: set[str], n: int, seed: int, *, each_entry: bool = False
) -> list[tuple[dict[str, float], float]]:
    """Return counts and energy of the real hull for up to ``n`` compounds, or entries, within the elements."""
    table = pd.read_parquet(path)
    table = table.dropna(subset=["formation_energy_per_atom", "e_above_hull"])
    energies: dict[tuple[tuple[str, float], ...], float] = {}
    entries: list[tuple[tuple[str, float], ...]] = []
    for text, energy, above in zip(
        table["elements"], table["formation_energy_per_atom"], table["e_above_hull"], strict=True
    ):
        counts = json.loads(text)
        if len(counts) >= 2 and set(counts) <= elements:
            divisor = math.gcd(*map(int, counts.values()))
            key = tuple(sorted((element, count / divisor) for element, count in counts.items()))
            energies[key] = min(energies.get(key, math.inf), energy - above)
            entries.append(key)
    keys = sorted(entries if each_entry else energies)
    chosen = np.random.default_rng(seed).permutation(len(keys))[:n]
    return [(dict(keys[i]), energies[keys[i]]) for i in chosen]


def row(name: str, hull: Hull, targets: list[tuple[dict[str, float], float]]) -> dict[str, object]:
    """Return the coverage and the errors of a hull at these compositions."""
    start = time.process_time()
    answers = [hull.energy_above_hull(counts, 0.0) for counts, _ in targets]
    spent = time.process_time() - start
    error = np.array([answer.hull - real for answer, (_, real) in zip(answers, targets, strict=True)])
    on_hull = np.array([len(answer.decomposition) == 1 for answer in answers])
    covered = np.array([hull.covers(counts) for counts, _ in targets])
    answered = np.isfinite(error)
    errors, covered = error[answered], covered[answered]
    return {
        "hull": name,
        "compositions": len(targets),
        "answered": float(answered.mean()),
        "system covered": float(covered.mean()),
        "phase on the hull": float(on_hull[answered].mean()),
        "MAE (eV/atom)": round(float(np.abs(errors).mean()), 4),
        "median": round(float(np.median(np.abs(errors))), 4),
        "MAE covered": round(float(np.abs(errors[covered]).mean()), 4) if covered.any() else math.nan,
        "median covered": round(float(np.median(np.abs(errors[covered]))), 4) if covered.any() else math.nan,
        "within 0.05": float((np.abs(errors) <= 0.05).mean()),
        "too high by more than 0.025": float((errors > 0.025).mean()),
        "too low by more than 0.025": float((errors < -0.025).mean()),
        "lowest": round(float(errors.min()), 3),
        "ms a composition": round(1000 * spent / len(targets), 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("entries", type=Path)
    options_parser.add_argument("--hull", default="builtin", help="builtin, mp or a table")
    options_parser.add_argument("-n", type=int, default=1000, help="compositions, drawn at random")
    options_parser.add_argument("--each-entry", action="store_true", help="draw entries, not compositions")
    options = options_parser.parse_args(arguments)
    hull = load_hull(options.hull)
    targets = compositions(options.entries, set(hull.elements), options.n, options.seed, each_entry=options.each_entry)
    bare = Hull(({element: 1.0}, 0.0) for element in hull.elements)
    results = [row(options.hull, hull, targets), row("elements only", bare, targets)]
    setting = {"entries": options.entries.name, "hull": options.hull, "elements": len(hull.elements), "n": options.n}
    report("hull", options, setting, results)
    for key in results[0]:
        print(f"{key:<30}" + "".join(f"{result[key]!s:>22.20}" for result in results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
