"""Which constraint empties a space, by relaxing one constraint at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.cell_totals import cell_totals
from crystalgfn.spaces.composition_tables import CompositionTables
from crystalgfn.spaces.constraints.lattice_bounds import NO_BOUNDS
from crystalgfn.spaces.constraints.limits import CompositionLimits, SiteLimits
from crystalgfn.spaces.constraints.ranges import AtomsPrimitive
from crystalgfn.spaces.site_pattern_space import SitePatternSpace
from crystalgfn.spaces.subspace import SpaceLimits, Subspace, build_stack


def explain_empty(limits: SpaceLimits, subspaces: Sequence[type[Subspace]]) -> str:
    """One line on a set of constraints that leaves no crystal.

    Each constraint is relaxed alone; those whose relaxation leaves crystals are named with their value.

    Args:
        limits: of the space; constraints on compositions and sites are relaxed, and the bounds of the lattice.
        subspaces: kinds of subspaces of the space.
    """
    if not limits.elements:
        return "no element is left to sample; allow at least one"
    if not limits.space_groups:
        return "no space group is left to sample; allow at least one of 1..230"
    widest = CompositionLimits(frozenset(limits.elements))
    needed = (constraint.contribute(widest).present for constraint in limits.constraints.on("composition"))
    missing = dict.fromkeys(SYMBOLS[z] for present in needed for z in present if z not in limits.elements)
    if missing:
        return f"required elements {', '.join(missing)} are not among those of the space"
    space = _Space(limits, tuple(subspaces))
    guilty = [*space.guilty_bounds(), *space.guilty_constraints()]
    if guilty:
        culprits = "; ".join(guilty)
        return f"the constraints leave no crystal; each of these, relaxed alone, would leave some: {culprits}"
    if space.holds_some(replace(limits, space_groups=tuple(range(1, 231)))):
        return f"no crystal of the constraints fits the space groups {_short(limits.space_groups)}; other groups would"
    return "the constraints leave no crystal, and relaxing no single one of them would"


@dataclass(frozen=True)
class _Space:
    """An empty space, and what would fill it."""

    limits: SpaceLimits
    subspaces: tuple[type[Subspace], ...]

    def guilty_constraints(self) -> list[str]:
        """Constraints whose relaxation alone would leave crystals, as messages name them."""
        constraints = self.limits.constraints
        before = _composition_limits(self.limits)
        verdicts: dict[str, bool] = {}
        for constraint in (*constraints.on("composition"), *constraints.on("sites")):
            text = constraint.written(constraints)
            wider = replace(self.limits, constraints=constraint.relaxed(constraints))
            changes = constraint.subspace == "sites" or _composition_limits(wider) not in (None, before)
            if text not in verdicts and changes:
                verdicts[text] = self.holds_some(wider)
        return [text for text, some in verdicts.items() if some]

    def guilty_bounds(self) -> list[str]:
        """Bounds on the lattice whose removal alone would leave crystals; all bounds, if only removing all would."""
        lattice = self.limits.lattice
        texts = lattice.bounds.explanations()
        guilty = []
        for name, text in texts.items():
            if self.holds_some(replace(self.limits, lattice=lattice.with_bounds(lattice.bounds.without(name)))):
                guilty.append(text)
        without = replace(self.limits, lattice=lattice.with_bounds(NO_BOUNDS))
        if not guilty and texts and self.holds_some(without):
            guilty.append(f"all of {', '.join(texts.values())}")
        return guilty

    def holds_some(self, limits: SpaceLimits) -> bool:
        """Whether any crystal is within limits."""
        composition = _composition_limits(limits)
        if composition is None or not set(composition.present) <= set(limits.elements):
            return False
        if SitePatternSpace in self.subspaces:
            if any(limits.constraints.on("sites")):
                return self._builds(limits)
            composition = replace(composition, fits_sites=True)  # which is all that sites ask of a composition
        totals = cell_totals(limits.elements, limits.space_groups, composition, limits.lattice)
        tables = CompositionTables.build(limits.elements, list(limits.space_groups), composition, totals)
        return bool(tables.feasible.any())

    def _builds(self, limits: SpaceLimits) -> bool:
        """Whether the subspaces can be built: in cells no larger than now, since tables of patterns grow fast."""
        now, wider = _composition_limits(self.limits), _composition_limits(limits)
        if now and wider and limits.constraints.fold("sites", SiteLimits()).pattern is None:
            most = min(wider.n_primitive[1], now.n_primitive[1], now.n_conventional[1])
            smaller = AtomsPrimitive((min(wider.n_primitive[0], most), most))
            limits = replace(limits, constraints=limits.constraints.replacing(smaller))
        try:
            build_stack(limits, self.subspaces)
        except ConstraintError:
            return False
        return True


def _composition_limits(limits: SpaceLimits) -> CompositionLimits | None:
    """Limits on compositions; None where constraints contradict each other."""
    try:
        return limits.constraints.composition_limits(limits.elements)
    except ConstraintError:
        return None


def _short(space_groups: Sequence[int]) -> str:
    shown = ", ".join(str(g) for g in space_groups[:8])
    return shown + (", ..." if len(space_groups) > 8 else "")
