"""Shards: the parts of a run, each for one of N machines that know nothing of each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from crystalgfn.errors import ConfigError, DataError

NAMED = 5
"""Most rows, or shards, that a message names."""


@dataclass(frozen=True)
class Shard:
    """One of the shards of a run.

    Attributes:
        number: which of them, from 1.
        of: how many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``"3/64"``.

        Raises:
            ConfigError: not two numbers, or a number beyond its limits.
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise ConfigError(f"--shard: found {text!r}, allowed: K/N with K from 1 to N, such as 3/64")
        return cls(number, of)

    @classmethod
    def written(cls, text: str, source: str) -> Shard:
        """Read what a file says, as :meth:`parse`; raises DataError, with the name of the file."""
        try:
            return cls.parse(text)
        except ConfigError as error:
            raise DataError(f"{source}: {error}") from None

    def positions(self, n: int) -> np.ndarray:
        """Return which of ``n`` rows belong to the shard: neighbours, which may cost alike, go to different shards."""
        return np.arange(self.number - 1, n, self.of)

    def block(self, n: int) -> range:
        """Return which of ``n`` pieces that cost alike belong to the shard: neighbours, so that joining reads one
        shard after the other.
        """
        return range((self.number - 1) * n // self.of, self.number * n // self.of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class Part:
    """What one machine wrote.

    Attributes:
        path: where it lies.
        shard: which shard it is.
        about: what it depends on, as JSON values: the run, the version of this package, and the shard.
    """

    path: Path
    shard: Shard
    about: Mapping[str, Any]


def check_parts(parts: Sequence[Part], *, own: Sequence[str] = ("shard",)) -> None:
    """Refuse parts that are not those of one run, each once.

    Args:
        parts: the parts, in any order.
        own: keys of ``about`` in which they differ.

    Raises:
        DataError: there is none, they are of different runs or versions, or one is missing or given twice.
    """
    if not parts:
        raise DataError("shards: found none, allowed: all shards of a run")
    first = parts[0]
    for part in parts[1:]:
        for key in sorted((first.about.keys() | part.about.keys()) - set(own)):
            _same(part, first, key, part.about.get(key), first.about.get(key))
        _same(part, first, "number of shards", part.shard.of, first.shard.of)
    given = Counter(part.shard for part in parts)
    for shard, times in given.items():
        if times > 1:
            where = ", ".join(str(part.path) for part in parts if part.shard == shard)
            raise DataError(f"shard {shard} is given {times} times ({where}), allowed: every row once")
    of = first.shard.of
    if len(given) < of:
        absent = (shard for number in range(1, of + 1) if (shard := Shard(number, of)) not in given)
        raise DataError(f"shards missing: {named(absent, of - len(given))}, allowed: all {of}")


def named(items: Iterable[Any], n: int) -> str:
    """Return the first few of ``n`` items as text, and how many more there are."""
    more = f" and {n - NAMED:,} more" if n > NAMED else ""
    return ", ".join(map(str, islice(items, NAMED))) + more


def _same(part: Part, first: Part, what: str, here: Any, there: Any) -> None:
    if here != there:
        raise DataError(f"{part.path}: {what} {here!r}, but {there!r} in {first.path}; allowed: shards of one run")
