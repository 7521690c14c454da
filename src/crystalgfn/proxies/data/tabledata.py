"""From files to training rows: the table of real crystals, its strained copies, and hull entries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from crystalgfn.crystallography.elements import SYMBOLS, atomic_number
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.proxies.data.bounds import VOLUME_RATIO, hull_energies, random_crystals
from crystalgfn.proxies.data.splits import Split
from crystalgfn.proxies.data.targets import FORMATION_ENERGY, Target
from crystalgfn.proxies.networks.features import Featuriser, Inputs
from crystalgfn.proxies.recipes import Recipe
from crystalgfn.proxies.training import Rows, TrainingData

TARGET = FORMATION_ENERGY.column
N_BOUNDED = 8_000
MAX_ANGLE_CHANGE = 10.0
BASE_ID, CHANGE, KIND = "material_id", "energy_change", "kind"


@dataclass(frozen=True)
class Table:
    """Crystals with a target.

    Attributes:
        crystals: N crystals.
        target: (N,) float64, eV/atom; eV for the band gap.
        sha256: of the file.
        name: of the file.
    """

    crystals: Crystals
    target: npt.NDArray[np.float64]
    sha256: str
    name: str

    @cached_property
    def systems(self) -> list[str]:
        """(N,) sets of elements, such as ``"Fe-Li-O"``."""
        held: list[list[str]] = [[] for _ in range(len(self.crystals))]
        for row, column in self.crystals.counts.nonzero().tolist():
            held[row].append(SYMBOLS[self.crystals.elements[column]])
        return ["-".join(sorted(symbols)) for symbols in held]

    @cached_property
    def sources(self) -> npt.NDArray[np.object_]:
        """(N,) where each row comes from: MP for the Materials Project's sets, else the ``source`` column's value."""
        if "source" not in self.crystals.columns:
            return np.full(len(self.crystals), "all", dtype=object)
        names = [str(s) for s in self.crystals.columns["source"]]
        return np.array(["MP" if s.startswith("mp") else s.upper() for s in names], dtype=object)


def read_table(path: Path, target: Target = FORMATION_ENERGY) -> Table:
    """Read a crystals table with its target.

    Raises:
        DataError: unreadable, no such column, a target that is not finite where every row has to have one, or no row
            with one.
    """
    crystals = Crystals.from_file(path)
    values = np.asarray(crystals.column(target.column), dtype=float)
    known = np.isfinite(values)
    if target.complete and not known.all():
        bad = int(np.flatnonzero(~known)[0])
        raise DataError(f"{path}: row {bad + 1} has {target.column} {values[bad]}, allowed: finite numbers")
    if not known.any():
        raise DataError(f"{path}: no rows with {target.column}, allowed: 1 or more")
    if not known.all():
        crystals, values = crystals[known], values[known]
    return Table(crystals, values, file_hash(path), path.name)


def join(tables: Sequence[Table]) -> Table:
    """Return the rows of several tables as one, with the elements of all and the columns that every table has."""
    if len(tables) == 1:
        return tables[0]
    names = set.intersection(*(set(table.crystals.columns) for table in tables))
    parts = []
    for table in tables:
        columns = {name: values for name, values in table.crystals.columns.items() if name in names}
        parts.append(replace(table.crystals, columns=columns))
    together = hashlib.sha256("".join(table.sha256 for table in tables).encode()).hexdigest()
    target = np.concatenate([table.target for table in tables])
    return Table(Crystals.concatenate(parts), target, together, "+".join(table.name for table in tables))


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def rows_of(table: Table, mask: npt.NDArray[np.bool_], target: npt.NDArray[np.float64]) -> Rows:
    """Return the rows of a table that ``mask`` (N,) marks, with ``target`` (N,), as a training reads them."""
    index = np.flatnonzero(mask)
    return Rows(Featuriser()(table.crystals[index]), torch.as_tensor(target[index], dtype=torch.float32))


def energy_data(table: Table, split: Split, recipe: Recipe, *, hull: Path | None, seed: int) -> TrainingData:
    """Make the rows of a training for the energy of real crystals, and of compositions from the hull's entries.

    Args:
        table: real crystals.
        split: of its rows.
        recipe: says how many rows of the hull a step takes, and the weight of the floor.
        hull: table with columns elements (JSON counts), formation_energy_per_atom and optionally e_above_hull; its
            entries of validation and test formulas are left out.
        seed: of the random crystals above the hull.
    """
    train = rows_of(table, split.train, table.target)
    extra = bounded = borrowed = None
    if hull is not None and recipe.extra_size > 0:
        crystals = table.crystals[split.train]
        hidden = set(np.asarray(table.crystals.formulas, dtype=object)[~split.train])
        counts, energy = read_hull_entries(hull, crystals.elements, hidden)
        extra = composition_rows(crystals.elements, counts, energy, train.inputs.descriptors.mean(0))
        if recipe.borrowed_weight > 0:
            borrowed = borrowed_rows(extra, train.inputs, seed=seed)
        if recipe.bound_weight > 0:
            random = random_crystals(crystals, N_BOUNDED, seed=seed)
            bound = hull_energies(
                crystals.elements,
                np.concatenate([counts, crystals.counts.cpu().numpy()]),
                np.concatenate([energy, table.target[split.train]]),
                random.counts.numpy(),
            )
            bounded = Rows(Featuriser()(random), torch.as_tensor(bound, dtype=torch.float32))
    return TrainingData(
        train, rows_of(table, split.validation, table.target), extra=extra, bounded=bounded, borrowed=borrowed
    )


def composition_rows(
    elements: Sequence[int], counts: npt.NDArray[np.int64], energy: npt.NDArray[np.float64], descriptors: torch.Tensor
) -> Rows:
    """Return rows of ``counts`` (B, D) in no known structure, each composition once, with the hull energy (B,).

    ``descriptors`` (N,) are the means of real crystals, which stand for those of the unknown cell.
    """
    size = len(counts)
    cells = torch.tensor([[5.0, 5.0, 5.0, 90.0, 90.0, 90.0]], dtype=torch.float64).expand(size, 6)
    crystals = Crystals(tuple(elements), torch.ones(size, dtype=torch.int64), torch.as_tensor(counts), cells)
    _, first = np.unique(np.asarray(crystals.formulas, dtype=str), return_index=True)
    inputs = Featuriser()(crystals[first]).without_structure(descriptors)
    return Rows(inputs, torch.as_tensor(energy[first], dtype=torch.float32))


def borrowed_rows(compositions: Rows, known: Inputs, *, seed: int) -> Rows:
    """Give ``compositions`` space group, size and cell of ``known`` crystals with the same fractions, drawn at random.

    Compositions whose fractions, by rising electronegativity, no known crystal has are left out; the others come
    twice. Their volume over the additive estimate is drawn from the range of random crystals, log-uniformly.
    """
    rng = np.random.default_rng(seed)
    lenders: dict[tuple[float, ...], list[int]] = {}
    for row, fractions in enumerate(known.fractions.numpy().round(3)):
        lenders.setdefault(tuple(fractions[fractions > 0].tolist()), []).append(row)
    pairs = [
        (row, found[rng.integers(len(found))])
        for row, fractions in enumerate(compositions.inputs.fractions.numpy().round(3))
        if (found := lenders.get(tuple(fractions[fractions > 0].tolist())))
        for _ in range(2)
    ]
    rows, lender = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).unbind(1)
    inputs = compositions.inputs[rows].with_structure(known[lender])
    low, high = np.log(VOLUME_RATIO).tolist()
    log_ratio = torch.as_tensor(rng.uniform(low, high, size=len(rows)), dtype=torch.float32)
    return Rows(inputs.with_volume(log_ratio), compositions.target[rows])


def strain_data(table: Table, split: Split, recipe: Recipe, strained: Table) -> TrainingData:
    """Make the rows of a training for the energy of strain: 0 for real crystals, the change for their copies.

    Copies stand on the side of their formula; their change is capped, as the recipe says.

    Raises:
        DataError: no copies of training or validation formulas.
    """
    side = np.array(split.side_of(table.crystals.formulas, strained.crystals.formulas), dtype=object)
    if recipe.shape_limit:
        side[shape_change(strained, table)[0] > recipe.shape_limit] = None
    held = side == "validation"
    if not (side == "train").any() or (split.validation.any() and not held.any()):
        raise DataError(f"{strained.name}: no copies of the crystals of {table.name}, allowed: copies of its rows")
    change = np.minimum(np.asarray(strained.crystals.column(CHANGE), dtype=float), recipe.strained_cap)
    zero = np.zeros_like(table.target)
    return TrainingData(
        train=rows_of(table, split.train, zero),
        validation=rows_of(table, split.validation, zero),
        extra=rows_of(strained, side == "train", change),
        extra_validation=rows_of(strained, held, change) if held.any() else None,
    )


def shape_change(strained: Table, table: Table) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return by what factor (N,) >= 1 the axial ratios of strained rows changed, and which rows (N,) have a base row.

    Where an angle changed by more than 10 degree, or the base row is missing, the factor is infinite.
    """
    position = {str(name): row for row, name in enumerate(table.crystals.columns[BASE_ID])}
    found = np.array([position.get(str(name), -1) for name in strained.crystals.columns[BASE_ID]])
    new, base = strained.crystals.lattice.numpy(), table.crystals.lattice.numpy()[found]
    logs = np.log(new[:, :3] / base[:, :3])
    factor = np.exp(logs.max(1) - logs.min(1))
    factor[np.abs(new[:, 3:] - base[:, 3:]).max(1) > MAX_ANGLE_CHANGE] = np.inf
    factor[found < 0] = np.inf
    return factor, found >= 0


