"""How structures look at a prompt and in a notebook: ten rows, and the best ones in 3D."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crystalgfn.crystallography.space_groups import HM_SYMBOL
from crystalgfn.crystallography.symmetry.standard import symmetrise
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.schema import Row, Status
from crystalgfn.structures.candidates.table import CandidateTable
from crystalgfn.structures.viewing.html import frame
from crystalgfn.structures.viewing.scene import MOST_ATOMS, scene

if TYPE_CHECKING:
    import pandas as pd
    from pymatgen.core import Structure

ROWS = 10
"""Candidates that are shown."""


def heading(rows: Sequence[Row], name: str = "Structures") -> str:
    """Return the number of candidates, by what became of them."""
    counts = Counter(str(row.status) for row in rows)
    return f"{name}: {len(rows):,} ({', '.join(f'{n:,} {status}' for status, n in counts.items()) or 'none'})"


def shown(table: CandidateTable) -> list[Row]:
    """Return the rows that are shown: ranked ones, then those that cannot be ranked in their order."""
    ranked = table.ranked()
    numbers = {row.row for row in ranked}
    alike = {row.match_group for row in ranked} - {None}
    others = [row for row in table.rows if row.row not in numbers and row.match_group not in alike]
    return [*ranked, *others][:ROWS]


def rows_frame(table: CandidateTable) -> pd.DataFrame:
    """Return the rows that are shown as a table for people."""
    import pandas as pd

    above, formation = table.above_hull, table.formation
    cells = []
    for row in shown(table):
        line: dict[str, Any] = {"row": row.row, "formula": row.formula, "space group": group(row)}
        if above is not None:
            line["above hull [eV/atom]"] = _number(row.energy(above), 3)
        if formation is not None:
            line["formation [eV/atom]"] = _number(row.energy(formation), 3)
        line["volume [A^3/atom]"] = _number(row.volume_per_atom, 1)
        line["doubts"] = row.flags or (row.reason if row.status is Status.FAILED else "") or ""
        cells.append(line)
    return pd.DataFrame(cells)


def text(table: CandidateTable) -> str:
    """Return a line about candidates and the rows that are shown."""
    body = rows_frame(table).to_string(index=False, max_colwidth=40) if len(table) else ""
    return "\n".join(filter(None, (heading(table.rows), body, _more(table))))


def page(table: CandidateTable, structures: Mapping[int, Structure], symprec: Mapping[int, float]) -> str:
    """Return the same as HTML, with those of the rows that have a structure in a frame in which they can be turned.

    Args:
        table: the whole table.
        structures: structures by row.
        symprec: tolerance of the symmetry (A) of each, by row.
    """
    if not len(table):
        return f"<p>{html.escape(heading(table.rows))}</p>"
    body = rows_frame(table).to_html(index=False, border=0, escape=True)
    few = [row for row in shown(table) if row.row in structures and len(structures[row.row]) <= MOST_ATOMS]
    view = frame([(title(row), view_of(structures[row.row], symprec[row.row])) for row in few]) if few else ""
    return f"<p>{html.escape(heading(table.rows))}</p>{body}<p>{html.escape(_more(table))}</p>{view}"


def title(row: Row) -> str:
    """Return row, formula and space group of a candidate in a few words."""
    return f"{row.row}: {row.formula}, {group(row)}"


def group(row: Row) -> str:
    """Return the space group of a candidate: that of its structure, else the one that was asked for."""
    number = row.space_group or row.space_group_asked
    return f"{HM_SYMBOL[number]} ({number})" if number else "–"


def view_of(structure: Structure, symprec: float) -> dict[str, Any]:
    """Return the scene of a structure in its conventional cell, or as it is where no space group can be found."""
    try:
        return scene(symmetrise(structure, symprec=symprec).structure())
    except DataError:
        return scene(structure)


def _more(table: CandidateTable) -> str:
    return f"and {len(table) - ROWS:,} more; to_dataframe() has all columns" if len(table) > ROWS else ""


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}"
