"""Numbers of atoms for which every composition has a cell, so that look-ahead leads to no other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crystalgfn.crystallography.elements import ATOMIC_MASS
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY

from .constraints import CompositionConstraints
from .lattice import LatticeDecoder
from .space_group import SYSTEM_OF

Totals = Mapping[int, frozenset[int]]
"""Space group -> numbers of atoms in the conventional cell at which a crystal may end."""


def mean_masses(elements: Sequence[int], constraints: CompositionConstraints) -> tuple[float, float]:
    """Bounds of the mean atomic mass (g/mol) of compositions of the allowed ones of at least one element."""
    allowed = elements if constraints.allowed is None else [z for z in elements if z in constraints.allowed]
    masses = [float(ATOMIC_MASS[z]) for z in allowed or elements]
    return min(masses), max(masses)


def cell_totals(
    elements: Sequence[int], space_groups: Iterable[int], constraints: CompositionConstraints, lattice: LatticeDecoder
) -> Totals | None:
    """Numbers of atoms that the bounds on the lattice leave to each space group.

    Args:
        elements: atomic numbers of the vocabulary.
        space_groups: international numbers.
        constraints: limits on the composition.
        lattice: decoder with its bounds.

    Returns:
        for each group, those within the limits for which the lattice is possible whatever the composition and the
        angles; None if the lattice rules out nothing.
    """
    masses = mean_masses(elements, constraints)
    left: dict[tuple[int, int], frozenset[int]] = {}
    found, ruled_out = {}, False
    for group in space_groups:
        key = system, cells = int(SYSTEM_OF[group]), int(CENTERING_MULTIPLICITY[group])
        most = min(constraints.n_atoms[1], cells * constraints.n_atoms_primitive[1])
        numbers = range(cells, most + 1, cells)
        if key not in left:
            left[key] = frozenset(n for n in numbers if lattice.possible(system, n, masses))
        found[group] = left[key]
        ruled_out |= len(left[key]) < len(numbers)
    return found if ruled_out else None
