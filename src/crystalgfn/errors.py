"""Exceptions of crystalgfn: one hierarchy, with messages that name what was wrong, found, allowed and nearest.

The command line prints any :class:`CrystalGFNError` as one line and exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 4_000
"""Most characters of a message. What was found in a file may be longer; its start and the end of the message stay."""


class CrystalGFNError(Exception):
    """Base of every error that a user can cause or correct; its message is one line, whatever a file put into it."""

    def __str__(self) -> str:
        text = super().__str__()
        line = " ".join(text.split()) if len(text.splitlines()) > 1 else text
        if len(line) <= LONGEST:
            return line
        return f"{line[: LONGEST - 1_003]} ... {line[-998:]}"


class ConfigError(CrystalGFNError):
    """A configuration key or value is wrong."""


class ConstraintError(CrystalGFNError):
    """The constraints leave no crystal to sample, or contradict each other."""


class DataError(CrystalGFNError):
    """A table, file or row is unreadable or impossible."""


class PropertyError(CrystalGFNError):
    """A property could not be found, or returned something that cannot be used."""


class CheckpointError(CrystalGFNError):
    """A run folder or weights file is missing, incomplete or does not fit."""


class TrustError(CrystalGFNError):
    """A folder asks for code, a network or a file outside the folder, and the user has not said that it is trusted."""


def nearest(found: str, allowed: Iterable[str]) -> str:
    """Return `` (nearest: 'x')`` for the closest of ``allowed``, or an empty string."""
    match = difflib.get_close_matches(str(found), [str(a) for a in allowed], n=1, cutoff=0.5)
    return f" (nearest: {match[0]!r})" if match else ""
