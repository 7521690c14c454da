"""What the composition of a crystal must satisfy: plain data, given when training or only when sampling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from crystalgfn.crystallography.stoichiometry import Stoichiometry
from crystalgfn.errors import ConstraintError
from crystalgfn.spaces.constraints.rules import Rule

NeutralityRule = Literal["per_element", "per_atom", "none"]


@dataclass(frozen=True)
class CompositionConstraints:
    """Hard limits on a composition; every bound is inclusive.

    Args:
        allowed: atomic numbers that may be used, or None for all of the space.
        required: atomic numbers that must be present.
        any_of: sets of atomic numbers, of each of which one at least must be present.
        n_elements: least and most distinct elements.
        n_atoms: least and most atoms in the conventional cell.
        n_atoms_primitive: least and most atoms in the primitive cell.
        atoms_per_element: least and most atoms of one element in the conventional cell.
        neutrality: ``per_element`` (one oxidation state an element), ``per_atom`` (mixed valence) or ``none``.
            Crystals of a single element are neutral under every rule.
        wyckoff: whether the counts must fit the Wyckoff positions of the space group.
        stoichiometry: ratios of the elements, or None for any.
        shares: ``(atomic number, least, most)`` share of the atoms; an absent element has share 0.
        electronegativity: whether some neutral choice of oxidation states, one an element, must have every cation less
            electronegative than every anion (smact's ``pauling_test``); for neutrality ``per_element``. Crystals of a
            single element pass.
        rules: further rules by name.
    """

    allowed: tuple[int, ...] | None = None
    required: tuple[int, ...] = ()
    any_of: tuple[tuple[int, ...], ...] = ()
    n_elements: tuple[int, int] = (1, 5)
    n_atoms: tuple[int, int] = (1, 50)
    n_atoms_primitive: tuple[int, int] = (1, 10_000)
    atoms_per_element: tuple[int, int] = (1, 16)
    neutrality: NeutralityRule = "per_element"
    wyckoff: bool = True
    stoichiometry: Stoichiometry | None = None
    shares: tuple[tuple[int, float, float], ...] = ()
    electronegativity: bool = False
    rules: tuple[tuple[str, Rule], ...] = ()


def with_stoichiometry(constraints: CompositionConstraints) -> CompositionConstraints:
    """The constraints with what a stoichiometry says of the elements written out: how many, and which are required.

    Raises:
        ConstraintError: the number of elements contradicts it.
    """
    wanted = constraints.stoichiometry
    if wanted is None:
        return constraints
    low, high = constraints.n_elements
    if not low <= wanted.n_elements <= high:
        raise ConstraintError(f"the stoichiometry has {wanted.n_elements} elements, n_elements allows {low} to {high}")
    named = tuple(z for z, _ in wanted.named if z not in constraints.required)
    number = (wanted.n_elements, wanted.n_elements)
    return replace(constraints, required=(*constraints.required, *named), n_elements=number)
