"""Narrower constraints for a trained model: the same vocabulary, a smaller space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crystalgfn.config import Config, SpaceConfig, parse_config
from crystalgfn.errors import ConfigError, nearest

_RANGES = ("n_elements", "n_atoms", "n_atoms_primitive", "atoms_per_element")
_FIXED = ("elements", "lattice", "measure")
_NEUTRALITY = ("none", "per_atom", "per_element")  # each holds for all crystals of the next


def narrower(config: Config, limits: Mapping[str, Any]) -> Config:
    """The configuration of ``config`` with its space limited further.

    Raises:
        ConfigError: an unknown key, or a limit that would allow what training did not.
    """
    allowed = [name for name in SpaceConfig.model_fields if name not in _FIXED]
    for key in limits:
        if key not in allowed:
            raise ConfigError(f"restriction {key!r}: unknown, allowed: {', '.join(allowed)}{nearest(key, allowed)}")
    content = config.model_dump(mode="json")
    content["space"] |= dict(limits)
    new = parse_config(content, source="restriction")
    old = config.space
    for key in _RANGES:
        was, now = getattr(old, key), getattr(new.space, key)
        if now[0] < was[0] or now[1] > was[1]:
            raise ConfigError(f"restriction {key}: found {list(now)}, allowed: within {list(was)} of training")
    extra = sorted(set(new.space.groups) - set(old.groups))
    if extra:
        raise ConfigError(f"restriction space_groups: {extra[0]} was not in training, allowed: {_short(old.groups)}")
    if _NEUTRALITY.index(new.space.neutrality) < _NEUTRALITY.index(old.neutrality):
        raise ConfigError(
            f"restriction neutrality: found {new.space.neutrality!r}, allowed: {old.neutrality!r} or stricter"
        )
    if old.wyckoff and not new.space.wyckoff:
        raise ConfigError("restriction wyckoff: found false, allowed: true, as in training")
    merged = new.model_dump(mode="json")
    merged["space"]["required"] = sorted({*old.required, *new.space.required})
    merged["space"]["forbidden"] = sorted({*old.forbidden, *new.space.forbidden})
    return parse_config(merged, source="restriction")


def _short(groups: list[int]) -> str:
    return ", ".join(map(str, groups[:10])) + (", ..." if len(groups) > 10 else "")
