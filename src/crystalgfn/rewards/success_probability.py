"""The probability that a proposal succeeds, learned from the outcomes of earlier proposals.

How near the hull a crystal ends depends on its energy, but also on whether its structure can be found: cells of many
atoms and elements have more minima than any search sees. Energies alone do not suffice: predicted energies above hull
of 200 samples had no correlation with the outcomes, while the number of atoms and the elements present told successes
from failures (area under the ROC curve 0.87 on 136 outcomes held out from a fit to 64). So this is a logistic
regression on exactly these features, with a ridge penalty; some tens of outcomes are enough.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.space_groups import CENTERING_MULTIPLICITY
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_json

RIDGE = 3.0
"""Penalty on the squares of the weights of standardised features."""

STEPS = 50
"""Newton steps of a fit."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SuccessProbability:
    """P(success) = sigmoid(bias + weights . features).

    Features are the number of elements, the logarithm of the number of atoms in the primitive cell, and for each
    symbol in ``elements`` whether the crystal holds the element. Each feature is less its mean, divided by its spread.

    Attributes:
        elements: E symbols.
        mean, spread, weights: mean, standard deviation and weight of each feature, ``(2 + E,)``.
        bias: constant of the sum.
        rows, successes: numbers of outcomes, and of successes among the outcomes, in the fit.
    """

    elements: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    rows: int
    successes: int

    def __call__(self, crystals: Crystals) -> Tensor:
        """Return the success probability of B crystals, ``(B,)`` float32, on their device."""
        features = _features(crystals, [atomic_number(symbol) for symbol in self.elements])
        standard = (features - torch.tensor(self.mean)) / torch.tensor(self.spread)
        return torch.sigmoid(standard @ torch.tensor(self.weights) + self.bias).float().to(crystals.counts.device)

    @classmethod
    def fit(cls, crystals: Crystals, success: npt.NDArray[np.bool_]) -> SuccessProbability:
        """Fit to the outcomes of N crystals by Newton's method; the optimum is unique.

        One success and one failure are added, spread evenly over all outcomes, so that no probability becomes 0 or 1.

        Raises:
            DataError: there are no crystals, or not one success flag for each.
        """
        if not len(crystals) or success.shape != (len(crystals),):
            raise DataError(f"{len(crystals)} crystals and outcomes of shape {success.shape}, allowed: one for each")
        features = _features(crystals, list(crystals.elements)).double().numpy()
        mean, spread = features.mean(0), features.std(0) + 1e-9
        size = features.shape[1]
        rows = np.column_stack([(features - mean) / spread, np.ones(len(features))])
        target = (success.astype(float) * len(success) + 1) / (len(success) + 2)
        penalty = np.diag([RIDGE] * size + [1e-6])
        weights = np.zeros(size + 1)
        for _ in range(STEPS):
            p = 1 / (1 + np.exp(-rows @ weights))
            gradient = rows.T @ (p - target) + penalty @ weights
            hessian = (rows * (p * (1 - p))[:, None]).T @ rows + penalty
            weights = weights - np.linalg.solve(hessian, gradient)
        symbols = tuple(SYMBOLS[z] for z in crystals.elements)
        middle, width, slopes = (tuple(float(x) for x in array) for array in (mean, spread, weights[:-1]))
        return cls(symbols, middle, width, slopes, float(weights[-1]), len(success), int(success.sum()))

    def save(self, path: Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> SuccessProbability:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the file cannot be read, or holds something else.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            mean, spread, weights = (tuple(content[name]) for name in ("mean", "spread", "weights"))
            tallies = int(content["rows"]), int(content["successes"])
            model = cls(tuple(content["elements"]), mean, spread, weights, float(content["bias"]), *tallies)
            fits = len(model.mean) == len(model.spread) == len(model.weights) == 2 + len(model.elements)
            numbers = [float(x) for x in (*model.mean, *model.spread, *model.weights, model.bias)]
            if not fits or not np.isfinite(numbers).all() or min(model.spread) <= 0:
                raise ValueError("numbers that do not fit")
            [atomic_number(symbol) for symbol in model.elements]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError) as error:
            message = f"{path}: no model of success probabilities ({error}), allowed: what crystalgfn loop wrote"
            raise DataError(message) from None
        return model


def _features(crystals: Crystals, elements: list[int]) -> Tensor:
    """Features ``(B, 2 + E)`` float32 on the CPU, not standardised."""
    counts, group = crystals.counts.cpu(), crystals.space_group.cpu()
    points = torch.tensor(CENTERING_MULTIPLICITY)[group]
    present = counts > 0
    column = {z: i for i, z in enumerate(crystals.elements)}
    absent = torch.zeros(len(crystals), dtype=torch.bool)
    presence = [present[:, column[z]] if z in column else absent for z in elements]
    sizes = torch.stack([present.sum(1).float(), (counts.sum(1) / points).log()], 1)
    return torch.cat([sizes, torch.stack(presence, 1).float()], 1)
