"""Constraints as options of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crystalgfn.errors import ConfigError


def whole_numbers(text: str, option: str) -> list[int | None]:
    """``"2:4"``, ``":20"``, ``"5:"`` or ``"3"`` as [least, most]; None where nothing stands."""
    return [None if bound is None else int(bound) for bound in _range(text, option, int)]


def numbers(text: str, option: str) -> list[float | None]:
    """The same for numbers such as ``"2.5:4"``; both ends are needed."""
    found = _range(text, option, float)
    if None in found or found[0] == found[1]:
        raise ConfigError(f"{option}: found {text!r}, allowed: two numbers, such as 3:20")
    return found


def _range(text: str, option: str, kind: Callable[[str], float]) -> list[float | None]:
    low, colon, high = text.partition(":")
    try:
        found = [kind(part) if part.strip() else None for part in ((low, high) if colon else (low, low))]
    except ValueError:
        raise ConfigError(f"{option}: found {text!r}, allowed: least:most, such as 2:4, :20 or 5:") from None
    if found == [None, None]:
        raise ConfigError(f"{option}: found {text!r}, allowed: least:most, such as 2:4, :20 or 5:")
    return found


def weights(given: list[str]) -> dict[str, float]:
    """``["band_gap=2"]`` as a mapping."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"--weight: found {text!r}, allowed: NAME=NUMBER, such as band_gap=2")
    return found


def limits(**options: Any) -> dict[str, Any]:
    """Keys for :func:`crystalgfn.runs.restrict.narrower` from the options that were given.

    Args:
        options: by the name of the key, as text; None or empty for those not given.
    """
    found: dict[str, Any] = {}
    for key, text in options.items():
        option = "--" + _OPTION.get(key, key.replace("_", "-"))
        if text is None or text == []:
            continue
        if key in _WHOLE:
            found[key] = whole_numbers(text, option)
        elif key in _REAL:
            found[key] = numbers(text, option)
        elif key in _LISTS:
            found[key] = text.replace(",", " ").split()
        elif key == "any_of":
            found[key] = [choice.replace(",", " ").split() for choice in text]
        else:
            found[key] = text
    return found


_WHOLE = ("n_elements", "n_atoms", "n_atoms_primitive", "atoms_per_element")
_REAL = ("lengths", "angles", "volume_per_atom", "density")
_LISTS = ("required", "forbidden", "numbers", "crystal_system", "lattice_system", "point_symmetry")
_OPTION = {"required": "require", "forbidden": "forbid", "numbers": "space-groups"}
