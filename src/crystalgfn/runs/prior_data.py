"""Real crystals that a prior learns from: which rows of a table are used, and which of them are held out."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.energies import Energy, find_energy
from crystalgfn.errors import DataError
from crystalgfn.files.reading import sha256
from crystalgfn.gflownet.objectives.likelihood import Likelihood
from crystalgfn.spaces.crystal import CrystalSpace
from crystalgfn.spaces.site_encoding import with_sites
from crystalgfn.spaces.states import CrystalStates

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PriorData:
    """Crystals to learn from and to judge by.

    Attributes:
        path: the table.
        sha256: hash of the file.
        rows: number of rows of the table.
        left_out: number of rows that are not used, by reason.
        states: the B crystals that are used.
        held_out: ``(B,)``, those that choose the epoch and are not learned from.
        formulas: number of distinct reduced formulas of these crystals, in all and held out.
    """

    path: Path
    sha256: str
    rows: int
    left_out: dict[str, int]
    states: CrystalStates
    held_out: Mask
    formulas: tuple[int, int]

    def __str__(self) -> str:
        used = len(self.states)
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        return (
            f"{self.path.name}: {self.rows:,} rows, {used:,} used ({self.held_out.sum():,} of them held out, with "
            f"{self.formulas[1]:,} of {self.formulas[0]:,} formulas); not used: {reasons or 'none'}"
        )


def read_prior_data(path: str | Path, space: CrystalSpace, objective: Likelihood, *, seed: int) -> PriorData:
    """Read the crystals of a table that a prior of a space learns from, and hold some of them out.

    Args:
        path: table of crystals, with what the space asks for.
        space: crystals outside it are left out.
        objective: highest energy above the hull, and the share of formulas to hold out.
        seed: of the draw of these formulas.

    Raises:
        DataError: the table cannot be read, a row that is used has no sites or impossible ones, or too few crystals are
            left.
    """
    path = Path(path)
    crystals = Crystals.from_file(path)
    rows, left_out = len(crystals), dict[str, int]()
    numbers = np.arange(1, rows + 1)
    column = find_energy(crystals, Energy.ABOVE_HULL)
    if objective.max_above_hull is not None and column is not None:
        values = crystals.numbers(column, source=path.name)
        unknown, high = np.isnan(values), values > objective.max_above_hull
        left_out["without energy above the hull"] = int(unknown.sum())
        left_out[f"more than {objective.max_above_hull:g} eV/atom above the hull"] = int(high.sum())
        crystals, numbers = crystals[~unknown & ~high], numbers[~unknown & ~high]
    if space.has_sites:
        try:
            crystals = with_sites(crystals, numbers=numbers.tolist())
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    states, inside, outside = space.encode(crystals)
    left_out |= {f"outside the space by their {name.replace('_', ' ')}": count for name, count in outside.items()}
    left_out = {reason: count for reason, count in left_out.items() if count}
    formulas = crystals[inside.cpu().numpy()].formulas
    held_out = hold_out(formulas, objective.held_out, seed=seed)
    known = len(set(formulas)), len({f for f, out in zip(formulas, held_out, strict=True) if out})
    data = PriorData(path, sha256(path), rows, left_out, states, held_out, known)
    if held_out.all() or (objective.held_out and not held_out.any()):
        raise DataError(f"{data}; allowed: crystals of 2 or more formulas, or training.objective.likelihood.held_out=0")
    return data


def hold_out(formulas: Sequence[str], share: float, *, seed: int) -> Mask:
    """Mark crystals ``(B,)`` whose reduced formulas are drawn by their hash, so that tables hold out the same formulas.

    Args:
        formulas: ``(B,)`` reduced formulas.
        share: share of the distinct formulas, rounded to the nearest number, but 1 or more unless it is 0.
        seed: of the draw.
    """
    distinct = sorted(set(formulas), key=lambda formula: hashlib.sha256(f"{seed} {formula}".encode()).digest())
    drawn = set(distinct[: max(round(share * len(distinct)), math.ceil(share))])
    return np.array([formula in drawn for formula in formulas], dtype=bool)
