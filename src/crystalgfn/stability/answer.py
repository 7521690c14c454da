"""What every hull answers: how far a crystal lies above it, and what that rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

BUILTIN = "builtin"
"""Name of the hulls that ship."""


class HullKind(StrEnum):
    """What the energy of a hull at a composition rests on."""

    PHASES = "phases"
    """A mixture of known phases."""
    ESTIMATE = "estimate"
    """A learned estimate, which lies below all mixtures of the phases at hand."""


@dataclass(frozen=True)
class HullEnergy:
    """How far a crystal lies above the hull.

    Attributes:
        value: energy above hull, eV/atom; below zero for a crystal under the known hull; NaN where it is unknown.
        reason: why the value is NaN; empty otherwise.
        hull: energy of the hull at the composition, eV/atom (formation energy).
        kind: what this energy rests on; None where it is unknown.
        decomposition: share of the atoms in each phase of the hull there, by reduced formula; empty for an estimate.
        deviation: standard deviation of an estimate, eV/atom; NaN for phases, which are exact as far as they go.
    """

    value: float
    reason: str = ""
    hull: float = math.nan
    kind: HullKind | None = None
    decomposition: Mapping[str, float] = field(default_factory=dict)
    deviation: float = math.nan

    @property
    def products(self) -> str:
        """The decomposition in words: ``"0.333 Li2O + 0.667 P2O5"``."""
        return " + ".join(f"{share:.3g} {formula}" for formula, share in self.decomposition.items())
