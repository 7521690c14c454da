"""Narrower constraints for a trained model: the same vocabulary, a smaller space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crystalgfn.config import Config, ConstraintsConfig, parse_config
from crystalgfn.config.constraints import SECTIONS
from crystalgfn.errors import ConfigError, nearest
from crystalgfn.spaces.constraints.base import Constraint
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, MAIN_KEYS

Place = tuple[str, str]
"""Section, empty for ``constraints`` itself, and key."""


def allowed_limits() -> list[str]:
    """Keys that may be restricted: those of ``constraints``, and those of its sections by their own names."""
    outer = [key for key in ConstraintsConfig.model_fields if key in SECTIONS or ("", key) in _by_place()]
    return [*outer, *(kind.name for kind in CONSTRAINTS if kind.section)]


def narrower(config: Config, limits: Mapping[str, Any]) -> Config:
    """The configuration of ``config`` with its constraints narrowed.

    Args:
        limits: keys of ``constraints``; those of its sections may be given by their own names (``required``,
            ``crystal_system``, ``density``). In ranges, None stands for the bound of training.

    Raises:
        ConfigError: an unknown key, or a limit that would allow what training did not.
    """
    section = config.constraints.model_dump(mode="json")
    kinds = _by_place()
    for (place, key), value in _by_full_name(limits).items():
        own = section[place] if place else section
        if (place, key) not in kinds:
            if place == "rules":  # an unknown rule: the configuration says which there are
                own[key] = value
                continue
            raise ConfigError(f"restriction {f'{place}.{key}'!r}: cannot change after training")
        kinds[place, key].narrow(own, value)
    content = config.model_dump(mode="json") | {"constraints": section}
    return parse_config(content, source="restriction")


def _by_place() -> dict[Place, type[Constraint[Any]]]:
    return {(kind.section, kind.name): kind for kind in CONSTRAINTS}


def _by_full_name(limits: Mapping[str, Any]) -> dict[Place, Any]:
    """Limits by section and key."""
    places = {kind.name: (kind.section, kind.name) for kind in CONSTRAINTS}
    allowed, full = allowed_limits(), dict[Place, Any]()
    for key, value in limits.items():
        if key not in allowed:
            raise ConfigError(f"restriction {key!r}: unknown, allowed: {', '.join(allowed)}{nearest(key, allowed)}")
        if key not in SECTIONS:
            full[places[key]] = value
            continue
        if not isinstance(value, Mapping) and key not in MAIN_KEYS:
            raise ConfigError(f"restriction {key}: found {value!r}, allowed: keys with their values")
        inner = value if isinstance(value, Mapping) else {MAIN_KEYS[key]: value}
        full |= {(key, name): entry for name, entry in inner.items()}
    return full
