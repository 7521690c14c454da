"""Inputs of VASP by the input sets of pymatgen, of which those of the Materials Project are the default.

The set chooses cutoffs, k points, smearing, magnetic moments and Hubbard U for the structure. POTCAR files are
licensed: ``POTCAR.spec`` names them, and with ``potcar`` they come from the user's own library, as pymatgen finds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.errors import ConfigError, DataError, nearest
from crystalgfn.structures.quiet import quiet

if TYPE_CHECKING:
    from pymatgen.core import Structure

DEFAULT = "MPRelaxSet"

SETS = {
    "MPRelaxSet": "MPStaticSet",
    "MPScanRelaxSet": "MPScanStaticSet",
    "MP24RelaxSet": "MP24StaticSet",
    "MatPESRelaxSet": "MatPESStaticSet",
    **dict.fromkeys(("MPMetalRelaxSet", "MPHSERelaxSet", "MITRelaxSet", "MVLRelax52Set", "MVLScanRelaxSet"), ""),
    **dict.fromkeys(("MPStaticSet", "MPScanStaticSet", "MP24StaticSet", "MatPESStaticSet"), ""),
}
"""Input sets of pymatgen that need nothing but a structure, with the static set that follows a relaxation."""

RELAX, STATIC = "01-relax", "02-static"
"""Folders of a relaxation and of the static calculation that gives the energy of its result."""

LIBRARY = "PMG_VASP_PSP_DIR"
"""pymatgen's setting, or variable of the environment, that names the user's library of POTCAR files."""


def vasp_files(structure: Structure, *, input_set: str = DEFAULT, potcar: bool = False) -> dict[str, str]:
    """Return the files of a calculation: INCAR, KPOINTS (unless the INCAR has a spacing), POSCAR and POTCAR.spec.

    A relaxation whose set has a static counterpart is a pair of calculations, in the folders :data:`RELAX` and
    :data:`STATIC`. The POSCAR of the second is that of the first, to be replaced by its CONTCAR.

    Args:
        structure: primitive cell of N atoms.
        input_set: one of :data:`SETS`.
        potcar: write POTCAR, from the user's library, in place of POTCAR.spec.

    Returns:
        text of each file by its path.

    Raises:
        ConfigError: the set is unknown, or there is no library of POTCAR files.
        DataError: the set, or the library, has no POTCAR of an element.
    """
    _check(input_set, potcar)
    static = SETS[input_set]
    if not static:
        return _calculation(structure, input_set, potcar)
    pair = {RELAX: input_set, STATIC: static}
    return {
        f"{folder}/{name}": text
        for folder, its_set in pair.items()
        for name, text in _calculation(structure, its_set, potcar).items()
    }


def readme(*, input_set: str = DEFAULT, potcar: bool = False) -> str:
    """Return what to do with the folders, as text for a person; arguments and errors as for :func:`vasp_files`."""
    from pymatgen.io.vasp import sets

    _check(input_set, potcar)
    static = SETS[input_set]
    with quiet():
        functional = getattr(sets, input_set)().user_potcar_functional
    steps = [] if potcar else [f"pmg potcar --functional {functional} --recursive .     # POTCAR of each POTCAR.spec"]
    if static:
        steps += [
            f"cd {RELAX} && vasp_std && cd ..",
            f"cp {RELAX}/CONTCAR {STATIC}/POSCAR     # the POSCAR there is that of before the relaxation",
            f"cd {STATIC} && vasp_std && cd ..",
        ]
    else:
        steps.append("vasp_std")
    sets_used = f"{input_set}, then {static}" if static else input_set
    lines = "\n".join(f"    {step}" for step in steps)
    return (
        f"Inputs of VASP by pymatgen ({sets_used}), one folder for each candidate.\n"
        "index.csv lists the folders, best candidate first.\n\n"
        f"In each folder:\n\n{lines}\n\n"
        "When the runs are done, here (runs that did not converge are refused, with the reason):\n\n"
        "    crystalgfn data from-vasp . -o labels.parquet\n"
    )


def _check(input_set: str, potcar: bool) -> None:
    if input_set not in SETS:
        raise ConfigError(
            f"input set: found {input_set!r}, allowed: {', '.join(SETS)} of pymatgen{nearest(input_set, SETS)}"
        )
    if potcar:
        from pymatgen.core import SETTINGS

        library = SETTINGS.get(LIBRARY)
        if not (library and Path(library).is_dir()):
            found = f"no folder {library!r}" if library else "none"
            raise ConfigError(f"POTCAR files: {LIBRARY}: found {found}, allowed: the folder of your licensed library")


def _calculation(structure: Structure, name: str, potcar: bool) -> dict[str, str]:
    from pymatgen.io.vasp import sets

    symbols = {element.symbol for element in structure.composition.elements}
    with quiet():
        inputs: Any = getattr(sets, name)(structure)
        missing = sorted(symbols - inputs.config_dict["POTCAR"].keys())
        if missing:
            raise DataError(f"{name} has no POTCAR of {', '.join(missing)}")
        try:
            files = inputs.get_input_set(potcar_spec=not potcar)
        except (OSError, ValueError, LookupError) as error:  # the library has no file of an element, or a damaged one
            raise DataError(f"{name}: {' '.join(str(error).split())[:200]}") from None
        return {file: f"{content}".rstrip("\n") + "\n" for file, content in files.items() if content}
