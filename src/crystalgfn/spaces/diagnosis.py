"""Which constraint empties a space: found by relaxing them one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crystalgfn.crystallography.elements import SYMBOLS

from .composition_tables import CompositionTables
from .constraints import CompositionConstraints


def explain_empty(elements: Sequence[int], space_groups: Sequence[int], constraints: CompositionConstraints) -> str:
    """One line on a set of constraints that leaves no crystal.

    Each constraint is relaxed alone; those whose absence makes the space non-empty are named with their value.
    """
    if not elements:
        return "no element is left to sample; allow at least one"
    if not space_groups:
        return "no space group is left to sample; allow at least one of 1..230"
    missing = [SYMBOLS[z] for z in constraints.required if z not in elements]
    if missing:
        return f"required elements {', '.join(missing)} are not among those of the space"
    names = [SYMBOLS[z] for z in constraints.required]
    c = constraints
    relaxed = {
        f"n_elements {list(c.n_elements)}": replace(c, n_elements=(1, max(c.n_elements[1], 4, len(c.required)))),
        f"n_atoms {list(c.n_atoms)}": replace(c, n_atoms=(1, max(c.n_atoms[1], 128))),
        f"n_atoms_primitive {list(c.n_atoms_primitive)}": replace(
            c, n_atoms_primitive=(1, max(c.n_atoms_primitive[1], 48))
        ),
        f"atoms_per_element {list(c.atoms_per_element)}": replace(
            c, atoms_per_element=(1, max(c.atoms_per_element[1], 48))
        ),
        f"neutrality {c.neutrality}": replace(c, neutrality="none"),
        f"required {' '.join(names)}": replace(c, required=()),
        "allowed elements": replace(c, allowed=None),
        "wyckoff (counts that fit the space groups)": replace(c, wyckoff=False),
    }
    guilty = [name for name, wider in relaxed.items() if wider != c and _any(elements, space_groups, wider)]
    if guilty:
        return f"the constraints leave no crystal; each of these, relaxed alone, would leave some: {'; '.join(guilty)}"
    if _any(elements, range(1, 231), c):
        return f"no crystal of the constraints fits the space groups {_short(space_groups)}; other groups would"
    return "the constraints leave no crystal, and relaxing no single one of them would"


def _any(elements: Sequence[int], space_groups: Sequence[int], constraints: CompositionConstraints) -> bool:
    return bool(CompositionTables.build(elements, list(space_groups), constraints).feasible.any())


def _short(space_groups: Sequence[int]) -> str:
    shown = ", ".join(str(g) for g in space_groups[:8])
    return shown + (", ..." if len(space_groups) > 8 else "")
