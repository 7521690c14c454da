"""Properties that follow from the counts and the cell without error."""

from __future__ import annotations

from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.property import about


@about("g/cm3", "counts, standard atomic masses and the cell")
def density(crystals: Crystals) -> Tensor:
    """Density (B,), g/cm3."""
    return crystals.density


@about("A^3/atom", "volume of the cell over its atoms")
def volume_per_atom(crystals: Crystals) -> Tensor:
    """Volume per atom (B,), A^3/atom."""
    return crystals.volume_per_atom


@about("", "number of different elements")
def n_elements(crystals: Crystals) -> Tensor:
    """Number of elements (B,)."""
    return (crystals.counts > 0).sum(1)
