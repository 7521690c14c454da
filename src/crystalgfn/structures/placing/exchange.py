"""Exchanges of elements: put other elements of equal counts into a known crystal, and say how unlike they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import permutations, product

import numpy as np
import torch

from crystalgfn.crystallography.cells import Array
from crystalgfn.crystallography.elements import COVALENT_RADIUS, ELECTRONEGATIVITY
from crystalgfn.crystallography.lattices import cell_volume
from crystalgfn.crystallography.sites.prior import element_class

OTHER_CLASS = 0.3
"""Dissimilarity of elements of different classes, added to the differences in electronegativity and radius."""

EXCHANGES = 24
"""Most element exchanges tried for one prototype."""


def scaled_to(lattice: Array, other: Array) -> Array:
    """Return a lattice (6,), A and degree, with its lengths scaled to the volume of another (6,)."""
    volumes = cell_volume(torch.from_numpy(np.stack([lattice, other]))).numpy()
    return np.concatenate([lattice[:3] * (volumes[1] / volumes[0]) ** (1 / 3), lattice[3:]])


def exchanges(old: Mapping[int, int], new: Mapping[int, int]) -> Iterator[dict[int, int]]:
    """Yield the one-to-one exchanges ``{old: new}`` of atomic numbers that keep the counts."""
    by_count: dict[int, tuple[list[int], list[int]]] = {}
    for side, counts in enumerate((old, new)):
        for z, n in sorted(counts.items(), key=lambda item: (ELECTRONEGATIVITY[item[0]], item[0])):
            by_count.setdefault(n, ([], []))[side].append(z)
    old_elements = [z for elements, _ in by_count.values() for z in elements]
    for choice in product(*(permutations(elements) for _, elements in by_count.values())):
        yield dict(zip(old_elements, [z for part in choice for z in part], strict=True))


def dissimilarity(counts: Mapping[int, int], elements: Mapping[int, int]) -> float:
    """Return how unlike old and new elements are: electronegativity, radius (A) and class, as a mean over the atoms."""
    total = sum(n * _difference(z, elements[z]) for z, n in counts.items())
    return float(total / sum(counts.values()))


@cache
def _difference(one: int, other: int) -> float:
    difference = abs(ELECTRONEGATIVITY[one] - ELECTRONEGATIVITY[other])
    difference += abs(COVALENT_RADIUS[one] - COVALENT_RADIUS[other])
    return float(difference + OTHER_CLASS * (element_class(one) != element_class(other)))
