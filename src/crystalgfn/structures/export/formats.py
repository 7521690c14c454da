"""Formats of structure files in a folder of candidates.

A new format is a file beside this one, and a line in :data:`FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.files.atomic import write_atomically
from crystalgfn.structures.export import genbench
from crystalgfn.structures.export.extxyz import to_frame

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from crystalgfn.structures.relaxing.relaxation import SinglePoint


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
class Written:
    """What became of structures that were to be written.

    Attributes:
        structures: number of structures that were written.
        left_out: number of structures that the format cannot hold.
    """

    structures: int
    left_out: int = 0


@dataclass(frozen=True)
class Format:
    """A format of structure files.

    Attributes:
        text: returns the text of a structure.
        together: whether all structures go into one file, ``all.SUFFIX``, at the end; else each is written at once,
            as ``SUFFIX/NAME.SUFFIX``.
        head: text before the first structure of such a file.
        in_folders: whether every folder of candidates has the file, or only ``crystalgfn export`` writes it.
        about: what is written, in a few words.
    """

    text: Callable[[Exported], str]
    together: bool = False
    head: str = ""
    in_folders: bool = True
    about: str = ""


def _cif(item: Exported) -> str:
    from crystalgfn.structures.export.cif import to_cif  # it imports torch, for which options do not wait

    return to_cif(item.structure, symprec=item.symprec)


FORMATS: dict[str, Format] = {
    "cif": Format(_cif),
    "extxyz": Format(
        lambda item: to_frame(item.structure, item.info, item.point), together=True, about="extXYZ, all in one file"
    ),
    "genbench": Format(
        lambda item: genbench.to_line(item.structure, item.info),
        together=True,
        head=genbench.HEAD,
        in_folders=False,
        about="the CSV that LeMat-GenBench reads",
    ),
}
"""The formats of structures; those of a folder of candidates are the endings of its files."""


def write_together(path: Path, items: Iterable[Exported], *, form: Format) -> Written:
    """Write structures into one file, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    written = 0
    with write_atomically(path) as stream:
        stream.write(form.head.encode())
        for written, item in enumerate(items, 1):  # noqa: B007
            stream.write(form.text(item).encode())
    return Written(written)
