"""How values of constraints are written: in a configuration, on the command line and in a restriction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import ConfigError, CrystalGFNError

REQUIRED = ...
"""Default of a key that must be given."""


def asks_nothing(value: Any) -> bool:
    """Whether a value stands for no constraint: None, false, ``none`` or an empty collection."""
    return value is None or value is False or value == "none" or (isinstance(value, list | tuple | dict) and not value)


# ---- in a configuration


def words(value: Any) -> Any:
    """``"cubic, hexagonal"`` as a list; anything else as it is."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def symbols(value: Any) -> Any:
    """Chemical symbols in their usual spelling, from a list or a text such as ``"Li, O"``.

    Raises:
        ValueError: there is no such element; the message names the nearest.
    """
    value = words(value)
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        try:
            return [SYMBOLS[atomic_number(str(symbol))] for symbol in value]
        except CrystalGFNError as error:
            raise ValueError(str(error)) from None
    return value


def system(value: Any) -> Any:
    """``"Li-P-S-Cl"`` as a list; anything else as it is."""
    return words(value.replace("-", " ")) if isinstance(value, str) else value


def exactly(value: Any) -> Any:
    """A single whole number as bounds: exactly that many."""
    return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value


SMALLEST, LARGEST = 1e-3, 1e6
"""Bounds on lengths, volumes and densities lie within: no crystal has others."""


def check_ordered(name: str, bounds: tuple[float, float] | None) -> None:
    """Refuse bounds that hold no positive number, or that no crystal comes near.

    Raises:
        ValueError: says what is allowed.
    """
    if bounds is None:
        return
    if not 0 < bounds[0] < bounds[1]:
        raise ValueError(f"{name}: found {list(bounds)}, allowed: 0 < least < most")
    if bounds[0] < SMALLEST or bounds[1] > LARGEST:
        raise ValueError(f"{name}: found {list(bounds)}, allowed: from {SMALLEST:g} to {LARGEST:g}")


# ---- on the command line


def whole_numbers(text: str, flag: str) -> list[int | None]:
    """``"2:4"``, ``":20"``, ``"5:"`` or ``"3"`` as [least, most]; None for an open end."""
    return [None if bound is None else int(bound) for bound in _range(text, flag, int)]


def numbers(text: str, flag: str) -> list[float | None]:
    """Two numbers such as ``"2.5:4"``; both ends are needed."""
    bounds = _range(text, flag, float)
    if None in bounds or bounds[0] == bounds[1]:
        raise ConfigError(f"{flag}: found {text!r}, allowed: two numbers, such as 3:20")
    return bounds


def _range(text: str, flag: str, kind: Callable[[str], float]) -> list[float | None]:
    low, colon, high = text.partition(":")
    try:
        bounds = [kind(part) if part.strip() else None for part in ((low, high) if colon else (low, low))]
    except ValueError:
        bounds = [None, None]
    if bounds == [None, None]:
        raise ConfigError(f"{flag}: found {text!r}, allowed: least:most, such as 2:4, :20 or 5:")
    return bounds


def words_of(texts: list[str], flag: str) -> list[str]:
    """``["Li,O", "Fe"]`` or ``["Li O Fe"]`` as one list, each word once.

    Raises:
        ConfigError: a text holds no word.
    """
    return list(dict.fromkeys(word for each in sets(texts, flag) for word in each))


def sets(texts: list[str], flag: str) -> list[list[str]]:
    """A list of words for each time that the option was given; errors as for :func:`words_of`."""
    each = [words(text) for text in texts]
    if not all(each):
        raise ConfigError(f"{flag}: found {texts[each.index([])]!r}, allowed: one word at least")
    return each


# ---- in a restriction


def as_list(value: Any) -> list[Any]:
    """Entries of a list, or the words of a text.

    Raises:
        ConfigError: the value is neither a list nor a text.
    """
    value = words(value)
    if not isinstance(value, Iterable):
        raise ConfigError(f"restriction: found {value!r}, allowed: a list")
    return list(value)


def inside(name: str, was: Any, now: Any) -> list[Any]:
    """Bounds within those of training; None stands for the bound of training.

    Raises:
        ConfigError: wider bounds, or a value that is no bounds.
    """
    pair = [now, now] if isinstance(now, int) else as_list(now)
    if len(pair) != 2 or not all(bound is None or isinstance(bound, int | float) for bound in pair):
        raise ConfigError(f"restriction {name}: found {now!r}, allowed: [least, most]")
    pair = [was[i] if bound is None else bound for i, bound in enumerate(pair)]
    if pair[0] < was[0] or pair[1] > was[1]:
        raise ConfigError(f"restriction {name}: found {pair}, allowed: within {list(was)} of training")
    return pair


def subset(name: str, was: list[Any], now: list[Any]) -> list[Any]:
    """Entries, each of which training had.

    Raises:
        ConfigError: an entry is new.
    """
    new = [entry for entry in now if entry not in was]
    if new:
        raise ConfigError(f"restriction {name}: {new[0]} was not in training, allowed: {shown(was)}")
    return now


# ---- in a message


def shown(entries: Sequence[Any]) -> str:
    """The first ten entries."""
    return ", ".join(map(str, entries[:10])) + (", ..." if len(entries) > 10 else "")
