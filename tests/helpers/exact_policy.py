"""Exact distributions of policies over the discrete part of small spaces: space groups with compositions."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.stages.space_group import SYMMETRY_SYSTEM, SpaceGroupSteps
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.states import CrystalStates
from direct_compositions import enumerate_directly


def all_compositions(space: CrystalSpace) -> CrystalStates:
    """Every crystal of a space but for its lattice, found without the masks; u = 0.5."""
    rows = [
        (group, composition)
        for group in space.groups.allowed.nonzero().flatten().tolist()
        for composition in sorted(enumerate_directly(space.elements, group, space.composition.constraints))
    ]
    elements, counts = torch.zeros(2, len(rows), space.max_elements, dtype=torch.int64).unbind(0)
    for row, (_, composition) in enumerate(rows):
        for t, (column, count) in enumerate(composition):
            elements[row, t], counts[row, t] = column + 1, count
    groups = torch.tensor([group for group, _ in rows])
    u = torch.where(space.lattice.free(groups), 0.5, 0.0).double()
    return CrystalStates(groups, elements, counts, u)


@torch.no_grad()
def log_probabilities(policy: CrystalPolicy, space: CrystalSpace, states: CrystalStates) -> Tensor:
    """log p ``(B,)`` float64 of groups with compositions: summed over all paths to the group, without the lattice."""
    back = policy.sample_backward(states, space, generator=torch.Generator().manual_seed(0))
    by_path = []
    for path in range(SYMMETRY_SYSTEM + 1):
        steps = back.of(SpaceGroupSteps)
        scores = policy.score(back.with_steps(replace(steps, path=torch.full_like(steps.path, path))), space)
        discrete = [scores.log_pf[:, scores.columns[name]] for name in ("space_group", "composition")]
        by_path.append(torch.cat(discrete, 1).double().sum(1))
    return torch.logsumexp(torch.stack(by_path), 0)
