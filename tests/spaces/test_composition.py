"""Composition masks: what they lead to is exactly what satisfies the constraints, and there are no dead ends."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings

from composition_constraints import composition_constraints
from composition_problems import problems
from crystalgfn.crystallography.charges import Neutrality, is_neutral
from crystalgfn.crystallography.elements import FORMULA_ORDER
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.constraints.at_most_one_of import AtMostOneOf
from crystalgfn.spaces.constraints.registry import with_values
from crystalgfn.spaces.crystal import formula_order
from direct_compositions import enumerate_by_masks, enumerate_directly, satisfies


def check(elements, groups, limits):
    """Compare both enumerations in every group; return how many compositions there are."""
    elements = formula_order(elements)
    expected = {group: enumerate_directly(elements, group, limits) for group in groups}
    if not any(expected.values()):
        with pytest.raises(ConstraintError):
            CompositionSpace(elements, groups, limits)
        return 0
    space = CompositionSpace(elements, groups, limits)
    for group in groups:
        assert bool(space.feasible[group]) == bool(expected[group])
        if expected[group]:
            assert enumerate_by_masks(space, group) == expected[group]
        bound = space.tables.completions[space.max_elements, space.tables.occupancy.start[group], 0]
        assert bound == len(expected[group]) if limits["charge"] is None else bound >= len(expected[group])
    return sum(map(len, expected.values()))


FREE = composition_constraints(n_elements=(1, 3), n_atoms=(1, 12), atoms_per_element=(1, 12), charge="none")


@settings(max_examples=80)
@given(problems())
@example(([8, 26], [1, 225], with_values(FREE, n_elements=(2, 2), n_atoms=(1, 40), atoms_per_element=(1, 20))))
@example(([8, 26, 3], [227], with_values(FREE, n_atoms=(1, 60), n_atoms_primitive=(1, 14), atoms_per_element=(1, 32))))
@example(([2, 10], [62], with_values(FREE, charge="per_element")))  # mixtures of noble gases have no charges at all
@example(([2, 8], [1], with_values(FREE, charge="per_atom")))
@example(([12, 8], [1], with_values(FREE, required=(8,), allowed=(12,))))
def test_masks_lead_to_exactly_what_satisfies_the_constraints(problem):
    check(*problem)


@pytest.mark.parametrize("neutrality", ["per_element", "per_atom", "common", "common_strict", "none"])
@pytest.mark.parametrize("wyckoff", [True, False])
def test_neutrality_and_wyckoff_together(neutrality, wyckoff):
    limits = with_values(FREE, charge=neutrality, wyckoff=wyckoff, n_atoms=(1, 24), n_atoms_primitive=(1, 9))
    assert check([1, 8, 26, 17], [2, 139, 166, 191], limits) > 100


CHANGES = {
    "allowed": {"allowed": (1, 8, 26)},
    "required": {"required": (8,)},
    "two required": {"required": (26, 1)},
    "n_elements": {"n_elements": (2, 2)},
    "n_atoms": {"n_atoms": (5, 8)},
    "n_atoms_primitive": {"n_atoms_primitive": (3, 4)},
    "atoms_per_element": {"atoms_per_element": (2, 4)},
    "charge": {"charge": "per_element"},
    "wyckoff": {"wyckoff": True},
    "any_of": {"any_of": ((1, 8), (17,))},
    "named stoichiometry": {"stoichiometry": Stoichiometry.parse("FeO2")},
    "open stoichiometry": {"stoichiometry": Stoichiometry.parse("AB2")},
    "mixed stoichiometry": {"stoichiometry": Stoichiometry.parse("ABO3")},
    "shares": {"shares": ((8, 0.5, 0.75),)},
    "two shares": {"shares": ((8, 0.2, 0.6), (26, 0.0, 0.25))},
    "electronegativity": {"charge": "per_element", "electronegativity": True},
    "at_most_one_of": {"at_most_one_of": AtMostOneOf.parse([["H", "O"], ["O", "Cl"]])},
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_each_constraint_alone_changes_the_space_as_it_should(change):
    wide = with_values(FREE, n_atoms=(1, 10), wyckoff=False)
    elements, groups = [1, 8, 17, 26], [5, 62]
    assert 0 < check(elements, groups, with_values(wide, **CHANGES[change])) < check(elements, groups, wide)


OXYGEN = Neutrality("common", ((8, (-2, -1)),))


@pytest.mark.parametrize(
    "rule",
    [
        "common",
        "common_strict",
        Neutrality("common", ((11, (1,)), (17, (-1,)))),
        OXYGEN,
        Neutrality("common", ((19, (2,)),)),
    ],
    ids=["common", "strict", "own", "own of oxygen", "own of a cation"],
)
@pytest.mark.parametrize("pauling", [False, True])
@pytest.mark.parametrize("elements", [[1, 8, 11, 19], [8, 12, 19, 80], [8, 9, 11, 55], [6, 8, 11, 17]], ids=str)
def test_peroxides_and_superoxides_are_neutral_and_nothing_else_with_them(elements, pauling, rule):
    """Against brute force, under every rule of common states, with and without the test of electronegativity."""
    limits = composition_constraints(
        n_elements=(1, 4),
        n_atoms=(1, 9),
        n_atoms_primitive=(1, 9),
        atoms_per_element=(1, 6),
        charge=rule,
        electronegativity=pauling,
    )
    assert check(elements, [1, 225], limits) > 0


@pytest.mark.parametrize("elements", [[6, 34, 8], [1, 46, 77, 9], [14, 29, 8, 75]], ids=["C Se", "H Pd Ir", "Si Cu Re"])
def test_elements_of_equal_electronegativity_have_no_opposite_charges(elements):
    """Where smact's test meets a tie, a cation may not be followed by an anion, but by another cation."""
    limits = composition_constraints(
        n_elements=(1, 4), n_atoms=(1, 9), n_atoms_primitive=(1, 9), atoms_per_element=(1, 6), electronegativity=True
    )
    found = check(elements, [1], limits)
    assert 0 < found < check(elements, [1], with_values(limits, electronegativity=False))


