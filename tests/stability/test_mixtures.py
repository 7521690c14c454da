"""Compositions and formulas of phases, against pymatgen."""

import pytest
from pymatgen.core import Composition

from crystalgfn.stability.mixtures import composition_key, formula_of


@pytest.mark.parametrize("formula", ["LiFePO4", "Fe2O3", "Mg17Al12", "NaCl", "Si", "Li10GeP2S12", "HgXeF8", "AlNi3"])
def test_formulas_are_those_of_pymatgen(formula):
    amounts = Composition(formula).get_el_amt_dict()
    key = composition_key({symbol: n / 7 for symbol, n in amounts.items()})
    assert formula_of(key) == Composition(formula).get_integer_formula_and_factor()[0]
