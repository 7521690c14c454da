"""Chemical classes of crystals, by their elements alone; the first class that fits counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.measured import measured

Elements = frozenset[int]
"""Atomic numbers of the elements of a crystal."""


def _of(*symbols: str) -> Elements:
    return frozenset(atomic_number(symbol) for symbol in symbols)


OXYGEN = _of("O")
HALOGENS = _of("F", "Cl", "Br", "I", "At")
CHALCOGENS = _of("S", "Se", "Te", "Po")
PNICTOGENS = _of("N", "P", "As", "Sb")
NEITHER = _of("H", "C", "He", "Ne", "Ar", "Kr", "Xe", "Rn")
"""Elements that are neither in a class above nor metals, B, Si or Ge."""

CLASSES: dict[str, tuple[str, Callable[[Elements], bool]]] = {
    "oxides": ("O and another element", lambda zs: bool(zs & OXYGEN) and len(zs) > 1),
    "halides": ("F, Cl, Br or I and another element, no O", lambda zs: bool(zs & HALOGENS) and len(zs) > 1),
    "chalcogenides": (
        "S, Se or Te and another element, no O or halogen",
        lambda zs: bool(zs & CHALCOGENS) and len(zs) > 1,
    ),
    "pnictides": (
        "N, P, As or Sb and another element, no O, halogen, S, Se or Te",
        lambda zs: bool(zs & PNICTOGENS) and len(zs) > 1,
    ),
    "intermetallics": ("two or more of the metals, B, Si and Ge", lambda zs: len(zs) > 1 and not zs & NEITHER),
    "others": ("none of these: elements, hydrides, carbides", lambda zs: True),
}
"""The classes in the order in which they are tried: definition in words, and test of the elements."""


def class_of(elements: Iterable[int]) -> str:
    """Return the name of the class of a crystal with these atomic numbers."""
    present = frozenset(elements)
    return next(name for name, (_, fits) in CLASSES.items() if fits(present))


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
