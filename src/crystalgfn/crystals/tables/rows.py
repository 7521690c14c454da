"""Arrow table -> contents of crystals: every row is checked, and the first impossible one is named."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from crystalgfn.crystallography import space_groups
from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.lattices import LATTICE_PARAMETERS, is_valid_cell, satisfies_lattice_system
from crystalgfn.crystals.tables import cells
from crystalgfn.crystals.tables.schema import DERIVED, LOGARITHMS, METADATA_KEY, REQUIRED, origin_of
from crystalgfn.errors import DataError, nearest

_NUMBER_OF = {symbol: z for z, symbol in enumerate(SYMBOLS) if z}

MAX_COUNT = 100_000
"""Most atoms of one element in a cell that a table may hold; the largest known unit cells have some 20,000."""

MAX_LENGTH_A = 100_000.0
"""Longest cell edge that a table may hold, A."""

CELL_TOLERANCE = 1e-3
"""Largest relative deviation of a cell from the metric of its crystal-lattice system."""

_CELL_RULES = dict(
    zip(
        space_groups.CRYSTAL_LATTICE_SYSTEMS,
        (
            "any",
            "alpha = gamma = 90 (unique axis b)",
            "alpha = beta = gamma = 90",
            "a = b, alpha = beta = gamma = 90",
            "a = b, alpha = beta = 90, gamma = 120 (hexagonal axes)",
            "a = b, alpha = beta = 90, gamma = 120",
            "a = b, alpha = beta = 90, gamma = 120",
            "a = b = c, alpha = beta = gamma = 90",
        ),
        strict=True,
    )
)


class Contents(NamedTuple):
    """What a table says of B crystals; the arguments of :class:`~crystalgfn.crystals.crystal.Crystals`.

    Attributes:
        elements: ``(D,)`` atomic numbers.
        space_group: ``(B,)`` int64.
        counts: ``(B, D)`` int64, atoms in the conventional cell.
        lattice: ``(B, 6)`` float64, A and degree.
        columns: further columns, ``(B,)`` each.
        sites: none; the text of the column ``wyckoff`` is read where sites are asked for.
        origins: origin of the numbers of those columns whose metadata state one.
    """

    elements: tuple[int, ...]
    space_group: torch.Tensor
    counts: torch.Tensor
    lattice: torch.Tensor
    columns: dict[str, np.ndarray]
    sites: None
    origins: dict[str, str]


def from_table(table: pa.Table, source: str, *, check_convention: bool = True) -> Contents:
    """Return the contents of a table.

    Args:
        table: at least the columns :data:`~crystalgfn.crystals.tables.schema.REQUIRED`; columns that follow from
            these are compared and dropped, all others are kept.
        source: what to call the table in messages.
        check_convention: refuse cells that are not the ITA conventional cell of their space group: lengths and angles
            of another lattice system, or counts that its centering does not allow.

    Raises:
        DataError: a missing, doubled or wrong column, or the first impossible row.
    """
    names = [str(name) for name in table.column_names]
    cells.refuse_doubled(source, names)
    for name in REQUIRED:
        if name not in names:
            raise DataError(
                f"{source}: no column {name!r}, found: {cells.shown(', '.join(names))}, "
                f"required: {', '.join(REQUIRED)}{nearest(name, names)}"
            )
    groups = cells.integers(source, "spacegroup", table["spacegroup"], 1, 230)
    elements, counts, codes = _composition(table, source)
    lattice = _lattice(table, source)
    if check_convention:
        _check_convention(source, groups, elements, counts, lattice)
    _check_derived(table, source, groups, counts.sum(axis=1), codes)
    columns = {
        name: cells.number_column(source, name, table[name])
        if name in LOGARITHMS
        else cells.free_column(source, name, table[name])
        for name in names
        if name not in REQUIRED and name not in DERIVED
    }
    origins = {name: origin for name in columns if (origin := origin_of(table.schema.field(name)))}
    return Contents(elements, torch.from_numpy(groups), torch.from_numpy(counts), lattice, columns, None, origins)


def _composition(table: pa.Table, source: str) -> tuple[tuple[int, ...], np.ndarray, tuple[np.ndarray, list[Any]]]:
    """Return element list (D,), counts (B, D), and each row's code (B,) into the distinct compositions."""
    codes, distinct = cells.texts(source, "elements", table["elements"])
    parsed: list[dict[int, int]] = []
    for code, text in enumerate(distinct):
        try:
            parsed.append(parse_elements(text))
        except DataError as error:
            cells.refuse(source, int((codes == code).argmax()), "elements", text, str(error))
    present = {z for composition in parsed for z in composition}
    elements = _listed_elements(table, present) or tuple(sorted(present))
    column_of = {z: column for column, z in enumerate(elements)}
    counts = np.zeros((len(parsed), len(elements)), dtype=np.int64)
    for row, composition in enumerate(parsed):
        for z, n in composition.items():
            counts[row, column_of[z]] = n
    return elements, counts[codes], (codes, parsed)


