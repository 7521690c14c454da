"""A stoichiometry: named elements in their ratios, other elements in the open ratios."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.errors import ConfigError, ConstraintError
from crystalgfn.spaces.constraints.base import FollowedConstraint, Option, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import CompositionLimits


class HasStoichiometry(FollowedConstraint):
    """The ratios of a formula, each used once.

    The state of the ledger holds every (formula units, open ratios left) that the atoms so far can mean. That all named
    elements are there, and how many elements there are, is left to the limits on elements.
    """

    value: Stoichiometry
    name = "stoichiometry"
    meaning = "A formula (``LiFePO4``), an anonymous one (``AB2C4``) or a mixture (``ABO3``, ``A2BX6``); null for any."
    option = Option("--stoichiometry", "A formula, open or named.", "ABO3")

    @classmethod
    def annotation(cls) -> Any:
        """A formula."""
        return str | None

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """It is a formula."""
        if value is not None:
            Stoichiometry.parse(value)

    @classmethod
    def parse(cls, written: Any) -> Stoichiometry:
        """The ratios."""
        return Stoichiometry.parse(written)

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The stoichiometry of training, or any where training had none."""
        if was is not None and now != was:
            raise ConfigError(f"restriction {cls.name}: found {now!r}, allowed: {was!r}, as in training")
        return now

    def contribute(self, limits: CompositionLimits) -> CompositionLimits:
        """Add the ledger, the named elements, the number of elements and the ratios.

        Raises:
            ConstraintError: another number of elements is asked for.
        """
        low, high = limits.n_distinct
        number = self.value.n_elements
        if not low <= number <= high:
            raise ConstraintError(f"the stoichiometry has {number} elements, n_elements allows {low} to {high}")
        named = tuple(z for z, _ in self.value.named if z not in limits.present)
        limits = replace(limits, present=(*limits.present, *named), n_distinct=(number, number), formula=self.value)
        return super().contribute(limits)

    def kind(self, atomic_number: int) -> Hashable:
        """Ratio of a named element, 0 for others."""
        return dict(self.value.named).get(atomic_number, 0)

    def start(self, most: int) -> Hashable:
        """Every number of formula units, all open ratios left."""
        return frozenset((units, self.value.open) for units in range(1, most // self.value.atoms + 1))

    def advance(self, state: Hashable, kind: Hashable, count: int) -> Hashable | None:
        """Every (formula units, open ratios left) that still fits the atoms."""
        assert isinstance(state, frozenset)
        assert isinstance(kind, int)
        if kind:
            after = frozenset((units, left) for units, left in state if count == units * kind)
        else:
            after = frozenset(
                (units, _without(left, count // units))
                for units, left in state
                if count % units == 0 and count // units in left
            )
        return after or None

    def accepts(self, state: Hashable, atoms: int) -> bool:
        """Every open ratio is used."""
        assert isinstance(state, frozenset)
        return any(not left for _, left in state)

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether the ratios differ, compared by multiplication."""
        formula, counts = self.value, crystals.counts
        fits = np.ones(len(crystals), dtype=bool)
        for z, ratio in formula.named:
            fits &= crystals.of(z) * formula.atoms == ratio * crystals.n_atoms
        others = np.sort(counts[:, ~np.isin(crystals.numbers, [z for z, _ in formula.named])], axis=1)
        size = max(others.shape[1], len(formula.open))
        others = np.pad(others, ((0, 0), (size - others.shape[1], 0)))
        ratios = np.array([0] * (size - len(formula.open)) + sorted(formula.open), dtype=np.int64)
        return ~np.asarray(fits & (others * formula.atoms == ratios * crystals.n_atoms[:, None]).all(1), dtype=bool)


def _without(ratios: tuple[int, ...], ratio: int) -> tuple[int, ...]:
    place = ratios.index(ratio)
    return ratios[:place] + ratios[place + 1 :]