def test_a_stoichiometry_and_a_number_of_elements_that_contradict_it():
    with pytest.raises(ConstraintError, match="3 elements, n_elements allows 2 to 2"):
        CompositionSpace(formula_order([8, 12]), [1], with_values(CHANGED, n_elements=(2, 2)))


CHANGED = with_values(FREE, stoichiometry=Stoichiometry.parse("ABO3"))


def test_every_space_group_with_a_few_atoms():
    limits = composition_constraints(
        n_elements=(1, 2), n_atoms=(1, 400), n_atoms_primitive=(1, 8), atoms_per_element=(1, 32)
    )
    elements = formula_order([8, 26])
    space = CompositionSpace(elements, range(1, 231), limits)
    assert space.feasible[1]
    for group in range(1, 231):
        expected = enumerate_directly(elements, group, limits)
        assert bool(space.feasible[group]) == bool(expected)
        if expected:
            assert enumerate_by_masks(space, group) == expected


def random_compositions(space, number, generator):
    """Compositions with random groups, elements and multiplicities that often fit: ``(B,)``, ``(B, m)``, ``(B, m)``."""
    groups = space.feasible.nonzero().squeeze(1)
    group = groups[torch.randint(len(groups), (number,), generator=generator)]
    m, n_elements = space.max_elements, len(space.elements)
    elements, counts = torch.zeros(2, number, m, dtype=torch.int64).unbind(0)
    size = torch.randint(1, m + 1, (number,), generator=generator)
    for row in range(number):
        cells = int(CENTERING_MULTIPLICITY[group[row]])
        sites = [p.multiplicity // cells for p in WYCKOFF[int(group[row])]]
        t = int(size[row])
        elements[row, :t] = 1 + torch.randperm(n_elements, generator=generator)[:t].sort().values
        pick = torch.randint(len(sites), (t,), generator=generator).tolist()
        counts[row, :t] = torch.tensor([min(sites[p], space.max_count) for p in pick])
    return group, elements, counts


@pytest.mark.parametrize("neutrality", ["per_element", "per_atom", "none"])
def test_membership_at_full_size_agrees_with_direct_checks(neutrality):
    limits = composition_constraints(
        n_elements=(2, 4), n_atoms=(1, 400), n_atoms_primitive=(1, 24), atoms_per_element=(1, 64), charge=neutrality
    )
    space = CompositionSpace(FORMULA_ORDER[:-20], range(1, 231), limits)
    generator = torch.Generator().manual_seed(0)
    group, elements, counts = random_compositions(space, 1500, generator)
    verdict = space.allows(group, elements, counts)
    assert 0.02 < verdict.float().mean() < 0.9
    cells = torch.tensor(CENTERING_MULTIPLICITY)[group].unsqueeze(1)
    for row, (g, e, k) in enumerate(zip(group.tolist(), elements.tolist(), (counts * cells).tolist(), strict=True)):
        numbers = tuple(space.elements[d - 1] for d in e if d)
        assert bool(verdict[row]) == satisfies(numbers, tuple(n for n in k if n), g, limits)


def test_single_elements_are_neutral_and_mixtures_with_noble_gases_are_not():
    limits = with_values(FREE, n_elements=(1, 2), charge="per_element", wyckoff=False)
    space = CompositionSpace(formula_order([2, 8]), [1], limits)
    found = enumerate_by_masks(space, 1)
    assert {len(c) for c in found} == {1}
    assert {column for ((column, _),) in found} == {0, 1}
    assert not is_neutral({2: 1, 8: 1}, "per_element")


def test_spinel_and_hematite_are_compositions():
    limits = composition_constraints(
        n_elements=(2, 4), n_atoms=(1, 400), n_atoms_primitive=(1, 24), atoms_per_element=(1, 64)
    )
    space = CompositionSpace(formula_order([8, 12, 13, 26]), range(1, 231), limits)
    column = {z: d + 1 for d, z in enumerate(space.elements)}
    spinel = sorted((column[z], n) for z, n in {12: 2, 13: 4, 8: 8}.items())  # MgAl2O4, 8 + 16 + 32 in group 227
    hematite = sorted((column[z], n) for z, n in {26: 4, 8: 6}.items())  # Fe2O3, 12 + 18 on hexagonal axes in 167
    elements = torch.tensor([[e for e, _ in spinel] + [0], [e for e, _ in hematite] + [0, 0]])
    counts = torch.tensor([[n for _, n in spinel] + [0], [n for _, n in hematite] + [0, 0]])
    assert space.allows(torch.tensor([227, 167]), elements, counts).all()
    assert not space.allows(torch.tensor([230, 230]), elements, counts).any()


@pytest.mark.parametrize(
    ("elements", "counts"),
    [
        ([1, 0], [2, 0]),  # too few elements
        ([2, 1], [1, 1]),  # wrong order: not a composition as the space writes it
        ([1, 1], [1, 1]),  # one element twice
        ([0, 0], [0, 0]),  # nothing
    ],
)
def test_what_is_not_a_composition_of_the_space_is_not_allowed(elements, counts):
    space = CompositionSpace(formula_order([8, 12]), [1], with_values(FREE, n_elements=(2, 2)))
    assert not space.allows(torch.tensor([1]), torch.tensor([elements]), torch.tensor([counts])).any()


def test_infeasible_groups_are_left_out():
    # group 230 has no position below 16 atoms in the conventional cell
    space = CompositionSpace(
        formula_order([8, 26]), [1, 230], with_values(FREE, n_atoms=(1, 15), atoms_per_element=(1, 15))
    )
    assert space.feasible.nonzero().flatten().tolist() == [1]
