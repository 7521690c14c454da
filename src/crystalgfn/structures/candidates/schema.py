"""The columns of the table of candidates: the name of each in files, its unit, method and hull.

Energies are in eV/atom and carry their potential in the name of their column: ``e_above_hull_chgnet [eV/atom]`` is
CHGNet's energy above the hull named in the column ``hull``. So do the lowest phonons, in THz. Parquet
files state quantity, potential and hull in the metadata of the column too; for files without metadata (CSV, older
tables) see :meth:`PotentialColumn.parse`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from typing import Any

import pyarrow as pa

from crystalgfn.errors import DataError

UNIT = "eV/atom"
INPUT = "input "
"""Prefix of columns from the crystals table, such as predictions of a proxy."""

FORMER_NAMES = {"starts": "initial_placements"}
"""Names of columns in older tables, and the names that they have now."""


class Status(StrEnum):
    """How far a crystal came."""

    PLACED = "placed"
    RELAXED = "relaxed"
    FAILED = "failed"


class Quantity(StrEnum):
    """What potentials say of structures, in the order of files: energies, and the lowest frequency of a phonon."""

    ABOVE_HULL = "e_above_hull"
    FORMATION = "formation_energy"
    LOWEST_PHONON = "lowest_phonon"
    TOTAL = "energy"
    INITIAL = "energy_initial"
    SYMMETRIC = "energy_symmetric"
    FREE = "energy_free"

    @property
    def unit(self) -> str:
        """Unit of the numbers."""
        return "THz" if self is Quantity.LOWEST_PHONON else UNIT


@dataclass(frozen=True)
class PotentialColumn:
    """A column of numbers by a potential: energies (eV/atom), or the lowest phonons (THz).

    Attributes:
        quantity: what the numbers are, of the final structure unless its name says otherwise.
        potential: name of the interatomic potential that gave the numbers.
        hull: name of the hull that energies above hull are measured from; empty for other quantities.
    """

    quantity: Quantity
    potential: str
    hull: str = ""

    @property
    def name(self) -> str:
        """The column's name in files: ``"e_above_hull_chgnet [eV/atom]"``."""
        return f"{self.quantity}_{self.potential} [{self.quantity.unit}]"

    @classmethod
    def parse(cls, name: str, *, hull: str = "") -> PotentialColumn | None:
        """Return the column of a name, or None if it holds no numbers by a potential.

        Args:
            name: name of a column in a file.
            hull: name of the hull, for energies above hull.
        """
        stem, _, unit = name.rpartition(" [")
        for quantity in sorted(Quantity, key=len, reverse=True):  # names of other quantities begin with "energy"
            if unit == f"{quantity.unit}]" and stem.startswith(f"{quantity}_") and len(stem) > len(quantity) + 1:
                return cls(quantity, stem[len(quantity) + 1 :], hull if quantity is Quantity.ABOVE_HULL else "")
        return None

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the column's field in a parquet file."""
        return {"unit": self.quantity.unit, "quantity": str(self.quantity), "method": self.potential, "hull": self.hull}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> PotentialColumn | None:
        """Return the column that a field's metadata describe, or None if it holds no energies by a potential."""
        try:
            return cls(Quantity(metadata["quantity"]), metadata["method"], metadata["hull"])
        except (KeyError, ValueError):
            return None


def _column(kind: type, *, unit: str = "", method: str = "", name: str = "", default: Any = None) -> Any:
    """A column of the table: type of its cells, unit, method, and its name in files if it differs from the field."""
    return field(default=default, metadata={"kind": kind, "unit": unit, "method": method, "name": name})


_GROUP = "space group by moyopy"
_MATCHER = "pymatgen StructureMatcher"


