"""How various the occupied Wyckoff positions of crystals are: distinct sites with elements, and patterns without."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from crystalgfn.crystallography.elements import atomic_number
from crystalgfn.crystallography.operations import letter_permutations
from crystalgfn.crystallography.sites.assignments import Assignment, canonical
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.measured import measured

COLUMN = "wyckoff"
"""Column of a crystals table: JSON list of [symbol, letter, multiplicity in the conventional cell] of each orbit."""

Sites = tuple[int, Sequence[tuple[str, str, int]]]
"""Space group, and (symbol, Wyckoff letter, multiplicity) of each orbit."""


def site_key(sites: Sites) -> Assignment:
    """Return one form of the sites of a crystal: equal for choices of origin and axes that the normalizer connects.

    Raises:
        DataError: the sites do not exist in the space group.
    """
    group, orbits = sites
    return canonical(Assignment(group, tuple((atomic_number(symbol), letter) for symbol, letter, _ in orbits)))


def pattern_of(key: Assignment) -> str:
    """Return the sites without their elements, ``"225: a, b"`` for rock salt: equal for any names of the elements."""
    letters: dict[int, list[str]] = defaultdict(list)
    for z, letter in key.sites:
        letters[z].append(letter)
    slots = min(
        sorted(sorted(image[letter] for letter in own) for own in letters.values())
        for image in letter_permutations(key.space_group)
    )
    return f"{key.space_group}: {', '.join(' '.join(slot) for slot in slots)}"


def sites_of_table(crystals: Crystals) -> list[Sites] | None:
    """Return the sites of B crystals from their column ``wyckoff``; None without that column.

    Raises:
        DataError: a cell is not a JSON list of sites, by row.
    """
    if COLUMN not in crystals.columns:
        return None
    out: list[Sites] = []
    for row, (group, text) in enumerate(zip(crystals.space_group.tolist(), crystals.columns[COLUMN], strict=True)):
        try:
            out.append((group, [(str(symbol), str(letter), int(m)) for symbol, letter, m in json.loads(text)]))
        except (TypeError, ValueError):
            allowed = "a JSON list of [symbol, letter, multiplicity]"
            raise DataError(f"row {row}: column {COLUMN!r} holds {text!r}, allowed: {allowed}") from None
    return out


def site_numbers(sites: Iterable[Sites | None], *, source: str) -> dict[str, dict[str, Any]]:
    """Count distinct crystals and patterns.

    Args:
        sites: sites of each crystal; None where it has none, which counts in the denominators.
        source: origin of the sites, for the methods.

    Returns:
        ``n_site_keys``, ``distinct_site_keys`` (share), ``n_patterns`` and ``most_frequent_pattern`` (share).

    Raises:
        DataError: sites that do not exist in their space group, by row.
    """
    given, keys = list(sites), []
    for row, each in enumerate(given):
        try:
            keys += [] if each is None else [site_key(each)]
        except DataError as error:
            raise DataError(f"row {row}: {error}") from None
    n, distinct, patterns = len(given), set(keys), Counter(map(pattern_of, keys))
    most, times = patterns.most_common(1)[0] if patterns else ("none", 0)
    what = f"space group and sites with their elements, equivalent origins being one ({source})"
    return {
        "n_site_keys": measured(len(distinct), f"distinct site keys: {what}", n),
        "distinct_site_keys": measured(len(distinct) / n if n else None, f"share: distinct {what}", n),
        "n_patterns": measured(len(patterns), f"distinct patterns: site keys without elements ({source})", n),
        "most_frequent_pattern": measured(
            times / n if n else None, f"share of the most frequent pattern, {most} ({source})", n
        ),
    }
