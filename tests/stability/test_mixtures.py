"""Compositions and formulas of phases, against pymatgen."""

import re

import pytest
from pymatgen.core import Composition

from crystalgfn.stability.mixtures import composition_key, formula_of


@pytest.mark.parametrize("formula", ["LiFePO4", "Fe2O3", "Mg17Al12", "NaCl", "Si", "Li10GeP2S12", "HgXeF8", "AlNi3"])
def test_formulas_are_those_of_pymatgen(formula):
    amounts = Composition(formula).get_el_amt_dict()
    key = composition_key({symbol: n / 7 for symbol, n in amounts.items()})
    written = Composition(formula).reduced_composition.formula  # "Li10 Ge1 P2 S12": a reduced formula may have brackets
    assert formula_of(key) == re.sub(r"\b([A-Z][a-z]?)1\b", r"\1", written).replace(" ", "")
