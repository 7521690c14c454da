"""The table of the best candidates, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from crystalgfn.crystallography.space_groups import HM_SYMBOL
from crystalgfn.structures.candidates.table import energy_column, ranked

if TYPE_CHECKING:
    from rich.table import Table


def candidates_table(rows: Iterable[Mapping[str, Any]], n: int) -> Table | None:
    """Return the ``n`` candidates of lowest energy above hull, one of each duplicate group; None if none has one.

    Args:
        rows: of the table of candidates.
        n: how many.
    """
    from rich.table import Table

    rows = list(rows)
    best = ranked(rows)
    above, formation = (energy_column(best, f"{name}_") for name in ("e_above_hull", "formation_energy"))
    if formation is None:
        return None
    method = formation.removeprefix("formation_energy_").split(" [")[0]
    hull = next((row["hull"] for row in best if row.get("hull")), "no")
    table = Table(
        title=f"The best {min(n, len(best))} of {len(rows)} crystals: energies by {method}, above the {hull} hull\n"
        "(which lacks phases: the true energy above hull is this or more)",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    heads = ("row", "formula", "asked", "relaxed", "above hull\neV/atom", "formation\neV/atom", "volume\nÅ³/atom")
    for head, justify in zip(
        (*heads, "atoms placed by"), ("right", *["left"] * 3, *["right"] * 3, "left"), strict=True
    ):
        table.add_column(head, justify=justify, overflow="fold", no_wrap=head == "formula")  # type: ignore[arg-type]
    for row in best[:n]:
        group, asked = row["space_group"], row["space_group_asked"]
        table.add_row(
            str(row["row"]),
            row["formula"] + ("*" if row.get("flags") else ""),
            str(asked),
            f"{group} {HM_SYMBOL[group]}" if group else "-",
            _number(row.get(above) if above else None),
            _number(row[formation]),
            f"{row['volume_per_atom [A^3]']:.1f}",
            str(row["source"]).removeprefix("prototype "),
        )
    if any(row.get("flags") for row in best[:n]):
        table.caption = "* doubtful: see the column 'flags' of structures.csv; CIF files begin with the row"
        table.caption_justify = "left"
    return table


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.3f}"
