"""Narrower constraints for a trained model: the same vocabulary, a smaller space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from crystalgfn.config import Config, ConstraintsConfig, ElementsConfig, LatticeConfig, SpaceGroupsConfig, parse_config
from crystalgfn.config.constraints import MAX_AXIS_RATIO
from crystalgfn.errors import ConfigError, nearest

_RANGES = ("n_elements", "n_atoms", "n_atoms_primitive", "atoms_per_element")
_BOUNDS = ("lengths", "angles", "volume_per_atom", "density")
_FIXED = ("measure",)
_COORDINATES = ("kind", "volume", "box", "box_angles", "triclinic", "monoclinic")
_CHARGE = ("none", "per_atom", "per_element")  # each holds for all crystals of the next
_SECTIONS: dict[str, type[BaseModel]] = {
    "elements": ElementsConfig,
    "space_groups": SpaceGroupsConfig,
    "lattice": LatticeConfig,
}
_MAIN = {"elements": "allowed", "space_groups": "numbers"}


def allowed_limits() -> list[str]:
    """Keys that may be restricted: those of ``constraints``, and those of its sections by their own names."""
    inner = [key for section in _SECTIONS.values() for key in section.model_fields if key not in _COORDINATES]
    return [*(key for key in ConstraintsConfig.model_fields if key not in _FIXED), *inner]


def narrower(config: Config, limits: Mapping[str, Any]) -> Config:
    """The configuration of ``config`` with its constraints narrowed.

    Args:
        limits: keys of ``constraints``; those of its sections may be given by their own names (``required``,
            ``crystal_system``, ``density``). In ranges, None stands for the bound of training.

    Raises:
        ConfigError: an unknown key, or a limit that would allow what training did not.
    """
    old = config.constraints.model_dump(mode="json")
    new = {key: dict(value) if isinstance(value, dict) else value for key, value in old.items()}
    for key, value in _sorted(limits).items():
        section, _, name = key.rpartition(".")
        if key == "elements.allowed":  # the vocabulary stays: what is not allowed any more is forbidden
            kept = _subset(name, old["elements"]["allowed"], value)
            gone = [s for s in old["elements"]["allowed"] if s not in kept]
            new["elements"]["forbidden"] = sorted({*new["elements"]["forbidden"], *gone})
            continue
        was = old[section][name] if section else old[name]
        if key == "lattice.longest_over_shortest" and was is None and old["lattice"]["kind"] == "volume":
            was = MAX_AXIS_RATIO
        narrowed = _narrow(name, new[section][name] if name == "forbidden" else was, value)
        if section:
            new[section][name] = narrowed
        else:
            new[name] = narrowed
    content = config.model_dump(mode="json") | {"constraints": new}
    return parse_config(content, source="restriction")


def _sorted(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Limits by their full key, such as ``elements.required``."""
    found: dict[str, Any] = {}
    allowed = allowed_limits()
    for key, value in limits.items():
        if key not in allowed:
            raise ConfigError(f"restriction {key!r}: unknown, allowed: {', '.join(allowed)}{nearest(key, allowed)}")
        if key in _SECTIONS:
            inner = value if isinstance(value, Mapping) else {_MAIN.get(key, "kind"): value}
            found |= {f"{key}.{name}": entry for name, entry in inner.items()}
            continue
        section = next((s for s, model in _SECTIONS.items() if key in model.model_fields), None)
        found[f"{section}.{key}" if section else key] = value
    for key in found:
        section, _, name = key.rpartition(".")
        if section == "lattice" and (name in _COORDINATES or name not in LatticeConfig.model_fields):
            raise ConfigError(f"restriction {key!r}: cannot change after training")
    return found


def _narrow(key: str, was: Any, now: Any) -> Any:
    """The value of a key that holds both the old limit and the new one."""
    if now is None and was is not None:
        raise ConfigError(f"restriction {key}: found null, allowed: {was!r}, or narrower")
    if key in _RANGES or (key in _BOUNDS and isinstance(was, list)):
        return _inside(key, was, now)
    if key in ("required", "forbidden"):
        return sorted({*was, *_list(now)})
    if key == "rules":
        again = [name for name in now if name in was]
        if again:
            raise ConfigError(f"restriction rules: {again[0]} was set in training, allowed: other rules")
        return {**was, **now}
    if key == "shares":
        inside = {s: _inside(f"shares {s}", was[s], pair) for s, pair in now.items() if s in was}
        return {**was, **now, **inside}
    if key == "any_of":
        return [*was, *([now] if isinstance(now, str) else _list(now))]
    if key == "charge" and now in _CHARGE and _CHARGE.index(now) < _CHARGE.index(was):
        raise ConfigError(f"restriction charge: found {now!r}, allowed: {was!r} or stricter")
    if key == "wyckoff" and was and not now:
        raise ConfigError("restriction wyckoff: found false, allowed: true, as in training")
    if key in ("electronegativity", "stoichiometry") and was not in (None, "none") and now != was:
        raise ConfigError(f"restriction {key}: found {now!r}, allowed: {was!r}, as in training")
    if key == "longest_over_shortest" and was is not None and not (isinstance(now, int | float) and now <= was):
        raise ConfigError(f"restriction longest_over_shortest: found {now!r}, allowed: up to {was:g}, as in training")
    if key in ("numbers", "crystal_system", "lattice_system", "point_symmetry") and was is not None:
        return _subset(key, was, now)
    return now


def _inside(key: str, was: list[Any], now: Any) -> list[Any]:
    pair = [now, now] if isinstance(now, int) else _list(now)
    if len(pair) != 2 or not all(bound is None or isinstance(bound, int | float) for bound in pair):
        raise ConfigError(f"restriction {key}: found {now!r}, allowed: [least, most]")
    pair = [was[i] if bound is None else bound for i, bound in enumerate(pair)]
    if pair[0] < was[0] or pair[1] > was[1]:
        raise ConfigError(f"restriction {key}: found {pair}, allowed: within {list(was)} of training")
    return pair


def _subset(key: str, was: list[Any], now: Any) -> Any:
    """New names, none of which may be new to training; space groups may be written as in a configuration."""
    names = _group_numbers(now) if key == "numbers" else _list(now)
    extra = [name for name in names if name not in was]
    if extra:
        shown = ", ".join(map(str, was[:10])) + (", ..." if len(was) > 10 else "")
        raise ConfigError(f"restriction {key}: {extra[0]} was not in training, allowed: {shown}")
    return names


def _group_numbers(written: Any) -> list[int]:
    try:
        return SpaceGroupsConfig(numbers=written).numbers
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"restriction numbers: {message}") from None


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if not isinstance(value, Iterable):
        raise ConfigError(f"restriction: found {value!r}, allowed: a list")
    return list(value)
