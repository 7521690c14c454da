"""The part of a candidate in the folder of a run: its row, and its structures as plain numbers.

A structure is its lattice, atomic numbers and fractional coordinates. Parts of earlier versions hold the dictionaries
of pymatgen instead; from these the same numbers are taken, and nothing else: no class or function that a file names is
looked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, FiniteFloat

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import DataError
from crystalgfn.section import Section
from crystalgfn.structures.relaxing.relaxation import SinglePoint

if TYPE_CHECKING:
    from pymatgen.core import Structure

MOST_ATOMS = 10_000
"""Most atoms of a structure in a part."""

LEAST_VOLUME = 1e-3
"""Smallest volume of a cell, A^3."""

Vector = Annotated[list[FiniteFloat], Field(min_length=3, max_length=3)]


class PlainStructure(Section):
    """A structure as numbers."""

    lattice: Annotated[list[Vector], Field(min_length=3, max_length=3)]
    """Vectors of the cell, A."""
    numbers: Annotated[list[Annotated[int, Field(ge=1, lt=len(SYMBOLS))]], Field(min_length=1, max_length=MOST_ATOMS)]
    """Atomic numbers, ``(N,)``."""
    fractional: Annotated[list[Vector], Field(max_length=MOST_ATOMS)]
    """Fractional coordinates, ``(N, 3)``."""

    @classmethod
    def of(cls, structure: Structure) -> PlainStructure:
        """The numbers of a pymatgen structure without partial occupancies."""
        return cls(
            lattice=structure.lattice.matrix.tolist(),
            numbers=list(structure.atomic_numbers),
            fractional=structure.frac_coords.tolist(),
        )

    def build(self) -> Structure:
        """The structure for pymatgen.

        Raises:
            DataError: not one coordinate for each atom, or a cell without a volume.
        """
        from pymatgen.core import Lattice, Structure

        if abs(np.linalg.det(np.array(self.lattice))) < LEAST_VOLUME:
            raise DataError("not a structure (a cell without a volume)")
        try:
            return Structure(Lattice(self.lattice), [SYMBOLS[z] for z in self.numbers], self.fractional)
        except Exception as error:  # pymatgen raises anything
            raise DataError(f"not a structure ({' '.join(str(error).split())[:150]})") from None


class PlainPoint(Section):
    """What a potential gives for a structure, as numbers."""

    energy: FiniteFloat
    """Energy of the cell, eV."""
    forces: Annotated[list[Vector], Field(max_length=MOST_ATOMS)]
    """Forces, ``(N, 3)`` eV/A."""
    stress: Annotated[list[Vector], Field(min_length=3, max_length=3)]
    """Stress, eV/A^3."""

    @classmethod
    def of(cls, point: SinglePoint) -> PlainPoint:
        """The numbers of a single point."""
        return cls(energy=point.energy, forces=point.forces.tolist(), stress=point.stress.tolist())

    def build(self, atoms: int) -> SinglePoint:
        """The single point of a structure of so many atoms.

        Raises:
            DataError: forces on another number of atoms.
        """
        if len(self.forces) != atoms:
            raise DataError(f"forces on {len(self.forces)} atoms of {atoms}")
        return SinglePoint(self.energy, np.array(self.forces), np.array(self.stress))


def _from_pymatgen(content: Any) -> Any:
    """The numbers in the dictionary of a pymatgen structure; other content as it is."""
    if not isinstance(content, Mapping) or "sites" not in content:
        return content
    try:
        species = [site["species"] for site in content["sites"]]
        if any(len(kinds) != 1 or kinds[0]["occu"] != 1 for kinds in species):
            raise ValueError("a site with a partial occupancy")
        return {
            "lattice": content["lattice"]["matrix"],
            "numbers": [atomic_number(kinds[0]["element"]) for kinds in species],
            "fractional": [site["abc"] for site in content["sites"]],
        }
    except (KeyError, TypeError, IndexError, AttributeError, DataError) as error:
        raise ValueError(f"no structure ({type(error).__name__}: {error})") from None


WrittenStructure = Annotated[PlainStructure, BeforeValidator(_from_pymatgen)]


class Part(Section):
    """A candidate on disk."""

    symprec: FiniteFloat = 0.01
    """Tolerance (A) at which the structure has the space group of the row."""
    structure: WrittenStructure | None = None
    """The structure of the primitive cell; None where there is none."""
    point: PlainPoint | None = None
    """Energy, forces and stress of the structure; None in older parts, and where it was only placed."""
    stages: dict[str, WrittenStructure] = Field(default_factory=dict)
    """Earlier structures by name."""
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)
    """What the columns of energies hold, by name."""
    row: dict[str, Any]
    """Cells of the table."""
