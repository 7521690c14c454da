"""Fit the elemental references of a potential: formation energy = energy - sum of fraction times reference.

    python scripts/data/above_hull.py crystals.parquet --hull hull_entries.parquet --one-scale -o DATA.parquet
    python scripts/data/fit_references.py DATA.parquet STRUCTURES.parquet --work work/chgnet \
        -o src/crystalgfn/structures/relaxing/potentials/data/chgnet.json
    python scripts/data/fit_references.py DATA.parquet STRUCTURES.parquet --work work/7net-0 --potential 7net-0 \
        -n 600 --at-least 8 -o src/crystalgfn/structures/relaxing/potentials/data/7net-0.json

DATA.parquet is a crystals table with formation_energy_per_atom and e_above_hull (eV/atom, density functional theory),
STRUCTURES.parquet holds the same material_id with numbers, cell (9 numbers, A, rows are vectors) and fractional
coordinates. With ``--number``, crystals are drawn at random, of any size or up to ``--most-atoms``, and the errors are
of these; ``--at-least`` adds further crystals, in random order, of elements that too few of them hold. Energies are
computed once, in chunks that stay in the folder given by ``--work``, so that a second call continues. Only the
references, one number for each element, and their error are written.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.files.atomic import write_atomically
from crystalgfn.structures.relaxing.potentials.potential import Potential
from crystalgfn.structures.relaxing.potentials.registry import load_potential

CHUNK = 100
RIDGE = 1e-4
ROUNDS = 30
FLOOR = 0.01
FOLDS = 5

NEAR, OFF = 0.05, 0.1
"""Energies above the hull (eV/atom): errors are given for crystals up to the first, and above the second."""


def main() -> None:
    """Parse the command line, compute energies, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the energies of this run")
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("-n", "--number", type=int, help="crystals, drawn at random; all by default")
    parser.add_argument("--at-least", type=int, default=0, help="further crystals: so many of each element")
    parser.add_argument(
        "--most-atoms", type=float, default=np.inf, help="most atoms in a primitive cell; any by default"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    table = pd.read_parquet(options.data).merge(pd.read_parquet(options.structures), on="material_id")
    table = table[table["n_atoms_primitive"] <= options.most_atoms]
    table, drawn = chosen(table, options.number or len(table), options.at_least, options.seed)
    energies = compute(table, load_potential(options.potential), options.work)
    labels = table["formation_energy_per_atom"].to_numpy(float)
    fractions = np.stack([composition(numbers) for numbers in table["numbers"]])
    usable = np.isfinite(energies) & np.isfinite(labels)
    fractions, target = fractions[usable], (energies - labels)[usable]
    errors = np.abs(cross_validated(fractions, target, options.seed))[: usable[:drawn].sum()]
    above = table["e_above_hull"].to_numpy(float)[usable][: len(errors)]
    references = fit(fractions, target)
    present = (fractions > 0).sum(axis=0)
    content = {
        "potential": options.potential,
        "unit": "eV/atom",
        "method": "L1 fit of (energy - DFT formation energy) on atomic fractions; unrelaxed DFT geometry, MP2020 scale",
        "crystals": int(usable.sum()),
        "error": {
            "what": f"formation energy against DFT, {FOLDS}-fold held out, eV/atom",
            "crystals": len(errors),
            "mae": rounded(errors.mean()),
            "median": rounded(np.median(errors)),
            "p95": rounded(np.quantile(errors, 0.95)),
            f"mae up to {NEAR} eV/atom above the hull": rounded(errors[above <= NEAR].mean()),
            f"mae more than {OFF} eV/atom above the hull": rounded(errors[above > OFF].mean()),
        },
        "mae_by_source": by_source(table["source"].to_numpy(str)[usable][: len(errors)], errors),
        "references": {SYMBOLS[z]: rounded(references[z]) for z in range(1, 119) if present[z]},
    }
    with write_atomically(options.output) as stream:
        stream.write((json.dumps(content, indent=1) + "\n").encode())
    print(json.dumps({key: value for key, value in content.items() if key != "references"}, indent=1))
    for name, part in (("near", errors[above <= NEAR]), ("off", errors[above > OFF])):
        print(f"{name} the hull: {len(part)} crystals, {part.mean():.4f} ± {part.std() / len(part) ** 0.5:.4f} eV/atom")
    few = {SYMBOLS[z]: int(present[z]) for z in range(1, 119) if 0 < present[z] < 20}
    print(f"{len(content['references'])} elements; fewer than 20 crystals: {few}")


def chosen(table: pd.DataFrame, number: int, least: int, seed: int) -> tuple[pd.DataFrame, int]:
    """Return crystals drawn at random, followed by further ones of elements that they lack, and how many were drawn.

    Args:
        table: all crystals.
        number: most crystals that are drawn.
        least: with the further ones, so many crystals hold each element, or all crystals that hold it.
        seed: seed of the order.
    """
    table = table.sample(frac=1, random_state=seed).reset_index(drop=True)
    elements = [np.unique(numbers) for numbers in table["numbers"]]
    count = Counter(z for held in elements[:number] for z in held.tolist())
    further = []
    for row, held in enumerate(elements[number:], start=number):
        if any(count[z] < least for z in held.tolist()):
            count.update(held.tolist())
            further.append(row)
    drawn = min(number, len(table))
    return table.iloc[[*range(drawn), *further]].reset_index(drop=True), drawn


def compute(table: pd.DataFrame, potential: Potential, work: Path) -> np.ndarray[Any, Any]:
    """Return the energies (n,), eV/atom; chunks that are already in the folder are read."""
    from pymatgen.core import Structure

    work.mkdir(parents=True, exist_ok=True)
    parts, started = [], time.monotonic()
    for start in range(0, len(table), CHUNK):
        path = work / f"{potential.name}-{len(table)}-{start:07d}.npy"
        if not path.exists():
            rows = table.iloc[start : start + CHUNK]
            structures = [
                Structure(np.reshape(cell, (3, 3)), numbers, np.reshape(fractional, (-1, 3)))
                for cell, numbers, fractional in zip(rows["cell"], rows["numbers"], rows["fractional"], strict=True)
            ]
            with write_atomically(path) as stream:
                np.save(stream, potential.energies(structures))
            sys.stderr.write(f"{start + len(rows)}/{len(table)}, {time.monotonic() - started:.0f} s\n")
        parts.append(np.load(path))
    return np.concatenate(parts)


def by_source(sources: np.ndarray[Any, Any], errors: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return the mean error (eV/atom) by family of sources, the part of a name before ``_``."""
    families = np.array([source.split("_")[0] for source in sources])
    return {str(name): rounded(errors[families == name].mean()) for name in np.unique(families)}


def rounded(energy: Any) -> float:
    """Return an energy (eV/atom) with four decimals."""
    return round(float(energy), 4)


def composition(numbers: Any) -> np.ndarray[Any, Any]:
    """Return atomic fractions (119,) by atomic number."""
    counts = np.bincount(np.asarray(numbers, dtype=int), minlength=119).astype(float)
    return counts / counts.sum()


def fit(fractions: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return references (119,) that minimise the absolute error, by reweighted least squares."""
    weights = np.ones(len(target))
    references = np.zeros(fractions.shape[1])
    for _ in range(ROUNDS):
        weighted = fractions * weights[:, None]
        matrix = weighted.T @ fractions + RIDGE * np.eye(fractions.shape[1])
        references = np.linalg.solve(matrix, weighted.T @ target)
        weights = 1 / np.maximum(np.abs(target - fractions @ references), FLOOR)
        weights /= weights.mean()
    return references


def cross_validated(fractions: np.ndarray[Any, Any], target: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """Return the residuals (n,) of held-out crystals, eV/atom."""
    fold = np.random.default_rng(seed).permutation(len(target)) % FOLDS
    out = np.empty(len(target))
    for k in range(FOLDS):
        references = fit(fractions[fold != k], target[fold != k])
        out[fold == k] = (target - fractions @ references)[fold == k]
    return out


if __name__ == "__main__":
    main()
