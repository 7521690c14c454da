"""Which constraint empties a space: found by relaxing them one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.cell_totals import cell_totals
from crystalgfn.spaces.composition_tables import CompositionTables
from crystalgfn.spaces.constraints.limits import CompositionConstraints, with_stoichiometry
from crystalgfn.spaces.lattice import LatticeDecoder
from crystalgfn.spaces.lattice_bounds import NO_BOUNDS


def explain_empty(
    elements: Sequence[int],
    space_groups: Sequence[int],
    constraints: CompositionConstraints,
    lattice: LatticeDecoder | None = None,
) -> str:
    """One line on a set of constraints that leaves no crystal.

    Each constraint is relaxed alone; those whose absence makes the space non-empty are named with their value.
    """
    if not elements:
        return "no element is left to sample; allow at least one"
    if not space_groups:
        return "no space group is left to sample; allow at least one of 1..230"
    named = [z for z, _ in constraints.stoichiometry.named] if constraints.stoichiometry else []
    missing = [SYMBOLS[z] for z in (*constraints.required, *named) if z not in elements]
    if missing:
        return f"required elements {', '.join(missing)} are not among those of the space"
    names = [SYMBOLS[z] for z in constraints.required]
    c = constraints
    relaxed = {
        f"n_elements {list(c.n_elements)}": replace(
            c,
            n_elements=(
                1,
                max(c.n_elements[1], 4, len(c.required), c.stoichiometry.n_elements if c.stoichiometry else 0),
            ),
        ),
        f"n_atoms {list(c.n_atoms)}": replace(c, n_atoms=(1, max(c.n_atoms[1], 128))),
        f"n_atoms_primitive {list(c.n_atoms_primitive)}": replace(
            c, n_atoms_primitive=(1, max(c.n_atoms_primitive[1], 48))
        ),
        f"atoms_per_element {list(c.atoms_per_element)}": replace(
            c, atoms_per_element=(1, max(c.atoms_per_element[1], 48))
        ),
        # no one can ask for electronegativities without charges
        f"neutrality {c.neutrality}{' with electronegativity' if c.electronegativity else ''}": replace(
            c, neutrality="none", electronegativity=False
        ),
        f"required {' '.join(names)}": replace(c, required=()),
        "allowed elements": replace(c, allowed=None),
        "wyckoff (counts that fit the space groups)": replace(c, wyckoff=False),
        f"any_of {' and '.join(' '.join(SYMBOLS[z] for z in choice) for choice in c.any_of)}": replace(c, any_of=()),
        f"stoichiometry {c.stoichiometry}": replace(c, stoichiometry=None),
        f"shares {', '.join(f'{SYMBOLS[z]} [{low:g}, {high:g}]' for z, low, high in c.shares)}": replace(c, shares=()),
        "electronegativity": replace(c, electronegativity=False),
        **{
            f"rules.{name} {rule}": replace(c, rules=tuple(other for other in c.rules if other[0] != name))
            for name, rule in c.rules
        },
    }
    guilty = [name for name, wider in relaxed.items() if wider != c and _any(elements, space_groups, wider, lattice)]
    bounds = _guilty_bounds(elements, space_groups, c, lattice) if lattice is not None else []
    if guilty or bounds:
        culprits = "; ".join(bounds + guilty)
        return f"the constraints leave no crystal; each of these, relaxed alone, would leave some: {culprits}"
    if _any(elements, range(1, 231), c, lattice):
        return f"no crystal of the constraints fits the space groups {_short(space_groups)}; other groups would"
    return "the constraints leave no crystal, and relaxing no single one of them would"


def _guilty_bounds(
    elements: Sequence[int], space_groups: Sequence[int], constraints: CompositionConstraints, lattice: LatticeDecoder
) -> list[str]:
    """Bounds on the lattice without which alone the space is not empty; all of them, if only without all it is not."""
    given = lattice.bounds.given()
    if "density" in given:
        given["density"] += " (for the lightest and the heaviest composition alike)"
    guilty = []
    for field, name in given.items():
        wider = lattice.with_bounds(replace(lattice.bounds, **{field: None}))
        if _any(elements, space_groups, constraints, wider):
            guilty.append(name)
    if not guilty and given and _any(elements, space_groups, constraints, lattice.with_bounds(NO_BOUNDS)):
        guilty.append(f"all of {', '.join(given.values())}")
    return guilty


def _any(
    elements: Sequence[int],
    space_groups: Sequence[int],
    constraints: CompositionConstraints,
    lattice: LatticeDecoder | None,
) -> bool:
    try:
        constraints = with_stoichiometry(constraints)
    except ConstraintError:
        return False
    if not set(constraints.required) <= set(elements):
        return False
    totals = cell_totals(elements, space_groups, constraints, lattice) if lattice is not None else None
    return bool(CompositionTables.build(elements, list(space_groups), constraints, totals).feasible.any())


def _short(space_groups: Sequence[int]) -> str:
    shown = ", ".join(str(g) for g in space_groups[:8])
    return shown + (", ..." if len(space_groups) > 8 else "")
