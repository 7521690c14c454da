"""The base of every section of a configuration, and the choice of a section from a registry.

This module lies below everything that is configured, so that a term of the reward or an objective can define its keys
beside its code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, GetCoreSchemaHandler, create_model, model_validator
from pydantic_core import CoreSchema, core_schema

from crystalgfn.errors import nearest

LARGEST = 1e9
"""Largest number in a configuration, seeds left aside."""


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused, values never change, numbers are finite and not huge."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="after")
    def _not_huge(self) -> Self:
        for name in type(self).model_fields:
            for number in _numbers_in(getattr(self, name)):
                if abs(number) > LARGEST and name != "seed":
                    raise ValueError(f"{name}: found {number:g}, allowed: numbers up to {LARGEST:g}")
        return self


def _numbers_in(value: Any) -> Iterator[int | float]:
    """The numbers of a value of plain types; those of other sections are checked there."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _numbers_in(each)
    elif isinstance(value, Mapping):
        yield from _numbers_in(list(value.values()))


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 < pair[0] < pair[1]:
        raise ValueError(f"found {list(pair)}, allowed: 0 < least < most")
    return pair


def _angles(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 < pair[0] < pair[1] < 180:
        raise ValueError(f"found {list(pair)}, allowed: 0 < least < most < 180 degree")
    return pair


def _from_home(text: str) -> str:
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError(f"found {text!r}, which is below no home folder, allowed: a path") from None


Name = Annotated[str, AfterValidator(_from_home)]
"""A name or the path of a file or folder; ``~`` at its beginning is the home folder."""

Range = Annotated[tuple[float, float], AfterValidator(_rising)]
"""Least and most of a positive number."""

AngleRange = Annotated[tuple[float, float], AfterValidator(_angles)]
"""Least and most of an angle of a cell, degree."""


class OneOf:
    """Annotation of a key whose value is a section of a registry: ``Annotated[Objective, OneOf(OBJECTIVES)]``.

    It is written as ``{name: {key: value}}``, or as the name alone where all keys have their defaults. The registry is
    looked up whenever a configuration is read, so that a new entry can be used at once.

    Args:
        registry: kinds of sections by name.
        plain: name of the kind whose keys are written without the name; None if there is no such kind.
    """

    def __init__(self, registry: Mapping[str, type[Section]], *, plain: str | None = None) -> None:
        self.registry, self.plain = registry, plain

    def name(self, section: Section) -> str:
        """Return the name of a section's kind."""
        return next(name for name, kind in self.registry.items() if type(section) is kind)

    def kind(self, value: Any) -> str | None:
        """Return the name of the kind that a value stands for; None if it stands for none."""
        if isinstance(value, Section):
            return self.name(value)
        named = self._named(value)
        if len(named) == 1 and (isinstance(value, str) or len(value) == 1):
            return named[0]
        return self.plain if isinstance(value, Mapping) and not named else None

    def read(self, value: Any) -> Section:
        """Return the section that a value describes.

        Raises:
            ValueError: no such kind, or keys that the kind refuses (pydantic's ValidationError).
        """
        if isinstance(value, Section):
            return value
        kind = self.kind(value)
        if kind is None:
            raise ValueError(self._refusal(value))
        if kind == self.plain:
            return self.registry[kind].model_validate(value)
        keys = {} if isinstance(value, str) else value[kind]
        # as a field of a section of its own, so that errors name the kind as well as the key
        outer = create_model(kind, __base__=Section, **{kind: (self.registry[kind], ...)})  # type: ignore[call-overload]
        section: Section = getattr(outer.model_validate({kind: {} if keys is None else keys}), kind)
        return section

    def _named(self, value: Any) -> list[str]:
        """Names of the kinds that a value names."""
        names = [value] if isinstance(value, str) else list(value) if isinstance(value, Mapping) else []
        return [name for name in names if name in self.registry and name != self.plain]

    def _refusal(self, value: Any) -> str:
        names = [name for name in self.registry if name != self.plain]
        if isinstance(value, Mapping):
            found = ", ".join(map(str, value)) or "nothing"
        else:
            found = repr(value)
        also = f", or a mapping such as {{{self.plain}: ...}}" if self.plain is not None else ""
        close = nearest(value, names) if isinstance(value, str) else ""
        return f"found {found}, allowed: one of {', '.join(names)}, alone or as {{name: {{key: value}}}}{also}{close}"

    def write(self, section: Section) -> Any:
        """Return what :meth:`read` reads: every key with its value."""
        name, keys = self.name(section), section.model_dump(mode="json")
        if name == self.plain:
            return keys
        return {name: keys} if keys else name

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )
