"""Candidates made by hand, as objects and as a folder, with energies and outcomes that tests choose."""

from pymatgen.core import Lattice, Structure

from crystalgfn.evaluation.candidates import Candidates
from crystalgfn.files.atomic import write_json
from crystalgfn.structures.candidates.folder import MANIFEST
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status
from crystalgfn.structures.candidates.table import CandidateTable, write_tables
from crystalgfn.structures.export.cif import write_cif

FORMATION = PotentialColumn(Quantity.FORMATION, "chgnet")


def salt(metal, anion, kind="rocksalt", a=5.0):
    """A crystal of two elements in the type of rock salt or of caesium chloride."""
    group = {"rocksalt": 225, "caesium": 221}[kind]
    return Structure.from_spacegroup(group, Lattice.cubic(a), [metal, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def candidate(number, structure, formation, **more):
    """A relaxed row: unique, novel, unflagged and with its group kept unless told otherwise."""
    cells = {
        "row": number,
        "formula": structure.composition.reduced_formula,
        "status": Status.RELAXED,
        "space_group": 225,
        "space_group_asked": 225,
        "match_group": number,
        "novel": True,
        "flags": "",
        "converged": True,
        "seconds": 3.0,
        "seconds_cpu": 2.0,
    }
    return Row(**{**cells, "energies": {FORMATION: formation}, **more})


def failure(number, **more):
    """A row without a structure."""
    return Row(
        row=number,
        formula="AgBr",
        reason="no placement",
        counts={"Ag": 4, "Br": 4},
        seconds=9.0,
        seconds_cpu=6.0,
        **more,
    )


def candidates_of(rows, structures):
    """Candidates of rows and their structures, by row."""
    return Candidates("candidates", CandidateTable(tuple(rows)), structures, {}, manifest={"potential": "chgnet"})


def write_candidates(folder, rows, structures):
    """Write a folder of candidates as ``crystalgfn structures`` does."""
    from dataclasses import replace

    (folder / "cif").mkdir(parents=True)
    for number, structure in structures.items():
        write_cif(folder / "cif" / f"{number}.cif", structure)
    named = [replace(row, cif=f"cif/{row.row}.cif") if row.row in structures else row for row in rows]
    write_tables(folder, lambda: iter(named))
    write_json(folder / MANIFEST, {"potential": "chgnet"})
    return folder
