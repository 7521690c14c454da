"""Build src/crystalgfn/structures/data/aflow_prototypes.parquet from the AFLOW prototypes that pymatgen distributes.

    python scripts/build_prototypes.py

pymatgen (MIT licence) ships 288 crystals of the AFLOW library of crystallographic prototypes (Mehl et al., Comput.
Mater. Sci. 136, S1, 2017). Only their space group, Wyckoff positions, coordinates and lattice are kept.
"""

from __future__ import annotations

import gzip
import json
import sys
from importlib.resources import files
from pathlib import Path

import pymatgen
from pymatgen.core import Structure

from crystalgfn.errors import DataError
from crystalgfn.structures import prototype_files
from crystalgfn.structures.prototypes import PrototypeLibrary, prototype_of

OUTPUT = Path(__file__).resolve().parents[1] / "src" / "crystalgfn" / "structures" / "data" / "aflow_prototypes.parquet"
SOURCE = "analysis/prototypes/aflow_prototypes.json.gz"
ABOUT = {
    "source": f"pymatgen, pymatgen/{SOURCE}",
    "licence": "MIT (pymatgen)",
    "citation": "M. J. Mehl et al., Comput. Mater. Sci. 136, S1 (2017), doi:10.1016/j.commatsci.2017.01.017",
}


def main() -> int:
    """Read, convert, write."""
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
    prototypes.sort(key=lambda prototype: (prototype.space_group, prototype.id))
    prototype_files.write(PrototypeLibrary(prototypes), OUTPUT, about=ABOUT)
    print(f"wrote {OUTPUT.name}: {len(prototypes)} prototypes, {OUTPUT.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
