"""Strained copies of real crystals, which teach a proxy that wrong volumes and cell shapes cost energy.

A table of relaxed crystals says nothing about how the energy rises away from the relaxed cell, and a model fitted to
it alone is blind to the lattice. Here a crystal keeps its space group, its composition and the fractional coordinates
of its atoms while the free parameters of its cell change; CHGNet gives the change of energy, which is added to the
crystal's own formation energy. Three kinds of strain, always reported apart:

``isotropic``  all lengths scaled alike, volume ratio log-uniform in [0.5, 2.5];
``shape``      axial ratios times a factor log-uniform in [1/1.8, 1.8], free angles moved by up to 15 degree, volume
               ratio log-uniform in [0.6, 1.8];
``stretch``    the same with factors in [1/3.5, 3.5] and angles moved by up to 25 degree: what an untrained sampler
               proposes.

Cubic cells have no free shape and get an isotropic strain in place of the other two.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from crystalgfn.crystallography.cells import lattice_parameters
from crystalgfn.crystallography.lattices import LATTICE_PARAMETERS, cell_volume
from crystalgfn.crystallography.symmetry.search import find_symmetry
from crystalgfn.errors import DataError

ISOTROPIC_VOLUME_RATIO = (0.5, 2.5)
SHAPE_VOLUME_RATIO = (0.6, 1.8)
AXIAL_FACTOR = {"shape": 1.8, "stretch": 3.5}
ANGLE_CHANGE = {"shape": 15.0, "stretch": 25.0}
MAX_ATOMS = 50
NEAR = ("isotropic", "shape")
FAR = ("isotropic", "stretch", "stretch")
"""Kinds of strain of the copies of one crystal."""

Array = npt.NDArray[Any]


class EnergyModel(Protocol):
    """A machine-learned potential with CHGNet's call: structures in, total energy per atom (eV/atom) out."""

    def predict_structure(self, structure: list[Any], /, *, task: str, batch_size: int) -> list[dict[str, Any]]:
        """Return one dict for each structure, with the energy under ``"e"``."""
        ...


@dataclass(frozen=True)
class Base:
    """A crystal to be strained.

    lattice (6,): a, b, c (A), alpha, beta, gamma (degree) of the conventional cell; matrix (3, 3): its row vectors (A);
    to_conventional (3, 3): integer matrix M with conventional = M @ primitive; numbers (n,), fractional (n, 3): the
    atoms of the primitive cell.
    """

    space_group: int
    lattice: Array
    matrix: Array
    to_conventional: Array
    numbers: Array
    fractional: Array

    def structure(self, lattice: Array) -> Any:
        """Return the pymatgen Structure (primitive cell) with the conventional ``lattice`` (6,) (A, degree)."""
        from pymatgen.core import Lattice, Structure

        # The orientation of the cell is free: an energy depends on its metric alone.
        conventional = Lattice.from_parameters(*lattice, vesta=True).matrix
        return Structure(np.linalg.inv(self.to_conventional) @ conventional, self.numbers, self.fractional)


def standardise(numbers: Array, cell: Array, fractional: Array, space_group: int, lattice: Array) -> Base | None:
    """Find the conventional cell of a structure; None where the cell does not agree with the table's row.

    numbers (n,), cell (9,) or (3, 3) rows in A, fractional (n, 3); ``lattice`` (6,) and ``space_group`` are the row's.
    """
    cell = np.asarray(cell, dtype=float).reshape(3, 3)
    positions = np.asarray([list(x) for x in np.asarray(fractional).reshape(-1, 3)], dtype=float)
    try:
        symmetry = find_symmetry(cell, positions, numbers, symprec=0.05)
    except DataError:
        return None
    matrix = np.asarray(symmetry.std_cell.basis)
    primitive = symmetry.prim_std_cell
    to_conventional = matrix @ np.linalg.inv(np.asarray(primitive.basis))
    if symmetry.number != space_group or np.abs(to_conventional - np.round(to_conventional)).max() > 1e-4:
        return None
    if np.abs(lattice_parameters(matrix) - lattice).max() > 0.05:
        return None
    return Base(
        space_group,
        np.asarray(lattice, dtype=float),
        matrix,
        np.round(to_conventional),
        np.asarray(primitive.numbers),
        np.asarray(primitive.positions),
    )


def _volume(lattice: Array) -> float:
    """Return the volume (A^3) of one cell (6,) (A, degree); NaN where the angles make no cell."""
    return float(cell_volume(torch.from_numpy(lattice)))


def strain(space_group: int, lattice: Array, kind: str, rng: np.random.Generator) -> Array:
    """Return a strained conventional cell (6,) (A, degree) that keeps the ``space_group``'s lattice system.

    ``kind`` is ``"isotropic"``, ``"shape"`` or ``"stretch"``; see the module's docstring for the distributions.
    """
    low, high = ISOTROPIC_VOLUME_RATIO if kind == "isotropic" else SHAPE_VOLUME_RATIO
    target = _volume(lattice) * math.exp(rng.uniform(math.log(low), math.log(high)))
    new = np.array(lattice, dtype=float)
    if kind != "isotropic":
        limit, turn = math.log(AXIAL_FACTOR[kind]), ANGLE_CHANGE[kind]
        factors = np.exp(rng.uniform(-limit, limit, size=2))
        if space_group >= 75:  # tetragonal, trigonal and hexagonal: c/a alone
            new[2] *= factors[0]
        else:
            new[1:3] *= factors
        if 3 <= space_group <= 15:
            new[4] = np.clip(new[4] + rng.uniform(-1, 1) * turn, 90.0, 135.0)
        elif space_group <= 2:
            for _ in range(100):
                angles = np.clip(new[3:] + rng.uniform(-1, 1, size=3) * turn, 50.0, 130.0)
                trial = np.concatenate([new[:3], angles])
                if _volume(trial) > 0.3 * np.prod(trial[:3]):
                    new = trial
                    break
    new[:3] *= (target / _volume(new)) ** (1 / 3)
    return new


def strains_of(
    space_group: int, lattice: Array, kinds: tuple[str, ...], rng: np.random.Generator
) -> list[tuple[str, Array]]:
    """Return a strained cell for each of ``kinds``; all are isotropic for cubic groups, which have no free shape."""
    if space_group >= 195:
        kinds = ("isotropic",) * len(kinds)
    return [(kind, strain(space_group, lattice, kind, rng)) for kind in kinds]


def label(
    rows: list[dict[str, Any]],
    model: EnergyModel,
    *,
    seed: int,
    kinds: tuple[str, ...] = NEAR,
    batch_size: int = 64,
) -> list[dict[str, Any]]:
    """Strain and label ``rows`` (dicts of a crystals table joined with its structures table): one copy for each kind.

    Returns rows of the strained table: material_id, source, kind, elements (JSON), spacegroup, a ... gamma, n_atoms,
    volume_ratio, energy_change (eV/atom, CHGNet, strained minus unstrained), formation_energy_per_atom (eV/atom, the
    row's own plus the change). Crystals that moyopy or CHGNet cannot handle are left out.
    """
    jobs: list[tuple[dict[str, Any], str, Array, Any, Any]] = []
    for row in rows:
        lattice = np.array([row[key] for key in LATTICE_PARAMETERS], dtype=float)
        base = standardise(row["numbers"], row["cell"], row["fractional"], int(row["spacegroup"]), lattice)
        if base is None:
            continue
        rng = np.random.default_rng([seed, *row["material_id"].encode()])
        reference = base.structure(lattice)
        for kind, new in strains_of(base.space_group, lattice, kinds, rng):
            jobs.append((row, kind, new, reference, base.structure(new)))
    unique: dict[int, Any] = {}
    for _, _, _, reference, strained in jobs:
        unique[id(reference)] = reference
        unique[id(strained)] = strained
    energies = dict(zip(unique, _energies(list(unique.values()), model, batch_size), strict=True))
    out = []
    for row, kind, new, reference, strained in jobs:
        change = energies[id(strained)] - energies[id(reference)]
        if not math.isfinite(change):
            continue
        lattice = np.array([row[key] for key in LATTICE_PARAMETERS], dtype=float)
        out.append(
            {
                "material_id": row["material_id"],
                "source": row["source"],
                "kind": kind,
                "elements": row["elements"] if isinstance(row["elements"], str) else json.dumps(row["elements"]),
                "spacegroup": int(row["spacegroup"]),
                **dict(zip(LATTICE_PARAMETERS, map(float, new), strict=True)),
                "n_atoms": int(row["n_atoms"]),
                "volume_ratio": _volume(new) / _volume(lattice),
                "energy_change": change,
                "formation_energy_per_atom": float(row["formation_energy_per_atom"]) + change,
            }
        )
    return out


def _energies(structures: list[Any], model: EnergyModel, batch_size: int) -> list[float]:
    """Return energies (eV/atom); NaN where the model refuses a structure (CHGNet: isolated atoms)."""
    out: list[float] = []
    for start in range(0, len(structures), batch_size):
        part = structures[start : start + batch_size]
        try:
            predictions = model.predict_structure(part, task="e", batch_size=batch_size)
            if isinstance(predictions, dict):
                predictions = [predictions]
            out += [float(p["e"]) for p in predictions]
        except ValueError:
            if len(part) == 1:
                out.append(math.nan)
            else:
                out += _energies(part[: len(part) // 2], model, batch_size)
                out += _energies(part[len(part) // 2 :], model, batch_size)
    return out
