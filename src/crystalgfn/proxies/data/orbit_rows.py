"""Rows that teach the energy above the hull of crystals with sites, and the relaxed samples that correct it.

Real crystals alone do not suffice: nearly all of them are stable, so a network that saw nothing else calls every
crystal stable. Relaxed samples, failures included, tell it what a sampler can get wrong (:mod:`..correction`).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.proxies.data.energy_rows import distinct_compositions, read_hull_entries
from crystalgfn.proxies.data.labelled import LabelledCrystals, file_hash
from crystalgfn.proxies.data.labels import ENERGY_ABOVE_HULL, FORMATION_ENERGY
from crystalgfn.proxies.data.rows import Rows, TrainingData, rows_of
from crystalgfn.proxies.data.splits import Mask, Split
from crystalgfn.proxies.networks.orbit_inputs import OrbitFeaturiser
from crystalgfn.proxies.networks.orbits import LIMITS
from crystalgfn.spaces.site_encoding import with_sites

MOST_ORBITS = 12
"""Real crystals of more orbits are not learned from: no sampler reaches them, and they make batches wide and slow."""

FOLDS, HELD_BACK = 5, 0
"""Formulas of relaxed samples are in so many folds, of which one is held back."""


def folds_of(formulas: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the fold (N,) of each formula, by its checksum."""
    return np.array([zlib.crc32(formula.encode()) % FOLDS for formula in formulas], dtype=np.int64)


def held_back(formulas: Sequence[str]) -> Mask:
    """Mark (N,) the relaxed samples that no model is fitted to: one formula in five."""
    return folds_of(formulas) == HELD_BACK


def orbit_data(
    table: LabelledCrystals, split: Split, *, relaxed: LabelledCrystals | None, hull: Path | None
) -> TrainingData:
    """Make the training rows of an orbit network.

    Args:
        table: real crystals with sites, labelled with their energy above the hull; a column
            ``formation_energy_per_atom`` teaches the second output.
        split: split of the rows of ``table``.
        relaxed: relaxed samples; real crystals of their :func:`held_back` formulas are left out. The samples themselves
            are no rows: networks that saw them in every epoch knew them by heart, and foretold others no better.
        hull: entries of the hull, see :func:`~.energy_rows.energy_data`; they teach formation energies of compositions
            in no known structure.

    Raises:
        DataError: crystals without sites, or with sites that contradict group or counts.
    """
    formulas = np.asarray(table.crystals.formulas, dtype=object)
    hidden = set(formulas[~split.train])
    if relaxed is not None:
        names = relaxed.crystals.formulas
        hidden |= {name for name, held in zip(names, held_back(names), strict=True) if held}
    small = _has_few_orbits(table)
    learned = split.train & small & ~np.isin(formulas, list(hidden))
    real = targets(table)
    train, validation = (rows_of(table, mask, real, OrbitFeaturiser) for mask in (learned, split.validation & small))
    entries = None
    if hull is not None:
        entries = _hull_rows(hull, table.crystals.elements, hidden, train.inputs.descriptors.mean(0))
    return TrainingData(train, validation, extra=entries)


def few_orbits(table: LabelledCrystals) -> LabelledCrystals:
    """Return the crystals that have at most :data:`MOST_ORBITS` orbits."""
    return table[_has_few_orbits(table)]


def _has_few_orbits(table: LabelledCrystals) -> Mask:
    sites = with_sites(table.crystals).sites
    assert sites is not None
    return np.asarray(((sites.letters >= 0).sum(1) <= MOST_ORBITS).cpu().numpy())


def targets(table: LabelledCrystals) -> npt.NDArray[np.float64]:
    """Return what the rows teach, (N, 2): energy above the hull, as :func:`learned_energy`, and formation energy."""
    formation = np.full(len(table.target), np.nan)
    if FORMATION_ENERGY.column in table.crystals.columns:
        formation = np.asarray(table.crystals.column(FORMATION_ENERGY.column), dtype=float)
    return np.stack([learned_energy(table.target), formation], 1)


def learned_energy(above: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return energies above the hull as they are learned, eV/atom.

    Crystals far below the hull are artefacts of the potential or lie in a hole of the hull: they count as being as far
    above it. Distances beyond :data:`~.orbits.LIMITS` count as the limit.
    """
    low, high = LIMITS
    return np.minimum(np.where(above < low, -above, above), high)


def read_relaxed(path: Path) -> LabelledCrystals:
    """Read relaxed samples: a crystals table with sites and a column ``e_above_hull``.

    A sample that could not be placed or relaxed has no energy (NaN); it counts as :data:`~.orbits.LIMITS` above the
    hull.

    Raises:
        DataError: an unreadable table, or no such column.
    """
    crystals = Crystals.from_file(path)
    energy = np.asarray(crystals.column(ENERGY_ABOVE_HULL.column), dtype=float)
    if np.isinf(energy).any():
        row = int(np.flatnonzero(np.isinf(energy))[0])
        raise DataError(f"{path}: row {row + 1} has {ENERGY_ABOVE_HULL.column} {energy[row]}, allowed: finite numbers")
    return LabelledCrystals(crystals, np.where(np.isnan(energy), LIMITS[1], energy), file_hash(path), path.name)


def shipped_relaxed() -> LabelledCrystals:
    """Return the relaxed samples that ship: the project's own, of many chemistries and some narrow spaces."""
    with as_file(files("crystalgfn.crystals") / "data" / "relaxed_samples.parquet") as path:
        return read_relaxed(path)


def within_elements(relaxed: LabelledCrystals, table: LabelledCrystals) -> LabelledCrystals:
    """Return the relaxed samples whose elements all occur in a table: a model of the table knows no others."""
    known = {
        z for z, used in zip(table.crystals.elements, (table.crystals.counts > 0).any(0).tolist(), strict=True) if used
    }
    foreign = [column for column, z in enumerate(relaxed.crystals.elements) if z not in known]
    inside = ~(relaxed.crystals.counts[:, foreign] > 0).any(1).cpu().numpy()
    return relaxed[inside]


def _hull_rows(path: Path, elements: Sequence[int], hidden: set[str], descriptors: Tensor) -> Rows:
    """Compositions of hull entries without structure, each once, with the hull energy as formation energy."""
    counts, energy = read_hull_entries(path, elements, hidden)
    crystals, formation = distinct_compositions(elements, counts, energy)
    inputs = OrbitFeaturiser().without_sites(crystals, descriptors)
    return Rows(inputs, torch.stack([torch.full_like(formation, torch.nan), formation], 1))
