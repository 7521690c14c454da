"""How various the occupied Wyckoff positions of crystals are: distinct sites with elements, and patterns without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.keys import pattern_keys, site_keys
from crystalgfn.crystallography.sites.protostructures import protostructure_label
from crystalgfn.crystallography.wyckoff import WYCKOFF
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import COLUMN, check_counts, parse_sites
from crystalgfn.errors import DataError
from crystalgfn.evaluation.measured import measured


def keys_of(sites: Sequence[Assignment]) -> tuple[list[int], list[int]]:
    """Return the key of each crystal, and that of its pattern; see :mod:`crystalgfn.crystallography.sites.keys`."""
    width = max((len(each.sites) for each in sites), default=0)
    groups, elements, slots, letters = [], [], [], []
    for each in sites:
        places = {position.letter: place for place, position in enumerate(WYCKOFF[each.space_group])}
        padding = width - len(each.sites)
        kinds = list(dict.fromkeys(z for z, _ in each.sites))
        groups.append(each.space_group)
        elements.append([z for z, _ in each.sites] + [0] * padding)
        slots.append([kinds.index(z) for z, _ in each.sites] + [0] * padding)
        letters.append([places[letter] for _, letter in each.sites] + [-1] * padding)
    if not sites:
        return [], []
    group, places_of = torch.tensor(groups), torch.tensor(letters)
    crystals = site_keys(group, torch.tensor(elements), places_of)
    return crystals.tolist(), pattern_keys(group, torch.tensor(slots), places_of).tolist()


def structure_type(sites: Assignment) -> str:
    """Return the label of a crystal without its elements: ``"AB_cF8_225_a_b"`` for rock salt."""
    label = protostructure_label(sites.space_group, [(SYMBOLS[z], letter) for z, letter in sites.sites])
    return label.partition(":")[0]


def sites_of_table(crystals: Crystals) -> list[Assignment | None] | None:
    """Return the sites of B crystals from their column ``wyckoff``, None where a cell is empty; None without a column.

    Raises:
        DataError: sites that do not exist, or that contradict group or counts, by row.
    """
    if COLUMN not in crystals.columns:
        return None
    out: list[Assignment | None] = []
    rows = zip(crystals.space_group.tolist(), crystals.counts.tolist(), crystals.columns[COLUMN], strict=True)
    for row, (group, counts, text) in enumerate(rows):
        try:
            sites = None if text in (None, "") or text != text else parse_sites(text, group)  # NaN is not itself
            if sites is not None:
                check_counts(sites, {z: n for z, n in zip(crystals.elements, counts, strict=True) if n})
        except DataError as error:
            raise DataError(f"row {row}: {error}") from None
        out.append(sites)
    return out


def site_numbers(sites: Sequence[Assignment | None], *, source: str) -> dict[str, dict[str, Any]]:
    """Count distinct crystals and patterns.

    Args:
        sites: sites of each crystal; None where it has none, which counts in the denominators.
        source: origin of the sites, for the methods.

    Returns:
        ``n_site_keys``, ``distinct_site_keys`` (share), ``n_patterns`` and ``most_frequent_pattern`` (share).
    """
    n, there = len(sites), [each for each in sites if each is not None]
    crystals, patterns = keys_of(there)
    distinct, times = len(set(crystals)), Counter(patterns)
    pattern, most = times.most_common(1)[0] if times else (0, 0)
    name = structure_type(there[patterns.index(pattern)]) if times else "none"
    what = f"space group and sites with their elements, equivalent descriptions being one ({source})"
    return {
        "n_site_keys": measured(distinct, f"distinct site keys: {what}", n),
        "distinct_site_keys": measured(distinct / n if n else None, f"share: distinct {what}", n),
        "n_patterns": measured(len(times), f"distinct patterns: site keys without elements ({source})", n),
        "most_frequent_pattern": measured(
            most / n if n else None, f"share of the most frequent pattern, {name} ({source})", n
        ),
    }
