"""The section ``constraints`` of a configuration: the constraints that every sample obeys.

Its keys are the constraints of :data:`crystalgfn.spaces.constraints.registry.CONSTRAINTS`. This module defines the
sections that hold the constraints, and the keys that are not constraints: how the unit cube becomes a cell, and the
measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, create_model, model_validator

from crystalgfn.section import AngleRange, Range, Section
from crystalgfn.spaces.constraints.base import Constraint, Constraints
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, MAIN_KEYS, check_rules, constraints_of, keys_of


class _Keys(Section):
    """A section that holds constraints, each of which checks its own value.

    Attributes:
        place: name of the section, as constraints refer to it.
    """

    place: ClassVar[str]

    @model_validator(mode="after")
    def _checked(self) -> _Keys:
        values = self.model_dump()
        for kind in keys_of(self.place):
            kind.check(values[kind.name], values)
        return self

    if TYPE_CHECKING:  # the registry adds the keys

        def __getattr__(self, name: str) -> Any: ...


Keys = TypeVar("Keys", bound=_Keys)


def _key(kind: type[Constraint[Any]]) -> tuple[Any, Any]:
    """A constraint as the field of a model."""
    return Annotated[kind.annotation(), BeforeValidator(kind.read)], Field(kind.default, description=kind.meaning)


def _with_keys(section: type[Keys]) -> type[Keys]:
    """Add the constraints of a section after its own keys."""
    keys: dict[str, Any] = {kind.name: _key(kind) for kind in keys_of(section.place)}
    return _extended(section, keys)


def _extended(section: type[Keys], keys: dict[str, Any]) -> type[Keys]:
    return create_model(section.__name__, __base__=section, __module__=__name__, __doc__=section.__doc__, **keys)


@_with_keys
class ElementsConfig(_Keys):
    """Elements of the crystals; a list alone stands for ``allowed``."""

    place = "elements"


@_with_keys
class SpaceGroupsConfig(_Keys):
    """Space groups of the crystals: the groups that fit all keys; numbers alone stand for ``numbers``."""

    place = "space_groups"

    @model_validator(mode="after")
    def _possible(self) -> SpaceGroupsConfig:
        if not self.selected:
            raise ValueError("no space group fits numbers, systems and point symmetry together; allowed: one at least")
        return self

    @property
    def selected(self) -> list[int]:
        """International numbers that fit every key."""
        constraints = [kind.of({self.place: self.model_dump()}) for kind in keys_of(self.place)]
        return Constraints(tuple(constraint for constraint in constraints if constraint is not None)).space_groups()


@_with_keys
class LatticeConfig(_Keys):
    """Bounds on the conventional cell, and how points of the unit cube become cells."""

    place = "lattice"

    kind: Literal["volume", "box"] = "volume"
    """``volume``: volume log-uniform around the estimate from the composition, axial ratios log-uniform. ``box``:
    lengths and angles uniform, as in the paper (rhombohedral: of the primitive cell), where the cell exists."""
    volume: Range = (0.55, 1.6)
    """``volume``: least and most volume, as multiples of the estimate, where ``volume_per_atom`` is ``auto``."""
    box: Range = (0.9, 100.0)
    """``box``: least and most length, A."""
    box_angles: AngleRange = (50.0, 150.0)
    """``box``: least and most angle, degree."""
    triclinic: AngleRange = (60.0, 120.0)
    """``volume``: least and most triclinic angle, degree."""
    monoclinic: AngleRange | None = None
    """Least and most monoclinic beta, degree; null for [90, 135] (``volume``) or ``box_angles``."""


def _section(model: type[_Keys], meaning: str) -> tuple[Any, Any]:
    """A section as the field of a model; if it has a main key, the value of that key alone may be written."""
    main, needed = MAIN_KEYS.get(model.place), any(field.is_required() for field in model.model_fields.values())
    field: Any = Field(description=meaning) if needed else Field(model(), description=meaning)
    if main is None:
        return model, field
    long = BeforeValidator(lambda value: value if isinstance(value, Mapping | Section) else {main: value})
    return Annotated[model, long], field


SECTIONS: dict[str, Any] = {
    "elements": _section(ElementsConfig, "Elements: a list, or a section."),
    "rules": (
        dict[str, Any],
        Field({}, description="Further rules, by name, or ``module:Class`` for your own."),
    ),
    "space_groups": _section(SpaceGroupsConfig, 'Space groups: "all", numbers and ranges, or a section.'),
    "lattice": _section(LatticeConfig, "Shapes and sizes of cells."),
}
"""Sections of constraints; a section stands where the registry has its first constraint."""


def _with_all_keys(section: type[Keys]) -> type[Keys]:
    """Add all constraints, and the sections of constraints, in the order of the registry."""
    keys: dict[str, Any] = {}
    for kind in CONSTRAINTS:
        if kind.section not in keys:
            keys[kind.section or kind.name] = SECTIONS[kind.section] if kind.section else _key(kind)
    keys["sites"] = (
        Literal["none", "wyckoff"],
        Field(
            "none",
            description="Whether samples say which Wyckoff positions the elements occupy (``wyckoff``), or only how "
            "many atoms of each there are, as in the paper (``none``).",
        ),
    )
    keys["measure"] = (
        Literal["cube", "lebesgue"],
        Field(
            "cube",
            description="Measure for the reward as a density: uniform in the unit cube, or in A and degree.",
        ),
    )
    return _extended(section, keys)


@_with_all_keys
class ConstraintsConfig(_Keys):
    """Constraints on what is sampled; every limit holds for every sample."""

    place = ""

    @model_validator(mode="after")
    def _rules(self) -> ConstraintsConfig:
        check_rules(self.rules)
        return self

    @property
    def groups(self) -> list[int]:
        """International numbers that may be sampled."""
        selected: list[int] = self.space_groups.selected
        return selected

    @property
    def all_constraints(self) -> Constraints:
        """The constraints of all sections."""
        return constraints_of(self.model_dump())
