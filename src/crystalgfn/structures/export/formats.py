"""Formats of structure files in a folder of candidates.

A new format is a file beside this one, and a line in :data:`FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crystalgfn.structures.export import genbench
from crystalgfn.structures.export.cif import to_cif
from crystalgfn.structures.export.extxyz import to_frame
from crystalgfn.structures.relaxing.relaxation import SinglePoint

if TYPE_CHECKING:
    from pymatgen.core import Structure


@dataclass(frozen=True)
class Exported:
    """A structure to write.

    Attributes:
        structure: pymatgen structure of the primitive cell.
        symprec: tolerance (A) at which it has its space group.
        info: numbers and words about it, such as energies (eV/atom), for formats that hold them.
        point: energy, forces and stress by the potential that relaxed it, or None.
    """

    structure: Structure
    symprec: float
    info: Mapping[str, Any] = field(default_factory=dict)
    point: SinglePoint | None = None


@dataclass(frozen=True)
class Format:
    """A format of structure files.

    Attributes:
        text: returns the text of a structure.
        together: whether all structures go into one file, ``all.SUFFIX``, at the end; else each is written at once,
            as ``SUFFIX/NAME.SUFFIX``.
        head: text before the first structure of such a file.
        in_folders: whether every folder of candidates has the file, or only ``crystalgfn export`` writes it.
    """

    text: Callable[[Exported], str]
    together: bool = False
    head: str = ""
    in_folders: bool = True


FORMATS: dict[str, Format] = {
    "cif": Format(lambda item: to_cif(item.structure, symprec=item.symprec)),
    "extxyz": Format(lambda item: to_frame(item.structure, item.info, item.point), together=True),
    "genbench": Format(
        lambda item: genbench.to_line(item.structure, item.info), together=True, head=genbench.HEAD, in_folders=False
    ),
}
"""The formats of structures; those of a folder of candidates are the endings of its files."""
