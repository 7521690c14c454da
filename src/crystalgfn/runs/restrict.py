"""Narrower constraints for a trained model, in the keys of its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crystalgfn.config import Config, ConstraintsConfig, load_preset, parse_config, preset_path, presets
from crystalgfn.config.constraints import SECTIONS
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import ConfigError, nearest
from crystalgfn.runs.build import POLICY
from crystalgfn.spaces.constraints.base import Constraint
from crystalgfn.spaces.constraints.registry import CONSTRAINTS, MAIN_KEYS, rule

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
            if place == "rules":
                values[key] = rule(key).narrowed(values.get(key), value)
                continue
            raise ConfigError(f"restriction {f'{place}.{key}'!r}: cannot change after training")
        kinds[place, key].narrow(values, value)
    content = config.model_dump(mode="json") | {"constraints": section}
    try:
        return parse_config(content, source="restriction")
    except ConfigError as error:
        raise ConfigError(f"{error}{_other_presets(config, limits)}") from None


def _other_presets(config: Config, limits: Mapping[str, Any]) -> str:
    """Where the elements of a refused restriction can be had that the model does not know."""
    words = {word for value in limits.values() for word in symbols_in(value)}
    foreign = [symbol for symbol in SYMBOLS[1:] if symbol in words - set(config.constraints.elements.allowed)]
    if not foreign:
        return ""
    found = [name for name in presets() if set(foreign) <= set(load_preset(name).constraints.elements.allowed)]
    ready = [name for name in found if (preset_path(name) / POLICY).is_file()]
    untrained = [name for name in found if name not in ready]
    parts = [f"with weights: {', '.join(ready)}"] * bool(ready)
    parts += [f"to be trained: {', '.join(untrained)}"] * bool(untrained)
    return f"; presets with {', '.join(foreign)}: {'; '.join(parts) or 'none'}"


def symbols_in(value: Any) -> list[str]:
    """What may be symbols of elements in a limit, whether text or lists of texts."""
    if isinstance(value, str):
        return re.findall(r"[A-Z][a-z]?", value)
    return [word for each in value for word in symbols_in(each)] if isinstance(value, list | tuple | dict) else []


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
