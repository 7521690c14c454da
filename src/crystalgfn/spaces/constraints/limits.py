"""What look-ahead keeps of constraints on compositions and sites: plain numbers that each constraint narrows."""

from __future__ import annotations

from dataclasses import dataclass

from crystalgfn.crystallography.charges import Neutrality
from crystalgfn.crystallography.formulas import Stoichiometry
from crystalgfn.spaces.constraints.ledger import Ledger
from crystalgfn.spaces.element_sites import ElementSites
from crystalgfn.spaces.structure_types import StructureType

Bounds = tuple[int, int]

NO_CHARGES = Neutrality()
"""Everything is neutral."""

MAX_ATOMS = 400
"""Most atoms a conventional cell may be asked to hold."""

MAX_ELEMENTS = 8
"""Most distinct elements that may be asked for."""


@dataclass(frozen=True)
class CompositionLimits:
    """Hard limits on a composition; every bound is inclusive, and the defaults are the widest.

    Attributes:
        usable: atomic numbers that may be used.
        present: atomic numbers that must occur.
        n_distinct: least and most distinct elements.
        n_conventional: least and most atoms in the conventional cell.
        n_primitive: least and most atoms in the primitive cell.
        n_of_one: least and most atoms of one element in the conventional cell.
        neutrality: what counts as neutral. Crystals of a single element are neutral under every rule.
        cations_first: whether some neutral choice of oxidation states, one an element, must have every cation less
            electronegative than every anion (smact's ``pauling_test``); for rules of one state an element. Crystals of
            a single element pass.
        fits_sites: whether the counts must fit the Wyckoff positions of the space group.
        formula: ratios of the elements that bound the mean mass, or None.
        ledgers: automata that look-ahead follows beside these limits.
    """

    usable: frozenset[int]
    present: tuple[int, ...] = ()
    n_distinct: Bounds = (1, MAX_ELEMENTS)
    n_conventional: Bounds = (1, MAX_ATOMS)
    n_primitive: Bounds = (1, MAX_ATOMS)
    n_of_one: Bounds = (1, MAX_ATOMS)
    neutrality: Neutrality = NO_CHARGES
    cations_first: bool = False
    fits_sites: bool = False
    formula: Stoichiometry | None = None
    ledgers: tuple[Ledger, ...] = ()


@dataclass(frozen=True)
class SiteLimits:
    """Hard limits on site patterns; the defaults are the widest.

    Attributes:
        pattern: the only pattern, or None for all.
        orbits: most orbits, or None.
        free_coordinates: most free coordinates of all sites together, or None.
        element_sites: rules for the sites of elements, one an element at most.
    """

    pattern: StructureType | None = None
    orbits: int | None = None
    free_coordinates: int | None = None
    element_sites: tuple[ElementSites, ...] = ()
