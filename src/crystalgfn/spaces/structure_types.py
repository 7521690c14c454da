"""Structure types: a space group with the Wyckoff positions of each element, whatever the elements are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.protostructures import parse_label, protostructure_label
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import DataError
from crystalgfn.files.reading import MOST_BYTES, check_file
from crystalgfn.spaces.writings import Slot, canonical_writing

if TYPE_CHECKING:
    from pymatgen.core import Structure

SYMPREC_A = 0.05
"""Tolerance within which a structure is symmetrised, as for the crystals that models learn from."""

FILES = "a file with a structure (CIF, POSCAR ...)"
"""What messages say that may stand in place of a label."""


@dataclass(frozen=True)
class StructureType:
    """A site pattern in its canonical writing.

    Attributes:
        space_group: international number.
        slots: letters of each element, by falling number of atoms; see :mod:`.writings`.
        label: a protostructure label without elements.
    """

    space_group: int
    slots: tuple[Slot, ...]
    label: str = field(compare=False)

    @classmethod
    def parse(cls, label: str) -> StructureType:
        """The type that a protostructure label names; elements of the label are left aside.

        Raises:
            DataError: text that is no label; see :func:`crystalgfn.crystallography.sites.protostructures.parse_label`.
        """
        described = parse_label(label)
        sites = [(slot, letter) for slot, letters in enumerate(described.slots, 1) for letter in letters]
        assignment = Assignment(described.space_group, tuple(sites))  # any different elements will do
        slots, _ = canonical_writing(assignment, same_cell=False)
        return cls(described.space_group, slots, label.partition(":")[0])

    @property
    def counts(self) -> tuple[int, ...]:
        """Atoms per primitive cell of each slot, falling."""
        cells, positions = int(CENTERING_MULTIPLICITY[self.space_group]), WYCKOFF[self.space_group]
        return tuple(sum(positions[letter].multiplicity for letter in slot) // cells for slot in self.slots)

    @property
    def orbits(self) -> int:
        """Number of orbits."""
        return sum(map(len, self.slots))

    @property
    def free_coordinates(self) -> int:
        """Free coordinates of all sites together."""
        positions = WYCKOFF[self.space_group]
        return sum(positions[letter].degrees_of_freedom for slot in self.slots for letter in slot)

    def __str__(self) -> str:
        return self.label


def structure_type_label(written: str) -> str:
    """The label without elements, such as ``AB2C4_cF56_227_a_d_e``, of a label or of a file with a structure.

    Args:
        written: a protostructure label, or the path of a CIF, POSCAR or other file that pymatgen reads.

    Raises:
        DataError: neither a label nor a file, or a file without an ordered structure.
    """
    path = Path(written)
    if not path.is_file():
        if path.suffix or "/" in written:
            raise DataError(
                f"{written}: no such file, allowed: {FILES}, or a protostructure label such as AB_cF8_225_a_b"
            )
        try:
            parse_label(written)
        except DataError as error:
            raise DataError(f"{error}; or the path of {FILES}") from None
        return written.partition(":")[0]
    from crystalgfn.crystallography.symmetry.standard import symmetrise

    check_file(path, most=MOST_BYTES)
    crystal = symmetrise(_structure(path), symprec=SYMPREC_A)
    sites = [(site.symbol, site.wyckoff) for site in crystal.sites]
    return protostructure_label(crystal.space_group, sites).partition(":")[0]


def _structure(path: Path) -> Structure:
    """The structure in a file: a CIF by this package's reader, any other format as pymatgen reads it."""
    import warnings

    from pymatgen.core import Structure

    from crystalgfn.crystallography.cif.read import read_structure, read_text
    from crystalgfn.crystallography.distances import check_distances

    if ".cif" in path.name.lower():
        try:
            return read_structure(read_text(path))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about rounded coordinates and names
            structure = Structure.from_file(path)
    except Exception as error:  # pymatgen raises anything on files that are not what it expects
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: no structure that pymatgen can read: {reason}") from error
    if not structure.is_ordered:
        raise DataError(f"{path}: some sites are partly occupied, allowed: an ordered structure")
    try:
        check_distances(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    except (DataError, AttributeError) as error:
        raise DataError(f"{path}: {error}") from None
    return structure
