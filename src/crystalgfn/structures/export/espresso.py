"""Input of Quantum ESPRESSO: a relaxation of cell and atoms (``vc-relax``) by pw.x, with SSSP pseudopotentials.

Files and cutoffs are those of SSSP 1.3.0 PBE Efficiency (Prandini et al., npj Comput. Mater. 4, 72 (2018)): the largest
cutoffs that an element of the crystal asks for. There is no Hubbard U, so that energies of oxides of transition metals
are not on the Materials Project's scale.
"""

from __future__ import annotations

import io
import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crystalgfn.errors import DataError
from crystalgfn.structures.export.extxyz import to_atoms
from crystalgfn.structures.quiet import quiet

if TYPE_CHECKING:
    from pymatgen.core import Structure

TABLE = Path(__file__).parent / "data" / "sssp.json"
"""Names and cutoffs (Ry) of the pseudopotentials by element, made by ``scripts/data/build_sssp.py``."""

PSEUDO = "../pseudo"
"""The folder of pseudopotentials, as seen from the folder of an input."""

K_SPACING = 0.2
"""Largest distance of k points, 1/A, with the factor of 2 pi."""

POLARISATION = 0.5
"""Starting magnetization of atoms with a local moment, as a share of their valence electrons."""

INPUT: dict[str, dict[str, Any]] = {
    "control": {
        "calculation": "vc-relax",
        "prefix": "pwscf",
        "outdir": "./out",
        "pseudo_dir": PSEUDO,
        "tprnfor": True,
        "tstress": True,
        "etot_conv_thr": 1e-5,
        "forc_conv_thr": 1e-4,
        "nstep": 200,
    },
    "system": {"ibrav": 0, "occupations": "smearing", "smearing": "cold", "degauss": 0.01},
    "electrons": {"conv_thr": 1e-9, "mixing_beta": 0.4, "electron_maxstep": 200},
    "ions": {"ion_dynamics": "bfgs"},
    "cell": {"cell_dynamics": "bfgs", "press_conv_thr": 0.5},
}
"""Settings that all inputs share, in the units of pw.x (Ry, kbar)."""

README = f"""Inputs of Quantum ESPRESSO (pw.x): relaxations of cell and atoms, one folder for each candidate.
index.csv lists the folders, best candidate first.

Put the files of SSSP 1.3.0 PBE Efficiency (materialscloud.org) into {PSEUDO.removeprefix("../")}/, then in each folder:

    pw.x -in pw.in > pw.out
"""


def espresso_files(structure: Structure) -> dict[str, str]:
    """Return ``pw.in`` for a relaxation of a primitive cell of N atoms.

    The calculation is spin-polarised where an element has a starting moment in the Materials Project's inputs.

    Raises:
        DataError: SSSP has no pseudopotential of an element.
    """
    from ase.io.espresso import write_espresso_in

    table = pseudopotentials()
    symbols = sorted(element.symbol for element in structure.composition.elements)
    missing = [symbol for symbol in symbols if symbol not in table]
    if missing:
        raise DataError(f"SSSP has no pseudopotential of {', '.join(missing)}")
    atoms = to_atoms(structure)
    atoms.set_initial_magnetic_moments([POLARISATION * (symbol in _magnetic()) for symbol in atoms.symbols])
    cutoffs = {
        "ecutwfc": max(table[symbol]["cutoff_wfc"] for symbol in symbols),
        "ecutrho": max(table[symbol]["cutoff_rho"] for symbol in symbols),
    }
    stream = io.StringIO()
    with quiet():
        write_espresso_in(
            stream,
            atoms,
            input_data={**INPUT, "system": {**INPUT["system"], **cutoffs}},
            pseudopotentials={symbol: table[symbol]["filename"] for symbol in symbols},
            kspacing=K_SPACING / (2 * math.pi),  # ASE's reciprocal cell is without the factor
            crystal_coordinates=True,
        )
    return {"pw.in": stream.getvalue()}


@cache
def pseudopotentials() -> dict[str, dict[str, Any]]:
    """Return the pseudopotentials by element: ``filename``, ``cutoff_wfc`` and ``cutoff_rho`` (Ry), ``md5``."""
    content: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())["pseudopotentials"]
    return content


@cache
def _magnetic() -> frozenset[str]:
    """Elements that the Materials Project's inputs name with a starting moment, in any oxidation state."""
    from pymatgen.io.vasp.sets import MPRelaxSet

    return frozenset(species.rstrip("0123456789+") for species in MPRelaxSet.CONFIG["INCAR"]["MAGMOM"])
