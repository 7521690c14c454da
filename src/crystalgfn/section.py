"""What every section of a configuration is, and the choice of a section from a registry.

It stands below everything that is configured, so that a term of the reward or an objective keeps its own keys beside
what it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from crystalgfn.errors import nearest


class Section(BaseModel):
    """A part of a configuration: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True)


class OneOf:
    """Annotation of a key whose value is a section of a registry: ``Annotated[Objective, OneOf(OBJECTIVES)]``.

    It is written as ``{name: {key: value}}``, or as the name alone where all keys have their defaults. The registry is
    looked at whenever a configuration is read, so that whoever adds an entry can use it at once.

    Args:
        registry: kinds of sections by name.
        plain: the kind whose keys are written without its name; None for none.
    """

    def __init__(self, registry: Mapping[str, type[Section]], *, plain: str | None = None) -> None:
        self.registry, self.plain = registry, plain

    def name(self, section: Section) -> str:
        """Return the name of a section's kind."""
        return next(name for name, kind in self.registry.items() if type(section) is kind)

    def kind(self, written: Any) -> str | None:
        """Return the name of the kind that a value is written as, None where it is no such value."""
        if isinstance(written, Section):
            return self.name(written)
        named = self._named(written)
        if len(named) == 1 and (isinstance(written, str) or len(written) == 1):
            return named[0]
        return self.plain if isinstance(written, Mapping) and not named else None

    def read(self, written: Any) -> Section:
        """Return the section that a value describes.

        Raises:
            ValueError: no such kind, or keys that the kind refuses (pydantic's ValidationError).
        """
        if isinstance(written, Section):
            return written
        kind = self.kind(written)
        if kind is None:
            raise ValueError(self._refusal(written))
        if kind == self.plain:
            return self.registry[kind].model_validate(written)
        keys = {} if isinstance(written, str) else written[kind]
        # as a field of a section of its own, so that errors name the kind as well as the key
        outer = create_model(kind, __base__=Section, **{kind: (self.registry[kind], ...)})  # type: ignore[call-overload]
        section: Section = getattr(outer.model_validate({kind: {} if keys is None else keys}), kind)
        return section

    def _named(self, written: Any) -> list[str]:
        """The kinds that a value names."""
        names = [written] if isinstance(written, str) else list(written) if isinstance(written, Mapping) else []
        return [name for name in names if name in self.registry and name != self.plain]

    def _refusal(self, written: Any) -> str:
        names = [name for name in self.registry if name != self.plain]
        if isinstance(written, Mapping):
            found = ", ".join(map(str, written)) or "nothing"
        else:
            found = repr(written)
        also = f", or a mapping such as {{{self.plain}: ...}}" if self.plain is not None else ""
        close = nearest(written, names) if isinstance(written, str) else ""
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
