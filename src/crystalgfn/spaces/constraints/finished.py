"""Finished crystals as arrays: all that the independent checks of constraints look at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.errors import DataError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative deviation from a bound that floating point may cause."""


@dataclass(frozen=True, eq=False)
class FinishedCrystals:
    """B crystals over D elements, by conventional cell.

    Attributes:
        elements: D atomic numbers.
        groups: ``(B,)`` international numbers.
        counts: ``(B, D)`` atoms.
        lattice: ``(B, 6)`` a, b, c in A and alpha, beta, gamma in degree.
        columns: further columns of the table, ``(B,)``.
        sites_text: ``(B,)`` JSON lists of [symbol, letter, multiplicity in the conventional cell]; None where crystals
            have no sites.
    """

    elements: tuple[int, ...]
    groups: Ints
    counts: Ints
    lattice: Floats
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    sites_text: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, rows: NDArray[Any]) -> FinishedCrystals:
        columns = {name: values[rows] for name, values in self.columns.items()}
        sites = None if self.sites_text is None else self.sites_text[rows]
        return FinishedCrystals(self.elements, self.groups[rows], self.counts[rows], self.lattice[rows], columns, sites)

    @cached_property
    def numbers(self) -> Ints:
        """``(D,)`` atomic numbers."""
        return np.array(self.elements, dtype=np.int64)

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """``(B, D)`` which elements occur."""
        return np.asarray(self.counts > 0)

    @cached_property
    def n_atoms(self) -> Ints:
        """``(B,)`` atoms in the conventional cell."""
        return np.asarray(self.counts.sum(1))

    @cached_property
    def cells(self) -> Ints:
        """``(B,)`` primitive cells in the conventional one."""
        return np.asarray(CENTERING_MULTIPLICITY[self.groups])

    @cached_property
    def primitive(self) -> Ints:
        """``(B, D)`` atoms in the primitive cell; the ``counts`` where the centering does not divide them."""
        whole = (self.counts % self.cells[:, None] == 0).all(1, keepdims=True)
        return np.where(whole, self.counts // self.cells[:, None], self.counts)

    def of(self, atomic_number: int) -> Ints:
        """``(B,)`` atoms of an element."""
        return np.asarray(self.counts[:, self.numbers == atomic_number].sum(1))

    @cached_property
    def sites(self) -> list[list[tuple[str, str, int]]]:
        """(symbol, letter, multiplicity in the conventional cell) of each orbit, a list for each of the B crystals.

        Raises:
            DataError: the crystals have no sites.
        """
        if self.sites_text is None:
            raise DataError("constraints on sites: found crystals without sites, allowed: crystals with sites")
        try:
            return [[(symbol, letter, n) for symbol, letter, n in json.loads(text)] for text in self.sites_text]
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"sites: not readable ({' '.join(str(error).split())[:100]})") from None

    @property
    def lengths(self) -> Floats:
        """``(B, 3)`` a, b and c, A."""
        return self.lattice[:, :3]

    @property
    def angles(self) -> Floats:
        """``(B, 3)`` alpha, beta and gamma, degree."""
        return self.lattice[:, 3:]

    @cached_property
    def volume(self) -> Floats:
        """``(B,)`` A^3, by the determinant of the metric tensor; NaN where there is no cell.

        Not the function that the sampler uses, on purpose: a check must not share its mistakes.
        """
        cosines = np.ones((len(self), 3, 3))
        for (i, j), column in (((1, 2), 0), ((0, 2), 1), ((0, 1), 2)):
            cosines[:, i, j] = cosines[:, j, i] = np.cos(np.radians(self.angles[:, column]))
        metric = self.lengths[:, :, None] * cosines * self.lengths[:, None, :]
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(np.linalg.det(metric)))


def outside(values: NDArray[Any], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    """Which values are not within inclusive bounds; NaN is outside."""
    low, high = bounds
    within: NDArray[np.bool_] = (values >= low * (1 - ROUNDING)) & (values <= high * (1 + ROUNDING))
    return ~within
