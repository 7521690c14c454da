"""Shares of chemical classes among crystals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from crystalgfn.crystallography.chemical_classes import CLASSES, Elements, class_of
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.measured import measured


def elements_of(crystals: Crystals) -> Counter[Elements]:
    """Return the number of crystals of each set of elements."""
    kinds, numbers = np.unique(crystals.counts.cpu().numpy() > 0, axis=0, return_counts=True)
    elements = np.array(crystals.elements)
    return Counter({frozenset(elements[row].tolist()): int(n) for row, n in zip(kinds, numbers, strict=True)})


def class_shares(weights: Mapping[Elements, int]) -> dict[str, float]:
    """Return the share of each class; zero for each if there are no crystals.

    Args:
        weights: number of crystals by their set of elements.
    """
    numbers = dict.fromkeys(CLASSES, 0)
    for elements, n in weights.items():
        numbers[class_of(elements)] += n
    total = max(sum(numbers.values()), 1)
    return {name: number / total for name, number in numbers.items()}


def class_numbers(
    weights: Mapping[Elements, int], known: Mapping[Elements, int] | None = None, *, name: str = "reference"
) -> dict[str, dict[str, Any]]:
    """Return the shares of the classes with their definitions, beside those of a reference.

    Args:
        weights: number of crystals by their set of elements.
        known: the same of known crystals.
        name: name of the known crystals.
    """
    n, numbers = sum(weights.values()), {}
    theirs = {} if known is None else class_shares(known)
    for key, share in class_shares(weights).items():
        about = CLASSES[key][0]
        numbers[key] = measured(share if n else None, f"share of crystals with {about}", n)
        if known is not None:
            total = sum(known.values())
            numbers[f"{key}_reference"] = measured(theirs[key], f"share with {about} among {name}", total)
    return numbers
