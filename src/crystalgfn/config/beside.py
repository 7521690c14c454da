"""Short forms of a configuration: keys that may stand beside the section to which they belong.

    training: {objective: tb, log_z_start: zero}      for  training: {objective: {tb: {log_z_start: zero}}}
    objective: [{property: density}]                  for  objective: [{property: density}, {stability: {beta: 10}}]
    stability: {beta: 10}

A key beside its section takes precedence, so that ``--set`` can change one number in either form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crystalgfn.gflownet.objectives.registry import OBJECTIVES, WRITTEN_OBJECTIVE
from crystalgfn.rewards.terms.registry import PROPERTY, TERMS
from crystalgfn.section import Section


def sections_beside() -> list[str]:
    """Names of the terms that may be written beside ``objective``."""
    return [name for name in TERMS if name != PROPERTY]


def objective_with_terms(content: Any, default: list[Any]) -> Any:
    """Move all terms of a configuration into ``objective``.

    Args:
        content: the configuration as written.
        default: terms of a configuration without ``objective``.
    """
    if not isinstance(content, Mapping):
        return content
    names = [name for name in sections_beside() if name in content]
    rest = {key: value for key, value in content.items() if key not in names}
    terms = rest.get("objective", default)
    if not names or not isinstance(terms, list):
        return rest if isinstance(terms, list) else content
    for name in names:
        terms = _with_term(terms, name, content[name])
    return {**rest, "objective": terms}


def _with_term(terms: list[Any], name: str, keys: Any) -> list[Any]:
    """Terms with a further term, or with changed keys of the term of that name; null changes nothing."""
    if keys is None:
        return terms
    for index, term in enumerate(terms):
        if isinstance(term, Mapping) and list(term) == [name] and isinstance(term[name], Mapping):
            new_term = {name: {**term[name], **keys}} if isinstance(keys, Mapping) else {name: keys}
            return [*terms[:index], new_term, *terms[index + 1 :]]
    return [*terms, {name: keys}]


def objective_with_keys(content: Any, section_keys: set[str]) -> Any:
    """Move the keys that are written beside the objective of a section ``training`` into the objective.

    Keys that only other objectives have are left out, so that changing the objective of a preset changes one key.

    Args:
        content: the section as written.
        section_keys: keys of the section itself.
    """
    if not isinstance(content, Mapping):
        return content
    objective_keys = {key for kind in OBJECTIVES.values() for key in kind.model_fields} - section_keys
    beside = {key: value for key, value in content.items() if key in objective_keys}
    if not beside:
        return content
    rest = {key: value for key, value in content.items() if key not in beside}
    objective = rest.get("objective", "vargrad")
    name = WRITTEN_OBJECTIVE.kind(objective)
    if name is None:
        return content
    if isinstance(objective, Section):
        keys: Any = objective.model_dump()
    else:
        keys = objective[name] if isinstance(objective, Mapping) else {}
    if not isinstance(keys, Mapping | None):
        return rest
    valid = {key: value for key, value in beside.items() if key in OBJECTIVES[name].model_fields}
    return {**rest, "objective": {name: {**(keys or {}), **valid}}}
