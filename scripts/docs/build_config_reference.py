"""Write docs/configuration.md from the models in crystalgfn.config.

    python scripts/docs/build_config_reference.py [--check]

The page is checked in, so that it can be read anywhere; ``--check`` writes nothing and fails if it is out of date.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from crystalgfn.config import Config, load_preset, presets
from crystalgfn.rewards.terms.registry import WRITTEN_TERM
from crystalgfn.section import OneOf
from crystalgfn.spaces.constraints.registry import keys_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

HEAD = """# Configuration

<!-- Made by scripts/docs/build_config_reference.py from crystalgfn.config; do not edit by hand. -->

A run is described by one YAML file. Presets are such files inside the package: {presets}.

    crystalgfn config show default > mine.yaml      # every key with its value
    crystalgfn config validate mine.yaml
    crystalgfn train mine.yaml -o runs/mine --set training.iterations=2000

Keys that are left out have the defaults below. An unknown key or an impossible value is answered by one line that names
the key, what was found, what is allowed, and the nearest valid name. Ranges are `[least, most]`, both included; where
they hold whole numbers, a single number stands for "exactly that many". From Python:
`crystalgfn.config.load_config("mine.yaml", ["training.lr=1e-4"])`.
"""


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models in an annotation: none for a plain value, two for a choice of two sections."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType, list):
        return [model for part in get_args(annotation) for model in models_in(part)]
    return []


def choice_in(field: FieldInfo) -> OneOf | None:
    """Return the choice of sections that a key, or each entry of its list, is one of."""
    entries = [part for argument in get_args(field.annotation) for part in getattr(argument, "__metadata__", ())]
    return next((part for part in (*field.metadata, *entries) if isinstance(part, OneOf)), None)


def anchor(path: str) -> str:
    """Return the address of a section within the page."""
    return re.sub(r"[^a-z_ -]", "", path).replace(" ", "-")


def describe(annotation: Any) -> str:
    """Write a type for readers of YAML, not of Python."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return describe(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(describe(part) for part in arguments)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return describe(list[arguments[0]])  # type: ignore[valid-type]
    if origin is tuple:
        return f"[{', '.join(describe(part) for part in arguments)}]"
    if origin is list:
        inner = describe(arguments[0])
        return "list of names" if inner == "text" else f"list of {inner if inner.startswith('list') else inner + 's'}"
    if origin is dict:
        return f"{{name: {describe(arguments[1])}}}"
    names = {Any: "value", int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "null"}
    return names[annotation]


def limits(field: FieldInfo) -> str:
    """Return the bounds of a number, such as ``", > 0"``."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    bounds = [
        f"{sign} {getattr(bound, key):g}"
        for bound in field.metadata
        for key, sign in signs.items()
        if getattr(bound, key, None) is not None and getattr(bound, key) < 2**62
    ]
    return "".join(f", {bound}" for bound in bounds)


def default(field: FieldInfo) -> str:
    """Return the default as YAML; ``required`` for a key without default."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, list) and any(isinstance(entry, BaseModel) for entry in value):
        return "one term"
    if value == list(range(1, 231)):
        return "`all`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def section(path: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield the lines of a section and of the sections below it."""
    about = "\n\n".join(markdown(paragraph) for paragraph in (inspect.getdoc(model) or "").split("\n\n"))
    yield f"\n## {f'`{path}`' if path else 'Top level'}\n\n{about}\n"
    if not model.model_fields:
        yield "No keys."
        return
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    below: list[tuple[str, type[BaseModel]]] = []
    for key, field in model.model_fields.items():
        where = f"{path}.{key}" if path else key
        inner = models_in(field.annotation)
        meaning = markdown(field.description or "")
        choice = choice_in(field)
        if choice is not None:
            kinds = {name: kind_path(where, name, choice) for name in choice.registry}
            below += [(kinds[name], kind) for name, kind in choice.registry.items()]
            many = "list of " if get_origin(field.annotation) is list else ""
            links = ", ".join(f"[{name}](#{anchor(place)})" for name, place in kinds.items())
            written = field.get_default(call_default_factory=True)
            chosen = "one term" if many else f"`{choice.name(written)}`"
            yield f"| `{key}` | {many}{links} | {chosen} | {meaning} |"
        elif inner:
            below += [(where, model_below) for model_below in inner]
            chosen = field.get_default(call_default_factory=True)
            kind = "`null`" if chosen is None else ""
            required = "required" if chosen is PydanticUndefined else kind
            many = "list of sections" if get_origin(field.annotation) is list else "section"
            yield f"| `{key}` | [{many}](#{where.replace('.', '')}) | {required} | {meaning} |"
        else:
            kind = "[section](#constraintsrules)" if where == "constraints.rules" else describe(field.annotation)
            yield f"| `{key}` | {kind}{limits(field)} | {default(field)} | {meaning} |"
    if path == "constraints":
        yield from rules()
    for where, model_below in below:
        yield from section(where, model_below)


def kind_path(where: str, name: str, choice: OneOf) -> str:
    """Return the path of the keys of a kind: ``objective.stability``, or ``objective`` for the kind without a name."""
    return where if name == choice.plain else f"{where}.{name}"


def rules() -> Iterator[str]:
    """Yield the lines of the section of rules."""
    yield "\n## `constraints.rules`\n\nRules on compositions; none by default.\n"
    yield "| key | meaning |"
    yield "|---|---|"
    for kind in keys_of("rules"):
        yield f"| `{kind.name}` | {markdown(kind.meaning)} |"


def markdown(text: str) -> str:
    """Join the lines of a docstring, with its code quotes as Markdown has them."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split())).replace("|", "\\|")


def preset_table() -> Iterator[str]:
    """Yield a table of what distinguishes the presets."""
    yield "\n## Presets\n"
    yield "Most atoms: in the conventional cell, in the primitive cell, and of one element in the conventional cell.\n"
    yield "| preset | elements | of which | space groups | atoms | charge | lattice | property |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in presets():
        config = load_preset(name)
        space = config.constraints
        allowed = space.elements.allowed
        elements = " ".join(allowed) if len(allowed) <= 22 else f"{len(allowed)} elements"
        terms = ", ".join(f"`{term.subject() or WRITTEN_TERM.name(term)}`" for term in config.objective)
        yield (
            f"| `{name}` | {elements} | {space.n_elements[0]} to {space.n_elements[1]} | {len(space.groups)} | "
            f"{space.n_atoms[1]}, {space.n_atoms_primitive[1]}, {space.atoms_per_element[1]} | "
            f"`{space.charge}` | `{space.lattice.kind}` | {terms or 'none'} |"
        )


def page() -> str:
    """Return the whole page."""
    head = HEAD.format(presets=", ".join(f"`{name}`" for name in presets()))
    return "\n".join([head.rstrip("\n"), *preset_table(), *section("", Config)]) + "\n"


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    check = parser.parse_args().check
    if check:
        current = PAGE.read_text(encoding="utf-8") == page()
        print("up to date" if current else f"{PAGE.name} is out of date: run scripts/docs/build_config_reference.py")
        return 0 if current else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
