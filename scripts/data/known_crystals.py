"""Write the keys of real crystals, src/crystalgfn/crystals/data/known_crystals.safetensors.

    python scripts/data/known_crystals.py crystals.parquet [--check]

The table has the columns of a crystals table, with ``wyckoff`` (JSON list of [element, letter, multiplicity]). Only the
hashes of sites and of site patterns are written, no row of the data. ``--check`` writes nothing, and fails if the file
holds other keys.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals

OUTPUT = Path(__file__).resolve().parents[2] / "src" / "crystalgfn" / "crystals" / "data" / "known_crystals.safetensors"
SOURCE = (
    "subsets of the Materials Project (CC BY 4.0, doi:10.1063/1.4812323) and of WBM (doi:10.1038/s41524-020-00481-6); "
    "scripts/data/known_crystals.py"
)


def main() -> int:
    """Write the file, or compare it; return 1 if ``--check`` finds other keys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals", type=Path, help="table of real crystals (parquet or csv)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file holds other keys")
    arguments = parser.parse_args()
    known = KnownCrystals.of(Crystals.from_file(arguments.crystals))
    if arguments.check:
        there = KnownCrystals.read(OUTPUT)
        same = torch.equal(there.sites, known.sites) and torch.equal(there.patterns, known.patterns)
        print("the same keys" if same else f"{OUTPUT.name} is out of date")
        return int(not same)
    known.write(OUTPUT, source=SOURCE)
    print(
        f"wrote {OUTPUT.name}: {len(known.sites)} crystals, {len(known.patterns)} patterns, "
        f"{known.without_sites} rows without sites, {OUTPUT.stat().st_size} bytes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
