"""Extended XYZ, for ASE: all structures in one file, with energy (eV), forces (eV/A) and stress (eV/A^3) where known.

``ase.io.read`` gives them back through ``get_potential_energy()``, ``get_forces()`` and ``get_stress()``; further
numbers and words stand in ``atoms.info``. Words come back as words: the formula NaN is no number, and F no truth value.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.files.atomic import write_atomically

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    from crystalgfn.structures.relaxing.relaxation import SinglePoint


def to_atoms(structure: Structure, info: Mapping[str, Any] | None = None, point: SinglePoint | None = None) -> Atoms:
    """Return an ASE Atoms object.

    Args:
        structure: pymatgen structure of N atoms.
        info: numbers and words for its ``info``, such as energies (eV/atom).
        point: energy, forces and stress, which its calculator will give.
    """
    from ase.calculators.singlepoint import SinglePointCalculator
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.info, atoms.calc = dict(info or {}), None
    if point is not None:
        results = {"energy": point.energy, "forces": point.forces, "stress": _voigt(point)}
        atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def to_frame(structure: Structure, info: Mapping[str, Any] | None = None, point: SinglePoint | None = None) -> str:
    """Return the text of one frame; ``info`` and the energy go into the comment line, forces into columns."""
    from ase.io.extxyz import write_extxyz as write

    stream = io.StringIO()
    words = {key: _word(value) if isinstance(value, str) else value for key, value in (info or {}).items()}
    write(stream, [to_atoms(structure, words, point)])
    return stream.getvalue()


def write_extxyz(
    path: str | Path,
    structures: Sequence[Structure],
    infos: Sequence[Mapping[str, Any]] | None = None,
    points: Sequence[SinglePoint | None] | None = None,
) -> None:
    """Write all structures as frames of one extXYZ file, atomically; see :func:`to_frame`.

    Raises:
        DataError: the file cannot be written.
    """
    n = len(structures)
    with write_atomically(Path(path)) as stream:
        for structure, info, point in zip(structures, infos or [{}] * n, points or [None] * n, strict=True):
            stream.write(to_frame(structure, info, point).encode())


def _voigt(point: SinglePoint) -> Any:
    from ase.stress import full_3x3_to_voigt_6_stress

    return full_3x3_to_voigt_6_stress(point.stress)


def _word(text: str) -> str:
    """Return text as it must stand in a comment line to come back: marked as JSON where ASE would read it otherwise."""
    from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

    try:
        plain = key_val_str_to_dict(key_val_dict_to_str({"text": text})) == {"text": text}
    except ValueError:  # text that begins as JSON does
        plain = False
    if plain and text.isprintable():
        return text
    return "_JSON " + json.dumps(text).replace("\\", "\\\\")  # the reader takes one level of backslashes away
