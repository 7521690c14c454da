"""Short forms of a configuration: what may stand beside the key that it belongs to.

    training: {objective: tb, log_z_start: zero}      for  training: {objective: {tb: {log_z_start: zero}}}
    objective: [{property: density}]                  for  objective: [{property: density}, {stability: {beta: 10}}]
    stability: {beta: 10}

What stands beside wins, so that ``--set`` can change one number in either form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crystalgfn.gflownet.objectives.registry import OBJECTIVES, WRITTEN_OBJECTIVE
from crystalgfn.rewards.terms.registry import PROPERTY, TERMS
from crystalgfn.section import Section


def sections_beside() -> list[str]:
    """Names of the terms that may stand beside ``objective``."""
    return [name for name in TERMS if name != PROPERTY]


def objective_with_terms(content: Any, default: list[Any]) -> Any:
    """A configuration whose terms all stand in ``objective``.

    Args:
        content: as written.
        default: terms of a configuration without ``objective``.
    """
    if not isinstance(content, Mapping):
        return content
    named = [name for name in sections_beside() if name in content]
    rest = {key: value for key, value in content.items() if key not in named}
    terms = rest.get("objective", default)
    if not named or not isinstance(terms, list):
        return rest if isinstance(terms, list) else content
    for name in named:
        terms = _with_term(terms, name, content[name])
    return {**rest, "objective": terms}


def _with_term(terms: list[Any], name: str, keys: Any) -> list[Any]:
    """Terms with a further one, or with the keys of the one that is there changed; null changes nothing."""
    if keys is None:
        return terms
    for index, term in enumerate(terms):
        if isinstance(term, Mapping) and list(term) == [name] and isinstance(term[name], Mapping):
            changed = {name: {**term[name], **keys}} if isinstance(keys, Mapping) else {name: keys}
            return [*terms[:index], changed, *terms[index + 1 :]]
    return [*terms, {name: keys}]


def objective_with_keys(content: Any, own: set[str]) -> Any:
    """A section ``training`` whose objective holds the keys that were written beside it.

    Keys that only other objectives have are left out, so that changing the objective of a preset changes one key.

    Args:
        content: as written.
        own: keys of the section itself.
    """
    if not isinstance(content, Mapping):
        return content
    theirs = {key for kind in OBJECTIVES.values() for key in kind.model_fields} - own
    beside = {key: value for key, value in content.items() if key in theirs}
    if not beside:
        return content
    rest = {key: value for key, value in content.items() if key not in beside}
    written = rest.get("objective", "vargrad")
    name = WRITTEN_OBJECTIVE.kind(written)
    if name is None:
        return content
    if isinstance(written, Section):
        keys: Any = written.model_dump()
    else:
        keys = written[name] if isinstance(written, Mapping) else {}
    if not isinstance(keys, Mapping | None):
        return rest
    fits = {key: value for key, value in beside.items() if key in OBJECTIVES[name].model_fields}
    return {**rest, "objective": {name: {**(keys or {}), **fits}}}
