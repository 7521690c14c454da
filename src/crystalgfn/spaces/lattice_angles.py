"""Angles of cells: fixed by the lattice system, or chosen by slots of u within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log, radians, sin

import torch
from torch import Tensor

from crystalgfn.crystallography.lattices import angle_factor
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.constraints.lattice_bounds import LatticeBounds
from crystalgfn.spaces.lattice import HEXAGONAL, MONOCLINIC, RHOMBOHEDRAL, TRICLINIC, TRIGONAL

MONOCLINIC_ANGLES = (90.0, 135.0)
"""Least and most beta (degree) of lattices of kind ``volume`` where the configuration leaves them open."""

MARGIN = 1.0
"""Degrees that triclinic and rhombohedral angles keep from the values at which the cell has no volume."""

ROUNDING = 1e-12
"""Relative distance that decoded values keep from hard bounds, so that rounding cannot carry them across."""


def within(interval: tuple[float, float], bound: tuple[float, float] | None) -> tuple[float, float]:
    """Part of an interval inside a bound; empty (low >= high) if there is none."""
    if bound is None:
        return interval
    return max(interval[0], bound[0] * (1 + ROUNDING)), min(interval[1], bound[1] * (1 - ROUNDING))


@dataclass(frozen=True)
class AngleRange:
    """Angles of triclinic cells: alpha and beta in [low, high], gamma where the three close a cell, in [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high < 180 and 360 - 2 * self.high > self.low):
            raise ConstraintError(
                f"angles [{self.low:g}, {self.high:g}] degree: some alpha and beta leave no gamma that closes a "
                "triclinic cell; allowed: 0 < low < high < 180 with 360 - 2 high > low"
            )

    def first(self, u: Tensor) -> Tensor:
        """alpha or beta from a slot of u."""
        return self.low + (self.high - self.low) * u

    def gamma_bounds(self, alpha: Tensor, beta: Tensor) -> tuple[Tensor, Tensor]:
        """Bounds of gamma (degree), a margin inside those at which the cell has no volume."""
        lower = torch.clamp((alpha - beta).abs(), min=self.low)
        upper = torch.minimum(torch.clamp(alpha + beta, max=self.high), 360 - alpha - beta)
        margin = torch.clamp(0.05 * (upper - lower), max=MARGIN)
        return lower + margin, upper - margin

    def decode(self, u: Tensor) -> Tensor:
        """Angles ``(B, 3)`` from ``(B, 3)`` in [0, 1]."""
        alpha, beta = self.first(u[:, 0]), self.first(u[:, 1])
        lower, upper = self.gamma_bounds(alpha, beta)
        return torch.stack((alpha, beta, lower + (upper - lower) * u[:, 2]), 1)

    def encode(self, angles: Tensor) -> Tensor:
        """Inverse of :meth:`decode`."""
        first = (angles[:, :2] - self.low) / (self.high - self.low)
        lower, upper = self.gamma_bounds(angles[:, 0], angles[:, 1])
        return torch.cat((first, ((angles[:, 2] - lower) / (upper - lower)).unsqueeze(1)), 1)

    def log_volume_element(self, u: Tensor) -> Tensor:
        """log |d(alpha, beta, gamma) / du|, ``(B,)``."""
        lower, upper = self.gamma_bounds(self.first(u[:, 0]), self.first(u[:, 1]))
        return 2 * log(self.high - self.low) + torch.log(upper - lower)

    @cached_property
    def factors(self) -> tuple[float, float]:
        """Bounds of the volume of cells with unit lengths and these angles, at most 0.1 % wide of the least and most.

        For given alpha and beta the volume is concave in cos gamma, so its least is at an end of gamma's interval, and
        its most at gamma = 90 or at the end next to cos alpha cos beta. Over alpha and beta: by ever finer grids.
        """
        extremes = []
        for sign in (1.0, -1.0):
            center, reach = torch.full((2,), 0.5, dtype=torch.float64), 0.5
            for _ in range(5):
                axes = [torch.linspace(-reach, reach, 101, dtype=torch.float64) + c for c in center]
                u = torch.cartesian_prod(*(x.clamp(0, 1) for x in axes))
                alpha, beta = self.first(u[:, 0]), self.first(u[:, 1])
                ends = self.gamma_bounds(alpha, beta)
                flat = torch.rad2deg(torch.acos(torch.cos(torch.deg2rad(alpha)) * torch.cos(torch.deg2rad(beta))))
                gammas = ends if sign > 0 else (torch.minimum(torch.maximum(flat, ends[0]), ends[1]),)
                values = torch.stack([sign * angle_factor(torch.stack((alpha, beta, g), 1)) for g in gammas]).amin(0)
                center, reach = u[values.argmin()], reach / 25
            extremes.append(sign * values.min().item())
        return extremes[0] * 0.999, min(1.0, extremes[1] * 1.001)


