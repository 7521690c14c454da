"""Hard bounds of the user on the conventional cell: plain data, given when training or only when sampling."""

from __future__ import annotations

from dataclasses import dataclass, fields

from crystalgfn.errors import ConstraintError

_UNITS = {"lengths": " A", "angles": " degree", "volume_per_atom": " A^3", "density": " g/cm3"}


@dataclass(frozen=True)
class LatticeBounds:
    """Bounds on cells as they stand in tables (rhombohedral groups: hexagonal axes); None for no bound, ends inclusive.

    Args:
        lengths: least and most a, b and c, A.
        angles: least and most alpha, beta and gamma, degree; those that symmetry fixes (90, 120) count.
        volume_per_atom: least and most, A^3.
        density: least and most, g/cm3.
        longest_over_shortest: most of the longest of a, b, c over the shortest.

    Raises:
        ConstraintError: a bound that no cell can hold, or only cells of measure zero.
    """

    lengths: tuple[float, float] | None = None
    angles: tuple[float, float] | None = None
    volume_per_atom: tuple[float, float] | None = None
    density: tuple[float, float] | None = None
    longest_over_shortest: float | None = None

    def __post_init__(self) -> None:
        for name, unit in _UNITS.items():
            interval, most = getattr(self, name), 180.0 if name == "angles" else float("inf")
            if interval is not None and not 0 < interval[0] < interval[1] < most:
                limit = " < 180" if name == "angles" else ", both finite"
                raise ConstraintError(f"lattice.{name}: found {list(interval)}{unit}, allowed: 0 < low < high{limit}")
        ratio = self.longest_over_shortest
        if ratio is not None and not 1 < ratio < float("inf"):
            raise ConstraintError(f"lattice.longest_over_shortest: found {ratio:g}, allowed: above 1, finite")

    def given(self) -> dict[str, str]:
        """The bounds that are set, each with its name and value as a reader of the configuration knows them."""
        found = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                shown = f"{value:g}" if isinstance(value, (int, float)) else "[{:g}, {:g}]".format(*value)
                found[field.name] = f"lattice.{field.name} {shown}{_UNITS.get(field.name, '')}"
        return found


NO_BOUNDS = LatticeBounds()
"""Nothing but what the decoder itself keeps to."""
