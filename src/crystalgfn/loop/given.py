"""Labels that a user gives to a loop: energies of crystals with sites, by density functional theory or the potential.

They become rows like the loop's own, with energies above the hull of the loop. A table that cannot be such is refused
whole, before the loop has a folder; single rows without sites or energy are left out, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystallography.sites.protostructures import parse_label
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import UNIT, Energy, is_prediction, kind_of
from crystalgfn.crystals.sites import COLUMN, is_missing, sites_text
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.datasets.candidates import PLACED, SCALED
from crystalgfn.datasets.relaxed_samples import ABOVE_HULL, FORMATION, GROUP_KEPT, SOURCE
from crystalgfn.datasets.scale import UNSAID, EnergyScale
from crystalgfn.errors import DataError
from crystalgfn.proxies.data.labels import (
    ENERGY_ABOVE_HULL,
    FORMATION_ENERGY,
    Label,
    check_label,
    label_column,
    label_values,
)
from crystalgfn.proxies.data.orbit_rows import MOST_ORBITS
from crystalgfn.spaces.site_encoding import crystal_keys, with_sites
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.relaxing.potentials.registry import POTENTIALS

PROTOSTRUCTURE = "protostructure"
"""Column with the sites as a label, where there is no column ``wyckoff``."""


@dataclass(frozen=True)
class GivenLabels:
    """Labels from tables.

    Attributes:
        crystals: the rows that were taken, with the columns of :mod:`crystalgfn.datasets.relaxed_samples`.
        notes: a line about each table, and one about what is mixed.
    """

    crystals: Crystals
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Table:
    """The rows of a table that can be labels, numbers of others by the reason, kind and methods of the energies."""

    crystals: Crystals
    left_out: Counter[str]
    label: str
    methods: tuple[str, ...]


def read_given(paths: Sequence[str | Path], *, elements: Sequence[str], hull: Hull, potential: str) -> GivenLabels:
    """Read labels for a loop, each crystal once: with the lowest of its energies.

    A table needs a column ``wyckoff``, or ``protostructure``, and one of formation energies or else of energies above
    hull, eV/atom. Formation energies are measured from the hull.

    Args:
        paths: crystals tables, at least one.
        elements: symbols of the elements that the model of the loop knows.
        hull: the hull of the loop.
        potential: the potential of the loop, whose energies the others must be comparable with.

    Raises:
        DataError: a table that cannot be read; one without sites, without energies, with elements that the model does
            not know, or with energies that cannot be right or are relative to something else; or no row is left.
    """
    tables = [_read(Path(path), elements, hull, potential) for path in paths]
    crystals = Crystals.concatenate([table.crystals for table in tables])
    of_table = np.repeat(np.arange(len(tables)), [len(table.crystals) for table in tables])
    kept = _lowest(crystals)
    notes = [
        _note(Path(path).name, table, int((of_table[kept] == i).sum()), hull)
        for i, (path, table) in enumerate(zip(paths, tables, strict=True))
    ]
    others = {method for table in tables for method in table.methods} - {potential}
    if others:
        notes.append(
            f"labels of two methods: {', '.join(sorted(others))}, and the loop's own by {potential}, all above the "
            f"hull {hull.name}{f' of {hull.potential}' if hull.potential else ''}"
        )
    return GivenLabels(crystals[kept], tuple(notes))


def _read(path: Path, elements: Sequence[str], hull: Hull, potential: str) -> _Table:
    crystals, name = Crystals.from_file(path), path.name
    numbers = np.arange(1, len(crystals) + 1)
    crystals, sited = _with_sites_column(crystals, name)
    label, column, values = _energies(crystals, name)
    scales = np.array(_scales(path, crystals, column), dtype=object)
    for scale in dict.fromkeys(scales):
        _check_scale(name, column, scale, label.energy, hull, potential)
    known = sited & ~np.isnan(values)
    usable = known & _relaxed(crystals)
    left_out = Counter({"without sites": int((~sited).sum()), "without an energy": int((sited & ~known).sum())})
    left_out["not relaxed"] = int((known & ~usable).sum())
    crystals, values, scales, numbers = crystals[usable], values[usable], scales[usable], numbers[usable]
    _check_elements(name, crystals, elements, numbers)
    try:
        sites = with_sites(crystals, numbers=numbers.tolist()).sites
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    assert sites is not None
    small = ((sites.letters >= 0).sum(1) <= MOST_ORBITS).cpu().numpy()
    left_out[f"of more than {MOST_ORBITS} orbits"] = int((~small).sum())
    crystals, values, scales = crystals[small], values[small], scales[small]
    above = _measured(crystals, values, hull) if label.energy is Energy.FORMATION else values
    left_out["that the hull does not reach"] = int(np.isnan(above).sum())
    formation = values if label.energy is Energy.FORMATION else np.full(len(values), np.nan)
    sources = [f"{name}; {scale.method or UNSAID}, hull {hull.name}" for scale in scales]
    rows = replace(crystals, columns={COLUMN: crystals.columns[COLUMN]}, sites=None, origins={}).with_columns(
        **{
            ABOVE_HULL: above,
            FORMATION: formation,
            GROUP_KEPT: np.ones(len(above)),
            SOURCE: np.array(sources, dtype=object),
        }
    )[~np.isnan(above)]
    if not len(rows):
        reasons = "; ".join(f"{n:,} {why}" for why, n in left_out.items() if n) or "an empty table"
        raise DataError(f"{name}: no row can be a label ({reasons}), allowed: 1 or more")
    methods = tuple(dict.fromkeys(scale.method or UNSAID for scale in scales))
    return _Table(rows, left_out, label.text.partition(" (")[0], methods)


def _relaxed(crystals: Crystals) -> NDArray[np.bool_]:
    """Whether rows (B,) are relaxed, as far as their cells ``source`` say: others beside candidates are not."""
    sources = crystals.columns.get(SOURCE, [""] * len(crystals))
    return np.array([not str(source).endswith((f" {SCALED}", f" {PLACED}")) for source in sources], dtype=bool)


def _with_sites_column(crystals: Crystals, name: str) -> tuple[Crystals, NDArray[np.bool_]]:
    """The crystals with a column ``wyckoff``, and which rows (B,) say something there."""
    named = next((column for column in (COLUMN, PROTOSTRUCTURE) if column in crystals.columns), None)
    if named is None:
        raise DataError(
            f"{name}: no sites, allowed: a table with a column {COLUMN!r} or {PROTOSTRUCTURE!r}, such as crystalgfn "
            "data writes from structures"
        )
    cells = crystals.columns[named]
    sited = np.array([not is_missing(cell) for cell in cells], dtype=bool)
    if named == PROTOSTRUCTURE:
        groups = crystals.space_group.tolist()
        texts = [
            _text_of_label(name, row, cell, group) if sited[row] else None
            for row, (cell, group) in enumerate(zip(cells, groups, strict=True))
        ]
        crystals = crystals.with_columns(**{COLUMN: np.array(texts, dtype=object)})
    return crystals, sited


def _text_of_label(name: str, row: int, cell: object, group: int) -> str:
    """The cell of the column ``wyckoff`` of a protostructure label."""
    try:
        label = parse_label(str(cell))
        if label.elements is None:
            raise DataError(f"{str(cell)!r}: no elements, allowed: a label such as AB_cF8_225_a_b:Mg-O")
        if label.space_group != group:
            raise DataError(f"{str(cell)!r}: of space group {label.space_group}, allowed: {group}, as the row says")
    except DataError as error:
        raise DataError(f"{name}: row {row + 1}: {error}") from None
    slots = zip(label.elements, label.slots, strict=True)
    return sites_text(Assignment(group, tuple((atomic_number(z), letter) for z, slot in slots for letter in slot)))


def _energies(crystals: Crystals, name: str) -> tuple[Label, str, NDArray[np.float64]]:
    """The label that a table has, the name of its column, and its numbers (B,), NaN where they are missing."""
    kinds = {kind_of(column) for column in crystals.columns}
    labels = [label for label in (FORMATION_ENERGY, ENERGY_ABOVE_HULL) if label.energy in kinds]
    if not labels:
        allowed = f"a column {FORMATION_ENERGY.column} or {ENERGY_ABOVE_HULL.column} in eV/atom"
        raise DataError(f"{name}: no energies among {', '.join(crystals.columns)}, allowed: {allowed}")
    wrong: DataError | None = None
    for label in labels:
        predicted = [c for c in crystals.columns if kind_of(c) is label.energy and is_prediction(crystals, c)]
        try:
            column = label_column(crystals, label, name)
        except DataError as error:
            reason = f"column {predicted[0]!r} holds predictions, allowed: labels" if predicted else str(error)
            wrong = wrong or DataError(f"{name}: {reason.removeprefix(f'{name}: ')}")
            continue
        values = label_values(crystals, column, name)
        check_label(crystals, label, column, values, name)
        if not np.isnan(values).all():
            return label, column, values
    raise wrong or DataError(f"{name}: no row has an energy, allowed: 1 or more")


def _scales(path: Path, crystals: Crystals, column: str) -> list[EnergyScale]:
    """What a table says of the scale of a column (B,): in its cells ``source``, else its metadata, else its name."""
    metadata = read_table(path).schema.field(column).metadata or {}
    stated = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in metadata.items()}
    if stated.get("unit", UNIT) != UNIT:
        raise DataError(f"{path.name}: column {column!r} is in {stated['unit']} by its metadata, allowed: {UNIT}")
    named = (EnergyScale.parse(stated.get("method", "")), EnergyScale.of_column(column))
    whole = next((scale for scale in named if scale.method), EnergyScale())
    sources = [str(cell) for cell in crystals.columns.get(SOURCE, ())] or [""] * len(crystals)
    found = {source: EnergyScale.of_source(source) for source in set(sources)}
    return [replace(whole, **{k: v for k, v in asdict(found[source]).items() if v}) for source in sources]


def _check_scale(name: str, column: str, scale: EnergyScale, kind: Energy | None, hull: Hull, potential: str) -> None:
    """Refuse energies that are not comparable with those of the loop."""
    own = f"the loop's own are by {potential}"
    allowed = f"energies by {potential}, or by density functional theory with the Materials Project's corrections"
    if scale.is_uncorrected:
        raise DataError(f"{name}: column {column!r} is by {scale.method}, {own}; allowed: {allowed}")
    if scale.method and scale.method != potential and not scale.is_dft:
        raise DataError(
            f"{name}: column {column!r} is by {scale.method}, {own}, whose errors are others; allowed: {allowed}"
        )
    if scale.elements != potential and scale.elements in POTENTIALS:
        raise DataError(
            f"{name}: column {column!r} is relative to the elements of {scale.elements}, {own} and relative to those "
            f"of {potential}; allowed: {allowed}"
        )
    if kind is Energy.ABOVE_HULL and scale.hull and scale.hull != hull.name:
        raise DataError(
            f"{name}: column {column!r} is above the hull {scale.hull}, the loop's own are above {hull.name}; allowed: "
            f"--hull {scale.hull}, or a column of formation energies"
        )


def _check_elements(name: str, crystals: Crystals, elements: Sequence[str], numbers: NDArray[np.int64]) -> None:
    known = {atomic_number(symbol) for symbol in elements}
    foreign = [column for column, z in enumerate(crystals.elements) if z not in known]
    present = (crystals.counts[:, foreign] > 0).cpu().numpy()
    if present.any():
        row = int(present.any(1).argmax())
        symbols = ", ".join(SYMBOLS[crystals.elements[foreign[c]]] for c in np.flatnonzero(present[row]))
        raise DataError(
            f"{name}: row {numbers[row]} ({crystals.formulas[row]}) holds {symbols}, which the model of the energy "
            f"above the hull does not know, allowed: its {len(known)} elements"
        )


def _measured(crystals: Crystals, formation: NDArray[np.float64], hull: Hull) -> NDArray[np.float64]:
    """Energies (B,) above a hull, eV/atom; NaN where it has no answer."""
    symbols = [SYMBOLS[z] for z in crystals.elements]
    above = np.empty(len(formation))
    for row, (counts, energy) in enumerate(zip(crystals.counts.tolist(), formation.tolist(), strict=True)):
        atoms = {symbol: float(n) for symbol, n in zip(symbols, counts, strict=True) if n}
        above[row] = hull.energy_above_hull(atoms, energy).value
    return above


def _lowest(crystals: Crystals) -> NDArray[np.int64]:
    """Rows (K,), rising: of each crystal the one of least energy."""
    order = np.argsort(crystals.columns[ABOVE_HULL], kind="stable")
    _, first = np.unique(crystal_keys(crystals)[order], return_index=True)
    return np.sort(order[first])


def _note(name: str, table: _Table, kept: int, hull: Hull) -> str:
    left_out = Counter(table.left_out)
    left_out["higher than another of the same crystal"] = len(table.crystals) - kept
    rows = len(table.crystals) + sum(table.left_out.values())
    reasons = "; ".join(f"{n:,} {why}" for why, n in left_out.items() if n)
    what = f"{table.label}, {' and '.join(table.methods)}; above the hull {hull.name}"
    text = f"{name}: {kept:,} of {rows:,} rows taken as labels ({what})"
    return f"{text}; left out: {reasons}" if reasons else text
