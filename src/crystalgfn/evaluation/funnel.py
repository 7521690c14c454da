"""What hard constraints leave of crystals that are drawn without look-ahead: why a sampler needs masks.

Proposals are those of :mod:`.proposals`, and are judged by the checks of :mod:`.validity`, which share nothing with the
masks, one step after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.cell_rules import CellRanges
from crystalgfn.evaluation.proposals import naive_crystals
from crystalgfn.evaluation.validity import check_section, finished_crystals, rules
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
"""Steps in order, the searches for each crystal late; each rule names its own. Other steps follow behind."""

BY_DRAWING = ("elements asked for",)
"""Steps that proposals pass by the way they are drawn, unless certain elements are asked for."""


@dataclass(frozen=True)
class Funnel:
    """Proposals that are left after each step.

    Attributes:
        n: proposals.
        left: how many obey all rules up to a step, by its name, in order.
        samples: crystals of the model that were judged by the same rules; 0 if there were none.
        valid: how many of the samples obey all.
    """

    n: int
    left: dict[str, int]
    samples: int = 0
    valid: int = 0

    @property
    def shares(self) -> dict[str, float]:
        """Share of the proposals that is left after each step."""
        return {name: left / self.n for name, left in self.left.items()}


def funnel(
    constraints: Mapping[str, Any], samples: Crystals | None = None, *, n: int = PROPOSALS, seed: int = 0
) -> Funnel:
    """Draw proposals and count what each constraint leaves of them.

    Args:
        constraints: the section in full, as ``config.constraints.model_dump()`` gives it.
        samples: of a model with these constraints, judged by the same rules.
        n: proposals.
        seed: same seed, same numbers.
    """
    remaining = finished_crystals(naive_crystals(constraints, n, seed=seed))
    asked = constraints_of(constraints)
    judged, left = rules(asked, CellRanges.of(constraints["lattice"], asked)), dict[str, int]()
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
