"""Relaxed candidates to export: a magnetic oxide, a duplicate, a doubtful one, a formula that reads as a number."""

import numpy as np

from candidate_setup import salt
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.collection import Structures
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status
from crystalgfn.structures.relaxing.relaxation import SinglePoint

ABOVE, FORMATION = (
    PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin"),
    PotentialColumn(Quantity.FORMATION, "chgnet"),
)

RANKED = ["NaN", "FeO", "MgO", "CaO"]
"""Formulas of the candidates that are neither duplicates nor doubtful, best first."""


def relaxed(row, structure, above, flags=""):
    """A relaxed candidate of rock salt; its formation energy is 3 eV/atom below its energy above hull."""
    energies = {ABOVE: above, FORMATION: above - 3}
    formula = structure.composition.reduced_formula
    cells = Row(row, formula, Status.RELAXED, space_group=225, energies=energies, hull="builtin", flags=flags)
    primitive = structure.get_primitive_structure()
    point = SinglePoint(-10.0 - row, np.zeros((len(primitive), 3)), np.eye(3) / 100)
    return Candidate(cells, primitive, point=point)


def structures():
    """Seven candidates, the last of which has no structure."""
    made = [
        relaxed(0, salt("Ca", "O", a=4.81), 0.3),
        relaxed(1, salt("Mg", "O", a=4.21), 0.05),
        relaxed(2, salt("Mg", "O", a=4.22), 0.06),  # the same crystal as row 1
        relaxed(3, salt("Fe", "O", a=4.33), 0.02),
        relaxed(4, salt("Sr", "O", a=5.16), -0.5, "a hole"),
        relaxed(5, salt("Na", "N", a=4.6), 0.0),
        Candidate(Row(6, "BaO", reason="no placement")),
    ]
    return Structures(tuple(made), {"potential": "chgnet"})
