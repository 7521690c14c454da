"""What follows from the composition and the cell of crystals: atoms, volumes, densities, formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography import elements as element_tables
from crystalgfn.crystallography.lattices import cell_volume

if TYPE_CHECKING:
    from pymatgen.core import Composition, Lattice


class Derived:
    """Quantities of B crystals over D elements, of which a subclass has ``elements``, ``counts`` and ``lattice``."""

    if TYPE_CHECKING:

        @property
        def elements(self) -> tuple[int, ...]:
            """(D,) atomic numbers."""
            ...

        @property
        def counts(self) -> Tensor:
            """(B, D) atoms in the conventional cell."""
            ...

        @property
        def lattice(self) -> Tensor:
            """(B, 6) lengths, A, and angles, degree."""
            ...

        @property
        def device(self) -> torch.device:
            """Device of the tensors."""
            ...

    @cached_property
    def n_atoms(self) -> Tensor:
        """(B,) int64: atoms in the conventional cell."""
        return self.counts.sum(dim=1)

    @cached_property
    def volume(self) -> Tensor:
        """(B,) float64: volume of the conventional cell, A^3."""
        return cell_volume(self.lattice)

    @cached_property
    def volume_per_atom(self) -> Tensor:
        """(B,) float64: A^3/atom."""
        return self.volume / self.n_atoms

    @cached_property
    def density(self) -> Tensor:
        """(B,) float64: g/cm3."""
        masses = torch.as_tensor(element_tables.ATOMIC_MASS[list(self.elements)], dtype=torch.float64)
        return self.counts.double() @ masses.to(self.device) / self.volume * element_tables.GRAMS_PER_CM3

    @cached_property
    def formulas(self) -> list[str]:
        """(B,) reduced formulas, elements by rising electronegativity (``LiFePO4``)."""
        reduced = self.counts // torch.from_numpy(_divisors(self.counts)).to(self.device)
        return _join(self.elements, reduced, lambda symbol, n: symbol if n == 1 else f"{symbol}{n}", "")

    @cached_property
    def elements_json(self) -> list[str]:
        """(B,) counts in the conventional cell as JSON, in the order of the formula: ``{"Mg": 4, "O": 4}``."""
        return [f"{{{body}}}" for body in _join(self.elements, self.counts, lambda symbol, n: f'"{symbol}": {n}', ", ")]

    @property
    def compositions(self) -> list[Composition]:
        """(B,) pymatgen compositions of the conventional cell."""
        from pymatgen.core import Composition

        symbols = [element_tables.SYMBOLS[z] for z in self.elements]
        return [
            Composition({symbol: n for symbol, n in zip(symbols, row, strict=True) if n})
            for row in self.counts.tolist()
        ]

    @property
    def lattices(self) -> list[Lattice]:
        """(B,) pymatgen lattices of the conventional cell, lengths in A."""
        from pymatgen.core import Lattice

        return [Lattice.from_parameters(*row) for row in self.lattice.tolist()]


def _divisors(counts: Tensor) -> np.ndarray:
    """(B, 1) greatest common divisors of the counts of each crystal; 1 where there are no atoms."""
    divisors = np.gcd.reduce(counts.cpu().numpy(), axis=1, keepdims=True, initial=0)
    return np.maximum(divisors, 1)


def _join(elements: tuple[int, ...], counts: Tensor, write: Callable[[str, int], str], separator: str) -> list[str]:
    """Return one text per row of counts (B, D): its elements in formula order, each written by ``write``."""
    order = [elements.index(z) for z in element_tables.FORMULA_ORDER if z in elements]
    symbols = [element_tables.SYMBOLS[elements[column]] for column in order]
    ordered = counts[:, order].cpu().numpy()
    rows, columns = np.nonzero(ordered)
    texts: dict[tuple[int, int], str] = {}
    parts = []
    for key in zip(columns.tolist(), ordered[rows, columns].tolist(), strict=True):
        if key not in texts:
            texts[key] = write(symbols[key[0]], key[1])
        parts.append(texts[key])
    ends = np.searchsorted(rows, np.arange(len(ordered) + 1)).tolist()
    return [separator.join(parts[start:end]) for start, end in pairwise(ends)]
