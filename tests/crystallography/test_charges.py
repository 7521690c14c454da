"""Oxidation states against pymatgen; neutrality against enumeration."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Element

from crystalgfn.crystallography.charges import OXIDATION_STATES, is_neutral
from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.errors import DataError


def cell(**counts: int) -> dict[int, int]:
    return {atomic_number(symbol): count for symbol, count in counts.items()}


def test_states_are_the_union_of_pymatgens_without_zero():
    assert len(OXIDATION_STATES) == 119
    assert OXIDATION_STATES[0] == ()
    for z in range(1, 119):
        element = Element.from_Z(z)
        union = set(element.common_oxidation_states) | set(element.icsd_oxidation_states)
        assert set(OXIDATION_STATES[z]) == union - {0}
        assert list(OXIDATION_STATES[z]) == sorted(OXIDATION_STATES[z])


@pytest.mark.parametrize(
    ("counts", "per_element", "per_atom"),
    [
        (cell(Na=4, Cl=4), True, True),
        (cell(Li=1, Fe=1, P=1, O=4), True, True),
        (cell(Na=1, O=1), False, False),
        (cell(Fe=24, O=32), False, True),  # magnetite: Fe2+ and Fe3+ in one cell
        (cell(Al=1, Mg=1), False, False),  # two metals
        (cell(Fe=2), True, True),  # one element
        (cell(He=2), True, True),  # one element, without oxidation states
        (cell(He=1, Na=1, Cl=1), False, False),  # He has no state
        (cell(Na=4, Cl=4, Fe=0), True, True),  # a zero is no atom
        ({}, True, True),
    ],
)
def test_known_crystals(counts, per_element, per_atom):
    assert is_neutral(counts, "per_element") == per_element
    assert is_neutral(counts, "per_atom") == per_atom
    assert is_neutral(counts, "none")


SYMBOL_POOL = ["Li", "Fe", "O", "S", "P", "Mn", "F", "Ti", "H", "Ne"]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(SYMBOL_POOL), st.integers(1, 4), min_size=2, max_size=3))
def test_agrees_with_enumeration_of_all_assignments(symbols):
    counts = cell(**symbols)
    per_element = itertools.product(*([n * q for q in OXIDATION_STATES[z]] for z, n in counts.items()))
    assert is_neutral(counts, "per_element") == any(sum(charges) == 0 for charges in per_element)
    sums = (
        {sum(choice) for choice in itertools.combinations_with_replacement(OXIDATION_STATES[z], n)}
        for z, n in counts.items()
    )
    assert is_neutral(counts, "per_atom") == any(sum(charges) == 0 for charges in itertools.product(*sums))


@given(st.dictionaries(st.sampled_from(SYMBOL_POOL), st.integers(0, 30), min_size=1, max_size=4))
def test_per_atom_accepts_all_that_per_element_accepts(symbols):
    counts = cell(**symbols)
    assert is_neutral(counts, "per_atom") or not is_neutral(counts, "per_element")


def test_many_atoms_are_quick():
    assert is_neutral(cell(C=100, Mn=67, O=259, S=37), "per_atom")


def test_wrong_rule_names_the_nearest():
    with pytest.raises(DataError, match="nearest: 'per_atom'"):
        is_neutral({1: 1}, "per-atom")


@pytest.mark.parametrize("counts", [{0: 1}, {119: 1}, {8: -1}])
def test_impossible_counts_are_errors(counts):
    with pytest.raises(DataError, match="allowed are 0 and more of elements 1 to 118"):
        is_neutral(counts, "per_atom")
