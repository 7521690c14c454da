"""Site symmetry and multiplicity of the sites that an element may occupy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.point_groups import point_group_named, site_point_group
from crystalgfn.errors import ConfigError, CrystalGFNError, nearest
from crystalgfn.spaces.constraints.base import Option, SiteConstraint, Verdict
from crystalgfn.spaces.constraints.finished import FinishedCrystals
from crystalgfn.spaces.constraints.limits import SiteLimits
from crystalgfn.spaces.constraints.reading import as_list, exactly, inside, subset, whole_numbers, words
from crystalgfn.spaces.element_sites import LARGEST, ElementSites

MAX_RULES = 4
"""Most elements with rules: each multiplies the look-ahead tables."""

SYMMETRY, MULTIPLICITY = "symmetry", "multiplicity"


class SitesOfElements(SiteConstraint):
    """Rules for the sites of elements, which hold for every site of the element where it occurs."""

    value: tuple[ElementSites, ...]
    name = "element_sites"
    meaning = (
        "Site symmetry, and multiplicity in the conventional cell, of every site of an element, if the element is "
        "there: ``{Li: {symmetry: [-43m, 23]}, O: {multiplicity: [4, 8]}}``. Symmetries are point groups, whatever "
        "their orientation; a list alone stands for ``symmetry``."
    )
    default: ClassVar[Any] = {}
    option = Option(
        "--element-sites",
        "Sites of an element, by symmetry and multiplicity.",
        "Li:-43m,O:multiplicity=4-8",
        lambda texts, flag: _asked(texts, flag),
        list[str],
    )

    @classmethod
    def annotation(cls) -> Any:
        """Rules by symbol."""
        return dict[str, dict[str, list[str] | list[int]]]

    @classmethod
    def read(cls, written: Any) -> Any:
        """Rules by symbol, each with the keys that it has.

        Raises:
            ValueError: no such element or symmetry, or a range that makes no sense.
        """
        if written is None:
            return {}
        if not isinstance(written, Mapping):
            raise ValueError(f"{cls.name}: found {written!r}, allowed: elements with rules, such as {{Li: [-43m]}}")
        try:
            return {SYMBOLS[atomic_number(str(symbol))]: _rule(rule) for symbol, rule in written.items()}
        except CrystalGFNError as error:
            raise ValueError(f"{cls.name}: {error}") from None

    @classmethod
    def check(cls, value: Any, beside: Mapping[str, Any]) -> None:
        """The crystals have sites, and the space the elements, of which few have rules."""
        super().check(value or None, beside)
        elements = beside["elements"]["allowed"]
        for symbol in value:
            if symbol not in elements:
                raise ValueError(f"{cls.name}: {symbol} is no element of the space{nearest(symbol, elements)}")
        if len(value) > MAX_RULES:
            raise ValueError(f"{cls.name}: found rules for {len(value)} elements, allowed: at most {MAX_RULES}")

    @classmethod
    def parse(cls, written: Any) -> tuple[ElementSites, ...]:
        """The rules in the terms of the space."""
        return tuple(
            ElementSites(
                atomic_number(symbol),
                tuple(rule.get(SYMMETRY, ())),
                tuple(rule.get(MULTIPLICITY, (1, LARGEST))),
            )
            for symbol, rule in written.items()
        )

    @classmethod
    def narrowed(cls, was: Any, now: Any) -> Any:
        """The rules of training and the new ones; an element in both has sites within those of training."""
        try:
            new = cls.read(now)
        except ValueError as error:
            raise ConfigError(f"restriction {error}") from None
        rules = dict(was)
        for symbol, rule in new.items():
            old = was.get(symbol, {})
            place = f"{cls.name} {symbol}"
            rules[symbol] = old | rule
            if SYMMETRY in old and SYMMETRY in rule:
                subset(place, old[SYMMETRY], rule[SYMMETRY])
            if MULTIPLICITY in old and MULTIPLICITY in rule:
                inside(place, old[MULTIPLICITY], rule[MULTIPLICITY])
        return rules

    def contribute(self, limits: SiteLimits) -> SiteLimits:
        """The rules, side by side."""
        return replace(limits, element_sites=self.value)

    def violated(self, crystals: FinishedCrystals) -> Verdict:
        """Whether a site of an element breaks its rule, by the operations of the space group."""
        rules = {SYMBOLS[rule.element]: rule for rule in self.value}
        verdict = np.zeros(len(crystals), dtype=bool)
        for row, (group, sites) in enumerate(zip(crystals.groups.tolist(), crystals.sites, strict=True)):
            for symbol, letter, multiplicity in sites:
                if symbol in rules:
                    rule = rules[symbol]
                    low, high = rule.multiplicity
                    verdict[row] |= not low <= multiplicity <= high
                    verdict[row] |= bool(rule.symmetries) and site_point_group(group, letter) not in rule.symmetries
        return verdict

    def __str__(self) -> str:
        """The rules, by symbol."""
        return "; ".join(map(str, self.value))


def _rule(written: Any) -> dict[str, Any]:
    """One rule in full: point groups, and least and most multiplicity.

    Raises:
        DataError, ConfigError: there is no such symmetry, or a range that makes no sense.
    """
    rule = dict(written) if isinstance(written, Mapping) else {SYMMETRY: written}
    for key in rule:
        if key not in (SYMMETRY, MULTIPLICITY):
            near = nearest(key, (SYMMETRY, MULTIPLICITY))
            raise ConfigError(f"found {key!r}, allowed: {SYMMETRY}, {MULTIPLICITY}{near}")
    full: dict[str, Any] = {}
    if rule.get(SYMMETRY):
        symbols = words(rule[SYMMETRY]) if isinstance(rule[SYMMETRY], str | list | tuple) else [rule[SYMMETRY]]
        full[SYMMETRY] = list(dict.fromkeys(point_group_named(str(symbol)) for symbol in symbols))
    if rule.get(MULTIPLICITY) is not None:
        full[MULTIPLICITY] = _range(rule[MULTIPLICITY])
    if not full:
        raise ConfigError(f"found {written!r}, allowed: point groups such as -43m, or keys {SYMMETRY}, {MULTIPLICITY}")
    return full


def _range(written: Any) -> list[int]:
    """Least and most multiplicity; an open end goes as far as there are positions.

    Raises:
        ConfigError: no two whole numbers in order.
    """
    pair = exactly(written)
    pair = as_list(pair) if isinstance(pair, list | tuple) else [None, None, None]
    if len(pair) == 2:
        pair = [end if bound is None else bound for bound, end in zip(pair, (1, LARGEST), strict=True)]
    whole = all(isinstance(bound, int) and not isinstance(bound, bool) for bound in pair)
    if len(pair) != 2 or not whole or not 1 <= pair[0] <= pair[1]:
        raise ConfigError(
            f"{MULTIPLICITY}: found {written!r}, allowed: a whole number, or [least, most], such as [4, 8]"
        )
    return pair


def _asked(texts: list[str], flag: str) -> dict[str, Any]:
    """``["Li:-43m 23,O:multiplicity=4-8"]`` as rules by symbol.

    Raises:
        ConfigError: text that says no rule.
    """
    rules: dict[str, dict[str, Any]] = {}
    for text in (part.strip() for each in texts for part in each.split(",")):
        symbol, colon, wanted = text.partition(":")
        choices = wanted.replace("|", " ").split()
        if not colon or not choices:
            raise ConfigError(f"{flag}: found {text!r}, allowed: ELEMENT:SYMMETRY or ELEMENT:{MULTIPLICITY}=LEAST-MOST")
        rule = rules.setdefault(symbol.strip(), {})
        for choice in choices:
            key, equals, value = choice.partition("=")
            if not equals:
                rule.setdefault(SYMMETRY, []).append(choice)
            elif key == MULTIPLICITY:
                if key in rule:
                    raise ConfigError(f"{flag}: {MULTIPLICITY} of {symbol.strip()} is given twice, allowed: once")
                rule[MULTIPLICITY] = whole_numbers(value.replace("-", ":"), flag)
            else:
                near = nearest(key, [MULTIPLICITY])
                raise ConfigError(f"{flag}: found {choice!r}, allowed: a symmetry, or {MULTIPLICITY}=LEAST-MOST{near}")
    try:
        return SitesOfElements.read(rules)
    except ValueError as error:
        raise ConfigError(f"{flag}: {str(error).removeprefix('element_sites: ')}") from None
