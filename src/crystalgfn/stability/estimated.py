"""A hull of few phases, completed by an estimate of the hull energy where its phases do not reach as low."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.stability.answer import HullEnergy, HullKind
from crystalgfn.stability.estimate import Estimate
from crystalgfn.stability.hull import Hull, Phase
from crystalgfn.stability.mixtures import Floats


class EstimatedHull(Hull):
    """The lower of two energies: that of the best mixture of phases, which is an upper bound, and an estimate.

    Pure elements rest on their phases alone. The phases are those of our own sampler, known to nobody else.

    Args:
        phases, name, elements, potential: see :class:`~crystalgfn.stability.hull.Hull`.
        estimate: estimate of hull energies.
    """

    phases_are_known = False

    def __init__(
        self,
        phases: Iterable[Phase],
        estimate: Estimate,
        *,
        name: str = "hull",
        elements: Mapping[str, float] | None = None,
        potential: str = "",
    ) -> None:
        super().__init__(phases, name=name, elements=elements, potential=potential)
        self._estimate = estimate

    def energy_above_hull(self, counts: Mapping[str, float], formation_energy: float) -> HullEnergy:
        """Return how far a crystal lies above the hull; see :meth:`Hull.energy_above_hull`.

        Where the estimate is lower than the phases, it is the answer, without a decomposition.
        """
        known = super().energy_above_hull(counts, formation_energy)
        estimate = None if known.kind is None else self.estimate_of(counts)
        if estimate is None or estimate[0] >= known.hull:
            return known
        mean, deviation = estimate
        return HullEnergy(formation_energy - mean, hull=mean, kind=HullKind.ESTIMATE, deviation=deviation)

    def estimate_of(self, counts: Mapping[str, float]) -> tuple[float, float] | None:
        """Return the estimate at a composition and its standard deviation, eV/atom; None for a pure element."""
        held = {atomic_number(symbol): n for symbol, n in counts.items() if n}
        if len(held) == 1:
            return None
        mean, deviation = self._estimate(list(held), torch.tensor([list(held.values())], dtype=torch.float64))
        return float(mean), float(deviation)

    def draws(self, counts: Mapping[str, float], errors: Floats) -> Floats:
        """Return energies of the true hull (K,), eV/atom, that agree with the estimate and lie not above the phases.

        Args:
            counts: atoms (or fractions) by element symbol, of elements that the hull has.
            errors: (K,) errors of the estimate in units of its deviation.
        """
        bound = super().energy_above_hull(counts, 0.0).hull
        answer = self.estimate_of(counts)
        return np.full(len(errors), bound) if answer is None else np.minimum(bound, answer[0] + answer[1] * errors)

    def completed(self, elements: Sequence[int], counts: Tensor, energies: Tensor) -> Tensor:
        """Return the energies of the phases' hull (B,), eV/atom, lowered to the estimate for compounds."""
        compounds = (counts > 0).sum(1) > 1
        mean, _ = self._estimate(elements, counts)
        return torch.where(compounds, torch.minimum(energies, mean), energies)
