"""Relaxation from wrong volumes: is the real crystal recovered, is its space group kept, and at what cost?

    python benchmarks/relax.py CRYSTALS.parquet STRUCTURES.parquet -n 16 --json results.jsonl

Real crystals near the hull start from 0.7 and 1.4 times their volume, with their real atomic positions.
CRYSTALS.parquet has spacegroup, e_above_hull (eV/atom) and n_atoms_primitive, STRUCTURES.parquet the same material_id
with numbers, cell (9 numbers, A) and fractional coordinates.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from _common import parser, report
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from crystalgfn.structures.relaxing.potentials.registry import load_potential
from crystalgfn.structures.relaxing.relax import DEFAULT
from crystalgfn.structures.relaxing.volumes import scaled

VOLUMES = (0.7, 1.4)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options_parser = parser(__doc__)
    options_parser.add_argument("table", type=Path)
    options_parser.add_argument("structures", type=Path)
    options_parser.add_argument("-n", type=int, default=16, help="crystals, drawn at random")
    options_parser.add_argument("--potential", default="chgnet")
    options_parser.add_argument("--max-atoms", type=int, default=14)
    options = options_parser.parse_args(arguments)
    table = pd.read_parquet(options.table)
    small = (table["n_atoms_primitive"] <= options.max_atoms) & (table["n_atoms_primitive"] >= 3)
    table = table[small & (table["e_above_hull"] < 0.01) & (table["spacegroup"] > 1)]
    table = table.sample(min(options.n, len(table)), random_state=options.seed)
    table = table.merge(pd.read_parquet(options.structures), on="material_id")
    potential = load_potential(options.potential)
    matcher = StructureMatcher(0.2, 0.3, 5)
    rows = []
    for factor in VOLUMES:
        found = []
        for group, numbers, cell, fractional in zip(
            table["spacegroup"], table["numbers"], table["cell"], table["fractional"], strict=True
        ):
            real = Structure(np.reshape(cell, (3, 3)), numbers, np.reshape(fractional, (-1, 3)))
            start = time.process_time()
            result = potential.relax([scaled(real, factor)], seed=options.seed, schedule=DEFAULT)[0]
            spent = time.process_time() - start
            symmetric, free = result.symmetric, result.free
            found.append(
                {
                    "ok": result.ok,
                    "converged": result.converged,
                    "group kept, symmetric": bool(symmetric and symmetric.space_group == group),
                    "group kept, free": bool(free and free.space_group == group),
                    "free chosen": result.chosen == "free",
                    "found again": matcher.fit(real, result.structure),
                    "steps, symmetric": symmetric.steps if symmetric else 0,
                    "steps, free": free.steps if free else 0,
                    "CPU s": spent,
                }
            )
        rows.append({"volume": factor, "crystals": len(found), **pd.DataFrame(found).mean().round(3).to_dict()})
    configuration = {"potential": options.potential, "seed": options.seed, "max atoms": options.max_atoms}
    report("relax", options, configuration, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
