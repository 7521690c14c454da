"""What hard constraints leave of crystals that are drawn without look-ahead: why a sampler needs masks.

Proposals are those of :mod:`.proposals`, and are judged by the checks of :mod:`.validity`, which share nothing with the
masks, one step after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.composition_rules import Verdicts
from crystalgfn.evaluation.proposals import naive_crystals
from crystalgfn.evaluation.validity import check_section, composition_asked, groups_asked, lattice_asked, violations

PROPOSALS = 50_000

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("number of atoms", ("centering", "n_atoms", "n_atoms_primitive", "atoms_per_element")),
    ("elements asked for", ("space_group", "labels", "elements", "n_elements", "any_of")),
    ("stoichiometry", ("stoichiometry",)),
    ("shares of elements", ("shares",)),
    ("further rules", ("rules",)),
    ("Wyckoff positions", ("wyckoff",)),
    ("charge neutrality", ("neutrality",)),
    ("electronegativity", ("electronegativity",)),
    ("cell exists", ("cell", "lattice_system")),
    (
        "lengths and angles",
        ("lengths", "angles", "triclinic", "monoclinic", "rhombohedral", "box", "longest_over_shortest"),
    ),
    ("space for the atoms", ("volume", "volume_per_atom")),
    ("density", ("density",)),
)
"""Steps in order, each with the rules of :func:`.validity.violations` that it stands for."""

BY_DRAWING = ("elements asked for",)
"""Steps that proposals pass by the way they are drawn, unless certain elements are asked for."""


@dataclass(frozen=True)
class Funnel:
    """Proposals that are left after each step.

    Attributes:
        n: proposals.
        left: how many obey all rules up to a step, by its name, in order.
        samples: crystals of the model that were judged by the same rules; 0 if there were none.
        valid: how many of these obey all.
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
    proposals = naive_crystals(constraints, n, seed=seed)
    remaining, left = np.arange(n), dict[str, int]()
    cheap, costly = _verdicts(proposals, constraints, {}), _costly(constraints)
    known = {rule for _, rules in STEPS for rule in rules}
    others = tuple((rule.replace("_", " "), (rule,)) for rule in cheap if rule not in known)
    for name, rules in (*STEPS, *others):
        asked = [rule for rule in rules if rule in cheap or rule in costly]
        before = len(remaining)
        for rule in asked:
            if rule in cheap:
                remaining = remaining[~cheap[rule][remaining]]
            elif len(remaining):
                remaining = remaining[~_verdicts(proposals[remaining], constraints, costly[rule])[rule]]
        if asked and (name not in BY_DRAWING or len(remaining) < before):
            left[name] = len(remaining)
    if samples is None:
        return Funnel(n, left)
    return Funnel(n, left, len(samples), int(check_section(samples, constraints).valid.sum()))


def _costly(constraints: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Rules that take a search for each crystal, for those that are left by then, and what asks for them."""
    limits = composition_asked(constraints)
    asked: dict[str, dict[str, Any]] = {}
    if limits.wyckoff:
        asked["wyckoff"] = {"wyckoff": True}
    if limits.neutrality != "none":
        asked["neutrality"] = {"neutrality": limits.neutrality}
    if limits.electronegativity:
        asked["electronegativity"] = {"electronegativity": True}
    return asked


def _verdicts(crystals: Crystals, constraints: Mapping[str, Any], asked: Mapping[str, Any]) -> Verdicts:
    """Violations of every cheap rule, and of the costly ones that are asked for."""
    limits = replace(composition_asked(constraints), wyckoff=False, neutrality="none", electronegativity=False)
    return violations(
        crystals,
        space_groups=groups_asked(constraints["space_groups"]),
        composition=replace(limits, **asked),
        lattice=lattice_asked(constraints["lattice"]),
    )
