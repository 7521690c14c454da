"""Rows that teach the energy of strain: real crystals at 0, and their strained copies at the change of energy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labelled import BASE_ID, CHANGE, LabelledCrystals
from crystalgfn.proxies.data.rows import TrainingData, rows_of
from crystalgfn.proxies.data.splits import Split
from crystalgfn.proxies.hyperparameters import Hyperparameters

MAX_ANGLE_CHANGE = 10.0
"""Degree; strained copies with a larger change of an angle count as infinitely far in shape."""


def strain_data(
    table: LabelledCrystals, split: Split, hyperparameters: Hyperparameters, strained: LabelledCrystals
) -> TrainingData:
    """Make the training rows for the strain energy: 0 for real crystals, the change of energy for their copies.

    Copies stand on the side of their formula; their change is capped at ``strained_cap``.

    Raises:
        DataError: there are no copies of training or of validation formulas.
    """
    side = np.array(split.side_of(table.crystals.formulas, strained.crystals.formulas), dtype=object)
    if hyperparameters.shape_limit:
        side[shape_change(strained, table)[0] > hyperparameters.shape_limit] = None
    validating = side == "validation"
    if not (side == "train").any() or (split.validation.any() and not validating.any()):
        raise DataError(f"{strained.name}: no copies of the crystals of {table.name}, allowed: copies of its rows")
    change = np.minimum(strained.crystals.numbers(CHANGE), hyperparameters.strained_cap)
    zero = np.zeros_like(table.target)
    return TrainingData(
        train=rows_of(table, split.train, zero),
        validation=rows_of(table, split.validation, zero),
        extra=rows_of(strained, side == "train", change),
        extra_validation=rows_of(strained, validating, change) if validating.any() else None,
    )


def shape_change(
    strained: LabelledCrystals, table: LabelledCrystals
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the factor (N,) >= 1 by which axial ratios of strained rows changed, and which rows (N,) have a base row.

    Where an angle changed by more than 10 degree, or the base row is missing, the factor is infinite.
    """
    position = {str(name): row for row, name in enumerate(table.crystals.columns[BASE_ID])}
    base_row = np.array([position.get(str(name), -1) for name in strained.crystals.columns[BASE_ID]])
    new, base = strained.crystals.lattice.numpy(), table.crystals.lattice.numpy()[base_row]
    logs = np.log(new[:, :3] / base[:, :3])
    factor = np.exp(logs.max(1) - logs.min(1))
    factor[np.abs(new[:, 3:] - base[:, 3:]).max(1) > MAX_ANGLE_CHANGE] = np.inf
    factor[base_row < 0] = np.inf
    return factor, base_row >= 0
