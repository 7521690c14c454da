"""The lattice subspace: the unit cube over the free parameters of the lattice system, and its decoding into cells.

A point u of the cube is decoded by a bijection, :class:`BoxLattice` (the paper's: affine in lengths and angles) or
:class:`VolumeLattice` (volume per atom and axial ratios). Every decoded cell exists: angles that close no cell are not
in the image. Lattices are of the conventional cell; rhombohedral groups come out on hexagonal axes.

Slots of u: for ``box`` a, b, c, alpha, beta, gamma; for ``volume`` volume, b/a, c/a, alpha, beta, gamma.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from crystalgfn.crystallography.lattices import hexagonal_to_rhombohedral, rhombohedral_to_hexagonal
from crystalgfn.errors import ConstraintError

TRICLINIC, MONOCLINIC, ORTHORHOMBIC, TETRAGONAL, RHOMBOHEDRAL, TRIGONAL, HEXAGONAL, CUBIC = range(1, 9)

MIN_INCREMENT = 0.1
"""Least increment of every free parameter after the first step, as a share of its range (paper, Appendix C)."""

MARGIN = 1.0
"""Degrees that triclinic and rhombohedral angles keep from the values at which the cell has no volume."""

_FREE = {
    TRICLINIC: (0, 1, 2, 3, 4, 5),
    MONOCLINIC: (0, 1, 2, 4),
    ORTHORHOMBIC: (0, 1, 2),
    TETRAGONAL: (0, 2),
    RHOMBOHEDRAL: (0, 3),
    TRIGONAL: (0, 2),
    HEXAGONAL: (0, 2),
    CUBIC: (0,),
}

FREE = torch.zeros(9, 6, dtype=torch.bool)
"""``(9, 6)`` bool by crystal-lattice system: the slots of u that are free."""
for _system, _slots in _FREE.items():
    FREE[_system, list(_slots)] = True


class LatticeDecoder(ABC):
    """A bijection from the free slots of the unit cube to cells of a lattice system."""

    @abstractmethod
    def decode(self, u: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """Conventional cells.

        Args:
            u: ``(B, 6)`` in [0, 1]; slots that are not free are ignored.
            system: ``(B,)`` crystal-lattice system, 1..8.
            n_atoms: ``(B,)`` atoms in the conventional cell.
            estimated_volume: ``(B,)`` volume of the conventional cell estimated from its composition, A^3.

        Returns:
            ``(B, 6)`` float64, A and degree.
        """

    @abstractmethod
    def encode(self, lattice: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """Inverse of :meth:`decode`: ``(B, 6)`` float64, outside [0, 1] for cells outside the space; 0 if not free."""

    @abstractmethod
    def log_volume_element(self, u: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """log |dx / du| with x the free lattice parameters in A and degree (rhombohedral: a and alpha), ``(B,)``."""


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


def _is(system: Tensor, *systems: int) -> Tensor:
    return torch.isin(system, torch.tensor(systems, device=system.device))


def _symmetric_angles(system: Tensor) -> Tensor:
    """Angles that the lattice system fixes, ``(B, 3)``; 90 where they are free."""
    angles = torch.full((len(system), 3), 90.0, dtype=torch.float64, device=system.device)
    angles[:, 2] = torch.where(_is(system, TRIGONAL, HEXAGONAL, RHOMBOHEDRAL), 120.0, 90.0)
    return angles


def _angle_factor(angles: Tensor) -> Tensor:
    """Volume of a cell with unit lengths, ``(B,)``."""
    cosines = torch.cos(torch.deg2rad(angles))
    return torch.sqrt(1 + 2 * cosines.prod(1) - cosines.square().sum(1))


class BoxLattice(LatticeDecoder):
    """Lengths and angles affine in u (paper, section 3.3), restricted to cells that exist.

    The third triclinic angle is affine on the interval in which the cell closes, and the angle of the primitive
    rhombohedral cell stays below 120 degrees. a and alpha of rhombohedral groups are those of the primitive cell.

    Args:
        lengths: least and most, A.
        angles: least and most, degree.
        monoclinic: least and most beta, degree; None for ``angles``.
    """

    def __init__(
        self,
        lengths: tuple[float, float] = (0.9, 100.0),
        angles: tuple[float, float] = (50.0, 150.0),
        monoclinic: tuple[float, float] | None = None,
    ) -> None:
        self.lengths, self.angles = lengths, AngleRange(*angles)
        self.beta = monoclinic or angles
        self.alpha = (angles[0], min(angles[1], 120 - MARGIN))
        if not 0 < lengths[0] < lengths[1]:
            raise ConstraintError(f"lengths {list(lengths)} A: allowed 0 < low < high")
        if self.alpha[0] >= self.alpha[1]:
            raise ConstraintError(f"angles {list(angles)} degree: rhombohedral cells need alpha below {120 - MARGIN:g}")

    def decode(self, u: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """See :meth:`LatticeDecoder.decode`; atoms and volume are not used."""
        u = u.double()
        lengths = self.lengths[0] + (self.lengths[1] - self.lengths[0]) * u[:, :3]
        a, b, c = lengths.unbind(1)
        one_length = _is(system, CUBIC)
        b = torch.where(_is(system, TETRAGONAL, TRIGONAL, HEXAGONAL, CUBIC), a, b)
        c = torch.where(one_length, a, c)
        a_h, c_h = rhombohedral_to_hexagonal(a, self.alpha[0] + (self.alpha[1] - self.alpha[0]) * u[:, 3])
        rhombohedral = _is(system, RHOMBOHEDRAL)
        a, b, c = (torch.where(rhombohedral, h, x) for h, x in ((a_h, a), (a_h, b), (c_h, c)))
        angles = _symmetric_angles(system)
        beta = self.beta[0] + (self.beta[1] - self.beta[0]) * u[:, 4]
        angles[:, 1] = torch.where(_is(system, MONOCLINIC), beta, angles[:, 1])
        angles = torch.where(_is(system, TRICLINIC).unsqueeze(1), self.angles.decode(u[:, 3:]), angles)
        return torch.cat((torch.stack((a, b, c), 1), angles), 1)

    def encode(self, lattice: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """See :meth:`LatticeDecoder.encode`."""
        lattice = lattice.double()
        u = torch.zeros_like(lattice)
        a, alpha = hexagonal_to_rhombohedral(lattice[:, 0], lattice[:, 2])
        lengths = lattice[:, :3].clone()
        rhombohedral = _is(system, RHOMBOHEDRAL)
        lengths[:, 0] = torch.where(rhombohedral, a, lengths[:, 0])
        u[:, :3] = (lengths - self.lengths[0]) / (self.lengths[1] - self.lengths[0])
        u[:, 3:] = self.angles.encode(lattice[:, 3:])
        u[:, 3] = torch.where(rhombohedral, (alpha - self.alpha[0]) / (self.alpha[1] - self.alpha[0]), u[:, 3])
        beta = (lattice[:, 4] - self.beta[0]) / (self.beta[1] - self.beta[0])
        u[:, 4] = torch.where(_is(system, MONOCLINIC), beta, u[:, 4])
        return torch.where(FREE.to(u.device)[system], u, 0.0)

    def log_volume_element(self, u: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """See :meth:`LatticeDecoder.log_volume_element`."""
        u = u.double()
        n_lengths = FREE.to(u.device)[system, :3].sum(1)
        result = n_lengths * log(self.lengths[1] - self.lengths[0])
        result = result + torch.where(_is(system, RHOMBOHEDRAL), log(self.alpha[1] - self.alpha[0]), 0.0)
        result = result + torch.where(_is(system, MONOCLINIC), log(self.beta[1] - self.beta[0]), 0.0)
        return result + torch.where(_is(system, TRICLINIC), self.angles.log_volume_element(u[:, 3:]), 0.0)


class VolumeLattice(LatticeDecoder):
    """Volume log-uniform around the composition's own estimate, axial ratios log-uniform; lengths follow.

    b/a is log-uniform in [1/r, r] and c/a in that part of [1/r, r] in which longest / shortest <= r, so the bound
    holds for the cell as a whole. Rhombohedral cells have c/a of their hexagonal axes.

    Args:
        volume: least and most volume as multiples of the composition's estimate.
        max_axis_ratio: r, the largest longest / shortest length.
        angles: least and most triclinic angle, degree.
        monoclinic: least and most beta, degree.
    """

    def __init__(
        self,
        volume: tuple[float, float] = (0.55, 1.6),
        max_axis_ratio: float = 7.5,
        angles: tuple[float, float] = (60.0, 120.0),
        monoclinic: tuple[float, float] = (90.0, 135.0),
    ) -> None:
        if not 0 < volume[0] < volume[1]:
            raise ConstraintError(f"volume {list(volume)}: allowed 0 < low < high")
        if not max_axis_ratio > 1:
            raise ConstraintError(f"max_axis_ratio {max_axis_ratio:g}: allowed above 1")
        self.log_low, self.log_span = log(volume[0]), log(volume[1] / volume[0])
        self.span = log(max_axis_ratio)
        self.angles, self.beta = AngleRange(*angles), monoclinic

    def _shape(self, u: Tensor, system: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log b/a, log c/a, width of the interval of log c/a, angles."""
        one_ratio = _is(system, TETRAGONAL, TRIGONAL, HEXAGONAL, RHOMBOHEDRAL)
        log_b = torch.where(_is(system, TRICLINIC, MONOCLINIC, ORTHORHOMBIC), (2 * u[:, 1] - 1) * self.span, 0.0)
        slot = torch.where(_is(system, RHOMBOHEDRAL), u[:, 3], u[:, 2])
        low, high = self._ratio_bounds(log_b)
        log_c = torch.where(
            one_ratio | _is(system, TRICLINIC, MONOCLINIC, ORTHORHOMBIC), low + (high - low) * slot, 0.0
        )
        angles = _symmetric_angles(system)
        beta = self.beta[0] + (self.beta[1] - self.beta[0]) * u[:, 4]
        angles[:, 1] = torch.where(_is(system, MONOCLINIC), beta, angles[:, 1])
        angles = torch.where(_is(system, TRICLINIC).unsqueeze(1), self.angles.decode(u[:, 3:]), angles)
        return log_b, log_c, high - low, angles

    def _ratio_bounds(self, log_b: Tensor) -> tuple[Tensor, Tensor]:
        return torch.clamp(log_b - self.span, min=-self.span), torch.clamp(log_b + self.span, max=self.span)

    def _log_volume(self, u: Tensor, estimated_volume: Tensor) -> Tensor:
        return torch.log(estimated_volume.double()) + self.log_low + self.log_span * u[:, 0]

    def decode(self, u: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """See :meth:`LatticeDecoder.decode`."""
        u = u.double()
        log_b, log_c, _, angles = self._shape(u, system)
        log_a = (self._log_volume(u, estimated_volume) - torch.log(_angle_factor(angles)) - log_b - log_c) / 3
        return torch.cat((torch.exp(torch.stack((log_a, log_a + log_b, log_a + log_c), 1)), angles), 1)

    def encode(self, lattice: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """See :meth:`LatticeDecoder.encode`."""
        lattice = lattice.double()
        u = torch.zeros_like(lattice)
        log_lengths = torch.log(lattice[:, :3])
        log_volume = log_lengths.sum(1) + torch.log(_angle_factor(lattice[:, 3:]))
        u[:, 0] = (log_volume - torch.log(estimated_volume.double()) - self.log_low) / self.log_span
        log_b, log_c = log_lengths[:, 1] - log_lengths[:, 0], log_lengths[:, 2] - log_lengths[:, 0]
        u[:, 1] = (log_b / self.span + 1) / 2
        low, high = self._ratio_bounds(log_b)
        u[:, 2] = (log_c - low) / (high - low)
        u[:, 3:] = self.angles.encode(lattice[:, 3:])
        u[:, 3] = torch.where(_is(system, RHOMBOHEDRAL), u[:, 2], u[:, 3])
        beta = (lattice[:, 4] - self.beta[0]) / (self.beta[1] - self.beta[0])
        u[:, 4] = torch.where(_is(system, MONOCLINIC), beta, u[:, 4])
        return torch.where(FREE.to(u.device)[system], u, 0.0)

    def log_volume_element(self, u: Tensor, system: Tensor, n_atoms: Tensor, estimated_volume: Tensor) -> Tensor:
        """See :meth:`LatticeDecoder.log_volume_element`.

        In logarithms, (volume, ratios) -> lengths has determinant 1/3 whatever the number of free lengths.
        """
        u = u.double()
        lattice = self.decode(u, system, n_atoms, estimated_volume)
        log_a, log_b, log_c = torch.log(lattice[:, :3]).unbind(1)
        _, _, width, _ = self._shape(u, system)
        three = _is(system, TRICLINIC, MONOCLINIC, ORTHORHOMBIC)
        two = _is(system, TETRAGONAL, TRIGONAL, HEXAGONAL)
        result = log(self.log_span / 3) + log_a
        result = result + torch.where(three, log(2 * self.span) + log_b, 0.0)
        result = result + torch.where(three | two, torch.log(width) + log_c, 0.0)
        result = result + torch.where(_is(system, MONOCLINIC), log(self.beta[1] - self.beta[0]), 0.0)
        result = result + torch.where(_is(system, TRICLINIC), self.angles.log_volume_element(u[:, 3:]), 0.0)
        # rhombohedral: V = a^3 w(alpha) and c/a of the hexagonal axes depends on alpha alone
        a, alpha = hexagonal_to_rhombohedral(lattice[:, 0], lattice[:, 2])
        half = torch.deg2rad(alpha) / 2
        slope = torch.abs(3 * torch.sin(2 * half) / (3 + 6 * torch.cos(2 * half)) + 0.5 / torch.tan(half))
        rhombohedral = log(self.log_span / 3) + torch.log(a) + torch.log(width / slope) + log(180 / torch.pi)
        return torch.where(_is(system, RHOMBOHEDRAL), rhombohedral, result)
