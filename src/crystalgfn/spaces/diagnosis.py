"""Which constraint empties a space, by relaxing one constraint at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.cell_totals import cell_totals
from crystalgfn.spaces.composition_tables import CompositionTables
from crystalgfn.spaces.constraints.base import Constraint, Constraints
from crystalgfn.spaces.constraints.lattice_bounds import NO_BOUNDS
from crystalgfn.spaces.constraints.limits import CompositionLimits
from crystalgfn.spaces.lattice import LatticeDecoder


def explain_empty(
    elements: Sequence[int],
    space_groups: Sequence[int],
    constraints: Constraints,
    lattice: LatticeDecoder | None = None,
) -> str:
    """One line on a set of constraints that leaves no crystal.

    Each constraint is relaxed alone; those whose relaxation leaves crystals are named with their value.

    Args:
        elements: atomic numbers of the vocabulary, in the order of the space.
        space_groups: international numbers that may be chosen.
        constraints: asked of the crystals; those on the composition are relaxed.
        lattice: decoder whose bounds are relaxed.
    """
    if not elements:
        return "no element is left to sample; allow at least one"
    if not space_groups:
        return "no space group is left to sample; allow at least one of 1..230"
    widest = CompositionLimits(frozenset(elements))
    needed = (constraint.contribute(widest).present for constraint in constraints.on("composition"))
    missing = dict.fromkeys(SYMBOLS[z] for present in needed for z in present if z not in elements)
    if missing:
        return f"required elements {', '.join(missing)} are not among those of the space"
    bounds = _guilty_bounds(elements, space_groups, constraints, lattice) if lattice is not None else []
    guilty = [*bounds, *_guilty_constraints(elements, space_groups, constraints, lattice)]
    if guilty:
        culprits = "; ".join(guilty)
        return f"the constraints leave no crystal; each of these, relaxed alone, would leave some: {culprits}"
    if _any(elements, range(1, 231), constraints, lattice):
        return f"no crystal of the constraints fits the space groups {_short(space_groups)}; other groups would"
    return "the constraints leave no crystal, and relaxing no single one of them would"


def _guilty_constraints(
    elements: Sequence[int], space_groups: Sequence[int], constraints: Constraints, lattice: LatticeDecoder | None
) -> list[str]:
    """Constraints on the composition whose relaxation alone would leave crystals, as messages name them."""
    limits = _limits(constraints, elements)
    verdicts: dict[str, bool] = {}
    for constraint in constraints.on("composition"):
        text = constraint.written(constraints)
        wider = _limits(constraints, elements, relax=constraint)
        if text not in verdicts and wider is not None and wider != limits:
            verdicts[text] = _any_within(elements, space_groups, wider, lattice)
    return [text for text, some in verdicts.items() if some]


def _guilty_bounds(
    elements: Sequence[int], space_groups: Sequence[int], constraints: Constraints, lattice: LatticeDecoder
) -> list[str]:
    """Bounds on the lattice whose removal alone would leave crystals; all bounds, if only removing all would."""
    texts = lattice.bounds.explanations()
    guilty = []
    for name, text in texts.items():
        if _any(elements, space_groups, constraints, lattice.with_bounds(lattice.bounds.without(name))):
            guilty.append(text)
    if not guilty and texts and _any(elements, space_groups, constraints, lattice.with_bounds(NO_BOUNDS)):
        guilty.append(f"all of {', '.join(texts.values())}")
    return guilty


def _limits(
    constraints: Constraints, elements: Sequence[int], *, relax: Constraint[Any] | None = None
) -> CompositionLimits | None:
    """Limits of constraints, one of which may be relaxed; None where they contradict each other."""
    try:
        return (relax.relaxed(constraints) if relax is not None else constraints).composition_limits(elements)
    except ConstraintError:
        return None


def _any(
    elements: Sequence[int], space_groups: Sequence[int], constraints: Constraints, lattice: LatticeDecoder | None
) -> bool:
    """Whether any crystal satisfies constraints."""
    limits = _limits(constraints, elements)
    return limits is not None and _any_within(elements, space_groups, limits, lattice)


def _any_within(
    elements: Sequence[int], space_groups: Sequence[int], limits: CompositionLimits, lattice: LatticeDecoder | None
) -> bool:
    """Whether any crystal is within limits."""
    if not set(limits.present) <= set(elements):
        return False
    totals = cell_totals(elements, space_groups, limits, lattice) if lattice is not None else None
    return bool(CompositionTables.build(elements, list(space_groups), limits, totals).feasible.any())


def _short(space_groups: Sequence[int]) -> str:
    shown = ", ".join(str(g) for g in space_groups[:8])
    return shown + (", ..." if len(space_groups) > 8 else "")
