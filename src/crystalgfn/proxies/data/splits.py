"""Train, validation and test rows: stratified by the target, whole formulas on one side.

The split follows from (formulas, target, fractions, seed) and not from the order of the rows, so an evaluation can
rebuild it from the table a model was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Three disjoint masks (N,) over the rows of a table that together cover it.

    Attributes:
        train: rows the weights are fitted to.
        validation: rows that choose the epoch.
        test: rows for the reported errors.
    """

    train: Mask
    validation: Mask
    test: Mask

    def with_validation(self) -> Split:
        """Return the split whose training rows include the validation rows."""
        return Split(self.train | self.validation, np.zeros_like(self.validation), self.test)

    def side_of(self, formulas: Sequence[str], other: Sequence[str]) -> list[str | None]:
        """Return the side (``"train"``, ...) of each formula of ``other``; None for those not in ``formulas`` (N,)."""
        sides: dict[str, str] = {}
        for name in ("train", "validation", "test"):
            sides.update(dict.fromkeys(np.asarray(formulas, dtype=object)[getattr(self, name)], name))
        return [sides.get(formula) for formula in other]


def grouped_split(
    formulas: Sequence[str],
    target: npt.ArrayLike,
    *,
    seed: int,
    validation: float = 0.1,
    test: float = 0.1,
) -> Split:
    """Split N rows by formula, with the same distribution of the target on each side.

    Formulas are sorted by their mean target and dealt out in runs of twenty: each run sends the same share to each
    side, at random.

    Args:
        formulas: (N,) reduced formulas; rows of one formula stay together.
        target: (N,) values of the property.
        seed: seed of the random deal.
        validation, test: shares of the formulas, in steps of 1/20.
    """
    names, group = np.unique(np.asarray(formulas, dtype=str), return_inverse=True)
    mean = np.bincount(group, weights=np.asarray(target, dtype=float)) / np.bincount(group)
    order = np.lexsort((names, mean))
    rng = np.random.default_rng(seed)
    run = 20
    n_validation, n_test = round(validation * run), round(test * run)
    side = np.zeros(len(names), dtype=np.int64)
    for start in range(0, len(order), run):
        places = rng.permutation(run)[: len(order) - start]
        block = order[start : start + run]
        side[block] = np.where(places < n_validation, 1, np.where(places < n_validation + n_test, 2, 0))
    rows = side[group]
    return Split(rows == 0, rows == 1, rows == 2)


def unseen_systems(chemical_systems: Sequence[str], split: Split) -> Mask:
    """Mark (N,) the test rows whose set of elements occurs in no training or validation row."""
    systems = np.asarray(chemical_systems, dtype=str)
    return split.test & ~np.isin(systems, systems[~split.test])
