"""Comparison of a hull with the full DFT hull: error of its energies, by number of elements and by chemical class.

    python benchmarks/hull.py HULL_ENTRIES.parquet --hull builtin -n 1000 --json results.jsonl

HULL_ENTRIES.parquet has elements (JSON counts), formation_energy_per_atom and e_above_hull (eV/atom): their difference
is the energy of the full hull at the composition of the entry. Compounds (two elements or more) within the hull's
elements count once for each composition, or with ``--each-entry`` once for each entry; by default those that the
builtin hull's estimate never saw, with ``--all`` every one. Errors are this hull less the full hull: where they are
positive the energy above hull comes out too low, where negative too high. A hull with an estimate is also measured in
its parts.

"verdict wrong" is the share of candidates, spread evenly from 0 to 0.2 eV/atom above the full hull, of which the hull
says wrongly whether they lie within 0.08.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _common import parser, report
from numpy.typing import NDArray

from crystalgfn.crystallography.chemical_classes import CLASSES, class_of
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.stability.estimate import held_out
from crystalgfn.stability.estimated import EstimatedHull
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.load import load_hull

STABLE, HIGHEST = 0.08, 0.2
"""Energy above hull (eV/atom) up to which a candidate counts as stable, and of the highest candidate."""

APART = 0.03
"""Energy (eV/atom) by which the lowest entry of a composition lies above a hull that is a mixture of others."""

Target = tuple[Mapping[str, float], float, float]
"""Counts by symbol, the energy of the full hull, and how far the lowest entry lies above it, eV/atom."""


def compositions(
    path: Path, elements: set[str], n: int, seed: int, *, each_entry: bool = False, seen: bool = False
) -> list[Target]:
    """Return counts and energy of the full hull for up to ``n`` compounds, or entries, within the elements.

    Args:
        path: table of entries.
        elements: symbols.
        n: most compounds.
        seed: seed of the draw.
        each_entry: draw entries, not compositions.
        seen: with compositions that the estimate learned from.
    """
    table = pd.read_parquet(path)
    table = table.dropna(subset=["formation_energy_per_atom", "e_above_hull"])
    energies: dict[tuple[tuple[str, float], ...], tuple[float, float]] = {}
    entries: list[tuple[tuple[str, float], ...]] = []
    for text, energy, above in zip(
        table["elements"], table["formation_energy_per_atom"], table["e_above_hull"], strict=True
    ):
        counts = json.loads(text)
        if len(counts) >= 2 and set(counts) <= elements and (seen or held_out(counts)):
            divisor = math.gcd(*map(int, counts.values()))
            key = tuple(sorted((element, count / divisor) for element, count in counts.items()))
            hull, lowest = energies.get(key, (math.inf, math.inf))
            energies[key] = min(hull, energy - above), min(lowest, above)
            entries.append(key)
    keys = sorted(entries if each_entry else energies)
    chosen = np.random.default_rng(seed).permutation(len(keys))[:n]
    return [(dict(keys[i]), *energies[keys[i]]) for i in chosen]


def parts_of(hull: Hull) -> dict[str, Callable[[Mapping[str, float]], float]]:
    """Return functions from a composition to the energy of the hull, eV/atom: the hull, its parts, the elements."""
    bare = Hull(({element: 1.0}, 0.0) for element in hull.elements)
    parts = {hull.name: lambda counts: hull.energy_above_hull(counts, 0.0).hull}
    if isinstance(hull, EstimatedHull):
        parts["phases alone"] = lambda counts: Hull.energy_above_hull(hull, counts, 0.0).hull
        parts["estimate alone"] = lambda counts: (hull.estimate_of(counts) or (math.nan,))[0]
    return {**parts, "elements at 0": lambda counts: bare.energy_above_hull(counts, 0.0).hull}


def numbers(errors: NDArray[np.float64]) -> dict[str, float]:
    """Return what the errors (B,), eV/atom, of a hull amount to."""
    size, out = np.abs(errors), {"compositions": float(len(errors))}
    if not len(errors):
        return out
    above = np.clip(errors, -STABLE, HIGHEST - STABLE)  # of a candidate at e, the hull says e less its error
    shares = {
        "within 0.05": size <= 0.05,
        "too high by more than 0.05": errors > 0.05,
        "too low by more than 0.05": errors < -0.05,
        "verdict wrong": np.abs(above) / HIGHEST,
    }
    energies = {"mean error (eV/atom)": size.mean(), "median error": np.median(size), "bias": errors.mean()}
    out |= {name: round(float(value), 4) for name, value in energies.items()}
    return out | {name: round(float(np.mean(value)), 4) for name, value in shares.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("entries", type=Path)
    options_parser.add_argument("--hull", default="builtin", help="builtin, mp or a table")
    options_parser.add_argument("-n", type=int, default=1000, help="compositions, drawn at random")
    options_parser.add_argument("--each-entry", action="store_true", help="draw entries, not compositions")
    options_parser.add_argument("--all", action="store_true", help="with those that the estimate learned from")
    options = options_parser.parse_args(arguments)
    hull = load_hull(options.hull)
    targets = compositions(
        options.entries, set(hull.elements), options.n, options.seed, each_entry=options.each_entry, seen=options.all
    )
    real = np.array([energy for _, energy, _ in targets])
    results = []
    for name, energy_of in parts_of(hull).items():
        start = time.process_time()
        errors = np.array([energy_of(counts) for counts, *_ in targets]) - real
        milliseconds = 1000 * (time.process_time() - start) / len(targets)
        results.append({"hull": name, **numbers(errors), "ms a composition": round(milliseconds, 2)})
        if name == hull.name:
            groups = by_group(hull, targets, errors)
    setting = {"entries": options.entries.name, "hull": options.hull, "elements": len(hull.elements), "n": options.n}
    report("hull", options, setting, results)
    for key in results[0]:
        print(f"{key:<30}" + "".join(f"{result[key]!s:>18.18}" for result in results))
    print(f"\n{hull.name + ', at compositions of':<30}{'compositions':>18}{'mean error':>18}{'bias':>18}")
    for group, found in groups.items():
        keys = ("compositions", "mean error (eV/atom)", "bias")
        print(f"{group:<30}" + "".join(f"{found.get(key, math.nan):>18g}" for key in keys))
    return 0


def by_group(hull: Hull, targets: Sequence[Target], errors: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """Return the numbers by what the hull rests on, what the estimate knows, number of elements and chemical class."""
    kinds = np.array([str(hull.energy_above_hull(counts, 0.0).kind) for counts, *_ in targets])
    unseen = np.array([held_out(counts) for counts, *_ in targets])
    sizes = np.array([len(counts) for counts, *_ in targets])
    classes = np.array([class_of(map(atomic_number, counts)) for counts, *_ in targets])
    apart = np.array([above > APART for *_, above in targets])
    groups = {f"kind: {kind}": kinds == kind for kind in np.unique(kinds)}
    groups |= {f"left out by {kind}" if kind else "learned": unseen == kind for kind in np.unique(unseen)}
    groups |= {f"hull {APART:g} below all entries": apart}
    groups |= {f"{size} elements": sizes == size for size in np.unique(sizes)}
    groups |= {name: classes == name for name in CLASSES}
    return {name: numbers(errors[rows]) for name, rows in groups.items()}


if __name__ == "__main__":
    raise SystemExit(main())
