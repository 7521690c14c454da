"""POSCAR files: the structure alone, for VASP and for everything that reads its format."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Structure

README = """Structures as POSCAR files, one folder for each candidate.
index.csv lists the folders, best candidate first.
"""


def poscar_files(structure: Structure) -> dict[str, str]:
    """Return the POSCAR of a structure, in direct coordinates, with the atoms of an element together."""
    from pymatgen.io.vasp import Poscar

    return {"POSCAR": Poscar(structure, sort_structure=True).get_str(significant_figures=12)}
