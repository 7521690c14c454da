"""Every constraint, in the order of the configuration: the list that every other layer iterates over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crystalgfn.errors import ConfigError, CrystalGFNError, nearest
from crystalgfn.files.trust import import_named
from crystalgfn.spaces.constraints.any_of import AnyOf
from crystalgfn.spaces.constraints.at_most_one_of import AtMostOneOf
from crystalgfn.spaces.constraints.base import Constraint, Constraints, Rule
from crystalgfn.spaces.constraints.charges import Charge, Electronegativity, OxidationStates
from crystalgfn.spaces.constraints.element_sites import SitesOfElements
from crystalgfn.spaces.constraints.elements import Allowed, ChemicalSystem, Forbidden, Required
from crystalgfn.spaces.constraints.lattice_bounds import Angles, Density, Lengths, LongestOverShortest, VolumePerAtom
from crystalgfn.spaces.constraints.orbits import MostFreeCoordinates, MostOrbits
from crystalgfn.spaces.constraints.ranges import AtomsConventional, AtomsOfOne, AtomsPrimitive, NumberOfElements
from crystalgfn.spaces.constraints.ratios import HasStoichiometry
from crystalgfn.spaces.constraints.reading import asks_nothing
from crystalgfn.spaces.constraints.shares import Shares
from crystalgfn.spaces.constraints.sites import FitsWyckoff
from crystalgfn.spaces.constraints.space_groups import CrystalSystem, LatticeSystem, Numbers, PointSymmetry
from crystalgfn.spaces.constraints.structure_type import HasStructureType

CONSTRAINTS: list[type[Constraint[Any]]] = [
    Allowed,
    Required,
    Forbidden,
    ChemicalSystem,
    AnyOf,
    NumberOfElements,
    AtomsConventional,
    AtomsPrimitive,
    AtomsOfOne,
    HasStoichiometry,
    Shares,
    AtMostOneOf,
    Numbers,
    CrystalSystem,
    LatticeSystem,
    PointSymmetry,
    Lengths,
    Angles,
    VolumePerAtom,
    Density,
    LongestOverShortest,
    OxidationStates,
    Charge,
    Electronegativity,
    FitsWyckoff,
    HasStructureType,
    MostOrbits,
    MostFreeCoordinates,
    SitesOfElements,
]
"""Every kind of constraint: see :mod:`.base`."""

MAIN_KEYS = {"elements": "allowed", "space_groups": "numbers"}
"""Sections that may be written as the value of one of their keys."""


def keys_of(section: str) -> Iterator[type[Constraint[Any]]]:
    """Constraints that are keys of a section; ``""`` is ``constraints`` itself."""
    return (kind for kind in CONSTRAINTS if kind.section == section)


def constraints_of(section: Mapping[str, Any]) -> Constraints:
    """The constraints that a section ``constraints`` asks for.

    Args:
        section: in full, as ``config.constraints.model_dump()`` gives it.
    """
    each = [kind.of(section) for kind in CONSTRAINTS]
    each += [_own(name)(_own(name).parse(value)) for name, value in section["rules"].items() if is_own(name)]
    return Constraints(tuple(constraint for constraint in each if constraint is not None))


def constraints_from(**values: Any) -> Constraints:
    """Constraints by name, with values in the terms of the package (:attr:`.base.Constraint.value`)."""
    return with_values(Constraints(), **values)


def with_values(constraints: Constraints, **values: Any) -> Constraints:
    """The constraints with some values replaced; a value may ask for nothing. See :func:`constraints_from`."""
    kinds = {kind.name: kind for kind in CONSTRAINTS}
    for name in values:
        if name not in kinds:
            raise ConfigError(f"constraint {name!r}: unknown, allowed: {', '.join(kinds)}{nearest(name, kinds)}")
    by_name = {constraint.name: constraint for constraint in constraints}
    by_name |= {name: kinds[name](value) for name, value in values.items()}
    places = {name: place for place, name in enumerate(kinds)}
    ordered = sorted(by_name.values(), key=lambda constraint: places.get(constraint.name, len(places)))
    return Constraints(tuple(constraint for constraint in ordered if not asks_nothing(constraint.value)))


def check_rules(written: Mapping[str, Any]) -> None:
    """Refuse a mapping that holds anything but rules with their values.

    Raises:
        ConfigError: no such rule, a value that makes no sense for it, or two rules of one name.
        TrustError: a folder that is not trusted names a module.
    """
    found: dict[str, str] = {}
    for name, value in written.items():
        kind = rule(name)
        other = found.setdefault(kind.name, name)
        if other != name:
            raise ConfigError(f"rules: {other!r} and {name!r} are both called {kind.name!r}, allowed: each name once")
        kind.check(value, written)
        kind.parse(value)


def rule(name: str) -> type[Constraint[Any]]:
    """Return the class of a rule: one of the registry by its name, one of the user as ``"module:Class"``.

    Raises:
        ConfigError: no such rule, or a class that cannot be imported or is none of a rule.
        TrustError: a folder that is not trusted names a module.
    """
    if is_own(name):
        return _own(name)
    rules = {kind.name: kind for kind in keys_of("rules")}
    if name not in rules:
        raise ConfigError(
            f"rule {name!r}: unknown, allowed: {', '.join(rules)}, or module:Class of your own{nearest(name, rules)}"
        )
    return rules[name]


def is_own(name: str) -> bool:
    """Whether the name of a rule says where its class is: ``"module:Class"``."""
    return ":" in name


def _own(name: str) -> type[Rule]:
    try:
        found = import_named(name)
    except CrystalGFNError:
        raise
    except Exception as error:  # a module may raise anything
        raise ConfigError(f"rule {name!r}: cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(found, type) or not issubclass(found, Rule):
        raise ConfigError(f"rule {name!r}: found {found!r}, allowed: a class that extends {Rule.__name__} (base.py)")
    return found
