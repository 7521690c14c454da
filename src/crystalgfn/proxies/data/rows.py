"""Rows that a network is fitted to: inputs with a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crystalgfn.proxies.data.labelled import LabelledCrystals
from crystalgfn.proxies.networks.features import Featuriser
from crystalgfn.proxies.networks.inputs import Inputs


@dataclass(frozen=True)
class Rows:
    """Rows with a target.

    Attributes:
        inputs: inputs of N crystals.
        target: (N,) eV/atom, or eV for the band gap; (N, 2) energies above the hull and formation energies, NaN for
            unknown ones.
    """

    inputs: Inputs
    target: Tensor

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True)
class TrainingData:
    """The rows of a training run.

    Attributes:
        train: real rows.
        validation: real rows that choose the epoch; without any, the last epoch is kept.
        extra, extra_validation: further rows with a target, such as strained copies or compositions in no known
            structure, or None.
        borrowed: known compositions in the structure of another crystal and, as target, their hull energy (eV/atom),
            or None.
        bounded: crystals without known energy and, as target, the hull energy of their composition (eV/atom), or None.
    """

    train: Rows
    validation: Rows
    extra: Rows | None = None
    extra_validation: Rows | None = None
    bounded: Rows | None = None
    borrowed: Rows | None = None


def rows_of(
    table: LabelledCrystals,
    mask: npt.NDArray[np.bool_],
    target: npt.NDArray[np.float64],
    featuriser: type[Featuriser] = Featuriser,
) -> Rows:
    """Return the rows of a table that ``mask`` (N,) marks, with ``target`` (N,) or (N, 2)."""
    index = np.flatnonzero(mask)
    return Rows(featuriser()(table.crystals[index]), torch.as_tensor(target[index], dtype=torch.float32))
