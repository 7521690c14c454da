"""Compositions found twice: by direct enumeration without any mask, and by following a space's masks."""

from __future__ import annotations

from itertools import combinations, product

import torch
from smact.screening import pauling_test

from crystalgfn.crystallography.charges import POLYANIONS, Neutrality, is_neutral
from crystalgfn.crystallography.elements import ELECTRONEGATIVITY
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystallography.wyckoff import is_compatible
from crystalgfn.spaces.composition import CompositionSpace
from crystalgfn.spaces.constraints.base import Constraints

Composition = tuple[tuple[int, int], ...]
"""(column of the element, atoms per primitive cell), columns rising."""


def satisfies(numbers: tuple[int, ...], counts: tuple[int, ...], group: int, limits: Constraints) -> bool:
    """Whether atomic numbers with counts in the conventional cell satisfy every constraint in a space group."""
    cells = int(CENTERING_MULTIPLICITY[group])
    low, high = limits["atoms_per_element"]
    return (
        limits["n_elements"][0] <= len(numbers) <= limits["n_elements"][1]
        and (limits["allowed"] is None or set(numbers) <= set(limits["allowed"]))
        and (not limits["chemsys"] or set(numbers) <= set(limits["chemsys"]))
        and not set(limits["forbidden"] or ()) & set(numbers)
        and set(limits["required"] or ()) <= set(numbers)
        and all(low <= n <= high and n % cells == 0 for n in counts)
        and limits["n_atoms"][0] <= sum(counts) <= limits["n_atoms"][1]
        and limits["n_atoms_primitive"][0] <= sum(counts) / cells <= limits["n_atoms_primitive"][1]
        # in the primitive cell: atoms that a centering translation relates have the same state
        and is_neutral({z: n // cells for z, n in zip(numbers, counts, strict=True)}, limits["charge"] or "none")
        and (not limits["wyckoff"] or is_compatible(group, counts))
        and all(set(choice) & set(numbers) for choice in limits["any_of"] or ())
        and (limits["stoichiometry"] is None or limits["stoichiometry"].fits(dict(zip(numbers, counts, strict=True))))
        and all(_share_within(numbers, counts, *bounds) for bounds in limits["shares"] or ())
        and (not limits["electronegativity"] or passes_pauling(numbers, counts, limits["charge"]))
        and all(len(members & set(numbers)) <= 1 for members in limits["at_most_one_of"] or ())
    )


def _share_within(numbers: tuple[int, ...], counts: tuple[int, ...], z: int, low: float, high: float) -> bool:
    share = dict(zip(numbers, counts, strict=True)).get(z, 0) / sum(counts)
    return low - 1e-9 <= share <= high + 1e-9


def passes_pauling(numbers: tuple[int, ...], counts: tuple[int, ...], rule: str | Neutrality = "per_element") -> bool:
    """Whether some neutral choice of oxidation states passes smact's own test, or it is a salt of a polyanion."""
    if len(numbers) == 1:
        return True
    neutrality = rule if isinstance(rule, Neutrality) else Neutrality(rule)
    if neutrality.rule == "common" and is_salt(numbers, counts):
        return True
    values = [float(ELECTRONEGATIVITY[z]) for z in numbers]
    return any(
        sum(n * state for n, state in zip(counts, states, strict=True)) == 0 and pauling_test(states, values)
        for states in product(*(neutrality.states(z) for z in numbers))
    )


def is_salt(numbers: tuple[int, ...], counts: tuple[int, ...]) -> bool:
    """Whether a composition is a peroxide or superoxide, by charges alone."""
    atoms = dict(zip(numbers, counts, strict=True))
    return any(
        8 in atoms
        and set(atoms) <= {8, *dict(salt.cations)}
        and sum(n * dict(salt.cations)[z] for z, n in atoms.items() if z != 8) == -salt.state * atoms[8]
        for salt in POLYANIONS
    )


def enumerate_directly(elements: tuple[int, ...], group: int, limits: Constraints) -> set[Composition]:
    """Every composition that satisfies the constraints in a space group, by trying all."""
    cells = int(CENTERING_MULTIPLICITY[group])
    most = min(limits["n_atoms"][1], limits["n_atoms_primitive"][1] * cells, limits["atoms_per_element"][1])
    choices = range(cells, most + 1, cells)
    found = set()
    for size in range(1, limits["n_elements"][1] + 1):
        for columns in combinations(range(len(elements)), size):
            numbers = tuple(elements[d] for d in columns)
            for counts in product(choices, repeat=size):
                if satisfies(numbers, counts, group, limits):
                    found.add(tuple(zip(columns, (n // cells for n in counts), strict=True)))
    return found


def enumerate_by_masks(space: CompositionSpace, group: int) -> set[Composition]:
    """Every composition that the masks lead to from an empty one.

    Raises:
        AssertionError: a dead end: a state without any action, an element without any count, or an element that comes
            before the last one added.
    """
    state = space.start(torch.tensor([group]))
    paths: list[Composition] = [()]
    found = set()
    for _ in range(space.max_elements + 1):
        mask = space.element_mask(state)
        assert mask.any(1).all(), f"dead ends in group {group}"
        ended = {paths[row] for row in mask[:, -1].nonzero().squeeze(1).tolist()}
        assert not ended & found
        found |= ended
        row, element = mask[:, :-1].nonzero(as_tuple=True)
        if not len(row):
            return found
        completions = space.completions(state, mask)
        assert torch.equal((completions > 0).any(2), mask[:, :-1])
        counts_ok = completions[row, element] > 0
        state, paths = state[row], [paths[r] for r in row.tolist()]
        row, count = counts_ok.nonzero(as_tuple=True)
        element, count = element[row], count + 1
        before, state = [paths[r] for r in row.tolist()], space.add(state[row], element, count)
        added = zip(before, element.tolist(), count.tolist(), strict=True)
        paths = [(*path, (column, n)) for path, column, n in added]
        assert all(len(p) < 2 or p[-2][0] < p[-1][0] for p in paths)
    raise AssertionError("more elements than allowed")
