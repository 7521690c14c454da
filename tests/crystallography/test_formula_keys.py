"""Keys of reduced formulas: one for equal ratios, whatever the cell and the order, and others for others."""

from __future__ import annotations

import torch
from pymatgen.core import Composition

from crystalgfn.crystallography.formula_keys import common_divisor, formula_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import formula_keys_of


def key(*pairs: tuple[int, int]) -> int:
    elements, counts = torch.tensor(pairs).T.unsqueeze(1)
    return int(formula_keys(elements, counts))


def test_keys_know_ratios_alone():
    mgo = key((12, 1), (8, 1))
    assert mgo == key((8, 4), (12, 4)) == key((12, 2), (8, 2), (3, 0))
    assert mgo not in {key((12, 1), (8, 2)), key((12, 2), (8, 1)), key((12, 1)), key((12, 1), (16, 1))}
    assert key((12, 1), (8, 2)) != key((12, 2), (8, 1))


def test_common_divisors():
    counts = torch.tensor([[4, 6, 0], [0, 0, 0], [5, 7, 9], [12, 12, 36]])
    assert common_divisor(counts).tolist() == [2, 0, 1, 12]


def test_keys_tell_formulas_apart_as_pymatgen_does():
    generator = torch.Generator().manual_seed(0)
    elements = (3, 8, 9, 26)
    counts = torch.randint(0, 7, (4_000, 4), generator=generator)
    counts = counts[counts.sum(1) > 0]
    lattice = torch.tensor([[4.0, 4.0, 4.0, 90.0, 90.0, 90.0]]).expand(len(counts), 6)
    crystals = Crystals(elements, torch.ones(len(counts)), counts, lattice)
    symbols = ("Li", "O", "F", "Fe")
    formulas = [
        Composition({s: n for s, n in zip(symbols, row, strict=True) if n}).reduced_composition.hill_formula
        for row in counts.tolist()
    ]
    keys = formula_keys_of(crystals).tolist()
    assert len(set(keys)) == len(set(formulas)) == len(set(zip(keys, formulas, strict=True)))
    assert min(keys) >= 0
