"""Samples of every preset pass checks that share nothing with the masks: ours, pyxtal's and pymatgen's."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from pymatgen.symmetry.groups import SpaceGroup
from pyxtal.symmetry import Group

from crystalgfn.config import load_preset, presets
from crystalgfn.crystallography.charges import OXIDATION_STATES, is_neutral
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.evaluation.validity import check_section
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.runs.build import build_space

NUMBER = 10_000
LOOKED_AT = 250
"""Samples given to pyxtal and pymatgen, which take milliseconds each."""


@pytest.fixture(scope="module", params=presets())
def sampled(request):
    """Crystals drawn by a policy that was never trained, so that they spread over the whole space."""
    config = load_preset(request.param)
    space = build_space(config.constraints)
    torch.manual_seed(0)
    policy = policy_of(space, PolicyOptions(width=64, layers=2))
    generator = torch.Generator().manual_seed(0)
    states = [policy.sample(NUMBER // 5, space, generator=generator).states for _ in range(5)]
    return space.crystals(space.state_type.concatenate(states)), config


def test_samples_pass_every_check(sampled):
    crystals, config = sampled
    report = check_section(crystals, config.constraints.model_dump())
    assert report.n == NUMBER
    assert report.ok, str(report)
    assert len(crystals.space_group.unique()) > 0.9 * len(config.constraints.groups)
    # all that can have a charge occur; noble gases, which cannot, stay out of neutral mixtures
    can_occur = torch.tensor(
        [bool(OXIDATION_STATES[z]) or config.constraints.charge == "none" for z in crystals.elements]
    )
    assert torch.equal(crystals.counts.sum(0) > 0, can_occur)


def test_pyxtal_can_place_the_atoms(sampled):
    crystals = sampled[0][:LOOKED_AT]
    for group, counts in zip(crystals.space_group.tolist(), crystals.counts.tolist(), strict=True):
        assert Group(group).check_compatible([n for n in counts if n])[0]


@cache
def space_group(number):
    return SpaceGroup.from_int_number(number)


def test_pymatgen_finds_the_volume_and_the_symmetry_of_the_cells(sampled):
    crystals = sampled[0][:LOOKED_AT]
    volumes = np.array([lattice.volume for lattice in crystals.lattices])
    assert np.allclose(volumes, crystals.volume.numpy(), rtol=1e-6)
    for group, lattice in zip(crystals.space_group.tolist(), crystals.lattices, strict=True):
        assert space_group(group).is_compatible(lattice, tol=1e-4, angle_tol=1e-3)


def test_charges_balance_by_trying_every_choice_of_states(sampled):
    crystals, rule = sampled[0][: 4 * LOOKED_AT], sampled[1].constraints.charge
    cells = CENTERING_MULTIPLICITY[crystals.space_group.numpy()]
    for counts in (crystals.counts.numpy() // cells[:, None]).tolist():
        assert is_neutral(dict(zip(crystals.elements, counts, strict=True)), rule)
