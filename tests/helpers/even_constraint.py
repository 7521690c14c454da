"""A constraint that a reader could add: the example of docs/extending.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.spaces.constraints.base import Option, Rule


class Even(Rule):
    """Even numbers of some elements per primitive cell."""

    value: tuple[int, ...]
    name = "even"
    meaning = "Elements of which a primitive cell holds an even number of atoms."
    option = Option.of_list("--even", "Even numbers of these.", "H,O")
    step = "even numbers"

    @classmethod
    def parse(cls, written: Any) -> tuple[int, ...]:
        return tuple(atomic_number(symbol) for symbol in written)

    def kind(self, atomic_number):
        return atomic_number in self.value

    def start(self, most):
        return 0

    def advance(self, state, kind, count):
        return None if kind and count % 2 else state

    def accepts(self, state, atoms):
        return True

    def violated(self, crystals):
        return np.any([crystals.of(z) // crystals.cells % 2 for z in self.value], axis=0)

    def __str__(self):
        return " ".join(SYMBOLS[z] for z in self.value)
