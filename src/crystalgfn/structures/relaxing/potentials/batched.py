"""Potentials that answer for many crystals in one call, on a GPU or, to test the same code, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crystalgfn.structures.relaxing.potentials.batcher import Batcher
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential, point_calculator
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Relaxed, Schedule, SinglePoint

if TYPE_CHECKING:
    from pymatgen.core import Structure


class Model(Protocol):
    """A network on a device; its methods take B structures and fail for all where they fail for one."""

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom."""
        ...

    def points(self, structures: Sequence[Structure]) -> Sequence[SinglePoint]:
        """Return energy, forces and stress of each structure."""
        ...


class BatchedPotential(CalculatorPotential):
    """A network that computes many structures at once.

    It is a :class:`~crystalgfn.structures.relaxing.potentials.potential.Potential` that relaxes as any other,
    by :func:`~crystalgfn.structures.relaxing.relax.relax`; but the steps of many crystals are computed together.

    Args:
        name: name for columns and reports.
        model: the network.
        batcher: gathers what is asked for many crystals.
        references: elemental references; without them there are no formation energies.
    """

    def __init__(self, name: str, model: Model, batcher: Batcher, references: References | None = None) -> None:
        self._model, self._batcher = model, batcher
        super().__init__(name, self.calculator(), references)

    def calculator(self) -> Any:
        """Return an ASE calculator of its own for each relaxation, as it holds the results of one crystal."""
        return point_calculator(self._point)

    def energies(self, structures: Sequence[Structure]) -> NDArray[np.float64]:
        """Return total energies (B,), eV/atom; NaN for a structure that the network refuses."""
        found = self._batcher.ask(self._model.energies, structures)
        return np.array([np.nan if isinstance(energy, Exception) else energy for energy in found], dtype=np.float64)

    def prerelax(self, structures: Sequence[Structure], *, steps: int) -> list[Prerelaxed]:
        """Return the result of :func:`~crystalgfn.structures.relaxing.relax.prerelax` for each structure."""
        one = super().prerelax
        return self._batcher.ordered(lambda structure: one([structure], steps=steps)[0], structures)

    def relax(
        self,
        structures: Sequence[Structure],
        *,
        seed: int,
        schedule: Schedule,
        prerelaxed: Sequence[Prerelaxed] | None = None,
    ) -> list[Relaxed]:
        """Return the result of :func:`~crystalgfn.structures.relaxing.relax.relax` for each structure."""
        one = super().relax

        def relaxed(i: int) -> Relaxed:
            start = None if prerelaxed is None else [prerelaxed[i]]
            return one([structures[i]], seed=seed, schedule=schedule, prerelaxed=start)[0]

        return self._batcher.ordered(relaxed, range(len(structures)))

    def _point(self, structure: Structure) -> SinglePoint:
        (found,) = self._batcher.ask(self._model.points, [structure])
        if isinstance(found, Exception):
            raise found
        point: SinglePoint = found
        return point
