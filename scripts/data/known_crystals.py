"""Write the keys of real crystals, src/crystalgfn/crystals/data/known_crystals.safetensors.

    python scripts/data/known_crystals.py crystals.parquet --phases hull_entries.parquet [--check]

The table has the columns of a crystals table, with ``wyckoff`` (JSON list of [element, letter, multiplicity]); that of
phases has a column ``elements`` (JSON object of counts), and its formulas are known too. Only the hashes of sites, of
site patterns and of formulas are written, no row of the data. ``--check`` writes nothing, and fails if the file
holds other keys.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.formula_keys import formula_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals

OUTPUT = Path(__file__).resolve().parents[2] / "src" / "crystalgfn" / "crystals" / "data" / "known_crystals.safetensors"
SOURCE = (
    "subsets of the Materials Project (CC BY 4.0, doi:10.1063/1.4812323) and of WBM (doi:10.1038/s41524-020-00481-6); "
    "scripts/data/known_crystals.py"
)


def keys_of_phases(path: Path) -> torch.Tensor:
    """Keys of the formulas of phases, (F,)."""
    phases = [json.loads(text) for text in pd.read_parquet(path, columns=["elements"])["elements"]]
    most = max(map(len, phases))
    elements, counts = torch.zeros(2, len(phases), most, dtype=torch.int64)
    for row, phase in enumerate(phases):
        for column, (symbol, n) in enumerate(phase.items()):
            elements[row, column], counts[row, column] = atomic_number(symbol), int(n)
    return formula_keys(elements, counts)


def main() -> int:
    """Write the file, or compare it; return 1 if ``--check`` finds other keys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals", type=Path, help="table of real crystals (parquet or csv)")
    parser.add_argument("--phases", type=Path, help="table of phases of the convex hull (parquet)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file holds other keys")
    arguments = parser.parse_args()
    known = KnownCrystals.of(Crystals.from_file(arguments.crystals))
    if arguments.phases is not None:
        formulas = torch.cat((known.formulas, keys_of_phases(arguments.phases))).unique()
        known = replace(known, formulas=formulas)
    if arguments.check:
        there = KnownCrystals.read(OUTPUT)
        same = all(
            torch.equal(getattr(there, name), getattr(known, name)) for name in ("sites", "patterns", "formulas")
        )
        print("the same keys" if same else f"{OUTPUT.name} is out of date")
        return int(not same)
    known.write(OUTPUT, source=SOURCE)
    print(
        f"wrote {OUTPUT.name}: {len(known.sites)} crystals, {len(known.patterns)} patterns, "
        f"{len(known.formulas)} formulas, {known.without_sites} rows without sites, {OUTPUT.stat().st_size} bytes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
