"""Placement of atoms against PyXtal, on real (space group, counts, lattice): time, distances, space group kept.

    python benchmarks/placing.py crystals.parquet [--rows 40] [--starts 10] [--seed 0]

``crystals.parquet`` has the columns spacegroup, elements (JSON counts in the conventional cell), a, b, c, alpha, beta,
gamma and n_atoms_primitive. Neither side is told which Wyckoff positions the real crystal occupies. PyXtal makes its
initial placements ("starts") one by one, ours come from one call of ``place``; both times include the conversion to
pymatgen structures.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
import warnings
from pathlib import Path
from statistics import median

import pandas as pd
from _common import machine
from pymatgen.core import Structure

from crystalgfn.crystallography.elements import COVALENT_RADIUS, atomic_number
from crystalgfn.crystallography.symmetry.search import find_group
from crystalgfn.structures.placing.placements import place

SENSIBLE = 0.6
PYXTAL_LIMIT_S = 8.0


def least_ratio(structure: Structure) -> float:
    """Return the least distance of two atoms over the sum of their covalent radii."""
    radii = COVALENT_RADIUS[[site.specie.Z for site in structure]]
    first, second, _, distance = structure.get_neighbor_list(r=6.0)
    return float((distance / (radii[first] + radii[second])).min()) if len(distance) else 9.0


def group(structure: Structure) -> int:
    """Return the space group at a tolerance of 0.01 A."""
    return find_group(structure, 0.01)


def pyxtal_starts(row, counts: dict[str, int], starts: int, seed: int) -> list[Structure]:
    """Return the structures that PyXtal makes in the given lattice; fewer where it fails or is too slow."""
    from pyxtal import pyxtal
    from pyxtal.lattice import Lattice
    from pyxtal.symmetry import Group

    kind = Group(row.spacegroup).lattice_type
    cell = Lattice.from_para(row.a, row.b, row.c, row.alpha, row.beta, row.gamma, ltype=kind)
    structures, started = [], time.process_time()
    for i in range(starts):
        if time.process_time() - started > PYXTAL_LIMIT_S:
            break
        crystal = pyxtal()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            crystal.from_random(
                3, row.spacegroup, list(counts), list(counts.values()), lattice=cell, random_state=seed + i
            )
        if crystal.valid:
            structures.append(crystal.to_pymatgen())
    return structures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals", type=Path, help="table of real crystals, parquet")
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--most-atoms", type=int, default=40, help="in the primitive cell")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not options.crystals.exists():
        print(f"placing: skipped, {options.crystals} does not exist")
        return 0
    warnings.simplefilter("ignore")
    table = pd.read_parquet(options.crystals)
    table = table[table["n_atoms_primitive"] <= options.most_atoms].sample(options.rows, random_state=options.seed)
    print("placing: " + ", ".join(f"{key} {value}" for key, value in machine(1).items()))
    print(f"configuration: rows {options.rows}, starts {options.starts} a row, seed {options.seed}")

    place(1, {8: 1}, (4, 4, 4, 90, 91, 92), seed=0)  # imports and tables are not to be measured
    medians = {}
    for name in ("crystalgfn", "pyxtal"):
        ms, ratios, kept, filled = [], [], 0, 0
        for row in table.itertuples():
            counts = json.loads(row.elements)
            lattice = (row.a, row.b, row.c, row.alpha, row.beta, row.gamma)
            started = time.process_time()
            if name == "pyxtal":
                found = pyxtal_starts(row, counts, options.starts, options.seed)
            else:
                wanted = {atomic_number(symbol): n for symbol, n in counts.items()}
                placed = place(row.spacegroup, wanted, lattice, placements=options.starts, seed=options.seed)
                found = [placement.structure for placement in placed]
            elapsed = time.process_time() - started
            if found:
                filled += 1
                ms.append(1000 * elapsed / len(found))
            ratios += [least_ratio(structure) for structure in found]
            kept += sum(group(structure) == row.spacegroup for structure in found)
        medians[name] = median(ms)
        sensible = sum(ratio >= SENSIBLE for ratio in ratios) / len(ratios)
        print(
            f"  {name}: {median(ms):.1f} ms a start (median; mean {sum(ms) / len(ms):.1f}), {len(ratios)} starts, rows "
            f"filled {filled}/{len(table)}, distance ratio >= {SENSIBLE} {sensible:.1%}, space group kept "
            f"{kept / len(ratios):.1%}"
        )
    print(f"  ratio of the medians: PyXtal takes {medians['pyxtal'] / medians['crystalgfn']:.1f} times as long")
    return 0


if __name__ == "__main__":
    sys.exit(main())
