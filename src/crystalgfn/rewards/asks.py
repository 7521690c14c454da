"""What a reward asks for, and how a table of crystals says so: in the origin of its column ``log_reward``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

LOG_REWARD = "log_reward"
"""The column of log-rewards."""

_ORIGIN = "reward, which asks for "


class Asks(StrEnum):
    """What a term asks for, and what a reward asks for: relaxing says better than a prediction what is stable."""

    STABILITY = "stability"
    NOVELTY = "novelty"
    PROPERTY = "property"


def asked_by(terms: Iterable[Asks]) -> Asks:
    """Return what a reward asks for whose terms ask for this.

    It is ``STABILITY`` where it is of stable and new crystals alone, and ``PROPERTY`` for anything beside it.
    """
    found = set(terms)
    return Asks.STABILITY if Asks.STABILITY in found and Asks.PROPERTY not in found else Asks.PROPERTY


def origin(asks: Asks) -> str:
    """Return the origin of log-rewards, see :class:`~crystalgfn.crystals.crystal.Crystals`."""
    return f"{_ORIGIN}{asks}"


def stated(origins: Mapping[str, str]) -> str:
    """Return what the reward of a table asks for, by the origins of its columns; empty where they do not say it."""
    text = origins.get(LOG_REWARD, "").removeprefix(_ORIGIN)
    return text if text in tuple(Asks) else ""
