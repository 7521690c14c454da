"""Targets with exact logZ: against brute force, quadrature and their own exact samples."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from crystalgfn.evaluation.analytic import AnalyticTarget
from crystalgfn.evaluation.estimates import total_variation, total_variation_quantile
from crystalgfn.spaces.lattice import FREE
from crystalgfn.spaces.states import CrystalStates
from direct_compositions import enumerate_directly
from policy_setup import small_space

SPACES = {
    "mixed valence": {"charge": "per_atom"},
    "one state": {"charge": "per_element", "n_atoms_primitive": (2, 9), "n_elements": (2, 3)},
    "common states": {
        "elements": (8, 11, 19, 26),
        "charge": "common",
        "n_atoms_primitive": (1, 8),
        "n_elements": (2, 3),
        "groups": (1, 62, 225),
    },
    "no charges": {"charge": "none", "n_elements": (1, 2), "atoms_per_element": (2, 12)},
    "no positions": {"charge": "per_element", "wyckoff": False, "n_atoms": (3, 16)},
    "required": {"required": (8,), "allowed": (8, 26, 3), "n_elements": (2, 3), "n_atoms_primitive": (1, 9)},
    "four elements": {
        "elements": (1, 6, 7, 8, 17),
        "n_elements": (3, 5),
        "groups": (1, 62),
        "n_atoms_primitive": (1, 8),
    },
}


def compositions_as_states(space):
    """Every crystal of a space but for its lattice, found without the masks; u = 0.5."""
    rows = [
        (group, composition)
        for group in range(1, 231)
        if space.groups.allowed[group]
        for composition in enumerate_directly(space.elements, group, space.composition.constraints)
    ]
    elements, counts = torch.zeros(2, len(rows), space.max_elements, dtype=torch.int64).unbind(0)
    for row, (_, composition) in enumerate(rows):
        for t, (column, count) in enumerate(composition):
            elements[row, t], counts[row, t] = column + 1, count
    groups = torch.tensor([group for group, _ in rows])
    u = torch.where(space.lattice.free(groups), 0.5, 0.0).double()
    return CrystalStates(groups, elements, counts, u)


def discrete_log_reward(target, space, states):
    """Log R without the lattice's part, through the public methods."""
    log_l = target.log_slot_density(states.u, space.lattice.system(states.space_group))
    return target.log_reward(states) - torch.where(space.lattice.free(states.space_group), log_l, 0.0).sum(1)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("balanced", [False, True])
def test_log_z_and_marginals_equal_brute_force(name, balanced):
    space = small_space(**SPACES[name])
    target = AnalyticTarget(space, 1, balanced=balanced)
    states = compositions_as_states(space)
    log_reward = discrete_log_reward(target, space, states)
    assert target.log_z == pytest.approx(torch.logsumexp(log_reward, 0).item(), abs=1e-9)
    p = torch.softmax(log_reward, 0)
    groups = torch.zeros(231, dtype=torch.float64).index_add_(0, states.space_group, p)
    assert torch.allclose(target.space_group_marginal, groups, atol=1e-12)
    for column in range(len(space.elements)):
        present = (states.elements == column + 1).any(1)
        assert target.element_marginal[column].item() == pytest.approx(p[present].sum().item(), abs=1e-9)
    sizes = torch.zeros(space.max_elements + 1, dtype=torch.float64)
    assert torch.allclose(target.size_marginal, sizes.index_add_(0, (states.elements > 0).sum(1), p), atol=1e-12)


def test_conditionals_add_up_and_are_normalised():
    space = small_space(groups=(2, 62, 225))
    target = AnalyticTarget(space, 1)
    states = compositions_as_states(space)
    groups, compositions, lattice = target.log_conditionals(states)
    assert torch.allclose(groups + compositions + lattice, target.log_reward(states) - target.log_z)
    for group in (2, 62, 225):
        chosen = states.space_group == group
        assert torch.exp(compositions[chosen]).sum().item() == pytest.approx(1)
        assert torch.exp(groups[chosen][0]).item() == pytest.approx(target.space_group_marginal[group].item())


