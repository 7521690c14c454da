"""Oxidation states against pymatgen; neutrality against enumeration."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Element

from crystalgfn.crystallography.charges import COMMON_STATES, OXIDATION_STATES, POLYANIONS, Neutrality, is_neutral
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


def test_common_states_are_pymatgens_without_zero():
    assert len(COMMON_STATES) == 119
    for z in range(1, 119):
        assert COMMON_STATES[z] == tuple(sorted(set(Element.from_Z(z).common_oxidation_states) - {0}))
        assert set(COMMON_STATES[z]) <= set(OXIDATION_STATES[z])


COMMON = [
    # the charges that a chemist writes
    (cell(Li=6, P=1, S=5, Cl=1), True, True),
    (cell(Na=1, Cl=1), True, True),
    (cell(Ti=1, O=2), True, True),
    (cell(Ca=1, Ti=1, O=3), True, True),
    (cell(Ti=2, O=3), False, False),  # Ti3+ is in ICSD, but not common
    (cell(Li=1, P=7, S=6, Cl=6), False, False),
    (cell(Fe=3, O=4), False, False),  # mixed valence
    (cell(Fe=1, S=2), False, False),  # pyrite: S- is not common, and disulfides are not told apart
    # peroxides
    (cell(Na=2, O=2), True, False),
    (cell(Li=2, O=2), True, False),
    (cell(Ba=1, O=2), True, False),
    (cell(H=2, O=2), True, False),
    (cell(Zn=1, O=2), True, False),
    (cell(Na=1, K=1, O=2), True, False),
    (cell(Na=4, Ba=1, O=6), True, False),
    # superoxides
    (cell(K=1, O=2), True, False),
    (cell(Na=1, Cs=1, O=4), True, False),
    # neither: no such cation, another anion beside, too much or too little oxygen
    (cell(Al=2, O=6), False, False),
    (cell(Fe=2, O=6), False, False),
    (cell(Li=1, O=2), False, False),
    (cell(Ba=1, O=4), False, False),
    (cell(Na=1, O=1, F=1), False, False),
    (cell(Na=1, O=3), False, False),
    (cell(Na=2, O=3), False, False),
    (cell(K=1, Al=1, O=3), False, False),
]


@pytest.mark.parametrize(("counts", "common", "strict"), COMMON)
def test_common_states_peroxides_and_superoxides(counts, common, strict):
    assert is_neutral(counts, "common") == common
    assert is_neutral(counts, "common_strict") == strict
    many = {z: 6 * n for z, n in counts.items()}
    assert is_neutral(many, "common") == common


def test_own_states_take_the_place_of_those_of_the_rule():
    p, s, cl, o, na = (atomic_number(symbol) for symbol in ("P", "S", "Cl", "O", "Na"))
    thiophosphate = Neutrality("common", ((p, (5,)), (s, (-2,)), (cl, (-1,))))
    assert is_neutral(cell(Li=6, P=1, S=5, Cl=1), thiophosphate)
    assert not is_neutral(cell(Li=2, P=1, S=3), "common")  # P4+ is not common
    assert is_neutral(cell(Li=2, P=1, S=3), Neutrality("common", ((p, (4,)),)))
    assert not is_neutral(cell(Li=3, P=1), thiophosphate)  # Li3P: P3- is no longer allowed
    assert is_neutral(cell(Li=3, P=1), "common")
    # oxygen with states of its own is in no peroxide of the rule
    assert not is_neutral(cell(K=1, O=2), Neutrality("common", ((o, (-2,)),)))
    assert is_neutral(cell(Al=2, O=6), Neutrality("common", ((o, (-1,)),)))
    # and a cation only with the state that it has in salts
    assert not is_neutral(cell(Na=2, O=2), Neutrality("common", ((na, (-1,)),)))


def test_cations_of_salts_have_their_only_common_states():
    for salt in POLYANIONS:
        assert salt.state in (Fraction(-1), Fraction(-1, 2))
        for z, state in salt.cations:
            assert state in COMMON_STATES[z]


@given(st.dictionaries(st.sampled_from(SYMBOL_POOL), st.integers(0, 9), min_size=1, max_size=4))
def test_stricter_rules_allow_less(symbols):
    counts = cell(**symbols)
    assert is_neutral(counts, "common") or not is_neutral(counts, "common_strict")
    assert is_neutral(counts, "per_element") or not is_neutral(counts, "common_strict")
