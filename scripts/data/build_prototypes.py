"""Build the prototypes that ship, structures/placing/data/prototypes.parquet: AFLOW's, and phases of the hull.

    python scripts/data/build_prototypes.py --phases FOLDER/phases.jsonl

pymatgen (MIT licence) ships 288 crystals of the AFLOW library of crystallographic prototypes (Mehl et al., Comput.
Mater. Sci. 136, S1, 2017). Only their space group, Wyckoff positions, coordinates and lattice are kept. Phases that
``scripts/data/relax_prototypes.py`` relaxed are added where they lie on its hull or at most NEAR above: their
coordinates and axial ratios are typical of the chemistry of its elements.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pymatgen
from pymatgen.core import Structure

from crystalgfn.errors import DataError
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.placing import prototype_files
from crystalgfn.structures.placing.prototypes import Prototype, PrototypeLibrary
from crystalgfn.structures.placing.recognition import prototype_of

OUTPUT = prototype_files.BUILTIN_FILE
SOURCE = "analysis/prototypes/aflow_prototypes.json.gz"
ABOUT = {
    "source": f"pymatgen, pymatgen/{SOURCE}; scripts/data/relax_prototypes.py",
    "licence": "MIT (pymatgen)",
    "citation": "M. J. Mehl et al., Comput. Mater. Sci. 136, S1 (2017), doi:10.1016/j.commatsci.2017.01.017",
}


NEAR = 0.05
"""eV/atom above the hull up to which phases become prototypes."""

SYMPREC = 0.01


def main() -> int:
    """Read, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phases", type=Path, help="Written by scripts/data/relax_prototypes.py.")
    phases = parser.parse_args().phases
    packed = Path(str(files(pymatgen) / SOURCE))
    prototypes = []
    for entry in json.loads(gzip.decompress(packed.read_bytes())):
        name = str(entry["tags"].get("aflow") or entry["tags"].get("mineral"))
        structure = Structure.from_dict(entry["snl"])
        numbers = [site.specie.Z for site in structure]
        try:
            prototypes.append(
                prototype_of(name, structure.lattice.matrix, numbers, structure.frac_coords, symprec=0.01)
            )
        except DataError as error:
            print(f"left out: {error}")
    prototypes += list(of_phases(phases)) if phases else []
    prototypes.sort(key=lambda prototype: (prototype.space_group, prototype.id))
    prototype_files.write(PrototypeLibrary(prototypes), OUTPUT, about=ABOUT)
    print(f"wrote {OUTPUT.name}: {len(prototypes)} prototypes, {OUTPUT.stat().st_size} bytes")
    return 0


def of_phases(path: Path) -> Iterator[Prototype]:
    """Yield the phases on or near their hull as prototypes."""
    results = [json.loads(line) for line in path.read_text().splitlines()]
    results = [result for result in results if result["energy"] is not None]
    hull = Hull((result["counts"], result["energy"]) for result in results)
    for result in results:
        if hull.energy_above_hull(result["counts"], result["energy"]).value > NEAR:
            continue
        structure = result["structure"]
        cell, fractional = (np.array(structure[name]).reshape(-1, 3) for name in ("cell", "fractional"))
        try:
            yield prototype_of(
                f"crystalgfn {result['formula']}", cell, structure["numbers"], fractional, symprec=SYMPREC
            )
        except DataError as error:
            print(f"left out: {error}")


if __name__ == "__main__":
    sys.exit(main())
