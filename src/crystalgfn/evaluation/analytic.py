"""Rewards with exactly known partition function and marginals, as a yardstick for samplers.

log R(x) = f(space group) + sum over elements of h(element, atoms per primitive cell) + sum over free slots of log l(u)

with f and h normal random numbers and l(u) = w + (1 - w) Beta(u; a, b), with other a and b for each lattice system and
slot. l integrates to 1 over the slot, so Z is a sum over space groups and compositions; :mod:`.enumeration` computes
it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from crystalgfn.evaluation.enumeration import CompositionSums
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.lattice import FREE
from crystalgfn.spaces.states import CrystalStates


class AnalyticTarget:
    """A separable reward over a space of crystals, in the measure of the unit cube.

    Args:
        space: the space; its elements, groups and constraints are used, but not its look-ahead.
        seed: seed of the coefficients.
        group_scale: standard deviation of f, nats.
        composition_scale: standard deviation of h, nats.
        lattice_scale: a and b of the Beta densities are uniform in [1, 1 + lattice_scale].
        floor: w, share of the uniform density, so that log l is bounded.
        balanced: subtract from f(g) the log of the sum over the compositions of g. The marginal of the space group is
            then proportional to exp(f), f before the subtraction, and groups with few compositions weigh as much as
            others.

    Attributes:
        log_z: exact log of the integral of R.
        space_group_marginal: ``(231,)`` float64, exact probability of each space group.
        element_marginal: ``(D,)`` float64, exact probability that an element is present.
        size_marginal: ``(m + 1,)`` float64, exact probability of a number of elements.
    """

    def __init__(
        self,
        space: CrystalSpace,
        seed: int = 0,
        *,
        group_scale: float = 1.0,
        composition_scale: float = 1.0,
        lattice_scale: float = 4.0,
        floor: float = 0.1,
        balanced: bool = False,
    ) -> None:
        random = np.random.default_rng(seed)
        n_elements, most = len(space.elements), space.max_count
        f = group_scale * random.normal(size=231)
        log_h = composition_scale * random.normal(size=(n_elements, most))
        self.floor = floor
        self.shapes = torch.from_numpy(1 + lattice_scale * random.random(size=(2, 9, 6)))  # a, b by system and slot

        groups = space.groups.allowed.nonzero().squeeze(1).tolist()
        sums = self._sums = CompositionSums(space.elements, groups, space.composition.limits, log_h)
        compositions = sums.fits @ sums.sums.sum(0)  # (231,) sum over the compositions of a group
        log_compositions = np.log(compositions, where=compositions > 0, out=np.full(231, -np.inf))
        if balanced:
            f = f - np.where(compositions > 0, log_compositions, 0.0)
        log_weight = torch.from_numpy(f + log_compositions)
        self.log_z = float(torch.logsumexp(log_weight, 0))
        self.space_group_marginal = torch.softmax(log_weight, 0)

        # the probability of a composition is exp(h) times a factor that depends on its pattern of counts alone
        factor = (self.space_group_marginal.numpy() / np.where(compositions > 0, compositions, 1.0)) @ sums.fits
        of_subset = sums.sums @ factor
        present = np.array([[d in subset for d in range(n_elements)] for subset in sums.subsets])
        size_marginal = np.bincount(present.sum(1), of_subset, minlength=space.max_elements + 1)
        self.element_marginal = torch.from_numpy(of_subset @ present)
        self.size_marginal = torch.from_numpy(size_marginal)
        self.max_elements = space.max_elements
        self._log_compositions = torch.from_numpy(log_compositions)
        self._f = torch.from_numpy(f)
        self._h = torch.zeros(n_elements + 1, most + 1, dtype=torch.float64)  # row and column 0: no element, no atoms
        self._h[1:, 1:] = torch.from_numpy(log_h)
        self._system = space.lattice.system(torch.arange(231, device=space.device)).cpu()

    def log_reward(self, states: CrystalStates, condition: Tensor | None = None) -> Tensor:
        """Return log R of samples of the space, ``(B,)`` float64."""
        composition, lattice = self._parts(states)
        return self._f.to(states.u.device)[states.space_group] + composition + lattice

    def _parts(self, states: CrystalStates) -> tuple[Tensor, Tensor]:
        """Return the sum of h and the sum of log l, ``(B,)`` each."""
        device = states.u.device
        system = self._system.to(device)[states.space_group]
        log_l = torch.where(FREE.to(device)[system], self.log_slot_density(states.u, system), 0.0)
        return self._h.to(device)[states.elements, states.counts].sum(1), log_l.sum(1)

    def log_conditionals(self, states: CrystalStates) -> tuple[Tensor, Tensor, Tensor]:
        """Return exact log p(space group), log p(composition | space group) and log p(u | space group), ``(B,)`` each.

        Their sum is log R - log Z; each shows the error of a sampler in one stage.
        """
        composition, lattice = self._parts(states)
        group = states.space_group.cpu()
        normaliser, marginal = (
            t[group].to(states.u.device) for t in (self._log_compositions, self.space_group_marginal)
        )
        return torch.log(marginal), composition - normaliser, lattice

    def log_slot_density(self, u: Tensor, system: Tensor) -> Tensor:
        """Return log l of every slot ``(B, 6)``, free or not, at ``u`` ``(B, 6)`` for lattice systems ``(B,)``."""
        a, b = self.shapes.to(u.device)[:, system].unbind(0)
        x = u.double()
        log_norm = torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)
        # xlogy, so that the density at 0 and at 1 is 0 or finite, never NaN
        log_beta = torch.special.xlogy(a - 1, x) + torch.special.xlog1py(b - 1, -x) + log_norm
        return torch.log(self.floor + (1 - self.floor) * torch.exp(log_beta))

    def sample(self, n: int, *, generator: Generator) -> CrystalStates:
        """Draw exact, independent samples of the target, for estimates that need them (EUBO, coverage).

        Args:
            n: number of samples.
            generator: source of randomness, on the CPU.
        """
        sums = self._sums
        group = torch.multinomial(self.space_group_marginal, n, replacement=True, generator=generator)
        of_group = torch.from_numpy(sums.fits * sums.sums.sum(0))[group]
        pattern = torch.multinomial(of_group, 1, generator=generator).squeeze(1)
        of_pattern = torch.from_numpy(sums.sums.T.copy())[pattern]
        subset = torch.multinomial(of_pattern, 1, generator=generator).squeeze(1)
        elements, counts = torch.zeros(2, n, self.max_elements, dtype=torch.int64).unbind(0)
        for number in torch.unique(subset).tolist():
            columns = sums.subsets[number]
            table, _ = sums.table(columns)
            first, second = sums.halves(columns)
            rows = subset.eq(number).nonzero().squeeze(1)
            for pattern_number in torch.unique(pattern[rows]).tolist():
                selection = rows[pattern[rows] == pattern_number]
                cells = sums.cells(columns, pattern_number)
                weights = torch.from_numpy(table.ravel()[cells])
                draw = torch.multinomial(weights, len(selection), replacement=True, generator=generator).numpy()
                i, j = np.divmod(cells[draw], table.shape[1])
                both = np.concatenate((first.counts[i], second.counts[j]), 1)
                counts[selection, : len(columns)] = torch.from_numpy(both)
                elements[selection, : len(columns)] = 1 + torch.tensor(columns)
        return CrystalStates(group, elements, counts, self._points(self._system[group], generator))

    def _points(self, system: Tensor, generator: Generator) -> Tensor:
        a, b = self.shapes[:, system].unbind(0)
        first, second = (torch._standard_gamma(shape, generator=generator) for shape in (a, b))
        uniform, selector = torch.rand(2, len(system), 6, dtype=torch.float64, generator=generator)
        u = torch.where(selector < self.floor, uniform, first / (first + second))
        return torch.where(FREE[system], u, 0.0)
