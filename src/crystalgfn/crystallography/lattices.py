"""Geometry of conventional cells, batched.

A lattice is a row (a, b, c, alpha, beta, gamma): lengths in A, angles in degree, float64. The conventional cell of the
seven rhombohedral groups has hexagonal axes, so it has the hexagonal metric and three times the primitive volume.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crystalgfn.errors import DataError

LATTICE_PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma")


def _cosine_determinant(angles: Tensor) -> Tensor:
    """1 + 2 cos cos cos - sum cos^2 of the angles (B, 3), (B,): the squared volume of the cell with unit lengths."""
    cosines = torch.cos(torch.deg2rad(angles))
    return 1 + 2 * cosines.prod(-1) - cosines.square().sum(-1)


def angle_factor(angles: Tensor) -> Tensor:
    """Volume (B,) of cells with unit lengths and angles (B, 3) in degree; NaN where the angles close no cell."""
    return torch.sqrt(_cosine_determinant(angles))


def cell_volume(lattice: Tensor) -> Tensor:
    """Volume of cells: a b c sqrt(1 + 2 cos alpha cos beta cos gamma - cos^2 alpha - cos^2 beta - cos^2 gamma).

    Args:
        lattice: (B, 6) in A and degree.

    Returns:
        (B,) volumes in A^3; NaN where the three angles close no cell (see :func:`is_valid_cell`).

    Raises:
        DataError: the last dimension is not 6.
    """
    _require_six(lattice)
    return lattice[..., :3].prod(-1) * angle_factor(lattice[..., 3:])


def is_valid_cell(lattice: Tensor) -> Tensor:
    """Say which cells exist: finite, lengths above 0, angles in (0, 180) that enclose a positive volume.

    Args:
        lattice: (B, 6) in A and degree.

    Returns:
        (B,) bool.

    Raises:
        DataError: the last dimension is not 6.
    """
    _require_six(lattice)
    lengths, angles = lattice[..., :3], lattice[..., 3:]
    possible = ((lengths > 0) & (angles > 0) & (angles < 180)).all(-1) & torch.isfinite(lattice).all(-1)
    return possible & (_cosine_determinant(angles) > 0)


def rhombohedral_to_hexagonal(a: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Hexagonal axes of a primitive rhombohedral cell (obverse setting, ITA).

    a_h = 2 a sin(alpha / 2), c_h = a sqrt(3 + 6 cos alpha). The hexagonal cell has three times the volume.

    Args:
        a: (B,) length in A.
        alpha: (B,) angle in degree, in (0, 120).

    Returns:
        (a_h, c_h), each (B,) in A; c_h is NaN where alpha is above 120.
    """
    radians = torch.deg2rad(alpha)
    return 2 * a * torch.sin(radians / 2), a * torch.sqrt(3 + 6 * torch.cos(radians))


def hexagonal_to_rhombohedral(a_h: Tensor, c_h: Tensor) -> tuple[Tensor, Tensor]:
    """Primitive rhombohedral cell of hexagonal axes; the inverse of :func:`rhombohedral_to_hexagonal`.

    a = sqrt(3 a_h^2 + c_h^2) / 3, sin(alpha / 2) = a_h / (2 a).

    Args:
        a_h: (B,) length in A, above 0.
        c_h: (B,) length in A, above 0.

    Returns:
        (a, alpha): (B,) length in A and (B,) angle in degree.
    """
    a = torch.sqrt(3 * a_h.square() + c_h.square()) / 3
    return a, torch.rad2deg(2 * torch.asin(a_h / (2 * a)))


def satisfies_lattice_system(lattice: Tensor, crystal_lattice_system: Tensor, tolerance: float = 1e-6) -> Tensor:
    """Say which conventional cells have the metric that their crystal-lattice system demands.

    monoclinic: alpha = gamma = 90; orthorhombic: all angles 90; tetragonal: a = b as well; the two trigonal systems
    and hexagonal: a = b, alpha = beta = 90, gamma = 120; cubic: a = b = c, all angles 90; triclinic: nothing.
    More symmetry than demanded is no fault.

    Args:
        lattice: (B, 6) in A and degree, conventional cell (hexagonal axes for trigonal-rhombohedral).
        crystal_lattice_system: (B,) int64, 1..8 in the order of ``space_groups.CRYSTAL_LATTICE_SYSTEMS``.
        tolerance: largest relative deviation of a length from a, and of an angle from its value.

    Returns:
        (B,) bool; False where a value that matters is NaN.

    Raises:
        DataError: the last dimension is not 6, or a crystal-lattice system is not in 1..8.
    """
    _require_six(lattice)
    system = torch.as_tensor(crystal_lattice_system, device=lattice.device)
    if system.numel() and not bool(((system >= 1) & (system <= 8)).all()):
        raise DataError(
            f"crystal-lattice systems run from {int(system.min())} to {int(system.max())}; allowed are 1 to 8"
        )
    a, b, c, alpha, beta, gamma = lattice.unbind(-1)

    def equal(values: Tensor, target: Tensor | float) -> Tensor:
        return (values - target).abs() <= tolerance * torch.as_tensor(target, dtype=lattice.dtype).abs()

    hexagonal = (system >= 5) & (system <= 7)
    right_alpha = equal(alpha, 90.0) | (system == 1)
    right_beta = equal(beta, 90.0) | (system <= 2)
    right_gamma = torch.where(hexagonal, equal(gamma, 120.0), equal(gamma, 90.0)) | (system == 1)
    equal_ab = equal(b, a) | (system <= 3)
    equal_ac = equal(c, a) | (system <= 7)
    return right_alpha & right_beta & right_gamma & equal_ab & equal_ac


def _require_six(lattice: Tensor) -> None:
    if lattice.shape[-1:] != (6,):
        raise DataError(
            f"lattice has shape {tuple(lattice.shape)}; the last dimension must be 6: a, b, c, alpha, beta, gamma"
        )
