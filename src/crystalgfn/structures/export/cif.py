"""Symmetrised CIF with space group and Wyckoff letters.

It holds the conventional cell in the standard setting of the International Tables (hexagonal axes for rhombohedral
groups, second origin), the symmetry operations, and one atom of each orbit, so that any reader rebuilds the crystal and
finds its space group.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from crystalgfn.crystallography.elements import ATOMIC_MASS, GRAMS_PER_CM3
from crystalgfn.crystallography.lattices import cell_volume
from crystalgfn.crystallography.symmetry.standard import SYMPREC, operations, symmetrise
from crystalgfn.files.atomic import write_text

if TYPE_CHECKING:
    from pymatgen.core import Structure


def to_cif(structure: Structure, *, symprec: float = SYMPREC, name: str | None = None) -> str:
    """Return the text of a symmetrised CIF; see :func:`symmetrise`.

    Args:
        structure: the crystal in any cell.
        symprec: tolerance of its symmetry, A.
        name: name of the data block; the reduced formula by default.

    Raises:
        DataError: no space group can be assigned.
    """
    crystal = symmetrise(structure, symprec=symprec)
    formula = structure.composition.reduced_formula
    label = re.sub(r"[^\w.-]", "_", name or formula)
    numbers, _ = crystal.positions()
    volume = float(cell_volume(torch.tensor(crystal.lattice, dtype=torch.float64)))
    density = float(ATOMIC_MASS[numbers].sum()) * GRAMS_PER_CM3 / volume
    counts = structure.composition.reduced_composition.get_el_amt_dict()
    units = len(numbers) / sum(counts.values())
    cell = zip(
        ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"), crystal.lattice, strict=True
    )
    lines = [
        f"data_{label}",
        f"_symmetry_space_group_name_H-M   '{crystal.symbol}'",
        *(f"_cell_{key}   {value:.8f}" for key, value in cell),
        f"_symmetry_Int_Tables_number   {crystal.space_group}",
        f"_space_group_IT_number   {crystal.space_group}",
        f"_chemical_formula_structural   {formula}",
        "_chemical_formula_sum   '" + " ".join(f"{e}{n * units:g}" for e, n in counts.items()) + "'",
        f"_cell_volume   {volume:.8f}",
        f"_cell_formula_units_Z   {units:g}",
        f"_exptl_crystal_density_diffrn   {density:.5f}",
        "loop_",
        " _symmetry_equiv_pos_site_id",
        " _symmetry_equiv_pos_as_xyz",
        *(f"  {i}  '{text}'" for i, text in enumerate(_operation_texts(crystal.space_group), 1)),
        "loop_",
        " _atom_site_type_symbol",
        " _atom_site_label",
        " _atom_site_symmetry_multiplicity",
        " _atom_site_Wyckoff_symbol",
        " _atom_site_fract_x",
        " _atom_site_fract_y",
        " _atom_site_fract_z",
        " _atom_site_occupancy",
        *(
            f"  {s.symbol}  {s.symbol}{i}  {s.multiplicity}  {s.wyckoff}  "
            + "  ".join(f"{c:.10f}" for c in s.position)
            + "  1"
            for i, s in enumerate(crystal.sites)
        ),
    ]
    return "\n".join(lines) + "\n"


def write_cif(path: str | Path, structure: Structure, *, symprec: float = SYMPREC, name: str | None = None) -> None:
    """Write a symmetrised CIF, atomically; see :func:`to_cif`.

    Raises:
        DataError: no space group can be assigned, or the file cannot be written.
    """
    write_text(Path(path), to_cif(structure, symprec=symprec, name=name))


@lru_cache(maxsize=230)
def _operation_texts(number: int) -> tuple[str, ...]:
    texts = []
    for rotation, translation in zip(*operations(number), strict=True):
        parts = []
        for row, shift in zip(rotation, translation, strict=True):
            terms = "".join(("+" if c > 0 else "-") + "xyz"[k] for k, c in enumerate(row) if c)
            fraction = Fraction(float(shift)).limit_denominator(24) % 1
            parts.append(terms.removeprefix("+") + (f"+{fraction}" if fraction else ""))
        texts.append(", ".join(parts))
    return tuple(texts)
