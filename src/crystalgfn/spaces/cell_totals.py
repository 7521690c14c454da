"""Numbers of atoms for which every composition has a cell: look-ahead leads to no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crystalgfn.crystallography.elements import ATOMIC_MASS
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.lattice import LatticeDecoder
from crystalgfn.spaces.space_group import SYSTEM_OF

Totals = Mapping[int, frozenset[int]]
"""Space group -> numbers of atoms in the conventional cell at which a crystal may end."""


def mean_masses(elements: Sequence[int], limits: CompositionLimits, n_atoms: int) -> tuple[float, float]:
    """Bounds of the mean atomic mass (g/mol) of compositions, whether or not they are neutral and fit a space group.

    Args:
        elements: atomic numbers of the vocabulary, one or more.
        limits: limits on the composition.
        n_atoms: atoms in the conventional cell; the bounds mean nothing if no composition has this number.
    """
    allowed = [z for z in elements if z in limits.usable] or elements
    mass = {z: float(ATOMIC_MASS[z]) for z in allowed}
    low, high = limits.n_of_one
    means = []
    for order in (sorted(mass, key=mass.__getitem__), sorted(mass, key=mass.__getitem__, reverse=True)):
        if limits.formula is not None:
            means.append(_mass_of_formula(limits.formula, order))
            continue
        # the least number of atoms of every required element, then as many atoms as possible of the first elements
        others = [z for z in order if z not in limits.present]
        present = [z for z in order if z in limits.present]
        present += others[: max(0, limits.n_distinct[0] - len(present))]
        counts = dict.fromkeys(present, low)
        left = n_atoms - sum(counts.values())
        for z in order:
            more = max(0, min(left, high - counts.get(z, 0)))
            counts[z], left = counts.get(z, 0) + more, left - more
        if left:  # n_atoms is more than the elements can have, or fewer than they must
            return mass[order[0]], mass[order[0]]
        means.append(sum(mass[z] * n for z, n in counts.items()) / n_atoms)
    return means[0], means[1]


def _mass_of_formula(formula: Stoichiometry, order: Sequence[int]) -> float:
    """Mean atomic mass if the first elements of ``order`` take the largest open ratios."""
    others = [z for z in order if z not in dict(formula.named)]
    pairs = [*formula.named, *zip(others, reversed(formula.open), strict=False)]
    return sum(float(ATOMIC_MASS[z]) * ratio for z, ratio in pairs) / sum(ratio for _, ratio in pairs)


def cell_totals(
    elements: Sequence[int], space_groups: Iterable[int], limits: CompositionLimits, lattice: LatticeDecoder
) -> Totals | None:
    """Numbers of atoms that the bounds on the lattice leave to each space group.

    Args:
        elements: atomic numbers of the vocabulary.
        space_groups: international numbers.
        limits: limits on the composition.
        lattice: decoder with its bounds.

    Returns:
        for each group, the numbers within the limits for which the lattice is possible whatever the composition and
        the angles; None if the lattice rules out nothing.
    """
    masses = {n: mean_masses(elements, limits, n) for n in range(1, limits.n_conventional[1] + 1)}
    by_kind: dict[tuple[int, int], frozenset[int]] = {}
    totals, ruled_out = {}, False
    for group in space_groups:
        key = system, cells = int(SYSTEM_OF[group]), int(CENTERING_MULTIPLICITY[group])
        most = min(limits.n_conventional[1], cells * limits.n_primitive[1])
        numbers = range(cells, most + 1, cells)
        if key not in by_kind:
            by_kind[key] = frozenset(n for n in numbers if lattice.possible(system, n, masses[n]))
        totals[group] = by_kind[key]
        ruled_out |= len(by_kind[key]) < len(numbers)
    return totals if ruled_out else None
