"""Features of crystals whose Wyckoff positions are known: a token for each orbit, not for each element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from crystalgfn.crystallography.sites.keys import pattern_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals, formula_keys_of
from crystalgfn.crystals.sites import Sites
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.inputs import Inputs
from crystalgfn.spaces.site_encoding import with_sites
from crystalgfn.spaces.site_states import FREEDOM, MULTIPLICITY, POSITION

N_ORBIT_AMOUNTS = 5
"""Numbers that describe the amount of atoms on an orbit: see :attr:`OrbitInputs.amounts`."""

N_KNOWN = 2
"""Numbers that say what of a crystal is known: see :attr:`OrbitInputs.known`."""

MOST_ATOMS = 63
"""Orbits of more atoms per primitive cell share one embedding."""


@dataclass(frozen=True)
class OrbitInputs(Inputs):
    """Inputs for B crystals with at most O orbits each; see :class:`.inputs.Inputs` for the other fields.

    A crystal without sites has one token for each element, on position 0 and in space group 0.

    Attributes:
        atomic_numbers: (B, O) int64, 0 where a crystal has fewer orbits.
        amounts: (B, O, 5) float32: share of the atoms, its square root, log(1 + n) of n atoms per primitive cell, share
            of the orbit's element, and free coordinates over 3.
        fractions: (B, O) float32, share of the atoms on the orbit.
        positions: (B, O) int64, number of the Wyckoff position among those of all groups, from 1.
        atoms: (B, O) int64, atoms of the orbit per primitive cell.
        freedom: (B, O) int64, free coordinates of the position.
        known: (B, 2) float32, 1 where some real crystal has the same site pattern, and where its formula is known.
    """

    positions: Tensor
    atoms: Tensor
    freedom: Tensor
    known: Tensor

    tokens: ClassVar[tuple[str, ...]] = (*Inputs.tokens, "positions", "atoms", "freedom")

    @property
    def order(self) -> Tensor:
        """Crystals of like size stand together, so that few tokens are padding."""
        return self.n_tokens.argsort(stable=True)


class OrbitFeaturiser(Featuriser):
    """Turns crystals with sites into :class:`OrbitInputs`."""

    def __call__(self, crystals: Crystals) -> OrbitInputs:
        """Return the inputs of B crystals.

        Raises:
            PropertyError: a crystal has no atoms.
            DataError: the crystals have no sites, or sites that contradict group or counts.
        """
        sites = with_sites(crystals).sites
        assert sites is not None
        return _with_orbits(super().__call__(crystals), sites, _known(crystals, sites))

    def without_sites(self, crystals: Crystals, descriptors: Tensor) -> OrbitInputs:
        """Return the inputs of compositions in no known structure.

        ``descriptors`` (N,) are the means of real crystals, which stand for the descriptors of the unknown cell.
        """
        blank = super().__call__(crystals).without_structure(descriptors)
        none = torch.zeros_like(blank.atomic_numbers)
        share = blank.fractions
        amounts = torch.stack([share, share.sqrt(), 0 * share, share, 0 * share], -1)
        inputs = replace(blank, amounts=amounts)
        known = torch.zeros(len(blank), N_KNOWN, device=none.device)
        return OrbitInputs(**vars(inputs), positions=none, atoms=none, freedom=none, known=known)


def _known(crystals: Crystals, sites: Sites) -> Tensor:
    """See :attr:`OrbitInputs.known`; the tables are those that ship, whatever else a user knows."""
    table = KnownCrystals.builtin()
    pattern = table.knows_pattern(pattern_keys(crystals.space_group, sites.slots, sites.letters))
    return torch.stack([pattern, table.knows_formula(formula_keys_of(crystals))], 1).float()


def _with_orbits(inputs: Inputs, sites: Sites, known: Tensor) -> OrbitInputs:
    device = inputs.space_group.device
    there = sites.letters >= 0
    group, letter = inputs.space_group[:, None].expand_as(sites.letters), sites.letters.clamp(min=0)
    atoms, freedom, positions = (table.to(device)[group, letter] * there for table in (MULTIPLICITY, FREEDOM, POSITION))
    share = atoms / atoms.sum(1, keepdim=True).clamp(min=1)
    numbers = sites.elements * there
    alike = (numbers[:, :, None] == numbers[:, None, :]) & there[:, None, :]
    of_element = (alike * share[:, None, :]).sum(2) * there
    amounts = torch.stack([share, share.sqrt(), atoms.float().log1p(), of_element, freedom / 3], -1)
    tokens = {"atomic_numbers": numbers, "amounts": amounts, "fractions": share}
    return OrbitInputs(
        **(vars(inputs) | tokens),
        positions=positions,
        atoms=atoms.clamp(max=MOST_ATOMS),
        freedom=freedom,
        known=known,
    )
