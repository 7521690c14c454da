"""The file ``vasprun.xml`` of a VASP run, with what pymatgen reads of it and numbers that a test chooses."""

from __future__ import annotations

import gzip
from pathlib import Path

from pymatgen.core import Structure


def vasprun(
    structure: Structure,
    energy: float,
    potcars: dict[str, str],
    *,
    hubbards: dict[str, float] | None = None,
    nsw: int = 0,
    ionic_steps: int = 1,
    electronic_steps: int = 12,
    metagga: str = "",
) -> str:
    """Return the text of a run.

    Args:
        structure: atoms of an element stand together.
        energy: eV, of the cell.
        potcars: symbol of the POTCAR of each element.
        hubbards: U (eV) by element.
        nsw: most ionic steps; their limit is reached where ``ionic_steps`` is as large.
        ionic_steps: number of ionic steps.
        electronic_steps: electronic steps of each, of at most 100.
        metagga: name of the meta-GGA; PBE by default.
    """
    symbols = list(dict.fromkeys(site.specie.symbol for site in structure))
    us = [hubbards.get(symbol, 0.0) for symbol in symbols] if hubbards else []
    incar = ['<i type="string" name="ALGO">Fast</i>', f'<i type="int" name="NSW">{nsw}</i>']
    if us:
        zeros = " ".join("0.0" for _ in us)
        incar += [
            '<i type="logical" name="LDAU">T</i>',
            f'<v name="LDAUU">{" ".join(map(str, us))}</v>',
            f'<v name="LDAUJ">{zeros}</v>',
        ]
    if metagga:
        incar.append(f'<i type="string" name="METAGGA">{metagga}</i>')
    atoms = "".join(f"<rc><c>{s.specie.symbol}</c><c>{symbols.index(s.specie.symbol) + 1}</c></rc>" for s in structure)
    kinds = [(int(structure.composition[symbol]), symbol, 1.0, 6.0, f"PAW_PBE {potcars[symbol]}") for symbol in symbols]
    types = "".join(f"<rc>{''.join(f'<c>{cell}</c>' for cell in kind)}</rc>" for kind in kinds)
    energies = "".join(f'<i name="{name}">{energy:.8f}</i>' for name in ("e_fr_energy", "e_wo_entrp", "e_0_energy"))
    step = f"<scstep><energy>{energies}</energy></scstep>" * electronic_steps
    calculation = f"<calculation>{step}{_structure(structure)}<energy>{energies}</energy></calculation>"
    parameters = (
        f'<i type="int" name="NELM">100</i><i type="int" name="NSW">{nsw}</i><i type="int" name="IBRION">2</i>'
        '<i name="EDIFFG">-0.01</i><i name="AEXX">0.0</i><i name="HFSCREEN">0.0</i>'
        '<i type="logical" name="LHFCALC">F</i>'
        f'<i type="logical" name="LDAU">{"T" if us else "F"}</i>'
        '<i type="string" name="GGA">PE</i><i type="int" name="ISPIN">2</i>'
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>'
        '<generator><i name="program" type="string">vasp</i><i name="version" type="string">6.4.2</i></generator>'
        f"<incar>{''.join(incar)}</incar>"
        '<kpoints><generation param="Gamma"><v type="int" name="divisions">4 4 4</v></generation></kpoints>'
        f"<parameters>{parameters}</parameters>"
        f'<atominfo><array name="atoms"><set>{atoms}</set></array>'
        f'<array name="atomtypes"><set>{types}</set></array></atominfo>'
        f"{_structure(structure, 'initialpos')}{calculation * ionic_steps}{_structure(structure, 'finalpos')}"
        "</modeling>\n"
    )


def write_vasprun(folder: Path, text: str, *, packed: bool = False) -> Path:
    """Write ``vasprun.xml`` into a folder, which is made, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ("vasprun.xml.gz" if packed else "vasprun.xml")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


def _structure(structure: Structure, name: str = "") -> str:
    basis, positions = (
        "".join(f"<v>{' '.join(f'{x:.10f}' for x in row)}</v>" for row in rows)
        for rows in (structure.lattice.matrix, structure.frac_coords)
    )
    attribute = f' name="{name}"' if name else ""
    return (
        f'<structure{attribute}><crystal><varray name="basis">{basis}</varray></crystal>'
        f'<varray name="positions">{positions}</varray></structure>'
    )
