"""Bounds on the lattice in the stack of spaces: they hold for all samples, without dead ends, and name themselves."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from composition_constraints import composition_constraints
from composition_problems import problems
from crystalgfn.crystallography.elements import ATOMIC_MASS
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.cell_totals import cell_totals, mean_masses
from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.constraints.lattice_bounds import LatticeBounds
from crystalgfn.spaces.constraints.registry import with_values
from crystalgfn.spaces.crystal import CrystalSpace, formula_order
from crystalgfn.spaces.lattice_box import BoxLattice
from crystalgfn.spaces.lattice_volume import VolumeLattice
from direct_compositions import enumerate_by_masks, enumerate_directly
from policy_setup import GROUPS, random_policy

LIMITS = composition_constraints(
    n_elements=(1, 3), n_atoms=(1, 64), n_atoms_primitive=(1, 12), atoms_per_element=(1, 48), charge="per_atom"
)
ELEMENTS = (8, 9, 12, 26)
CASES = {
    "lengths": LatticeBounds(lengths=(5, 9)),
    "angles": LatticeBounds(angles=(80, 100)),
    "volume": LatticeBounds(volume_per_atom=(11, 13)),
    "density": LatticeBounds(density=(3, 5)),
    "ratio": LatticeBounds(longest_over_shortest=1.3),
    "lengths and volume": LatticeBounds(lengths=(6, 9), volume_per_atom=(9, 20)),
    "lengths and density": LatticeBounds(lengths=(3, 14), density=(1, 6), longest_over_shortest=5),
    "volume and density": LatticeBounds(volume_per_atom=(4, 25), density=(2, 7)),
    "all": LatticeBounds((3, 14), (60, 120), (5, 30), (1.5, 7.5), 3),
}


def space_of(lattice, *, elements=ELEMENTS, groups=GROUPS, limits=LIMITS):
    return CrystalSpace(elements, groups, constraints=limits, lattice=lattice)


def check(crystals, bounds):
    lengths, angles = crystals.lattice[:, :3], crystals.lattice[:, 3:]
    ratio = lengths.amax(1) / lengths.amin(1)
    for limits, values, slack in (
        (bounds.lengths, lengths, 0),
        (bounds.angles, angles, 0),
        (bounds.volume_per_atom, crystals.volume_per_atom, 1e-12),
        (bounds.density, crystals.density, 1e-12),
        (bounds.longest_over_shortest and (1, bounds.longest_over_shortest), ratio, 0),
    ):
        if limits:
            assert values.min() >= limits[0] * (1 - slack)
            assert values.max() <= limits[1] * (1 + slack)


@pytest.mark.parametrize("case", CASES)
def test_samples_of_any_policy_hold_the_bounds(case):
    space = space_of(VolumeLattice(bounds=CASES[case]))
    policy = random_policy(space, seed=0)
    trajectories = policy.sample(2000, space, generator=torch.Generator().manual_seed(0))
    scores = policy.score(trajectories, space)
    assert torch.isfinite(scores.log_pf.sum(1) + scores.log_pb.sum(1)).all()
    crystals = space.crystals(trajectories.states)
    check(crystals, CASES[case])
    back, rows = space.states(crystals)
    assert len(rows) == 2000
    assert torch.allclose(back.u, trajectories.states.u, atol=1e-6)
    totals = cell_totals(space.elements, GROUPS, space.composition.limits, space.lattice.decoder)
    if totals:
        pairs = zip(crystals.space_group.tolist(), crystals.n_atoms.tolist(), strict=True)
        assert all(n in totals[g] for g, n in pairs)


def test_boxes_hold_the_bounds_too():
    bounds = LatticeBounds(lengths=(4, 12), angles=(60, 120), longest_over_shortest=2)
    space = space_of(BoxLattice(bounds=bounds))
    states = random_policy(space, seed=0).sample(2000, space, generator=torch.Generator().manual_seed(0)).states
    check(space.crystals(states), bounds)
    assert len(space.states(space.crystals(states))[1]) == 2000


def masks_agree(elements, groups, limits, numbers):
    """Compare masks with direct enumeration, where crystals may end at these numbers of atoms (primitive cell)."""
    totals = {g: frozenset(n * int(CENTERING_MULTIPLICITY[g]) for n in numbers) for g in groups}
    expected = {
        g: {c for c in enumerate_directly(elements, g, limits) if sum(k for _, k in c) in numbers} for g in groups
    }
    if not any(expected.values()):
        with pytest.raises(ConstraintError):
            CompositionSpace(elements, groups, limits, totals)
        return
    space = CompositionSpace(elements, groups, limits, totals)
    for g in groups:
        assert bool(space.feasible[g]) == bool(expected[g])
        if expected[g]:
            assert enumerate_by_masks(space, g) == expected[g]


@settings(max_examples=40, deadline=None)
@given(
    elements=st.lists(st.sampled_from([1, 3, 8, 9, 26]), min_size=1, max_size=3, unique=True),
    groups=st.lists(st.integers(1, 230), min_size=1, max_size=2, unique=True),
    numbers=st.sets(st.integers(1, 12)),
    neutrality=st.sampled_from(["per_element", "none"]),
    least=st.sampled_from([1, 5]),
)
def test_masks_lead_to_exactly_the_compositions_with_the_numbers_of_atoms(elements, groups, numbers, neutrality, least):
    elements = formula_order(elements)
    limits = composition_constraints(
        n_elements=(1, 2),
        n_atoms=(least, 400),
        n_atoms_primitive=(1, 10),
        atoms_per_element=(1, 40),
        charge=neutrality,
    )
    masks_agree(elements, groups, limits, numbers)


@settings(max_examples=60, deadline=None)
@given(problems(), st.sets(st.integers(1, 14), min_size=1, max_size=8))
def test_the_same_together_with_every_other_constraint(problem, numbers):
    elements, groups, limits = problem
    elements = formula_order(elements)
    masks_agree(elements, groups, limits, numbers)


@pytest.mark.parametrize("formula", ["MgO", "AB2", "FeX3", "A2OX4"])
def test_masses_of_a_stoichiometry(formula):
    """Of O, F, Mg, Fe: the lightest and the heaviest crystals that have the formula."""
    limits = with_values(LIMITS, stoichiometry=Stoichiometry.parse(formula))
    low, high = mean_masses(ELEMENTS, limits.composition_limits(ELEMENTS), 12)
    weight = {z: float(ATOMIC_MASS[z]) for z in ELEMENTS}
    ways = [
        sum(weight[z] * n for z, n in zip(chosen, ratios, strict=True)) / sum(ratios)
        for chosen in permutations(ELEMENTS, limits["stoichiometry"].n_elements)
        for ratios in [
            [r for _, r in limits["stoichiometry"].named] + list(limits["stoichiometry"].open),
        ]
        if all(z == chosen[i] for i, (z, _) in enumerate(limits["stoichiometry"].named))
    ]
    assert (low, high) == pytest.approx((min(ways), max(ways)))


def test_a_stoichiometry_leaves_cells_that_other_compositions_would_not_have():
    bounds = LatticeBounds(density=(3, 4.5), volume_per_atom=(8, 12))
    limits = with_values(LIMITS, stoichiometry=Stoichiometry.parse("MgO"))
    space = space_of(VolumeLattice(bounds=bounds), limits=limits, elements=(1, *ELEMENTS))
    states = random_policy(space, seed=0).sample(200, space, generator=torch.Generator().manual_seed(0)).states
    check(space.crystals(states), bounds)


def test_numbers_of_atoms_are_left_out_only_where_some_composition_has_no_cell():
    bounds = LatticeBounds(lengths=(3, 9), density=(2, 6))
    lattice = VolumeLattice(bounds=bounds)
    totals = cell_totals(ELEMENTS, [225], LIMITS.composition_limits(ELEMENTS), lattice)[225]
    masses = ATOMIC_MASS[[min(ELEMENTS), max(ELEMENTS)]]  # crystals of one element are among them
    for n in range(4, 49, 4):
        least, most = (n * masses / 0.602214076 / rho for rho in (6, 2))  # of volumes, lightest and heaviest
        both = ((least < 9**3) & (most > 27)).all()
        assert (n in totals) == both
    assert 0 < len(totals) < 12
    limits = LIMITS.composition_limits(ELEMENTS)
    assert cell_totals(ELEMENTS, GROUPS, limits, VolumeLattice()) is None
    assert cell_totals(ELEMENTS, GROUPS, limits, VolumeLattice(bounds=LatticeBounds(lengths=(3, 9)))) is None


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"required": (9,), "n_elements": (1, 2)},
        {"n_elements": (3, 4), "atoms_per_element": (1, 3)},
        {"atoms_per_element": (2, 4), "allowed": (8, 9, 26), "n_elements": (2, 3), "required": (26,)},
    ],
)
def test_mean_masses_equal_those_of_all_compositions(limits):
    limits = composition_constraints(**{"n_elements": (1, 4), "atoms_per_element": (1, 9), **limits}, charge="none")
    limits = with_values(limits, wyckoff=False, n_atoms=(1, 9))
    means = {}
    for composition in enumerate_directly(ELEMENTS, 1, limits):
        n_atoms = sum(n for _, n in composition)
        mass = sum(ATOMIC_MASS[ELEMENTS[d]] * n for d, n in composition)
        means.setdefault(n_atoms, []).append(mass / n_atoms)
    assert len(means) > 3
    for n_atoms, values in means.items():
        low, high = mean_masses(ELEMENTS, limits.composition_limits(ELEMENTS), n_atoms)
        assert low <= min(values) * (1 + 1e-12)
        assert high >= max(values) * (1 - 1e-12)
        if limits["atoms_per_element"][0] == 1:
            assert (low, high) == pytest.approx((min(values), max(values)))


def test_groups_without_a_cell_are_not_sampled():
    space = space_of(VolumeLattice(bounds=LatticeBounds(angles=(75, 110))))
    assert space.groups.allowed.nonzero().flatten().tolist() == [1, 2, 14, 62, 123, 225, 227]
    space = space_of(VolumeLattice(bounds=LatticeBounds(angles=(75, 89))))
    assert space.groups.allowed.nonzero().flatten().tolist() == [1, 2]


IMPOSSIBLE = {
    "angles": (
        LatticeBounds(angles=(100, 130)),
        [225],
        ["lattice.angles [100, 130] degree"],
        ["lengths", "other groups"],
    ),
    "lengths": (
        LatticeBounds(lengths=(20, 30), volume_per_atom=(8, 20)),
        [225],
        ["lattice.lengths [20, 30] A", "lattice.volume_per_atom [8, 20] A^3"],
        ["neutrality", "angles"],
    ),
    "density": (
        LatticeBounds(density=(3, 4), volume_per_atom=(8, 20)),
        [1, 225],
        [
            "lattice.density [3, 4] g/cm3 (for the lightest and the heaviest composition alike)",
            "lattice.volume_per_atom",
        ],
        ["neutrality"],
    ),
    "together": (
        LatticeBounds(lengths=(20, 30), density=(2, 3), volume_per_atom=(8, 10)),
        [225],
        ["all of lattice.lengths [20, 30] A, lattice.volume_per_atom [8, 10] A^3, lattice.density [2, 3] g/cm3"],
        ["neutrality"],
    ),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_bounds_that_leave_nothing_name_themselves(case):
    bounds, groups, words, absent = IMPOSSIBLE[case]
    with pytest.raises(ConstraintError) as error:
        space_of(VolumeLattice(bounds=bounds), groups=groups)
    message = str(error.value)
    assert "\n" not in message
    assert all(w in message for w in words), message
    assert not any(w in message for w in absent), message


def test_an_empty_space_under_bounds_still_names_another_culprit():
    limits = composition_constraints(n_elements=(2, 2), n_atoms=(1, 2), atoms_per_element=(1, 48))
    with pytest.raises(ConstraintError, match="n_atoms") as error:
        space_of(VolumeLattice(bounds=LatticeBounds(lengths=(3, 9))), groups=[225], limits=limits)
    assert "lattice" not in str(error.value)
