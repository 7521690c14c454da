"""Tables that people read: the best crystals on a terminal, and summaries side by side in markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from crystalgfn.crystallography.space_groups import HM_SYMBOL
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import Energy, find_energy
from crystalgfn.crystals.ranking import first_of_each, parse_order, ranking
from crystalgfn.crystals.tables import unit_of
from crystalgfn.crystals.tables.schema import bare_name
from crystalgfn.errors import DataError
from crystalgfn.report.fitting import Column, FittedTable

REWARD = "log_reward"
"""Column that crystals are ranked by where there is no single energy to rank by."""

UNKNOWN = "–"
"""What a table shows for a missing number."""


def best(crystals: Crystals, n: int, *, energy: str | None = None, distinct: bool = True) -> Crystals:
    """Return the best of B crystals, best first.

    Args:
        crystals: samples.
        n: number of crystals; all crystals if there are fewer.
        energy: column to rank by, lowest first (``"band_gap"``) or highest first (``"band_gap:desc"``), or
            ``"log_reward"``, highest first; by default the formation energy, the energy above hull, or else
            ``log_reward``.
        distinct: keep only the best of each formula and space group.

    Raises:
        DataError: there is nothing to rank by, or the column holds text.
    """
    if energy is None:
        energy = energy_column(crystals)
    if energy is None and REWARD not in crystals.columns:
        raise DataError("nothing to rank by: found neither a known energy in eV/atom nor log_reward")
    column, descending = parse_order(energy or REWARD, descending=energy in (None, REWARD))
    values = crystals.numbers(column)
    if column != REWARD:
        values = np.where(np.isinf(values), np.nan, values)
    order = ranking(values, descending=descending)
    if distinct:
        kinds = list(zip(crystals.formulas, crystals.space_group.tolist(), strict=True))
        order = order[first_of_each(kinds[i] for i in order)]
    return crystals[order[: max(n, 0)]]


def energy_column(crystals: Crystals) -> str | None:
    """Name of the column of formation energies, or else of energies above hull, eV/atom, or None."""
    return find_energy(crystals, Energy.FORMATION, Energy.ABOVE_HULL)


def best_table(
    crystals: Crystals,
    n: int = 10,
    *,
    energy: str | None = None,
    method: str = "proxy",
    total: int | None = None,
    also: Sequence[str] = (),
) -> FittedTable:
    """Return a table of the ``n`` best crystals, one of each formula and space group, to be printed with :mod:`rich`.

    Where a line is too short for all columns, density goes first, then volume, angles, lengths, and further columns.

    Args:
        crystals: samples.
        n: rows.
        energy: column to rank by, see :func:`best`.
        method: source of the energies, shown beside them: a prediction is not a calculation.
        total: number of all crystals, if ``crystals`` are only the best.
        also: further columns of numbers, in place of lengths and angles; the last of them goes first. Density and
            volume_per_atom have their place anyway, and stay as long as the others named here.

    Raises:
        DataError: there is nothing to rank by.
    """
    energy = energy or energy_column(crystals)
    chosen = best(crystals, n, energy=energy)
    title = f"The best {len(chosen)} of {total or len(crystals):,} crystals, one of each formula and space group"
    if energy is not None and energy != REWARD:
        values, name = chosen.column(energy), energy.split(" [")[0].replace("_", " ")
        heading = "\n".join(filter(None, ("energy" if "energy" in name else name, f"({method})", unit_of(energy))))
        title += f"\nby {name} ({method})"
    else:
        values, heading = chosen.column(REWARD), "log\nreward"
        title += "\nby reward"
    by_cell = not also
    names = [bare_name(column) for column in also]
    ranks = {name: rank for rank, name in reversed([*enumerate(names, 2)])}
    also = [  # the two are shown anyway
        column for column, name in zip(also, names, strict=True) if name not in ("density", "volume_per_atom")
    ]
    more = ["\n".join(column.replace("_", " ").replace("[", "").rstrip("]").split()) for column in also]
    last = 2 + len(ranks)
    table = FittedTable(
        title,
        [
            Column("formula"),
            Column("space\ngroup", rank=1),
            *(Column(name, "right", rank=last) for name in ("a\nÅ", "b\nÅ", "c\nÅ") if by_cell),
            *(Column("α, β, γ\n°", "right", rank=last + 1) for _ in range(by_cell)),
            Column("volume\nÅ³/atom", "right", rank=ranks.get("volume_per_atom", last + 2)),
            Column("density\ng/cm³", "right", rank=ranks.get("density", last + 3)),
            Column(heading, "right"),
            *(Column(name, "right", rank=ranks[bare_name(column)]) for column, name in zip(also, more, strict=True)),
        ],
    )
    numbers = [chosen.column(column).tolist() for column in also]
    rows = zip(
        chosen.formulas,
        chosen.space_group.tolist(),
        chosen.lattice.tolist(),
        chosen.volume_per_atom.tolist(),
        chosen.density.tolist(),
        values.tolist(),
        zip(*numbers, strict=True) if numbers else [()] * len(chosen),
        strict=True,
    )
    for formula, group, (a, b, c, *angles), volume, density, value, others in rows:
        shape = [*(f"{length:.2f}" for length in (a, b, c)), " ".join(f"{x:.4g}" for x in angles)] if by_cell else []
        table.add_row(
            formula,
            f"{group} {HM_SYMBOL[group]}",
            *shape,
            f"{volume:.1f}",
            f"{density:.2f}",
            f"{value:.3f}",
            *(f"{number:.3f}" for number in others),
        )
    return table


def _energy(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _share(value: float) -> str:
    return f"{100 * value:.2f}".rstrip("0").rstrip(".") + " %"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _one_decimal(value: float) -> str:
    return f"{value:.1f}"


def _log(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _quantiles(value: Mapping[str, float | None]) -> str:
    return " / ".join(UNKNOWN if value[key] is None else f"{value[key]:.3g}" for key in ("p5", "p50", "p95"))


def _size(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


class Row(NamedTuple):
    """A line of a comparison: its label, the path of a number in a summary, and the function that writes the number."""

    label: str
    path: str
    write: Callable[[Any], str]


ENERGY_ROWS = (
    Row("crystals", "n", _count),
    Row("energy by", "energy.method", str),
    Row("median energy (eV/atom)", "energy.median", _energy),
    Row("below −2 eV/atom", "energy.below_minus_2", _share),
    Row("below −3 eV/atom", "energy.below_minus_3", _share),
    Row("median energy of the 100 best (eV/atom)", "top.energy.median", _energy),
)
DIVERSITY_ROWS = (
    Row("space groups", "diversity.n_space_groups", _count),
    Row("elements", "diversity.n_elements", _count),
    Row("crystal-lattice systems", "diversity.n_crystal_lattice_systems", _count),
    Row("point symmetries", "diversity.n_point_symmetries", _count),
    Row("distinct (space group, composition)", "diversity.n_distinct", _count),
    Row("elements in the 100 best", "top.diversity.n_elements", _count),
    Row("crystal-lattice systems in the 100 best", "top.diversity.n_crystal_lattice_systems", _count),
    Row("point symmetries in the 100 best", "top.diversity.n_point_symmetries", _count),
    Row("space groups in the 100 best", "top.diversity.n_space_groups", _count),
    Row("trigonal-hexagonal", "diversity.crystal_lattice_systems.trigonal-hexagonal", _share),
    Row("trigonal-hexagonal in the 100 best", "top.diversity.crystal_lattice_systems.trigonal-hexagonal", _share),
    *(Row(f"{n} element{'s' * (n > 1)} in a crystal", f"diversity.element_counts.{n}", _share) for n in range(1, 6)),
    Row("median atoms in the conventional cell", "diversity.n_atoms_median", _size),
)
GEOMETRY_ROWS = (
    Row("volume per atom, 5 / 50 / 95 % (Å³)", "geometry.volume_per_atom", _quantiles),
    Row("the same, 100 best", "top.geometry.volume_per_atom", _quantiles),
    Row("volume / estimate from the composition, 5 / 50 / 95 %", "geometry.volume_ratio", _quantiles),
    Row("5 to 60 Å³ per atom", "geometry.volume_in_band", _share),
    Row("shortest length 2 Å or more", "geometry.shortest_length_ok", _share),
    Row("both", "geometry.plausible", _share),
    Row("density, 5 / 50 / 95 % (g/cm³)", "geometry.density", _quantiles),
    Row("the same, 100 best", "top.geometry.density", _quantiles),
    Row("longest / shortest length, median", "geometry.length_ratio_median", _one_decimal),
    Row("the same, 100 best", "top.geometry.length_ratio_median", _one_decimal),
    Row("lengths, 5 / 50 / 95 % (Å)", "geometry.length", _quantiles),
    Row("angles, 5 / 50 / 95 % (degree)", "geometry.angle", _quantiles),
)
VALIDITY_ROWS = (
    Row("cell exists", "validity.cell", _share),
    Row("metric of its lattice system", "validity.lattice_system", _share),
    Row("fits its Wyckoff positions", "validity.wyckoff", _share),
    Row("neutral, one oxidation state an element", "validity.neutral_per_element", _share),
    Row("neutral, mixed valence allowed", "validity.neutral_per_atom", _share),
    Row("neutral, one common oxidation state an element", "validity.neutral_common", _share),
)
WEIGHT_ROWS = (
    Row("effective sample size", "weights.ess", _share),
    Row("log Z from the weights (nats)", "weights.log_z", _log),
    Row("its standard error", "weights.log_z_error", _log),
    Row("lower bound: mean log weight (nats)", "weights.elbo", _log),
    Row("upper bound: mean log weight by weight (nats)", "weights.eubo", _log),
)
ROWS = ENERGY_ROWS + DIVERSITY_ROWS + GEOMETRY_ROWS + VALIDITY_ROWS + WEIGHT_ROWS


def comparison_table(summaries: Mapping[str, Mapping[str, Any]], *, rows: Sequence[Row] = ROWS) -> str:
    """Return summaries side by side as a markdown table.

    Args:
        summaries: summaries by the heading of their column, each from
            :func:`crystalgfn.evaluation.metrics.summarise`, or a part of one. ``energy.method`` says where the
            energies come from; without it, the name of their column is shown.
        rows: rows to show, in order. A row without a number in any summary is left out.

    Returns:
        markdown with a column for each summary, without a line break at the end.
    """
    lines = [_line(("", *summaries)), _line(("---", *["---:"] * len(summaries)))]
    for row in rows:
        values = [_find(summary, row.path) for summary in summaries.values()]
        if any(value is not None for value in values):
            lines.append(_line((row.label, *(UNKNOWN if value is None else row.write(value) for value in values))))
    return "\n".join(lines)


def _find(summary: Mapping[str, Any], path: str) -> Any:
    """Follow a dotted path; None where it leads nowhere."""
    value: Any = summary
    for key in path.split("."):
        if not isinstance(value, Mapping):
            return None
        if key == "method" and key not in value:
            key = "column"
        value = value.get(key)
    return value


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
