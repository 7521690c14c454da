"""The table of candidates: one row for each crystal of the crystals table, failed ones with the reason.

:class:`CandidateTable` tells readers which column holds the energy above hull, by which potential and hull.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from crystalgfn.crystals.tables.files import WRITERS, read_table
from crystalgfn.errors import DataError
from crystalgfn.files.atomic import write_atomically
from crystalgfn.rewards.asks import Asks
from crystalgfn.structures.candidates.schema import (
    Header,
    PotentialColumn,
    Quantity,
    Row,
    Status,
    headers,
    potential_columns,
)

TABLE, CSV_TABLE = "structures.parquet", "structures.csv"
"""Files of a table of candidates in the folder of a run."""

OF_STABILITY = {
    *("energy_above_hull", "formation_energy"),
    *("known", "known_formula", "known_pattern", "class_factor", "domain_distance"),
}
"""Columns of a reward that asks for stable and new crystals, and for nothing else, in tables that do not state it."""

REWARDS = ("log_reward", "reward")
"""Columns of the crystals table that say how well a crystal does what was asked for; the highest is the best."""

REQUIRED = ("row", "formula", "status")

CHUNK = 5_000


@dataclass(frozen=True)
class CandidateTable:
    """A table of candidates.

    Attributes:
        rows: one row for each crystal.
    """

    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def read(cls, path: Path) -> CandidateTable:
        """Read ``structures.parquet`` or ``.csv``.

        Raises:
            DataError: the file is unreadable, or no table of candidates.
        """
        table = read_table(path)
        missing = [name for name in REQUIRED if name not in table.column_names]
        if missing:
            raise DataError(f"{path}: no column {missing[0]!r}, allowed: a table that crystalgfn structures wrote")
        hulls = table["hull"].to_pylist() if "hull" in table.column_names else []
        columns = potential_columns(table.schema, hull=str(next(filter(None, hulls), "")))
        try:
            return cls(tuple(Row.from_cells(cells, columns) for cells in table.to_pylist()))
        except DataError as error:
            raise DataError(f"{path.name}: {error}") from None

    @cached_property
    def columns(self) -> tuple[PotentialColumn, ...]:
        """The columns of energies in the order of files; the relaxing potential's comes first for each quantity."""
        return tuple(header.energy for header in headers(self.rows) if header.energy is not None)

    def energy(self, quantity: Quantity) -> PotentialColumn | None:
        """Return the first column of a quantity that holds at least one number, or None."""
        return next(
            (c for c in self.columns if c.quantity is quantity and any(math.isfinite(r.energy(c)) for r in self.rows)),
            None,
        )

    @cached_property
    def above_hull(self) -> PotentialColumn | None:
        """The column of energies above hull; None where no candidate has one."""
        return self.energy(Quantity.ABOVE_HULL)

    @cached_property
    def formation(self) -> PotentialColumn | None:
        """The column of formation energies; None where no candidate has one."""
        return self.energy(Quantity.FORMATION)

    @property
    def hull(self) -> str:
        """Name of the hull; empty where there is none."""
        return next((row.hull for row in self.rows if row.hull), "")

    def resting_on(self) -> dict[str, int]:
        """Return the number of rows by what the energy of their hull rests on; rows that no hull judged are left out.

        Names are those of :class:`~crystalgfn.stability.answer.HullKind`, ``"phases"`` and ``"estimate"``.
        """
        return dict(sorted(Counter(row.hull_kind for row in self.rows if row.hull_kind).items(), reverse=True))

    @cached_property
    def _reward(self) -> str | None:
        """The reward that was asked for, where the crystals table had it and it is about more than stability."""
        if self.above_hull is not None and self._asks_for_stability:  # relaxing says better how stable a crystal is
            return None
        return next((name for name in REWARDS if any(math.isfinite(_input(row, name)) for row in self.rows)), None)

    @property
    def _asks_for_stability(self) -> bool:
        """Whether the reward asks for stable and new crystals alone: as rows state it, else by the names of inputs."""
        said = {row.reward_for for row in self.rows if row.reward_for}
        if said:
            return said == {Asks.STABILITY}
        inputs = {name.split(" [")[0].removesuffix("_std") for row in self.rows for name in row.inputs}
        asked = {name for name in inputs if not name.startswith("log_")}
        return "energy_above_hull" in asked and asked <= OF_STABILITY

    @property
    def ranked_by(self) -> str:
        """What candidates are ranked by, in words; empty where there is nothing."""
        if self._reward is not None:
            return self._reward.replace("_", " ")
        return "energy above hull" if self.above_hull else "formation energy" if self.formation else ""

    def score(self, row: Row) -> float:
        """Return the number that a row is ranked by, lowest first; NaN where there is none.

        It is the negative reward that was asked for where the crystals table had one (:data:`REWARDS`) that is about
        more than stability, else the energy above hull, else the formation energy, eV/atom.
        """
        if self._reward is not None:
            return -_input(row, self._reward)
        return row.energy(self.above_hull or self.formation)

    def ranked(self) -> list[Row]:
        """Return the relaxed rows, best first by :meth:`score`, and doubtful ones last.

        Of each group of duplicates the best row is returned.
        """
        relaxed = [row for row in self.rows if row.status is Status.RELAXED and not math.isnan(self.score(row))]
        best: dict[int, Row] = {}
        for row in sorted(relaxed, key=lambda row: (bool(row.flags), self.score(row), row.row)):
            best.setdefault(row.row if row.match_group is None else row.match_group, row)
        return list(best.values())


def _input(row: Row, name: str) -> float:
    return row.inputs.get(name, math.nan)


def write_tables(folder: Path, rows: Callable[[], Iterable[Row]]) -> None:
    """Write ``structures.parquet`` and ``structures.csv``, atomically, a few thousand rows in memory at a time.

    Args:
        folder: folder of the files.
        rows: returns all rows each time it is called.
    """
    columns = headers(rows())
    for path in (folder / TABLE, folder / CSV_TABLE):
        with write_atomically(path) as stream:
            WRITERS[path.suffix](_tables(rows(), columns), stream)


def _tables(rows: Iterable[Row], columns: list[Header]) -> Iterator[pa.Table]:
    schema = pa.schema([column.arrow() for column in columns])
    chunk: list[dict[str, object]] = []
    empty = True
    for row in rows:
        chunk.append(row.cells())
        if len(chunk) == CHUNK:
            yield pa.Table.from_pylist(chunk, schema=schema)
            chunk, empty = [], False
    if chunk or empty:
        yield pa.Table.from_pylist(chunk, schema=schema)
