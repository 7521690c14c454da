"""Pareto fronts: samples that no other sample beats in every term of the objective."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.rewards.terms.term import Term

BLOCK = 1_000
"""Samples compared with all others at once."""


def front(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the samples that no other sample dominates.

    Args:
        scores: ``(n, k)``, higher is better.

    Returns:
        ``(n,)`` bool; of equal rows only the first is True.
    """
    distinct, first = np.unique(scores, axis=0, return_index=True)
    undominated = np.ones(len(distinct), dtype=bool)
    for start in range(0, len(distinct), BLOCK):
        block = distinct[start : start + BLOCK, None, :]
        better = np.all(distinct >= block, axis=2) & np.any(distinct > block, axis=2)
        undominated[start : start + BLOCK] = ~np.any(better, axis=1)
    front = np.zeros(len(scores), dtype=bool)
    front[first[undominated]] = True
    return front


def pareto_front(crystals: Crystals, terms: Sequence[Term]) -> Crystals:
    """Return the samples that no other sample dominates, ordered by the first term, best first.

    Args:
        crystals: samples with the columns of the terms.
        terms: terms of the objective; samples are compared by the values of their goals.

    Raises:
        DataError: a column is missing.
    """
    criteria = [term.criterion for term in terms]
    scores = np.stack([one.goal(torch.as_tensor(crystals.numbers(one.column))).numpy() for one in criteria], 1)
    rows = np.flatnonzero(front(scores))
    return crystals[rows[np.argsort(-scores[rows, 0], kind="stable")]]
