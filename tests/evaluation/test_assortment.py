"""Some crystals of every class in turn, without those that are known, large or there already."""

import numpy as np
import torch

from crystalgfn.crystals.chemical_classes import classes_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.assortment import assorted

ELEMENTS = (8, 9, 12, 26)


def crystals(*rows, **columns) -> Crystals:
    """Cubic crystals (group, atoms of O, F, Mg, Fe in the conventional cell)."""
    groups, counts = [group for group, *_ in rows], [list(atoms) for _, *atoms in rows]
    lattice = torch.tensor([[4.0, 4.0, 4.0, 90.0, 90.0, 90.0]] * len(rows))
    return Crystals(ELEMENTS, torch.tensor(groups), torch.tensor(counts), lattice, columns)


TABLE = crystals(
    (225, 4, 0, 4, 0), (221, 1, 0, 0, 1), (221, 3, 0, 1, 1), (221, 0, 1, 1, 0), (221, 0, 0, 1, 1), (225, 4, 0, 4, 0)
)  # fmt: skip


def test_classes_come_in_turn_and_in_the_order_of_the_table():
    assert classes_of(TABLE) == ["oxides"] * 3 + ["halides", "intermetallics", "oxides"]
    assert assorted(TABLE, 4).equals(TABLE[np.array([0, 3, 4, 1])])
    assert assorted(TABLE, 10).equals(TABLE[np.array([0, 3, 4, 1, 2])])  # the last is there already


def test_known_crystals_and_new_patterns_are_passed_over():
    known, pattern = np.array([1.0, 0, 0, 0, 0, 0]), np.array([1.0, 1, 1, 0, 1, 1])
    told = crystals(*((int(g), *c) for g, c in zip(TABLE.space_group, TABLE.counts.tolist(), strict=True)))
    told = told.with_columns(known=known, known_pattern=pattern)
    assert assorted(told, 10).formulas == [told.formulas[row] for row in (1, 4, 2, 5)]


def test_atoms_of_the_primitive_cell_are_limited():
    assert assorted(TABLE, 10, max_atoms=2).formulas == [TABLE.formulas[row] for row in (0, 3, 4, 1)]
    assert len(assorted(TABLE, 10, max_atoms=1)) == 0


def test_the_most_probable_come_first_where_there_is_a_prior():
    told = TABLE.with_columns(log_prior=np.array([-9.0, -3, -5, -1, -2, -4]))
    assert assorted(told, 10).formulas == [TABLE.formulas[row] for row in (1, 3, 4, 5, 2)]


def test_crystals_of_no_large_class_come_last():
    pure = crystals((225, 0, 0, 4, 0), (225, 4, 0, 4, 0), (221, 1, 0, 0, 1), (221, 0, 1, 1, 0))
    assert assorted(pure, 4).formulas == [pure.formulas[row] for row in (1, 3, 2, 0)]