def read_hull_entries(
    path: Path, elements: Sequence[int], hidden: set[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Read counts (N, D) over ``elements`` and the hull energy (N,), eV/atom, at the composition of each entry.

    Entries with other elements, or with a reduced formula in ``hidden``, are left out. The hull energy is the entry's
    formation energy less its energy above the hull, where the table has it.

    Raises:
        DataError: unreadable, or a column is missing.
    """
    import pandas as pd

    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        held = [json.loads(text) for text in frame["elements"]]
        energy = frame[TARGET].to_numpy(dtype=float)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: unreadable hull entries: {error}") from None
    if "e_above_hull" in frame:
        energy = energy - np.nan_to_num(frame["e_above_hull"].to_numpy(dtype=float))
    column = {z: i for i, z in enumerate(elements)}
    counts = np.zeros((len(held), len(elements)), dtype=np.int64)
    usable = np.isfinite(energy)
    for row, entry in enumerate(held):
        for symbol, count in entry.items():
            place = column.get(atomic_number(symbol))
            if place is None:
                usable[row] = False
            else:
                counts[row, place] = int(count)
    usable &= counts.sum(1) > 0
    counts, energy = counts[usable], energy[usable]
    size = len(counts)
    formulas = Crystals(
        tuple(elements), torch.ones(size, dtype=torch.int64), torch.as_tensor(counts), torch.ones(size, 6)
    ).formulas
    shown = np.array([formula not in hidden for formula in formulas], dtype=bool)
    return counts[shown], energy[shown]