class CellAngles:
    """Angles of every lattice system from slots 3, 4, 5 of u.

    Args:
        triclinic: least and most triclinic angle, degree.
        monoclinic: least and most beta, degree.
        bounds: hard bounds, of which those on angles are used.

    Attributes:
        systems: crystal-lattice systems whose angles can keep to the bounds.
    """

    def __init__(self, triclinic: tuple[float, float], monoclinic: tuple[float, float], bounds: LatticeBounds) -> None:
        low, high = bounds.angles or (0.0, 180.0)
        alphas, betas = within(triclinic, bounds.angles), within(monoclinic, bounds.angles)
        systems = set(range(1, 9)) if low <= 90 <= high else {TRICLINIC}
        systems -= set() if low <= 120 <= high else {RHOMBOHEDRAL, TRIGONAL, HEXAGONAL}
        systems -= set() if alphas[0] < alphas[1] else {TRICLINIC}
        systems -= set() if betas[0] < betas[1] else {MONOCLINIC}
        self.systems = frozenset(systems)
        # systems that are ruled out keep their own range, so that they still decode to cells
        self.triclinic = AngleRange(*(alphas if TRICLINIC in systems else triclinic))
        self.beta = betas if MONOCLINIC in systems else monoclinic

    def decode(self, u: Tensor, system: Tensor) -> Tensor:
        """Angles ``(B, 3)``, degree."""
        angles = torch.full((len(system), 3), 90.0, dtype=torch.float64, device=system.device)
        angles[:, 2] = torch.where((system >= RHOMBOHEDRAL) & (system <= HEXAGONAL), 120.0, 90.0)
        beta = self.beta[0] + (self.beta[1] - self.beta[0]) * u[:, 4]
        angles[:, 1] = torch.where(system == MONOCLINIC, beta, angles[:, 1])
        return torch.where((system == TRICLINIC).unsqueeze(1), self.triclinic.decode(u[:, 3:]), angles)

    def encode(self, angles: Tensor, system: Tensor) -> Tensor:
        """Slots 3, 4, 5 ``(B, 3)``; slots that are not free hold anything."""
        u = self.triclinic.encode(angles)
        beta = (angles[:, 1] - self.beta[0]) / (self.beta[1] - self.beta[0])
        u[:, 1] = torch.where(system == MONOCLINIC, beta, u[:, 1])
        return u

    def log_volume_element(self, u: Tensor, system: Tensor) -> Tensor:
        """log |d(free angles) / du|, ``(B,)``; 0 where no angle is free (rhombohedral alpha is left out)."""
        result = (system == MONOCLINIC).double() * log(self.beta[1] - self.beta[0])
        return torch.where(system == TRICLINIC, self.triclinic.log_volume_element(u[:, 3:]), result)

    def factors(self, system: int) -> tuple[float, float]:
        """Least and most volume of the cells of a system with unit lengths."""
        if system == TRICLINIC:
            return self.triclinic.factors
        if system == MONOCLINIC:
            ends = [sin(radians(beta)) for beta in self.beta]
            return min(ends), 1.0 if self.beta[0] <= 90 <= self.beta[1] else max(ends)
        factor = sin(radians(120)) if RHOMBOHEDRAL <= system <= HEXAGONAL else 1.0
        return factor, factor
