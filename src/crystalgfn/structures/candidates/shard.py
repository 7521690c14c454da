"""A shard of a run: every N-th of its rows, for one of N machines that know nothing of each other."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from crystalgfn.errors import ConfigError


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

    def positions(self, n: int) -> np.ndarray:
        """Return which of ``n`` rows belong to the shard: neighbours, which may cost alike, go to different shards."""
        return np.arange(self.number - 1, n, self.of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
