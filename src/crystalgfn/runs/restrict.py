"""Narrower constraints for a trained model, in the keys of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crystalgfn.config import Config, ConstraintsConfig, parse_config
from crystalgfn.config.constraints import SECTIONS
from crystalgfn.errors import ConfigError, nearest
from crystalgfn.spaces.constraints.base import Constraint
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, MAIN_KEYS

Place = tuple[str, str]
"""Section and key of a constraint; the section is empty for ``constraints`` itself."""


def allowed_limits() -> list[str]:
    """Keys that may be restricted: the keys of ``constraints``, and the keys of its sections without the section."""
    outer = [key for key in ConstraintsConfig.model_fields if key in SECTIONS or ("", key) in _kinds_by_place()]
    return [*outer, *(kind.name for kind in CONSTRAINTS if kind.section)]


def narrower(config: Config, limits: Mapping[str, Any]) -> Config:
    """Return a configuration with narrower constraints.

    Args:
        config: configuration of the trained model.
        limits: keys of ``constraints``; keys of its sections may be given without the section (``required``,
            ``crystal_system``, ``density``). In ranges, None stands for the bound of training.

    Raises:
        ConfigError: a key is unknown, or a limit would allow what training did not.
    """
    section = config.constraints.model_dump(mode="json")
    kinds = _kinds_by_place()
    for (place, key), value in _limits_by_place(limits).items():
        values = section[place] if place else section
        if (place, key) not in kinds:
            if place == "rules":  # an unknown rule: the configuration lists the rules
                values[key] = value
                continue
            raise ConfigError(f"restriction {f'{place}.{key}'!r}: cannot change after training")
        kinds[place, key].narrow(values, value)
    content = config.model_dump(mode="json") | {"constraints": section}
    return parse_config(content, source="restriction")


def _kinds_by_place() -> dict[Place, type[Constraint[Any]]]:
    return {(kind.section, kind.name): kind for kind in CONSTRAINTS}


def _limits_by_place(limits: Mapping[str, Any]) -> dict[Place, Any]:
    """Limits by section and key, in the order of the registry: oxidation states are compared with training's rule."""
    places = {kind.name: (kind.section, kind.name) for kind in CONSTRAINTS}
    allowed, by_place = allowed_limits(), dict[Place, Any]()
    for key, value in limits.items():
        if key not in allowed:
            raise ConfigError(f"restriction {key!r}: unknown, allowed: {', '.join(allowed)}{nearest(key, allowed)}")
        if key not in SECTIONS:
            by_place[places[key]] = value
            continue
        if not isinstance(value, Mapping) and key not in MAIN_KEYS:
            raise ConfigError(f"restriction {key}: found {value!r}, allowed: keys with their values")
        inner = value if isinstance(value, Mapping) else {MAIN_KEYS[key]: value}
        by_place |= {(key, name): entry for name, entry in inner.items()}
    order = {place: number for number, place in enumerate(_kinds_by_place())}
    return dict(sorted(by_place.items(), key=lambda item: order.get(item[0], len(order))))
