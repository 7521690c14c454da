"""Chemical classes of a batch of crystals."""

from __future__ import annotations

import numpy as np

from crystalgfn.crystallography.chemical_classes import class_of
from crystalgfn.crystals.crystal import Crystals


def classes_of(crystals: Crystals) -> list[str]:
    """Return the chemical class of each of B crystals."""
    present, place = np.unique(crystals.counts.cpu().numpy() > 0, axis=0, return_inverse=True)
    numbers = np.array(crystals.elements)
    names = [class_of(numbers[row].tolist()) for row in present]
    return [names[i] for i in place.reshape(-1)]