def test_balanced_targets_give_every_group_a_share():
    space = small_space(groups=range(1, 231, 7))
    plain, balanced = (AnalyticTarget(space, 0, balanced=b).space_group_marginal for b in (False, True))
    groups = space.groups.allowed.nonzero().squeeze(1)
    assert balanced[groups].min() > 0.1 / len(groups) * math.exp(-3)
    assert plain[groups].min() < balanced[groups].min()


def test_densities_of_slots_integrate_to_one():
    target = AnalyticTarget(small_space(), 2)
    nodes = ((torch.arange(4000).double() + 0.5) / 4000).view(-1, 1).expand(-1, 6)
    for system in range(1, 9):
        density = torch.exp(target.log_slot_density(nodes, torch.full((4000,), system)))
        assert torch.allclose(density.mean(0), torch.ones(6).double(), atol=1e-5)
    ends = torch.tensor([[0.0] * 6, [1.0] * 6])
    assert torch.isfinite(target.log_slot_density(ends, torch.tensor([1, 1]))).all()


def test_coefficients_depend_on_seed_and_scale_only():
    space = small_space()
    states = compositions_as_states(space)
    first, again, other = (AnalyticTarget(space, seed).log_reward(states) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    flat = AnalyticTarget(space, 0, group_scale=0, composition_scale=0, lattice_scale=0)
    assert not flat.log_reward(states).any()
    assert flat.log_z == pytest.approx(math.log(len(states)))


def test_exact_samples_lie_in_the_space_and_have_the_exact_marginals():
    space = small_space(groups=(2, 14, 62, 148, 225), charge="per_element", n_atoms_primitive=(1, 9))
    target = AnalyticTarget(space, 4)
    number = 20_000
    states = target.sample(number, generator=torch.Generator().manual_seed(0))
    assert space.composition.allows(states.space_group, states.elements, states.counts).all()
    generator = torch.Generator().manual_seed(1)
    marginal = target.space_group_marginal
    bound = total_variation_quantile(marginal, number, quantile=0.99, generator=generator)
    assert total_variation(states.space_group, marginal) < bound
    for column, p in enumerate(target.element_marginal.tolist()):
        share = (states.elements == column + 1).any(1).double().mean().item()
        assert abs(share - p) < 4 * (p * (1 - p) / number) ** 0.5
    # each composition as often as its weight says
    everything = compositions_as_states(space)
    p = torch.softmax(discrete_log_reward(target, space, everything), 0)
    keys = [
        tuple(row)
        for row in torch.cat((everything.space_group[:, None], everything.elements, everything.counts), 1).tolist()
    ]
    drawn = torch.cat((states.space_group[:, None], states.elements, states.counts), 1).tolist()
    seen = Counter(map(tuple, drawn))
    assert set(seen) <= set(keys)
    frequency = torch.tensor([seen[key] / number for key in keys])
    assert ((frequency - p).abs() < 5 * (p / number) ** 0.5 + 1 / number).all()


def test_exact_samples_of_the_lattice_follow_its_density():
    space = small_space(groups=(1, 62, 225))
    target = AnalyticTarget(space, 4)
    states = target.sample(30_000, generator=torch.Generator().manual_seed(0))
    systems = space.lattice.system(states.space_group)
    assert not states.u[~FREE[systems]].any()
    nodes = ((torch.arange(4000).double() + 0.5) / 4000).view(-1, 1).expand(-1, 6)
    for system in (1, 3, 8):
        chosen = states.u[systems == system]
        exact = torch.exp(target.log_slot_density(nodes, torch.full((4000,), system))).cumsum(0) / 4000
        for slot in FREE[system].nonzero().flatten().tolist():
            empirical = torch.searchsorted(chosen[:, slot].sort().values, nodes[:, slot].contiguous()) / len(chosen)
            assert (empirical - exact[:, slot]).abs().max() < 1.95 / len(chosen) ** 0.5  # Kolmogorov, 0.1 %
