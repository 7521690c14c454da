"""What importers are given: three rock salts and a structure that cannot be imported."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd
from pymatgen.core import Lattice, Structure

COLUMNS = [
    *("material_id", "source", "formula", "elements", "spacegroup", "a", "b", "c", "alpha", "beta", "gamma"),
    *("n_atoms", "n_atoms_primitive", "volume", "density", "wyckoff"),
    *("formation_energy_per_atom", "e_above_hull", "band_gap"),
]

DISORDERED = Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]])


@functools.cache
def salts() -> list[Structure]:
    """Primitive cells of three rock salts and one structure that cannot be imported."""
    good = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for cation, a in (("Mg", 4.212), ("Ca", 4.811), ("Sr", 5.160))
    ]
    return [*(structure.get_primitive_structure() for structure in good), DISORDERED]


@functools.cache
def cifs() -> list[str]:
    """The salts as CIF texts."""
    return [structure.to(fmt="cif") for structure in salts()]


def write_csv(path: Path, **columns: list) -> Path:
    """Write the salts as CIFs with further columns."""
    pd.DataFrame({"cif": cifs(), **columns}).to_csv(path, index=False)
    return path
