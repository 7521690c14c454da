"""Rows of a crystals table as requests: a broken row fails with the reason, and stops nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.ranking import first_of_each, parse_order, ranking
from crystalgfn.crystals.sites import COLUMN as SITES
from crystalgfn.crystals.tables.cells import number_column
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.crystals.tables.rows import from_table
from crystalgfn.crystals.tables.schema import bare_name
from crystalgfn.errors import DataError, nearest
from crystalgfn.structures.candidates.requests import Request, requests

CHUNK = 1_000


@dataclass(frozen=True)
class Choice:
    """Which rows of a crystals table are worked on, and in which order.

    Attributes:
        n: most rows; None for all.
        order_by: ``COLUMN``, lowest first, or ``COLUMN:desc``, highest first; rows without a number come last, and of
            equal rows the first comes first. None for the order of the table.
        one_per_formula: of each reduced formula, the first row in this order alone.
    """

    n: int | None = None
    order_by: str | None = None
    one_per_formula: bool = False


@dataclass(frozen=True)
class TableRequests:
    """Rows of a crystals table, which can be iterated over many times.

    Attributes:
        table: arrow table of these rows.
        rows: number of each in the whole table.
        source: name of the table, for messages.
    """

    table: pa.Table
    rows: Sequence[int]
    source: str

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[Request]:
        for start in range(0, len(self), CHUNK):
            yield from _chunk(self.table.slice(start, CHUNK), self.source, self.rows[start : start + CHUNK])

    def take(self, positions: np.ndarray) -> TableRequests:
        """Return the rows at the given positions, in their order."""
        return TableRequests(self.table.take(positions), np.asarray(self.rows)[positions].tolist(), self.source)


def read_requests(path: str | Path, choice: Choice | None = None) -> TableRequests:
    """Return rows of a crystals table; by default all, in their order.

    Raises:
        DataError: the file is unreadable, columns are missing, or there is no such column of numbers to order by. A
            wrong value only makes its row fail, except for sites that contradict their row: iterating over the rows
            raises the error that names it.
    """
    path, choice = Path(path), choice or Choice()
    as_it_stands = choice.order_by is None and not choice.one_per_formula
    table = read_table(path, choice.n if as_it_stands else None)
    from_table(table.slice(0, 0), path.name)  # the columns alone
    rows = TableRequests(table, range(table.num_rows), path.name)
    if choice.order_by is not None:
        rows = rows.take(_order(rows, choice.order_by))
    if choice.one_per_formula:
        bare = TableRequests(_without_sites(rows.table), rows.rows, rows.source)
        rows = rows.take(first_of_each(request.formula or request.row for request in bare))  # a broken row has none
    return rows if as_it_stands else rows.take(np.arange(len(rows))[: choice.n])


def _order(rows: TableRequests, order: str) -> np.ndarray:
    """Return the positions of rows, ordered by a column whose name is given with or without its unit."""
    wanted, descending = parse_order(order)
    names = rows.table.column_names
    found = [name for name in names if name == wanted] or [name for name in names if bare_name(name) == wanted]
    if len(found) != 1:
        units = f"the units {', '.join(found)}" if found else "no such column"
        raise DataError(
            f"{rows.source}: order by {wanted!r}: {units}, allowed: {', '.join(names)}{nearest(wanted, names)}"
        )
    return ranking(number_column(rows.source, found[0], rows.table[found[0]]), descending=descending)


def _without_sites(table: pa.Table) -> pa.Table:
    """Return the table without the sites, which a formula does not need: they take the most time to read."""
    return table.drop_columns([SITES]) if SITES in table.column_names else table


def _chunk(table: pa.Table, source: str, rows: Sequence[int]) -> Iterator[Request]:
    """Yield the requests of a part of the table; a part that cannot be read is split in halves."""
    try:
        crystals = Crystals(*from_table(table, source, check_convention=False))
    except DataError as error:
        if table.num_rows == 1:
            reason = re.sub(r"^.*?: row 1,? ", "", str(error))  # the table of candidates has the number of the row
            yield Request(row=rows[0], failure=reason)
            return
        half = table.num_rows // 2
        yield from _chunk(table.slice(0, half), source, rows[:half])
        yield from _chunk(table.slice(half), source, rows[half:])
        return
    yield from requests(crystals, rows=rows, source=source)