@dataclass(frozen=True)
class Row:
    """A row of the table of candidates; fields stand in the order of files, and are None where nothing was measured.

    Attributes:
        energies: energies (eV/atom) and lowest phonons (THz) by column; see :meth:`energy`.
        group_kept: whether the final structure has the space group that was asked for.
        initial_placements: number of initial placements.
        placement: number, from 0, of the initial placement that became the structure.
        wyckoff: sites of this placement, as JSON (:mod:`crystalgfn.crystals.sites`).
        free_coordinates: free coordinates of these sites.
        counts: atoms of each element in the conventional cell of the crystals table.
        hull_kind: what the energy of the hull rests on (:class:`~crystalgfn.stability.answer.HullKind`).
        hull_deviation: standard deviation of an estimated hull energy, eV/atom; None for phases.
        decomposition: the phases that the crystal decomposes into; None for an estimate.
        inputs: numeric columns of the crystals table.
        reward_for: what the reward among them asks for (:class:`~crystalgfn.rewards.asks.Asks`); None where the
            crystals table did not say it.
    """

    row: int = _column(int)
    formula: str = _column(str, default="")
    status: Status = _column(Status, default=Status.FAILED)  # noqa: RUF009
    reason: str = _column(str, default="")
    space_group: int | None = _column(int, method=_GROUP)
    energies: Mapping[PotentialColumn, float] = field(default_factory=dict)
    hull: str | None = _column(str)
    hull_kind: str | None = _column(str, method="phases or estimate")
    hull_deviation: float | None = _column(float, unit=UNIT, name="deviation_hull [eV/atom]")
    flags: str | None = _column(str, method="sanity checks and second opinion")
    second_opinion: str | None = _column(str, method="formation energy by a second potential")
    phonons: str | None = _column(str, method="finite displacements, phonopy")
    match_group: int | None = _column(int, method=_MATCHER)
    matches: str | None = _column(str, method=_MATCHER)
    novel: bool | None = _column(bool, method=_MATCHER)
    cif: str | None = _column(str)
    counts: Mapping[str, int] | None = _column(dict)
    space_group_asked: int | None = _column(int)
    group_kept: bool | None = _column(bool, method=_GROUP)
    initial_placements: int | None = _column(int)
    inputs: Mapping[str, float] = field(default_factory=dict)
    reward_for: str | None = _column(str)
    source: str | None = _column(str)
    placement: int | None = _column(int)
    wyckoff: str | None = _column(str)
    free_coordinates: int | None = _column(int)
    converged: bool | None = _column(bool)
    chosen: str | None = _column(str)
    space_group_initial: int | None = _column(int, method=_GROUP)
    space_group_symmetric: int | None = _column(int, method=_GROUP)
    steps_symmetric: int | None = _column(int)
    converged_symmetric: bool | None = _column(bool)
    failure_symmetric: str | None = _column(str)
    space_group_free: int | None = _column(int, method=_GROUP)
    steps_free: int | None = _column(int)
    converged_free: bool | None = _column(bool)
    failure_free: str | None = _column(str)
    volume_factor: float | None = _column(float)
    volume_change: float | None = _column(float)
    relaxation_volume_change: float | None = _column(float)
    distance_ratio_initial: float | None = _column(float, method="least distance over covalent radii")
    seconds_relax: float | None = _column(float, unit="s")
    n_atoms_primitive: int | None = _column(int)
    volume_per_atom: float | None = _column(float, unit="A^3", name="volume_per_atom [A^3]")
    density: float | None = _column(float, unit="g/cm^3", name="density [g/cm^3]")
    min_distance: float | None = _column(float, unit="A", name="min_distance [A]")
    min_distance_ratio: float | None = _column(float, method="least distance over covalent radii")
    cdvae_valid: bool | None = _column(bool, method="CDVAE, arXiv:2110.06197")
    lemat_valid: bool | None = _column(bool, method="LeMat-GenBench")
    hull_reason: str | None = _column(str)
    decomposition: str | None = _column(str)
    seconds: float | None = _column(float, unit="s", method="wall time")
    seconds_cpu: float | None = _column(float, unit="s", method="CPU time")

    def energy(self, column: PotentialColumn | None) -> float:
        """Return the number in a column of :attr:`energies`; NaN where there is none."""
        return math.nan if column is None else self.energies.get(column, math.nan)

    def cells(self) -> dict[str, Any]:
        """Return the measured cells of the row by the names of their columns."""
        return {header.name: value for header, value in self._cells_by_header()}

    def _cells_by_header(self) -> Iterable[tuple[Header, Any]]:
        for column in fields(self):
            value = getattr(self, column.name)
            if column.name == "energies":
                yield from ((_potential_header(energies), float(energy)) for energies, energy in value.items())
            elif column.name == "inputs":
                yield from ((_input_header(name), float(number)) for name, number in value.items())
            elif value is not None:
                yield _HEADERS[column.name], json.dumps(dict(value)) if isinstance(value, Mapping) else _plain(value)

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any], columns: Mapping[str, PotentialColumn]) -> Row:
        """Return the row that cells describe; columns that the schema does not have are left out.

        Args:
            cells: cells of one row by the names of their columns.
            columns: columns of energies by name; see :func:`potential_columns`.

        Raises:
            DataError: a cell holds a value that its column does not allow.
        """
        values: dict[str, Any] = {}
        for name, value in cells.items():
            attribute = _ATTRIBUTES.get(FORMER_NAMES.get(name, name))
            if attribute is not None and value is not None:
                values[attribute] = _cell(name, _KINDS[attribute], value)
        energies = {column: float(cells[name]) for name, column in columns.items() if _is_number(cells.get(name))}
        inputs = {
            name.removeprefix(INPUT): float(value)
            for name, value in cells.items()
            if name.startswith(INPUT) and _is_number(value)
        }
        measured = {name: value for name, value in values.items() if value is not None}
        return cls(**measured, energies=energies, inputs=inputs)


