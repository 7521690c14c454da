"""Terminal states of one space in the coordinates of another, with other elements or sizes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.lattice_space import LatticeSpace
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.site_states import SiteStates
from crystalgfn.spaces.states import CrystalStates
from crystalgfn.spaces.subspace import encode_through


def translated(states: CrystalStates, space: CrystalSpace, other: CrystalSpace) -> CrystalStates:
    """The same choices in another space with the same subspaces.

    The writing of the sites stays as it is, unlike decoding and encoding again, which gives the canonical one. So does
    the point of the unit cube: where the bounds on cells differ, it is another cell, at the same place within them.

    Args:
        states: B states of ``space``.
        space: where the states were sampled.
        other: where the states are wanted; see :func:`rows_within`.

    Raises:
        ConstraintError: an element is not one of ``other``.
    """
    if other is space:
        return states
    fields = states.tensors() | {"elements": _columns(states.elements, space, other)}
    for name in ("elements", "counts"):
        fields[name] = _wide(fields[name], other.max_elements)
    if isinstance(states, SiteStates):
        orbits = other.of(SitePatternSpace).max_orbits
        fields["filled"] = _wide(states.filled, other.max_elements)
        fields["slots"], fields["letters"] = _wide(states.slots, orbits), _wide(states.letters, orbits, padding=-1)
    return replace(states, **fields)


def rows_within(space: CrystalSpace, crystals: Crystals) -> Tensor:
    """Row numbers ``(N,)`` of the crystals whose choices the space allows, whatever their cells."""
    choices = [subspace for subspace in space.subspaces if not isinstance(subspace, LatticeSpace)]
    return encode_through(choices, crystals, space.device)[1]


def _wide(rows: Tensor, width: int, padding: int = 0) -> Tensor:
    """``(B, n)`` as ``(B, width)``; columns that are left out are empty in states that the other space allows."""
    return torch.nn.functional.pad(rows, (0, width - rows.shape[1]), value=padding)


def _columns(elements: Tensor, space: CrystalSpace, other: CrystalSpace) -> Tensor:
    """Elements ``(B, m)`` by their columns in the other space."""
    if space.elements == other.elements:
        return elements
    place = {z: column for column, z in enumerate(other.elements, 1)}
    columns = torch.tensor([0, *(place.get(z, -1) for z in space.elements)], device=elements.device)[elements]
    if bool((columns < 0).any()):
        symbol = SYMBOLS[space.elements[int(elements[columns < 0][0]) - 1]]
        allowed = " ".join(SYMBOLS[z] for z in other.elements)
        raise ConstraintError(f"element {symbol}: not in the other space, allowed: {allowed}")
    return columns
