"""Stoichiometries: the ratios between elements that a formula asks for, with elements named or left open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from math import gcd
from string import ascii_uppercase

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.errors import ConfigError, CrystalGFNError

_TOKEN = re.compile(r"([A-Z][a-z]?)(\d*)")
MOST_ATOMS = 200
"""Most atoms that a formula may have."""


@dataclass(frozen=True)
class Stoichiometry:
    """Whole-number ratios of the elements of a crystal, without a common divisor.

    Attributes:
        named: ``(atomic number, ratio)`` of each named element.
        open: ratios of the open elements, which may be any others, rising.
    """

    named: tuple[tuple[int, int], ...]
    open: tuple[int, ...]

    @property
    def n_elements(self) -> int:
        """Distinct elements."""
        return len(self.named) + len(self.open)

    @property
    def atoms(self) -> int:
        """Atoms of one formula unit."""
        return sum(ratio for _, ratio in self.named) + sum(self.open)

    @classmethod
    def parse(cls, formula: str) -> Stoichiometry:
        """Read a formula (``"LiFePO4"``), an anonymous one (``"AB2C4"``) or a mixture (``"ABO3"``).

        Letters that are no element are open. Where the formula holds A, the letters B, C, ... that follow without a gap
        are open too (boron and carbon then cannot be named). Every open letter stands for a different element.

        Raises:
            ConfigError: the text is no formula; the message says what is allowed.
        """
        allowed = "allowed: a formula such as LiFePO4, ABO3 or A2BX6"
        tokens = _TOKEN.findall(formula) if isinstance(formula, str) else []
        if not tokens or "".join(symbol + number for symbol, number in tokens) != formula:
            raise ConfigError(f"stoichiometry: found {formula!r}, {allowed}")
        letters = {symbol for symbol, _ in tokens}
        run = 0
        while run < len(ascii_uppercase) and ascii_uppercase[run] in letters:
            run += 1
        ratios: dict[str, int] = {}
        for symbol, number in tokens:
            ratios[symbol] = ratios.get(symbol, 0) + int(number or 1)
        if min(ratios.values()) < 1 or sum(ratios.values()) > MOST_ATOMS:
            raise ConfigError(f"stoichiometry: found {formula!r}, allowed: 1 to {MOST_ATOMS} atoms")
        divisor = reduce(gcd, ratios.values())
        named, left_open = [], []
        for symbol, ratio in ratios.items():
            if symbol in ascii_uppercase[:run] or (len(symbol) == 1 and symbol not in SYMBOLS):
                left_open.append(ratio // divisor)
                continue
            try:
                named.append((atomic_number(symbol), ratio // divisor))
            except CrystalGFNError as error:
                raise ConfigError(f"stoichiometry {formula!r}: {error}") from None
        return cls(tuple(sorted(named)), tuple(sorted(left_open)))

    def __str__(self) -> str:
        """The formula for messages: open elements as A, B, ..., then the named elements."""
        open_names = (ascii_uppercase[i] for i in range(len(self.open)))
        pairs = [*zip(open_names, self.open, strict=True), *((SYMBOLS[z], ratio) for z, ratio in self.named)]
        return "".join(name + (str(ratio) if ratio > 1 else "") for name, ratio in pairs)

    def fits(self, counts: dict[int, int]) -> bool:
        """Whether atoms ``{atomic number: count}`` have these ratios."""
        present = {z: n for z, n in counts.items() if n}
        units = sum(present.values()) / self.atoms
        if any(present.get(z, 0) != ratio * units for z, ratio in self.named):
            return False
        others = sorted(n for z, n in present.items() if z not in dict(self.named))
        return others == [ratio * units for ratio in self.open]
