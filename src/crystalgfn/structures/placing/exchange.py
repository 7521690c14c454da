"""Exchanges of elements: a known crystal with other elements of the same counts, and how unlike they are."""

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
"""Dissimilarity of elements of different classes, beside the differences in electronegativity and radius."""

EXCHANGES = 24
"""Element exchanges tried for one prototype, at most."""


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
    for choice in product(*(permutations(there) for _, there in by_count.values())):
        here = [z for olds, _ in by_count.values() for z in olds]
        yield dict(zip(here, [z for part in choice for z in part], strict=True))


def dissimilarity(counts: Mapping[int, int], elements: Mapping[int, int]) -> float:
    """Return the mean over the atoms of how unlike old and new element are: electronegativity, radius (A) and class."""
    unlike = sum(n * _unlike(z, elements[z]) for z, n in counts.items())
    return float(unlike / sum(counts.values()))


@cache
def _unlike(one: int, other: int) -> float:
    difference = abs(ELECTRONEGATIVITY[one] - ELECTRONEGATIVITY[other])
    difference += abs(COVALENT_RADIUS[one] - COVALENT_RADIUS[other])
    return float(difference + OTHER_CLASS * (element_class(one) != element_class(other)))
