"""Rows of a crystals table as requests: a broken row fails with the reason, and stops nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.crystals.tables.rows import from_table
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.requests import Request, requests

CHUNK = 1_000


@dataclass(frozen=True)
class TableRequests:
    """The rows of a crystals table, which can be iterated over many times.

    Attributes:
        table: arrow table.
        source: name of the table, for messages.
    """

    table: pa.Table
    source: str

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[Request]:
        for start in range(0, len(self), CHUNK):
            yield from _chunk(self.table.slice(start, CHUNK), self.source, start)


def read_requests(path: str | Path, n: int | None = None) -> TableRequests:
    """Return the rows of a crystals table, at most ``n``.

    Raises:
        DataError: the file is unreadable, or columns are missing. A wrong value only makes its row fail, except for
            sites that contradict their row: iterating over the rows raises the error that names it.
    """
    path = Path(path)
    table = read_table(path, n)
    from_table(table.slice(0, 0), path.name)  # the columns alone
    return TableRequests(table, path.name)


def _chunk(table: pa.Table, source: str, first: int) -> Iterator[Request]:
    """Yield the requests of a part of the table; a part that cannot be read is split in halves."""
    try:
        crystals = Crystals(*from_table(table, source, check_convention=False))
    except DataError as error:
        if table.num_rows == 1:
            reason = re.sub(r"^.*?: row 1,? ", "", str(error))  # the table of candidates has the number of the row
            yield Request(row=first, failure=reason)
            return
        half = table.num_rows // 2
        yield from _chunk(table.slice(0, half), source, first)
        yield from _chunk(table.slice(half), source, first + half)
        return
    yield from requests(crystals, first=first, source=source)
