"""What a data block declares of its crystal, compared with what was read: formula, Z, volume, density, space group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from crystalgfn.crystallography.cif.blocks import Block
from crystalgfn.crystallography.cif.sites import formula_sum
from crystalgfn.crystallography.elements import GRAMS_PER_CM3, SYMBOLS
from crystalgfn.errors import DataError

VOLUME_TOLERANCE = 0.02
DENSITY_TOLERANCE = 0.05
"""Largest relative differences from what is declared."""

_WHOLE = 1e-2  # how far a number of formula units may be from a whole one


def check(block: Block, numbers: Sequence[int], *, volume: float, mass: float) -> None:
    """Compare a cell with what its block declares.

    Args:
        block: the data block.
        numbers: atomic numbers (N,) of the atoms in the cell.
        volume: volume of the cell, A^3.
        mass: mass of its atoms, g/mol.

    Raises:
        DataError: the cell is another than the one declared.
    """
    counts = Counter(numbers)
    units = block.number("_cell_formula_units_Z")
    formula = formula_sum(block)
    found = _text(dict(counts))
    if formula is not None:
        _check_formula(formula, dict(counts), units, found)
    weight = block.number("_chemical_formula_weight")
    if (
        formula is None
        and units is not None
        and weight is not None
        and abs(weight * units / mass - 1) > DENSITY_TOLERANCE
    ):
        raise DataError(f"mass: {units:g} formula units of {weight:g} declared, the sites give {mass:.2f} ({found})")
    declared = block.number("_cell_volume")
    if declared is not None and abs(declared / volume - 1) > VOLUME_TOLERANCE:
        raise DataError(f"volume: {declared:g} A^3 declared, the cell has {volume:.2f} A^3")
    density, declared = mass * GRAMS_PER_CM3 / volume, block.number("_exptl_crystal_density_diffrn")
    if declared is not None and abs(declared / density - 1) > DENSITY_TOLERANCE:
        raise DataError(f"density: {declared:g} g/cm3 declared, the sites give {density:.3f} g/cm3 ({found})")


def _check_formula(formula: dict[int, float], counts: dict[int, int], units: float | None, found: str) -> None:
    """The cell holds Z formulas, or the formula is that of the whole cell, as pymatgen writes it."""
    written = f"{_text(formula)} declared, the sites give {found}"
    if set(formula) != set(counts):
        raise DataError(f"formula: {written}")
    ratios = [counts[z] / formula[z] for z in counts]
    ratio = sum(ratios) / len(ratios)
    if max(ratios) - min(ratios) > _WHOLE * ratio:
        raise DataError(f"formula: {written}")
    if units is not None:
        whole = abs(ratio - 1) < _WHOLE and all(abs(n / units - round(n / units)) < _WHOLE for n in formula.values())
        if not whole and abs(ratio - units) > _WHOLE * ratio:
            raise DataError(f"formula units: Z = {units:g} of {_text(formula)} declared, the sites give {ratio:g}")
    elif ratio < 1 - _WHOLE or abs(ratio - round(ratio)) > _WHOLE:
        raise DataError(f"formula: {written}, {ratio:.3g} formula units")


def _text(counts: dict[int, float] | dict[int, int]) -> str:
    return " ".join(f"{SYMBOLS[z]}{'' if n == 1 else f'{n:g}'}" for z, n in sorted(counts.items()))
