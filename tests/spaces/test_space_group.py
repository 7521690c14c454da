"""Space-group masks against brute force over every order of setting the three properties."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalgfn.crystallography.space_groups import CRYSTAL_LATTICE_SYSTEM, POINT_SYMMETRY
from crystalgfn.spaces.space_group import FIRST_GROUP_ACTION, N_ACTIONS, N_CODES, N_SYSTEMS, SpaceGroupSpace, code_of

PROPERTIES = ("system", "symmetry", "group")


def described(group):
    """The three properties of a group."""
    return {"system": int(CRYSTAL_LATTICE_SYSTEM[group]), "symmetry": int(POINT_SYMMETRY[group]), "group": group}


def column(name, value):
    return {"system": 0, "symmetry": N_SYSTEMS, "group": FIRST_GROUP_ACTION}[name] + value - 1


def code(state):
    return int(code_of(torch.tensor(state.get("system", 0)), torch.tensor(state.get("symmetry", 0))))


def brute_force(allowed):
    """The mask by walking to every allowed group in every order; setting the group ends the walk."""
    mask = torch.zeros(N_CODES, N_ACTIONS, dtype=torch.bool)
    for group in allowed:
        properties = described(group)
        for order in permutations(PROPERTIES):
            state = {}
            for name in order:
                mask[code(state), column(name, properties[name])] = True
                state[name] = properties[name]
                if name == "group":
                    break
    return mask


@settings(max_examples=40)
@given(st.sets(st.integers(1, 230), min_size=1))
def test_masks_equal_brute_force_over_all_orders(allowed):
    space = SpaceGroupSpace(allowed)
    expected = brute_force(allowed)
    reachable = expected.any(1)
    assert torch.equal(space.mask[reachable], expected[reachable])
    assert space.allowed.nonzero().flatten().tolist() == sorted(allowed)


def test_all_groups_have_five_ways_each():
    mask = SpaceGroupSpace(range(1, 231)).mask
    assert torch.equal(mask[mask.any(1)], brute_force(range(1, 231))[mask.any(1)])
    assert mask[0].sum() == 8 + 5 + 230
    assert mask[:, FIRST_GROUP_ACTION:].sum() == 4 * 230  # from nothing, the system, the symmetry, or both


@pytest.mark.parametrize("group", [1, 62, 166, 227])
def test_a_single_group_leaves_one_choice_of_each_property(group):
    mask = SpaceGroupSpace([group]).mask
    properties = described(group)
    assert mask[0].nonzero().flatten().tolist() == sorted(column(n, v) for n, v in properties.items())
    assert mask[code({k: properties[k] for k in ("system", "symmetry")})].nonzero().flatten().tolist() == [
        column("group", group)
    ]