@dataclass(frozen=True)
class Header:
    """A column of a file.

    Attributes:
        name: name of the column.
        kind: type of its cells.
        place: number by which the columns of a file are sorted.
        metadata: metadata of its field in parquet files.
        energy: the column of energies that it is, or None.
    """

    name: str
    kind: type
    place: int
    metadata: tuple[tuple[str, str], ...] = ()
    energy: PotentialColumn | None = None

    def arrow(self) -> pa.Field:
        """Return the arrow field."""
        kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
        return pa.field(self.name, kinds.get(self.kind, pa.string()), metadata=dict(self.metadata) or None)


def headers(rows: Iterable[Row]) -> list[Header]:
    """Return the columns in which at least one row has a cell, in the order of files."""
    seen: dict[str, Header] = {}
    for row in rows:
        for header, _ in row._cells_by_header():
            seen.setdefault(header.name, header)
    return sorted(seen.values(), key=lambda header: header.place)


def potential_columns(schema: pa.Schema, *, hull: str = "") -> dict[str, PotentialColumn]:
    """Return the columns of energies in a file by name, from their metadata or else from their names.

    Args:
        schema: arrow schema of the table.
        hull: name of the hull, for files without metadata.
    """
    columns = {}
    for arrow_field in schema:
        metadata = {
            key.decode(errors="replace"): value.decode(errors="replace")
            for key, value in (arrow_field.metadata or {}).items()
        }
        column = PotentialColumn.from_metadata(metadata) or PotentialColumn.parse(arrow_field.name, hull=hull)
        if column is not None:
            columns[arrow_field.name] = column
    return columns


def _header(place: int, column: Field[Any]) -> Header:
    metadata = tuple((key, column.metadata[key]) for key in ("unit", "method") if column.metadata[key])
    return Header(column.metadata["name"] or column.name, column.metadata["kind"], place, metadata)


_PLACES = {column.name: 10 * place for place, column in enumerate(fields(Row))}
_HEADERS = {column.name: _header(_PLACES[column.name], column) for column in fields(Row) if column.metadata}
_ATTRIBUTES = {header.name: attribute for attribute, header in _HEADERS.items()}
_KINDS = {attribute: header.kind for attribute, header in _HEADERS.items()}


def _potential_header(column: PotentialColumn) -> Header:
    position = list(Quantity).index(column.quantity)
    first = column.quantity in (Quantity.ABOVE_HULL, Quantity.FORMATION, Quantity.LOWEST_PHONON)
    place = _PLACES["energies" if first else "seconds_relax"] + position
    return Header(column.name, float, place, tuple(column.metadata().items()), column)


def _input_header(name: str) -> Header:
    return Header(f"{INPUT}{name}", float, _PLACES["inputs"])


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(name: str, kind: type, value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value) and kind is not float:
        return None
    try:
        found = json.loads(value) if kind is dict else kind(value)
        if not isinstance(found, kind):
            raise TypeError
        return found
    except (ValueError, TypeError, OverflowError, RecursionError):
        allowed = ", ".join(Status) if kind is Status else kind.__name__
        raise DataError(f"column {name!r}: found {str(value)[:60]!r}, allowed: {allowed}") from None
