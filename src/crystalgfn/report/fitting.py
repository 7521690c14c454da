"""Tables that fit a terminal: no formula or label is broken; columns without room are left out, and named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from crystalgfn.terminal import KEPT, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

GAP = 2
"""Blanks between columns."""

PROSE = 24
"""Characters of a column of prose below which it is left out: it is folded at blanks."""


@dataclass
class Column:
    """A column of a table.

    Attributes:
        heading: one or more lines.
        justify: side on which the cells are flush.
        rank: 0 for a column that always stays; of others those of the highest rank are left out first, all together.
        prose: whether the cells are text that may be folded.
        cells: the text of each row.
    """

    heading: str
    justify: Literal["left", "right"] = "left"
    rank: int = 0
    prose: bool = False
    cells: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The heading in one line."""
        return " ".join(self.heading.split())

    @property
    def width(self) -> int:
        """Characters that the column needs."""
        from rich.cells import cell_len

        widest = max(cell_len(line) for text in (self.heading, *self.cells) for line in (text.splitlines() or [""]))
        return min(widest, PROSE) if self.prose else widest


class FittedTable:
    """A table to be printed with :mod:`rich`, as wide as the console at most.

    Args:
        title: one or more lines above it.
        columns: columns, with at least one of rank 0.
        caption: one or more lines below it.
    """

    def __init__(self, title: str, columns: Iterable[Column], *, caption: str = "") -> None:
        self.title, self.caption = title, caption
        self.columns = list(columns)

    def add_row(self, *cells: str) -> None:
        """Add a row with a cell for each column."""
        for column, cell in zip(self.columns, cells, strict=True):
            column.cells.append(cell)

    def fitting(self, width: int) -> list[Column]:
        """Return the columns that there is room for, in their order.

        Args:
            width: characters of a line.
        """
        kept = list(self.columns)
        while _width(kept) > width:
            last = max(column.rank for column in kept)
            if not last:
                break
            kept = [column for column in kept if column.rank != last]
        return kept

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print title, table and caption, which says what was left out."""
        from rich.text import Text

        kept = self.fitting(options.max_width)
        out = [column.name for column in self.columns if not any(column is one for one in kept)]
        missing = f"left out, for {options.max_width} characters a line: {', '.join(out)}" if out else ""
        yield Text(plain(self.title, kept=KEPT), style="table.title")
        yield _table(kept, whole=_width(kept) <= options.max_width)
        for line in filter(None, (self.caption, missing)):
            yield Text(plain(line, kept=KEPT), style="table.caption")


def _width(columns: list[Column]) -> int:
    return sum(column.width + GAP for column in columns) - GAP


def _table(columns: list[Column], *, whole: bool) -> Table:
    """The table; unless all cells find room as a ``whole``, they are folded: nothing is cut off."""
    from rich.table import Table  # imported here, so that runs which only write files do not wait for it

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify=column.justify, no_wrap=whole and not column.prose, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*row)
    return table
