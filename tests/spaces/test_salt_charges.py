"""Charges with salts of polyanions: for what is pinned in other tests nothing changes, and devices follow."""

from __future__ import annotations

import torch

from composition_constraints import composition_constraints
from crystalgfn.config import parse_config
from crystalgfn.crystallography.charges import Neutrality, is_neutral
from crystalgfn.evaluation.validity import check_section
from crystalgfn.runs.build import build_space
from crystalgfn.spaces.batch import to_device
from crystalgfn.spaces.charge_states import PlainCharges, SignedCharges
from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.crystal import formula_order
from crystalgfn.spaces.salt_charges import SaltCharges, build_charges
from policy_setup import random_policy


def charges(elements, **limits):
    elements = formula_order(elements)
    return build_charges(elements, 6, 12, composition_constraints(**limits).composition_limits(elements))


def test_blocks_are_there_only_where_they_are_needed():
    assert isinstance(charges([11, 8], charge="per_element"), PlainCharges)
    assert isinstance(charges([11, 8], charge="per_element", electronegativity=True), SignedCharges)
    assert isinstance(charges([11, 17], charge="common"), PlainCharges)  # no oxygen
    assert isinstance(charges([11, 8], charge="common_strict"), PlainCharges)
    assert isinstance(charges([11, 8], charge="common"), SaltCharges)
    assert isinstance(charges([11, 8], charge=Neutrality("common", ((8, (-2,)),))), PlainCharges)


def test_elements_alike_by_states_may_differ_in_salts():
    found = charges([3, 11, 19, 13, 8], charge="common")
    by_element = dict(zip(formula_order([3, 11, 19, 13, 8]), found.kind.tolist(), strict=True))
    assert by_element[11] == by_element[19]
    assert by_element[3] != by_element[11]  # lithium forms no superoxide


def test_a_state_that_ends_in_a_peroxide_carries_its_charges():
    elements = formula_order([19, 8])
    found = charges([19, 8], charge="common")
    one = torch.tensor([elements.index(19)])
    two = torch.tensor([elements.index(8)])
    sets = found.add(found.empty(), one, torch.tensor([1]))
    assert not found.neutral(sets)
    assert found.neutral(found.add(sets, two, torch.tensor([2])))  # KO2
    assert found.neutral(found.add(sets, two, torch.tensor([1])))  # KO, that is K2O2
    assert not found.neutral(found.add(sets, two, torch.tensor([3])))  # KO3
    carried = found.carried(sets)
    assert carried[0, found.bound + 1]
    assert carried[0, -1]  # any charge: crystals of one element
    assert to_device(found, "cpu").salts[0].bound == found.bound


def test_deep_cells_stay_exact():
    elements = formula_order([8, 11, 19, 26])
    limits = composition_constraints(n_elements=(2, 3), n_atoms=(1, 24), atoms_per_element=(1, 16), charge="common")
    space = CompositionSpace(elements, [1], limits)
    state = space.start(torch.ones(1, dtype=torch.int64))
    place = {z: d for d, z in enumerate(elements)}
    for counts, expected in (
        ({19: 5, 11: 3, 8: 16}, True),
        ({19: 5, 11: 3, 8: 15}, False),
        ({19: 8, 26: 1, 8: 9}, False),
    ):
        rows = sorted((place[z] + 1, n) for z, n in counts.items())
        chosen = torch.zeros(1, 3, dtype=torch.int64)
        numbers = torch.zeros(1, 3, dtype=torch.int64)
        for column, (element, n) in enumerate(rows):
            chosen[0, column], numbers[0, column] = element, n
        assert bool(space.allows(torch.tensor([1]), chosen, numbers)) == expected
        assert is_neutral(counts, "common") == expected
    assert state.charges.shape[1] == space.tables.charges.empty().shape[1]


def section(**keys):
    return parse_config(
        {
            "constraints": {
                "elements": ["Na", "K", "Fe", "O", "Cl"],
                "space_groups": [2, 123, 139, 225],
                "sites": "wyckoff",
                "n_elements": [1, 3],
                "n_atoms_primitive": [1, 6],
                "atoms_per_element": [1, 32],
                **keys,
            },
            "objective": [{"property": "density"}],
        }
    ).constraints


def test_crystals_with_sites_obey_too():
    """Every sample is neutral by the independent check, and superoxides are among the samples."""
    for keys in ({}, {"electronegativity": "smact"}, {"oxidation_states": {"Fe": 3}}):
        constraints = section(charge="common", **keys)
        space = build_space(constraints)
        states = random_policy(space, 0).sample(1500, space, generator=torch.Generator().manual_seed(1)).states
        crystals = space.crystals(states)
        assert check_section(crystals, constraints.model_dump()).ok
        strict = check_section(crystals, section(charge="common_strict", **keys).model_dump())
        assert strict.violations["neutrality"] > 0
        assert {"KO2", "NaO2"} & set(crystals.formulas)
        if keys.get("oxidation_states"):
            assert not any("Fe1" in formula or formula.startswith("FeCl2") for formula in crystals.formulas)
