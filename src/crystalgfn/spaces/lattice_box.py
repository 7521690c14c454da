"""The decoder of the paper: lengths and angles affine in u, within hard bounds on them."""

from __future__ import annotations

from math import acos, asin, degrees, log

import torch
from torch import Tensor

from crystalgfn.crystallography.lattices import hexagonal_to_rhombohedral, rhombohedral_to_hexagonal
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.constraints.lattice_bounds import NO_BOUNDS, LatticeBounds
from crystalgfn.spaces.lattice import CUBIC, FREE, ORTHORHOMBIC, RHOMBOHEDRAL, CellContents, LatticeDecoder
from crystalgfn.spaces.lattice_angles import MARGIN, ROUNDING, CellAngles, within

Interval = tuple[Tensor | float, Tensor | float]


class BoxLattice(LatticeDecoder):
    """Lengths and angles affine in u (paper, section 3.3), restricted to cells that exist and keep to the bounds.

    The third triclinic angle is affine on the interval in which the cell closes, and the angle of the primitive
    rhombohedral cell stays below 120 degrees. a and alpha of rhombohedral groups are those of the primitive cell;
    bounds hold for the hexagonal axes, so alpha is in the interval in which some a keeps to them, and a in what alpha
    leaves. Under a bound on longest / shortest, b is in the interval that a leaves, and c in the one that both leave.

    Args:
        lengths: least and most, A.
        angles: least and most, degree.
        monoclinic: least and most beta, degree; None for ``angles``.
        bounds: hard bounds of the user on lengths, angles and longest / shortest.

    Raises:
        ConstraintError: an empty range, or bounds on volume or density.
    """

    def __init__(
        self,
        lengths: tuple[float, float] = (0.9, 100.0),
        angles: tuple[float, float] = (50.0, 150.0),
        monoclinic: tuple[float, float] | None = None,
        bounds: LatticeBounds = NO_BOUNDS,
    ) -> None:
        texts = bounds.descriptions()
        for name in ("volume_per_atom", "density"):
            if name in texts:
                raise ConstraintError(
                    f"{texts[name]}: needs kind: volume; kind: box allows bounds on lengths and angles"
                )
        if not 0 < lengths[0] < lengths[1]:
            raise ConstraintError(f"lengths {list(lengths)} A: allowed 0 < low < high")
        alpha = (angles[0], min(angles[1], 120 - MARGIN))
        if alpha[0] >= alpha[1]:
            raise ConstraintError(f"angles {list(angles)} degree: rhombohedral cells need alpha below {120 - MARGIN:g}")
        self._arguments = lengths, angles, monoclinic
        self.bounds, self._primitive = bounds, lengths
        self.lengths = within(lengths, bounds.lengths)
        if self.lengths[0] >= self.lengths[1]:
            raise ConstraintError(f"{texts['lengths']}: nothing of it is in the decoder's range {list(lengths)} A")
        self.ratio = (bounds.longest_over_shortest or float("inf")) * (1 - ROUNDING)
        self.angles = CellAngles(angles, monoclinic or angles, bounds)
        interval = self._alpha(alpha)
        self._rhombohedral = interval[0] < interval[1]
        self.alpha = interval if self._rhombohedral else alpha

    def _alpha(self, alpha: tuple[float, float]) -> tuple[float, float]:
        """Part of an interval of the primitive alpha in which some a keeps to the bounds on the hexagonal axes.

        With f = a_h / a = 2 sin(alpha / 2), rising, and g = c_h / a = sqrt(3 + 6 cos alpha), falling: f and g are
        between low / most a and high / least a, and f / g between 1 / r and r.
        """
        low, high = alpha
        ratio = self.ratio
        if self.bounds.lengths is not None:
            shortest, longest = self.bounds.lengths
            least, most = shortest / self._primitive[1], longest / self._primitive[0]
            low = max(low, _alpha_of_a(least), _alpha_of_c(most))
            high = min(high, _alpha_of_a(most), _alpha_of_c(least))
            ratio = min(ratio, longest / shortest * (1 - 4 * ROUNDING))
        if ratio < float("inf"):
            low, high = max(low, _alpha_of_ratio(1 / ratio)), min(high, _alpha_of_ratio(ratio))
        return low, high

    def with_bounds(self, bounds: LatticeBounds) -> BoxLattice:
        """See :meth:`.lattice.LatticeDecoder.with_bounds`."""
        return BoxLattice(*self._arguments, bounds)

    def possible(self, system: int, n_atoms: int, mass: tuple[float, float]) -> bool:
        """See :meth:`.lattice.LatticeDecoder.possible`; atoms and mass do not matter."""
        return system in self.angles.systems and (system != RHOMBOHEDRAL or self._rhombohedral)

    def _a(self, alpha: Tensor) -> Interval:
        """Interval of the primitive rhombohedral a."""
        low, high = self._primitive
        if self.bounds.lengths is None:
            return low, high
        shortest, longest = within((0.0, float("inf")), self.bounds.lengths)
        a_h, c_h = rhombohedral_to_hexagonal(torch.ones_like(alpha), alpha)
        least = torch.clamp(shortest / torch.minimum(a_h, c_h), min=low)
        return least, torch.maximum(least, torch.clamp(longest / torch.maximum(a_h, c_h), max=high))

    def _near(self, a: Tensor, b: Tensor) -> Interval:
        """Interval of a length beside two others."""
        if self.ratio == float("inf"):
            return self.lengths
        low, high = self.lengths
        least, most = torch.maximum(a, b) / self.ratio, torch.minimum(a, b) * self.ratio
        return torch.clamp(least, min=low), torch.clamp(most, max=high)

    def decode(self, u: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """See :meth:`.lattice.LatticeDecoder.decode`; the contents are not used."""
        u = u.double()
        a = _affine(self.lengths, u[:, 0])
        b = torch.where(system <= ORTHORHOMBIC, _affine(self._near(a, a), u[:, 1]), a)
        c = torch.where(system == CUBIC, a, _affine(self._near(a, b), u[:, 2]))
        alpha = _affine(self.alpha, u[:, 3])
        a_h, c_h = rhombohedral_to_hexagonal(_affine(self._a(alpha), u[:, 0]), alpha)
        rhombohedral = system == RHOMBOHEDRAL
        a, b, c = (torch.where(rhombohedral, h, x) for h, x in ((a_h, a), (a_h, b), (c_h, c)))
        return torch.cat((torch.stack((a, b, c), 1), self.angles.decode(u, system)), 1)

    def encode(self, lattice: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """See :meth:`.lattice.LatticeDecoder.encode`."""
        lattice = lattice.double()
        a, b, c = lattice[:, :3].unbind(1)
        primitive, alpha = hexagonal_to_rhombohedral(a, c)
        rhombohedral = system == RHOMBOHEDRAL
        first = torch.where(rhombohedral, _slot(self._a(alpha), primitive), _slot(self.lengths, a))
        u = torch.stack((first, _slot(self._near(a, a), b), _slot(self._near(a, b), c)), 1)
        u = torch.cat((u, self.angles.encode(lattice[:, 3:], system)), 1)
        u[:, 3] = torch.where(rhombohedral, _slot(self.alpha, alpha), u[:, 3])
        return torch.where(FREE.to(u.device)[system], u, 0.0)

    def log_volume_element(self, u: Tensor, system: Tensor, contents: CellContents) -> Tensor:
        """See :meth:`.lattice.LatticeDecoder.log_volume_element`."""
        u = u.double()
        a = _affine(self.lengths, u[:, 0])
        beside_a = self._near(a, a)
        b = torch.where(system <= ORTHORHOMBIC, _affine(beside_a, u[:, 1]), a)
        result = log(self.lengths[1] - self.lengths[0]) + self.angles.log_volume_element(u, system)
        result = result + torch.where(system <= ORTHORHOMBIC, _log_width(beside_a, u), 0.0)
        result = result + torch.where(system != CUBIC, _log_width(self._near(a, b), u), 0.0)
        alpha = _affine(self.alpha, u[:, 3])
        rhombohedral = _log_width(self._a(alpha), u) + log(self.alpha[1] - self.alpha[0])
        return torch.where(system == RHOMBOHEDRAL, rhombohedral, result)


def _affine(interval: Interval, u: Tensor) -> Tensor:
    return interval[0] + (interval[1] - interval[0]) * u


def _slot(interval: Interval, x: Tensor) -> Tensor:
    return (x - interval[0]) / (interval[1] - interval[0])


def _log_width(interval: Interval, like: Tensor) -> Tensor:
    return torch.log(torch.as_tensor(interval[1] - interval[0], dtype=like.dtype, device=like.device))


def _alpha_of_a(f: float) -> float:
    """Primitive alpha (degree) at which a_h / a is f; 180 where no alpha reaches it."""
    return degrees(2 * asin(min(f / 2, 1.0)))


def _alpha_of_c(g: float) -> float:
    """Primitive alpha (degree) at which c_h / a is g; 0 where no alpha reaches it."""
    return degrees(acos(min((g * g - 3) / 6, 1.0)))


def _alpha_of_ratio(ratio: float) -> float:
    """Primitive alpha (degree) at which a_h / c_h is ``ratio``."""
    return degrees(acos((2 - 3 * ratio * ratio) / (2 + 6 * ratio * ratio)))
