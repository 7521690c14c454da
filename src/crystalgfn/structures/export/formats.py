"""Formats of structure files: what a folder of candidates holds of each structure.

A new format is a file beside this one, and a line in :data:`FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crystalgfn.structures.export.cif import to_cif
from crystalgfn.structures.export.extxyz import to_frame

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Exported:
    """A structure to write.

    Attributes:
        structure: pymatgen structure of the primitive cell.
        symprec: tolerance (A) at which it has its space group.
        info: numbers and words about it, such as energies (eV/atom), for formats that hold them.
    """

    structure: Structure
    symprec: float
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """A format of structure files.

    Attributes:
        text: what is written of a structure.
        together: one file for all, ``all.SUFFIX``, when all are done; else one each, ``SUFFIX/NAME.SUFFIX``, at once.
    """

    text: Callable[[Exported], str]
    together: bool = False


FORMATS: dict[str, Format] = {
    "cif": Format(lambda given: to_cif(given.structure, symprec=given.symprec)),
    "extxyz": Format(lambda given: to_frame(given.structure, given.info), together=True),
}
"""What a folder of candidates is written in, by the ending of the files."""
