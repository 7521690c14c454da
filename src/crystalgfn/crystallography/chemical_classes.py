"""Chemical classes of crystals, by their elements alone; the first class that fits counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crystalgfn.crystallography.elements import atomic_number

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