def _listed_elements(table: pa.Table, present: set[int]) -> tuple[int, ...] | None:
    """Return the element list that the file's metadata holds, if it covers the elements present."""
    try:
        symbols = json.loads((table.schema.metadata or {})[METADATA_KEY])["elements"]
        listed = tuple(atomic_number(symbol) for symbol in symbols)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, DataError):
        return None
    return listed if present <= set(listed) and len(set(listed)) == len(listed) else None


def parse_elements(text: str | None) -> dict[int, int]:
    """Return counts by atomic number of ``{"Mg": 4, "O": 4}``.

    Raises:
        DataError: the text is no such JSON; the message says what is allowed.
    """
    return {z: int(n) for z, n in parse_amounts(text, whole=True).items()}


def parse_amounts(text: str | None, *, whole: bool = False) -> dict[int, float]:
    """Return amounts by atomic number of ``{"Mg": 0.5, "O": 0.5}``, a composition.

    Args:
        text: the JSON.
        whole: allow whole numbers of atoms in a conventional cell alone.

    Raises:
        DataError: the text is no such JSON; the message says what is allowed.
    """
    what = "counts in the conventional cell" if whole else "counts"
    form = f'JSON {what} such as {{"Mg": 4, "O": 4}}'
    if text is None or len(text) > 10_000:
        raise DataError(form)
    try:
        pairs = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise DataError(form) from None
    if not isinstance(pairs, _Pairs) or not pairs:
        raise DataError(form)
    counts: dict[int, float] = {}
    for symbol, n in pairs:
        z = _NUMBER_OF.get(symbol)
        if z is None:
            raise DataError(f"symbols of elements, not {cells.shown(symbol)}{nearest(symbol.capitalize(), _NUMBER_OF)}")
        number = isinstance(n, int | float) and not isinstance(n, bool)
        if whole and not (number and 1 <= n <= MAX_COUNT and n == int(n)):
            raise DataError(f"whole counts from 1 to {MAX_COUNT}, not {cells.shown(n)} of {symbol}")
        if not (number and 0 < n <= MAX_COUNT):
            raise DataError(f"counts above 0 and up to {MAX_COUNT}, not {cells.shown(n)} of {symbol}")
        if z in counts:
            raise DataError(f"each element once, not {symbol} twice")
        counts[z] = n
    return counts


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as written, twice where they stand twice."""


def _refuse_constant(constant: str) -> float:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_refuse_constant)


def _lattice(table: pa.Table, source: str) -> torch.Tensor:
    columns = []
    for name in LATTICE_PARAMETERS:
        high, unit = (MAX_LENGTH_A, "A") if name in ("a", "b", "c") else (180.0, "degree")
        allowed = f"a number above 0 and below {high:g} ({unit})"
        values = cells.floats(source, name, table[name], allowed)
        row = cells.first(~((values > 0) & (values < high)))
        if row is not None:
            cells.refuse(source, row, name, float(values[row]), allowed)
        columns.append(values)
    lattice = torch.from_numpy(np.stack(columns, axis=1))
    row = cells.first(~is_valid_cell(lattice).numpy())
    if row is not None:
        angles = tuple(lattice[row, 3:].tolist())
        cells.refuse(source, row, "alpha, beta, gamma", angles, "three angles that enclose a volume")
    return lattice


def _check_derived(
    table: pa.Table, source: str, groups: np.ndarray, n_atoms: np.ndarray, compositions: tuple[np.ndarray, list[Any]]
) -> None:
    """Compare the names and whole numbers that follow from the required columns; missing names pass."""
    names = table.column_names
    primitive = n_atoms // space_groups.CENTERING_MULTIPLICITY[groups]
    for name, numbers in (("n_atoms", n_atoms), ("n_atoms_primitive", primitive)):
        if name in names:
            values = cells.floats(source, name, table[name], "the number of atoms of 'elements'")
            row = cells.first(values != numbers)
            if row is not None:
                allowed = f"{numbers[row]}, from elements and space group {groups[row]}"
                cells.refuse(source, row, name, table[name][row].as_py(), allowed)
    for name, index, names_of in (
        ("crystal_lattice_system", space_groups.CRYSTAL_LATTICE_SYSTEM, space_groups.CRYSTAL_LATTICE_SYSTEMS),
        ("point_symmetry", space_groups.POINT_SYMMETRY, space_groups.POINT_SYMMETRIES),
    ):
        if name in names:
            codes, distinct = cells.texts(source, name, table[name])
            indices = np.array([0 if label is None else _index(names_of, label) for label in distinct], dtype=np.int64)
            row = cells.first((indices[codes] != index[groups]) & (indices[codes] != 0)) if len(codes) else None
            if row is not None:
                allowed = f"{names_of[index[groups[row]] - 1]!r} for space group {groups[row]}"
                cells.refuse(source, row, name, distinct[codes[row]], allowed)
    if "formula" in names:
        _check_formulas(table, source, compositions)


def _index(labels: tuple[str, ...], label: str) -> int:
    return labels.index(label) + 1 if label in labels else -1


def _check_formulas(table: pa.Table, source: str, compositions: tuple[np.ndarray, list[dict[int, int]]]) -> None:
    codes, distinct = cells.texts(source, "formula", table["formula"])
    composition_codes, parsed = compositions
    pairs = codes * max(len(parsed), 1) + composition_codes
    for row in np.sort(np.unique(pairs, return_index=True)[1]).tolist():
        formula = distinct[codes[row]]
        if formula is None:
            continue
        composition = parsed[composition_codes[row]]
        if _reduced(parse_formula(formula) or {}) != _reduced(composition):
            counts = ", ".join(f"{SYMBOLS[z]} {n}" for z, n in composition.items())
            cells.refuse(source, row, "formula", formula, f"a formula of the elements of its row ({counts})")


def _reduced(composition: dict[int, int]) -> dict[int, int]:
    divisor = math.gcd(*composition.values()) or 1
    return {z: n // divisor for z, n in composition.items()}


_TOKEN = re.compile(r"([A-Z][a-z]?|\(|\))([0-9]{0,6})")


def parse_formula(formula: str) -> dict[int, int] | None:
    """Return counts by atomic number of ``Ca3(PO4)2``; None if it is no formula."""
    text = formula.replace(" ", "")
    if len(text) > 1_000:
        return None
    levels: list[defaultdict[int, int]] = [defaultdict(int)]
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        token, times = match[1], int(match[2] or 1)
        position = match.end()
        if token == "(" and not match[2]:
            levels.append(defaultdict(int))
        elif token == ")" and len(levels) > 1:
            inner = levels.pop()
            for z, n in inner.items():
                levels[-1][z] += n * times
        elif token in _NUMBER_OF:
            levels[-1][_NUMBER_OF[token]] += times
        else:
            return None
    return {z: n for z, n in levels[0].items() if n} if len(levels) == 1 else None


def _check_convention(
    source: str, groups: np.ndarray, elements: tuple[int, ...], counts: np.ndarray, lattice: torch.Tensor
) -> None:
    systems = space_groups.CRYSTAL_LATTICE_SYSTEM[groups]
    fits = satisfies_lattice_system(lattice, torch.from_numpy(systems), CELL_TOLERANCE).numpy()
    row = cells.first(~fits)
    if row is not None:
        system = space_groups.CRYSTAL_LATTICE_SYSTEMS[systems[row] - 1]
        cell = tuple(round(value, 4) for value in lattice[row].tolist())
        allowed = f"the conventional cell of space group {groups[row]} ({system}): {_CELL_RULES[system]}"
        cells.refuse(source, row, ", ".join(LATTICE_PARAMETERS), cell, allowed)
    multiplicity = space_groups.CENTERING_MULTIPLICITY[groups]
    odd = counts % multiplicity[:, None] != 0
    row = cells.first(odd.any(axis=1))
    if row is not None:
        column = int(odd[row].argmax())
        count = f"{SYMBOLS[elements[column]]} {counts[row, column]}"
        allowed = (
            f"counts in the conventional cell, multiples of {multiplicity[row]} in space group {groups[row]} "
            f"(are these the primitive cell's?)"
        )
        cells.refuse(source, row, "elements", count, allowed)
