"""Exact nats of crystals with sites, against the enumeration of all writings of a small space."""

from collections import defaultdict

import numpy as np
import pytest
import torch

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConfigError
from crystalgfn.evaluation import exact_nats as module
from crystalgfn.evaluation.exact_nats import exact_nats, exact_numbers
from crystalgfn.spaces.writings import canonical_writing
from direct_sites import enumerate_sites
from policy_setup import random_policy, site_space, small_space, stage_sums
from site_samples import states_of

LIMITS = {"charge": None, "n_elements": (1, 2), "n_atoms_primitive": (1, 3)}
GROUPS = (2, 38, 225)


def assignment(group, slots, numbers) -> Assignment:
    letters = WYCKOFF[group]
    return Assignment(
        group, tuple((z, letters[i].letter) for z, slot in zip(numbers, slots, strict=True) for i in slot)
    )


@pytest.fixture(scope="module")
def enumerated():
    """A space, a random policy, one crystal of each kind, and its log-probabilities by direct sums."""
    space = site_space(GROUPS, (3, 8, 9), **LIMITS)
    policy = random_policy(space, 3).eval()
    every = sorted(enumerate_sites(space.elements, list(GROUPS), space.composition.constraints))
    states = states_of(space, every)
    with torch.no_grad():
        back = policy.sample_backward(states, space, generator=torch.Generator().manual_seed(0))
        log_p = {name: -nats for name, nats in stage_sums(policy.score(back, space)).items()}
    kinds = defaultdict(list)
    for row, each in enumerate(every):
        kinds[each[0], canonical_writing(assignment(*each), same_cell=False)].append(row)
    return space, policy, every, states, log_p, list(kinds.values())


def test_probabilities_are_sums_over_all_writings(enumerated, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 300)
    space, policy, _, states, log_p, kinds = enumerated
    crystals = space.crystals(states)[np.array([rows[0] for rows in kinds])]
    nats = exact_nats(policy, space, crystals)
    assert (nats.outside, nats.too_many) == (0, 0)
    assert nats.rows.tolist() == list(range(len(kinds)))
    assert nats.writings.tolist() == [len(rows) for rows in kinds]
    assert max(nats.writings) > 10
    discrete = log_p["space_group"] + log_p["sites"] + log_p["elements"]
    expected = [float(torch.logsumexp(discrete[rows], 0)) for rows in kinds]
    found = -(nats.total - nats.parts["lattice"])
    assert found == pytest.approx(expected, abs=1e-5)
    assert np.exp(found).sum() == pytest.approx(1, abs=1e-4)
    whole = discrete + log_p["lattice"]
    assert -nats.total == pytest.approx([float(torch.logsumexp(whole[rows], 0)) for rows in kinds], abs=1e-4)


def test_parts_are_conditional_probabilities(enumerated):
    space, policy, every, states, log_p, kinds = enumerated
    crystals = space.crystals(states)[np.array([rows[0] for rows in kinds])]
    nats = exact_nats(policy, space, crystals)
    of_pattern = {}
    for row, (group, slots, _) in enumerate(every):
        of_pattern[group, slots] = float(torch.exp(log_p["space_group"] + log_p["sites"])[row])
    up_to_pattern = np.exp(-nats.parts["space_group"] - nats.parts["sites"])
    for i, rows in enumerate(kinds):
        patterns = {every[row][:2] for row in rows}
        assert up_to_pattern[i] == pytest.approx(sum(of_pattern[pattern] for pattern in patterns), rel=1e-4)
    # given group and pattern, the elements of all crystals with that pattern add up to 1
    by_pattern = defaultdict(float)
    for i, rows in enumerate(kinds):
        by_pattern[min(every[row][:2] for row in rows)] += np.exp(-nats.parts["elements"][i])
    assert len(by_pattern) > 10
    assert list(by_pattern.values()) == pytest.approx([1.0] * len(by_pattern), abs=1e-4)


def test_every_writing_of_a_crystal_gives_the_same(enumerated):
    space, policy, _, states, _, kinds = enumerated
    rows = max(kinds, key=len)
    nats = exact_nats(policy, space, space.crystals(states)[np.array(rows)])
    for part in nats.parts.values():
        assert part == pytest.approx(part[0], abs=1e-6)


def test_crystals_with_many_writings_and_others_are_counted(enumerated):
    space, policy, _, states, _, kinds = enumerated
    crystals = space.crystals(states)[np.array([rows[0] for rows in kinds])]
    some = exact_nats(policy, space, crystals, most=3)
    assert some.too_many == sum(len(rows) > 3 for rows in kinds) > 0
    assert len(some.rows) == sum(len(rows) <= 3 for rows in kinds)
    narrow = site_space((225,), (3, 8, 9), **LIMITS)
    assert exact_nats(policy, narrow, crystals).outside == int((crystals.space_group != 225).sum())
    numbers = exact_numbers(some, "enumerated crystals", "all")
    assert numbers["exact_nats_all"]["value"] == pytest.approx(some.total.mean())
    assert f"{some.too_many} with too many writings" in numbers["exact_nats_all"]["method"]
    parts = sum(numbers[f"exact_nats_{name}_all"]["value"] for name in policy.stages)
    assert parts == pytest.approx(numbers["exact_nats_all"]["value"])
    none = exact_nats(policy, space, crystals[np.zeros(0, dtype=int)])
    assert exact_numbers(none, "nothing", "none")["exact_nats_none"]["value"] is None


def test_spaces_without_sites_are_refused():
    space = small_space(groups=(225,))
    with pytest.raises(ConfigError, match="found a space without sites"):
        exact_nats(random_policy(space, 0), space, Crystals((3,), torch.zeros(0), torch.zeros(0, 1), torch.zeros(0, 6)))
