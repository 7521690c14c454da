"""The decoder by volume and axial ratios, within hard bounds on lengths, volume, density and their ratio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import log
from typing import TypeVar

import torch
from torch import Tensor

from crystalgfn.crystallography.elements import GRAMS_PER_CM3
from crystalgfn.crystallography.lattices import angle_factor, hexagonal_to_rhombohedral
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.constraints.lattice_bounds import MAX_AXIS_RATIO, NO_BOUNDS, LatticeBounds
from crystalgfn.spaces.lattice import CUBIC, FREE, ORTHORHOMBIC, RHOMBOHEDRAL, CellContents, LatticeDecoder
from crystalgfn.spaces.lattice_angles import MONOCLINIC_ANGLES, ROUNDING, CellAngles

SLIVER = log(1.1)
"""Least width (log) of the volumes within hard bounds, unless the bounds allow less, beside the automatic band."""

MIN_WIDTH = 1e-6
"""Width (log) of the volumes below which a composition counts as having no cell."""

Log = TypeVar("Log", float, Tensor)


@dataclass(frozen=True)
class _Shape:
    """Intermediate values of decoding, ``(B,)`` each; widths are floats where all cells have the same width.

    Attributes:
        angles: ``(B, 3)`` degree.
        logs: ``(B, 3)`` log a, log b, log c.
        volume: width of the interval of log V.
        log_b: half the width of the interval of log b/a.
        log_c: width of the interval of log c/a.
    """

    angles: Tensor
    logs: Tensor
    volume: Tensor | float
    log_b: Tensor | float
    log_c: Tensor


class VolumeLattice(LatticeDecoder):
    """Volume log-uniform around the estimate from the composition, axial ratios log-uniform; lengths follow.

    Angles come first, then the volume V, b/a and c/a, each on the interval that earlier values and the bounds leave.
    With L0, L1 the logs of the least and most length, r the largest longest / shortest, R = log r and
    s = log a + log b + log c = log V - log w(angles):

        |log b/a| <= min(R, L1 - L0, s - 3 L0, 3 L1 - s)
        log c/a   in [-R, R], within R of log b/a, and such that a, b and c are in [L0, L1]

    Without bounds on lengths that is [1/r, r] for b/a. Rhombohedral cells have c/a of their hexagonal axes.

    The volume has the interval that the bounds on volume per atom, density and lengths leave of the band around the
    estimate, but never less than 10 % (or all that the bounds allow): where they lie beside the band, they win. A bound
    on the volume per atom takes the place of the band.

    Args:
        volume: least and most volume as multiples of the composition's estimate.
        max_axis_ratio: largest longest / shortest length, unless ``bounds`` has a tighter ratio; None for the
            ratio of ``bounds``, or 7.5 without one.
        angles: least and most triclinic angle, degree.
        monoclinic: least and most beta, degree; None for 90 to 135.
        bounds: hard bounds of the user.

    Raises:
        ConstraintError: an empty range.
    """

    def __init__(
        self,
        volume: tuple[float, float] = (0.55, 1.6),
        max_axis_ratio: float | None = None,
        angles: tuple[float, float] = (60.0, 120.0),
        monoclinic: tuple[float, float] | None = None,
        bounds: LatticeBounds = NO_BOUNDS,
    ) -> None:
        if not 0 < volume[0] < volume[1]:
            raise ConstraintError(f"volume {list(volume)}: allowed 0 < low < high")
        if max_axis_ratio is not None and not max_axis_ratio > 1:
            raise ConstraintError(f"max_axis_ratio {max_axis_ratio:g}: allowed above 1")
        self._arguments = volume, max_axis_ratio, angles, monoclinic
        self.bounds = bounds
        self.log_low, self.log_span = log(volume[0]), log(volume[1] / volume[0])
        self.span = log(max_axis_ratio or bounds.longest_over_shortest or MAX_AXIS_RATIO)
        if bounds.longest_over_shortest is not None:
            self.span = min(self.span, log(bounds.longest_over_shortest) - ROUNDING)
        self.angles = CellAngles(angles, monoclinic or MONOCLINIC_ANGLES, bounds)
        self._lengths, self._per_atom = _logs(bounds.lengths), _logs(bounds.volume_per_atom)
        dense = _logs(bounds.density)
        self._per_mass = dense and (log(GRAMS_PER_CM3) - dense[1], log(GRAMS_PER_CM3) - dense[0])

    def with_bounds(self, bounds: LatticeBounds) -> VolumeLattice:
        """See :meth:`.lattice.LatticeDecoder.with_bounds`."""
        return VolumeLattice(*self._arguments, bounds)

    def possible(self, system: int, n_atoms: int, mass: tuple[float, float]) -> bool:
        """See :meth:`.lattice.LatticeDecoder.possible`."""
        if system not in self.angles.systems:
            return False
        if self._lengths is None and (self._per_atom is None or self._per_mass is None):
            return True
        for factor, mean in product(self.angles.factors(system), mass):
            low, high = zip(*self._volumes(log(n_atoms), log(n_atoms * mean), log(factor)), strict=True)
            if max(low) + MIN_WIDTH >= min(high):
                return False
        return True

    def _volumes(self, log_atoms: Log, log_mass: Log, log_factor: Log) -> list[tuple[Log, Log]]:
        """Each hard bound as an interval of log V."""
        intervals = []
        if self._per_atom:
            intervals.append((log_atoms + self._per_atom[0], log_atoms + self._per_atom[1]))
        if self._per_mass:
            intervals.append((log_mass + self._per_mass[0], log_mass + self._per_mass[1]))
        if self._lengths:
            intervals.append((log_factor + 3 * self._lengths[0], log_factor + 3 * self._lengths[1]))
        return intervals

    def _volume(self, log_factor: Tensor, contents: CellContents) -> tuple[Tensor, Tensor | float]:
        """Low end of the interval of log V, ``(B,)``, and its width."""
        low = torch.log(contents.volume.double()) + self.log_low
        if not (self._per_atom or self._per_mass or self._lengths):
            return low, self.log_span
        log_atoms, log_mass = torch.log(contents.n_atoms.double()), torch.log(contents.mass.double())
        lows, highs = zip(*self._volumes(log_atoms, log_mass, log_factor), strict=True)
        least, most = reduce(torch.maximum, lows), reduce(torch.minimum, highs)
        if self._per_atom:
            return least, most - least
        least_width = torch.clamp(most - least, max=min(SLIVER, self.log_span))
        high = torch.maximum(torch.minimum(low + self.log_span, most), least + least_width)
        low = torch.minimum(torch.maximum(low, least), most - least_width)
        return low, high - low

    def _half_width(self, log_sum: Tensor) -> Tensor | float:
        """Most |log b/a| of three lengths whose logs have this sum."""
        if self._lengths is None:
            return self.span
        low, high = self._lengths
        return torch.clamp(
            torch.minimum(log_sum - 3 * low, 3 * high - log_sum), min=0.0, max=min(self.span, high - low)
        )

    def _ratio_bounds(self, log_b: Tensor, log_sum: Tensor) -> tuple[Tensor, Tensor]:
        """Interval of log c/a, given log b/a and the sum of the logs of the lengths."""
        least, most = torch.clamp(log_b - self.span, min=-self.span), torch.clamp(log_b + self.span, max=self.span)
        if self._lengths is None:
            return least, most
        # the longer and the shorter of a and b, then c itself
        low, high = self._lengths
        least = torch.maximum(least, log_sum - 3 * high + torch.maximum(-log_b, 2 * log_b))
        most = torch.minimum(most, log_sum - 3 * low + torch.minimum(-log_b, 2 * log_b))
        least = torch.maximum(least, (3 * low - log_sum + log_b) / 2)
        most = torch.minimum(most, (3 * high - log_sum + log_b) / 2)
        return least, torch.maximum(least, most)

    def _shape(self, u: Tensor, system: Tensor, contents: CellContents) -> _Shape:
        angles = self.angles.decode(u, system)
        log_factor = torch.log(angle_factor(angles))
        low, width = self._volume(log_factor, contents)
        log_sum = low + width * u[:, 0] - log_factor
        half = self._half_width(log_sum)
        log_b = torch.where(system <= ORTHORHOMBIC, (2 * u[:, 1] - 1) * half, 0.0)
        least, most = self._ratio_bounds(log_b, log_sum)
        slot = torch.where(system == RHOMBOHEDRAL, u[:, 3], u[:, 2])
        log_c = torch.where(system == CUBIC, 0.0, least + (most - least) * slot)
        log_a = (log_sum - log_b - log_c) / 3
        return _Shape(angles, torch.stack((log_a, log_a + log_b, log_a + log_c), 1), width, half, most - least)

    def decode(self, u: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """See :meth:`.lattice.LatticeDecoder.decode`."""
        shape = self._shape(u.double(), system, contents)
        return torch.cat((torch.exp(shape.logs), shape.angles), 1)

    def encode(self, lattice: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """See :meth:`.lattice.LatticeDecoder.encode`."""
        lattice = lattice.double()
        u = torch.zeros_like(lattice)
        log_factor = torch.log(angle_factor(lattice[:, 3:]))
        logs = torch.log(lattice[:, :3])
        log_sum = logs.sum(1)
        low, width = self._volume(log_factor, contents)
        u[:, 0] = (log_sum + log_factor - low) / width
        log_b, log_c = logs[:, 1] - logs[:, 0], logs[:, 2] - logs[:, 0]
        u[:, 1] = (log_b / self._half_width(log_sum) + 1) / 2
        least, most = self._ratio_bounds(log_b, log_sum)
        u[:, 2] = (log_c - least) / (most - least)
        u[:, 3:] = self.angles.encode(lattice[:, 3:], system)
        u[:, 3] = torch.where(system == RHOMBOHEDRAL, u[:, 2], u[:, 3])
        return torch.where(FREE.to(u.device)[system], u, 0.0)

    def log_volume_element(self, u: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """See :meth:`.lattice.LatticeDecoder.log_volume_element`.

        In logarithms, (volume, ratios) -> lengths has determinant 1/3 whatever the number of free lengths. That the
        intervals of later slots depend on earlier ones does not change the determinant of u -> (volume, ratios): it is
        triangular.
        """
        u = u.double()
        shape = self._shape(u, system, contents)
        log_a, log_b, log_c = shape.logs.unbind(1)
        width, half = (torch.as_tensor(x, dtype=u.dtype, device=u.device) for x in (shape.volume, shape.log_b))
        first = torch.log(width / 3)
        three, not_cubic = system <= ORTHORHOMBIC, system != CUBIC
        result = first + log_a + self.angles.log_volume_element(u, system)
        result = result + torch.where(three, torch.log(2 * half) + log_b, 0.0)
        result = result + torch.where(not_cubic, torch.log(shape.log_c) + log_c, 0.0)
        # rhombohedral: V = a^3 w(alpha) and c/a of the hexagonal axes depends on alpha alone
        a, alpha = hexagonal_to_rhombohedral(torch.exp(log_a), torch.exp(log_c))
        radians = torch.deg2rad(alpha)
        slope = torch.abs(3 * torch.sin(radians) / (3 + 6 * torch.cos(radians)) + 0.5 / torch.tan(radians / 2))
        rhombohedral = first + torch.log(a) + torch.log(shape.log_c / slope) + log(180 / torch.pi)
        return torch.where(system == RHOMBOHEDRAL, rhombohedral, result)


def _logs(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    """Logs of the ends, moved inwards so that rounding stays within the interval."""
    return None if interval is None else (log(interval[0]) + ROUNDING, log(interval[1]) - ROUNDING)
