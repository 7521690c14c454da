"""Tokens of orbits: what they hold, and what they do not depend on."""

import json

import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.spaces.site_states import POSITION
from property_data import one, sited

FLUORITE = one({"Ca": 4, "F": 8}, 225, (5.46, 5.46, 5.46, 90.0, 90.0, 90.0))


def with_wyckoff(entries):
    return FLUORITE.with_columns(wyckoff=[json.dumps(entries)])


def test_orbits_of_fluorite():
    inputs = OrbitFeaturiser()(with_wyckoff([["Ca", "a", 4], ["F", "c", 8]]))
    assert inputs.atomic_numbers.tolist() == [[9, 20]]
    assert inputs.atoms.tolist() == [[2, 1]]
    assert inputs.freedom.tolist() == [[0, 0]]
    assert torch.allclose(inputs.fractions, torch.tensor([[2 / 3, 1 / 3]]))
    assert inputs.positions.tolist() == [[int(POSITION[225, 2]), int(POSITION[225, 0])]]


def test_atoms_of_an_element_on_two_orbits_share_its_part():
    salt = one({"Ca": 4, "F": 4}, 225, (5.5, 5.5, 5.5, 90.0, 90.0, 90.0))
    whole = OrbitFeaturiser()(salt.with_columns(wyckoff=[json.dumps([["Ca", "a", 4], ["F", "b", 4]])]))
    assert whole.amounts[0, :, 3].tolist() == [0.5, 0.5]
    one_element = one({"Ca": 8}, 225, (5.5, 5.5, 5.5, 90.0, 90.0, 90.0))
    split = OrbitFeaturiser()(one_element.with_columns(wyckoff=[json.dumps([["Ca", "a", 4], ["Ca", "b", 4]])]))
    assert split.amounts[0, :, 0].tolist() == [0.5, 0.5]
    assert split.amounts[0, :, 3].tolist() == [1.0, 1.0]


def test_a_wider_crystal_in_the_batch_pads_the_others():
    crystals = Crystals.from_dataframe(sited(20))
    alone, together = OrbitFeaturiser()(crystals[:1]), OrbitFeaturiser()(crystals)
    width = alone.fractions.shape[1]
    assert torch.equal(alone.positions, together.positions[:1, :width])
    assert not together.positions[0, width:].any()


def test_compositions_without_sites_have_a_token_for_each_element():
    inputs = OrbitFeaturiser().without_sites(
        FLUORITE, OrbitFeaturiser()(with_wyckoff([["Ca", "a", 4], ["F", "c", 8]])).descriptors[0]
    )
    assert sorted(inputs.atomic_numbers[0].tolist()) == [9, 20]
    assert inputs.space_group.tolist() == [0]
    assert not inputs.positions.any()


def test_sites_that_contradict_the_composition_are_refused():
    with pytest.raises(DataError, match="sites hold 4 atoms of F"):
        OrbitFeaturiser()(with_wyckoff([["Ca", "a", 4], ["F", "b", 4]]))
    with pytest.raises(DataError, match="no column 'wyckoff'"):
        OrbitFeaturiser()(FLUORITE)


def test_what_is_known_of_a_crystal():
    fluorite = OrbitFeaturiser()(with_wyckoff([["Ca", "a", 4], ["F", "c", 8]]))
    assert fluorite.known.tolist() == [[1, 1]]
    helium = one({"Ne": 4, "He": 8}, 225, (5.5, 5.5, 5.5, 90.0, 90.0, 90.0))  # the pattern alone
    assert OrbitFeaturiser()(
        helium.with_columns(wyckoff=[json.dumps([["Ne", "a", 4], ["He", "c", 8]])])
    ).known.tolist() == [[1, 0]]
    other = one({"Ca": 96, "F": 192}, 225, (15.0, 15.0, 15.0, 90.0, 90.0, 90.0))  # the formula alone
    assert OrbitFeaturiser()(
        other.with_columns(wyckoff=[json.dumps([["Ca", "j", 96], ["F", "l", 192]])])
    ).known.tolist() == [[0, 1]]
