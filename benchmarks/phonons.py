"""The lowest phonons of crystals of which it is known whether they are stable, and the seconds that they take.

python benchmarks/phonons.py --potential 7net-l3i5
"""

from __future__ import annotations

import argparse
import time

from pymatgen.core import Lattice, Structure

from crystalgfn.structures.candidates.phonons import load_for_phonons
from crystalgfn.structures.relaxing.phonons import lowest_phonon

ROCK_SALT = [[0, 0, 0], [0.5, 0.5, 0.5]]
PEROVSKITE = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
CRYSTALS = {
    "MgO, rock salt": (225, 4.21, ["Mg", "O"], ROCK_SALT, "stable"),
    "NaCl, rock salt": (225, 5.64, ["Na", "Cl"], ROCK_SALT, "stable"),
    "Si, diamond": (227, 5.43, ["Si"], [[0, 0, 0]], "stable"),
    "BaTiO3, cubic perovskite": (221, 4.01, ["Ba", "Ti", "O"], PEROVSKITE, "unstable: ferroelectric"),
    "MgO, caesium chloride": (221, 2.65, ["Mg", "O"], ROCK_SALT, "unstable at ambient pressure"),
}
"""Group, edge (A), elements and their positions, and what is known of each."""


def main(arguments: list[str] | None = None) -> None:
    """Print a row for each crystal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--potential", default="7net-l3i5")
    parser.add_argument("--only", nargs="*", choices=list(CRYSTALS), default=list(CRYSTALS))
    options = parser.parse_args(arguments)
    potential = load_for_phonons(options.potential)
    print("| crystal | known | lowest, THz | supercell | seconds |\n|---|---|---|---|---|")
    for name in options.only:
        group, edge, elements, positions, known = CRYSTALS[name]
        structure = Structure.from_spacegroup(group, Lattice.cubic(edge), elements, positions)
        start = time.monotonic()
        found = lowest_phonon(structure, potential, symprec=0.01, time_limit_s=3600)
        seconds = time.monotonic() - start
        print(f"| {name} | {known} | {found.lowest:.2f} | {found.about} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
