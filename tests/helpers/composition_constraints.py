"""Constraints on compositions by name, with defaults that keep the spaces of tests small."""

from __future__ import annotations

from typing import Any

from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.constraints.registry import constraints_from

DEFAULTS: dict[str, Any] = {
    "n_elements": (1, 5),
    "n_atoms": (1, 50),
    "n_atoms_primitive": (1, 10_000),
    "atoms_per_element": (1, 16),
    "charge": "per_element",
    "wyckoff": True,
}


def composition_constraints(**values: Any) -> Constraints:
    """Constraints with values in the terms of the package, over the defaults."""
    return constraints_from(**{**DEFAULTS, **values})
