"""Small spaces and random policies for the tests of policies."""

from __future__ import annotations

import torch

from composition_constraints import composition_constraints
from crystalgfn.policy.build import policy_of
from crystalgfn.policy.options import PolicyOptions
from crystalgfn.policy.policy import CrystalPolicy
from crystalgfn.policy.stages.lattice import LatticeStage
from crystalgfn.spaces.crystal import SITE_SUBSPACES, SUBSPACES, CrystalSpace
from crystalgfn.spaces.lattice_volume import VolumeLattice
from crystalgfn.spaces.site_states import SiteStates
from crystalgfn.spaces.states import CrystalStates

GROUPS = (1, 2, 14, 62, 123, 148, 166, 194, 225, 227)
"""Every crystal-lattice system but one (tetragonal 123; trigonal-hexagonal is left out) and all kinds of centering."""


def small_space(
    groups=GROUPS, elements=(3, 8, 9, 26), *, subspaces=SUBSPACES, state_type=CrystalStates, **limits
) -> CrystalSpace:
    """A space of a few hundred compositions a group."""
    defaults = {
        "n_elements": (1, 3),
        "n_atoms": (1, 400),
        "n_atoms_primitive": (1, 7),
        "atoms_per_element": (1, 64),
        "charge": "per_atom",
    }
    constraints = composition_constraints(**{**defaults, **limits})
    return CrystalSpace(
        elements,
        groups,
        constraints=constraints,
        lattice=VolumeLattice(),
        subspaces=subspaces,
        state_type=state_type,
    )


def random_policy(space, seed, *, shared=True, scale=1.5, **options) -> CrystalPolicy:
    """A policy whose weights are larger than at the start of training, so that its choices are far from uniform."""
    torch.manual_seed(seed)
    policy = policy_of(space, PolicyOptions(width=64, shared=shared, **options))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(scale)
    return policy


def short_ways_back(policy, back=4.0, out=1.0) -> CrystalPolicy:
    """Make P_B mostly return to the source of the lattice at once.

    From u just above the least increment m, going on instead draws from a density of height 1 / (u - m): the variance
    of P_B / P_F is then infinite (its integral diverges as a logarithm), and the standard error of a mean says nothing.
    A large probability of going home makes that part small.
    """
    with torch.no_grad():
        lattice = policy.stages[LatticeStage.name]
        lattice.back.bias.fill_(back)
        lattice.exit.bias.fill_(out)
    return policy


def stage_sums(scores):
    """log P_B - log P_F of each stage by its name, ``(B,)`` float64."""
    difference = (scores.log_pb - scores.log_pf).detach().double()
    return {name: difference[:, columns].sum(1) for name, columns in scores.columns.items()}


def mean_and_error(weights):
    """Mean of ``(n,)`` and its standard error."""
    return weights.mean().item(), weights.std().item() / len(weights) ** 0.5


def site_space(groups, elements, **limits) -> CrystalSpace:
    """A small space with sites."""
    return small_space(groups, elements, subspaces=SITE_SUBSPACES, state_type=SiteStates, **limits)
