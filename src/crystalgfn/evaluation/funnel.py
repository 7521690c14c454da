"""The share of crystals drawn without look-ahead that hard constraints leave: why a sampler needs masks.

Proposals come from :mod:`.proposals`. The checks of :mod:`.validity`, which share nothing with the masks, judge them
step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.cell_rules import CellRanges
from crystalgfn.evaluation.proposals import naive_crystals
from crystalgfn.evaluation.validity import check_section, finished_crystals, rules
from crystalgfn.spaces.constraints.base import Constraints
from crystalgfn.spaces.constraints.registry import constraints_of

PROPOSALS = 50_000

STEPS = (
    "number of atoms",
    "elements asked for",
    "stoichiometry",
    "shares of elements",
    "further rules",
    "Wyckoff positions",
    "charge neutrality",
    "electronegativity",
    "cell exists",
    "lengths and angles",
    "space for the atoms",
    "density",
)
"""Order of the steps, with the expensive searches late. Each rule names its step; steps not listed here come last."""

BY_DRAWING = ("elements asked for",)
"""Steps that every proposal passes because of how it is drawn, unless certain elements are required."""


@dataclass(frozen=True)
class Funnel:
    """Numbers of proposals that are left after each step.

    Attributes:
        n: number of proposals.
        left: number of proposals that obey all rules up to a step, by the name of the step, in order.
        samples: number of crystals of a model that were judged by the same rules; 0 if there were none.
        valid: number of samples that obey all rules.
    """

    n: int
    left: dict[str, int]
    samples: int = 0
    valid: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """Share of the proposals that are left after each step."""
        return {name: left / self.n for name, left in self.left.items()}


def funnel(
    constraints: Mapping[str, Any], samples: Crystals | None = None, *, n: int = PROPOSALS, seed: int = 0
) -> Funnel:
    """Draw proposals and count how many each constraint leaves.

    Args:
        constraints: the complete section, as ``config.constraints.model_dump()`` gives it.
        samples: crystals of a model with these constraints, judged by the same rules.
        n: number of proposals.
        seed: the same seed gives the same numbers.
    """
    remaining = finished_crystals(naive_crystals(constraints, n, seed=seed))
    # proposals have no sites, which only samples are judged by
    active = Constraints(tuple(each for each in constraints_of(constraints) if each.subspace != "sites"))
    judged, left = rules(active, CellRanges.of(constraints["lattice"], active)), dict[str, int]()
    for step in (*STEPS, *dict.fromkeys(rule.step for rule in judged if rule.step not in STEPS)):
        of_step, before = [rule for rule in judged if rule.step == step], len(remaining)
        for rule in of_step:
            if len(remaining):
                remaining = remaining[~rule.violated(remaining)]
        if of_step and (step not in BY_DRAWING or len(remaining) < before):
            left[step] = len(remaining)
    if samples is None:
        return Funnel(n, left)
    return Funnel(n, left, len(samples), int(check_section(samples, constraints).valid.sum()))
