"""Agreement of two potentials on real crystals: differences that the threshold of a flag has to tolerate.

    python benchmarks/second_opinion.py CRYSTALS.parquet STRUCTURES.parquet -n 200 --model 7net-l3i5

CRYSTALS.parquet has formation_energy_per_atom (eV/atom, density functional theory) and n_atoms_primitive,
STRUCTURES.parquet the same material_id with numbers, cell (9 numbers, A) and fractional coordinates. WBM rows are left
out: their labels come from other calculations than those that both potentials were trained on. With ``--classes``, n
crystals of each of these chemical classes are drawn, and each class has numbers of its own; ``--above-hull`` leaves out
crystals that lie further above the hull (column e_above_hull, eV/atom).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _common import parser, report
from pymatgen.core import Structure

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.evaluation.chemical_classes import class_of
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.second_opinion import THRESHOLD


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("table", type=Path)
    options_parser.add_argument("structures", type=Path)
    options_parser.add_argument("-n", type=int, default=200, help="crystals, drawn at random")
    options_parser.add_argument("--model", default="7net-l3i5")
    options_parser.add_argument("--max-atoms", type=int, default=12)
    options_parser.add_argument("--classes", default="", help="chemical classes, such as oxides,halides")
    options_parser.add_argument("--above-hull", type=float, default=None, help="most above hull, eV/atom")
    options = options_parser.parse_args(arguments)
    table = pd.read_parquet(options.table)
    table = table[(table["n_atoms_primitive"] <= options.max_atoms) & ~table["source"].str.startswith("wbm")]
    if options.above_hull is not None:
        table = table[table["e_above_hull"] <= options.above_hull]
    classes = options.classes.split(",") if options.classes else []
    table["class"] = [class_of(map(atomic_number, json.loads(text))) for text in table["elements"]] if classes else ""
    table = pd.concat(
        part.sample(min(options.n, len(part)), random_state=options.seed)
        for name, part in table.groupby("class")
        if name in (classes or [""])
    )
    table = table.merge(pd.read_parquet(options.structures), on="material_id")
    structures = [
        Structure(np.reshape(cell, (3, 3)), numbers, np.reshape(fractional, (-1, 3)))
        for numbers, cell, fractional in zip(table["numbers"], table["cell"], table["fractional"], strict=True)
    ]
    labels = table["formation_energy_per_atom"].to_numpy(float)
    results: dict[str, tuple[np.ndarray, float]] = {}
    for potential in (load_potential("chgnet"), load_potential(options.model)):
        start = time.process_time()
        energies = potential.energies(structures)
        spent = time.process_time() - start
        values = [potential.formation_energy(s, float(e)).value for s, e in zip(structures, energies, strict=True)]
        results[potential.name] = (np.array(values), spent / len(structures))
    first, second = (values for values, _ in results.values())
    rows: list[dict[str, object]] = []
    for name in classes or [""]:
        own = table["class"].to_numpy() == name
        which = {"class": name} if name else {}
        for potential, (values, seconds) in results.items():
            difference = statistics((values - labels)[own])
            cost = round(1000 * seconds)
            rows.append({**which, "formation energy": f"{potential} - DFT", **difference, "CPU ms a crystal": cost})
        rows.append({**which, "formation energy": f"{options.model} - chgnet", **statistics((second - first)[own])})
    configuration = {
        "crystals": len(structures),
        "seed": options.seed,
        "max atoms": options.max_atoms,
        "most above hull": "any" if options.above_hull is None else options.above_hull,
    }
    report("second_opinion", options, configuration, rows)
    return 0


def statistics(difference: np.ndarray) -> dict[str, float]:
    """Return the mean difference, and mean, median and tail of absolute differences, eV/atom."""
    size = np.abs(difference[np.isfinite(difference)])
    return {
        "values": len(size),
        "mean": round(float(difference[np.isfinite(difference)].mean()), 4),
        "MAE (eV/atom)": round(float(size.mean()), 4),
        "median": round(float(np.median(size)), 4),
        "p95": round(float(np.quantile(size, 0.95)), 4),
        f"above {THRESHOLD:g}": round(float((size > THRESHOLD).mean()), 4),
    }


if __name__ == "__main__":
    raise SystemExit(main())
