"""Extended XYZ, for ASE: all structures in one file, with energies in the comment lines."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.files.atomic import write_atomically

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def to_atoms(structure: Structure, info: Mapping[str, Any] | None = None) -> Atoms:
    """Return an ASE Atoms object, with values such as energies (eV/atom) in its ``info``."""
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.info = dict(info or {})
    return atoms


def to_frame(structure: Structure, info: Mapping[str, Any] | None = None) -> str:
    """Return the text of one frame; ``info`` goes into the comment line."""
    from ase.io.extxyz import write_extxyz as write

    stream = io.StringIO()
    write(stream, [to_atoms(structure, info)])
    return stream.getvalue()


def write_extxyz(
    path: str | Path, structures: Sequence[Structure], infos: Sequence[Mapping[str, Any]] | None = None
) -> None:
    """Write all structures as frames of one extXYZ file, atomically; ``infos`` go into the comment lines.

    Raises:
        DataError: the file cannot be written.
    """
    with write_atomically(Path(path)) as stream:
        for structure, info in zip(structures, infos or [{}] * len(structures), strict=True):
            stream.write(to_frame(structure, info).encode())
