"""Crystals drawn without look-ahead: the proposals of a sampler that knows its vocabulary and no other constraint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.lattices import rhombohedral_to_hexagonal
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY, CRYSTAL_LATTICE_SYSTEM
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.constraints.elements import usable
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.constraints.ranges import CountRange
from crystalgfn.spaces.constraints.registry import constraints_of
from crystalgfn.spaces.lattice import FREE, RHOMBOHEDRAL, TRIGONAL

Ints = NDArray[np.int64]


def naive_crystals(constraints: Mapping[str, Any], n: int, *, seed: int = 0) -> Crystals:
    """Draw crystals from the vocabulary of a section ``constraints``; every choice is uniform and ignores the others.

    The choices are one of the allowed space groups; a number of elements, and a set of allowed elements of that size;
    for each element a number of atoms per primitive cell up to the limit of one element; and the parameters that the
    lattice system leaves free: lengths within ``lengths`` or else ``box``, angles within ``angles`` or else
    ``box_angles`` (for rhombohedral groups, the angle of the primitive cell).

    Args:
        constraints: the complete section, as ``config.constraints.model_dump()`` gives it.
        n: number of crystals.
        seed: the same seed gives the same crystals.

    Returns:
        n crystals, most of which violate constraints; rhombohedral cells that do not exist have NaN for c.
    """
    rng = np.random.default_rng(seed)
    active = constraints_of(constraints)
    elements = tuple(atomic_number(symbol) for symbol in usable(constraints["elements"]))
    ranges = Constraints(tuple(each for each in active if isinstance(each, CountRange)))
    groups = rng.choice(active.space_groups(), n)
    counts = _counts(ranges.composition_limits(elements), groups, rng)
    lattice = _cells(constraints["lattice"], CRYSTAL_LATTICE_SYSTEM[groups], rng)
    return Crystals(elements, torch.from_numpy(groups), torch.from_numpy(counts), lattice)


def _counts(limits: CompositionLimits, groups: Ints, rng: np.random.Generator) -> Ints:
    """Return the atoms in the conventional cells, ``(n, D)``."""
    n, width = len(groups), len(limits.usable)
    cells = CENTERING_MULTIPLICITY[groups]
    least, most = limits.n_distinct
    size = rng.integers(min(least, width), min(most, width) + 1, n)
    chosen = rng.random((n, width)).argsort(1).argsort(1) < size[:, None]
    low = np.maximum(1, -(-limits.n_of_one[0] // cells))
    high = np.minimum(np.minimum(limits.n_of_one[1], limits.n_conventional[1]) // cells, limits.n_primitive[1])
    own = rng.integers(low[:, None], np.maximum(low, high)[:, None] + 1, (n, width))
    counts: Ints = np.where(chosen, own * cells[:, None], 0)
    return counts


def _cells(section: Mapping[str, Any], systems: Ints, rng: np.random.Generator) -> torch.Tensor:
    """Return conventional cells, ``(n, 6)`` float64, A and degree."""
    lengths, between = section["lengths"] or section["box"], section["angles"] or section["box_angles"]
    a, b, c = rng.uniform(lengths[0], lengths[1], (3, len(systems)))
    drawn = rng.uniform(between[0], between[1], (3, len(systems)))
    free = FREE.numpy()[systems].T
    b, c = np.where(free[1], b, a), np.where(free[2], c, a)
    angles = np.where(free[3:], drawn, 90.0)
    hexagonal, rhombohedral = (systems >= RHOMBOHEDRAL) & (systems <= TRIGONAL + 1), systems == RHOMBOHEDRAL
    edge, height = rhombohedral_to_hexagonal(torch.from_numpy(a), torch.from_numpy(drawn[0]))
    a, b, c = np.where(rhombohedral, (edge.numpy(), edge.numpy(), height.numpy()), (a, b, c))
    angles[0] = np.where(rhombohedral, 90.0, angles[0])
    angles[2] = np.where(hexagonal, 120.0, angles[2])
    return torch.from_numpy(np.stack((a, b, c, *angles), 1))
