"""The domain of a model: how far a crystal is from its training crystals, by composition, space group and cell.

The distance is the largest of three; the unit of each is the value that 95 % of held-out crystals stay below:

- composition: Euclidean, to the nearest of some thousand centres of training compositions. A composition is the sum
  over its elements of the square root of the fraction times a vector of the element (physical properties, row and
  column of the periodic table, the element itself), in the 16 directions in which training compositions differ most;
- space group: logarithm of how rare the group is among training crystals;
- cell: deviations of log volume over the additive estimate, log axial ratios and cosines of the angles from the mean of
  the lattice system, in standard deviations, as a Euclidean norm.

So below 1 a crystal is like the training data in all three respects, and 2 is twice as far out as the outermost
twentieth of real crystals in at least one. The statistics stand in the model's folder. They were fitted without a
random tenth of the formulas, whose crystals calibrate the three distances.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography import elements as element_tables
from crystalgfn.crystallography import space_groups
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import CheckpointError
from crystalgfn.files.tensors import read_tensors
from crystalgfn.proxies.models import DOMAIN
from crystalgfn.proxies.networks.features import atomic_volume_table, element_property_table

DIRECTIONS = 16
CENTRES = 4096
ROUNDS = 6
EDGE = 0.95
"""Share of held-out crystals that lie within 1, for each of the three distances."""

KIND_WEIGHT = 0.5
"""Weight of an element's row, column and identity relative to its physical properties."""

SMALLEST_SPREAD = 0.02
"""Least standard deviation of a logarithm of the cell's ratios, and of a cosine."""


@dataclass(frozen=True)
class TrainingDomain:
    """Statistics of the training crystals; see the module's docstring.

    Attributes:
        vectors: (119, 16) float32, one vector for each element.
        centres: (C, 16) int8 centres of compositions, in units of ``step``.
        step: (16,) float32, unit of the centres in each direction.
        rarity: (231,) float32, logarithm of the rarity of each space group.
        cell_mean, cell_std: (231, 6) float32 for each space group: log volume ratio, log b/a, log c/a, cosines.
        edges: (3,) float32: distances of composition, space group and cell that the share :data:`EDGE` of held-out
            crystals stays below.
    """

    vectors: Tensor
    centres: Tensor
    step: Tensor
    rarity: Tensor
    cell_mean: Tensor
    cell_std: Tensor
    edges: Tensor

    @classmethod
    def fit(cls, crystals: Crystals, *, seed: int = 0) -> TrainingDomain:
        """Fit the statistics to training crystals; the same seed gives the same statistics."""
        rng = np.random.default_rng(seed)
        _, formula = np.unique(np.asarray(crystals.formulas, dtype=str), return_inverse=True)
        held_out = (
            rng.random(formula.max() + 1)[formula] < 0.1 if len(crystals) >= 100 else np.zeros(len(crystals), bool)
        )
        training, calibrating = crystals[~held_out], crystals[held_out] if held_out.any() else crystals

        roots = _roots(training)
        features = torch.as_tensor(_element_features()[list(training.elements)])
        rows = roots @ features
        _, _, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
        vectors = torch.zeros(len(element_tables.SYMBOLS), DIRECTIONS)
        projections = torch.as_tensor(_element_features()) @ directions[:DIRECTIONS].T
        vectors[:, : projections.shape[1]] = projections
        step, quantised = _quantised(_centres(roots @ vectors[list(training.elements)], rng))

        group = training.space_group
        number = torch.bincount(group, minlength=231).float()
        rarity = torch.log((number.sum() + 1) / (number + 1))
        cells = _cells(training, torch.as_tensor(atomic_volume_table()))
        system = torch.as_tensor(np.asarray(space_groups.CRYSTAL_LATTICE_SYSTEM).astype(np.int64))
        mean, std = cells.mean(0).repeat(231, 1), cells.std(0).repeat(231, 1)
        for code in system[group].unique():
            rows = cells[system[group] == code]
            mean[system == code, 1:] = rows.mean(0)[1:]
            std[system == code, 1:] = rows.std(0, correction=0)[1:]
        std = std.nan_to_num(1.0).clamp(min=SMALLEST_SPREAD)

        uncalibrated = cls(vectors, quantised, step, rarity, mean, std, torch.ones(3))
        parts = torch.stack(uncalibrated.parts(calibrating), 1)
        return cls(vectors, quantised, step, rarity, mean, std, parts.quantile(EDGE, dim=0).clamp(min=1e-3))

    @classmethod
    def load(cls, folder: Path) -> TrainingDomain:
        """Read the statistics in a model folder.

        Raises:
            CheckpointError: the file is missing or unreadable.
        """
        tensors, _ = read_tensors(folder / DOMAIN)
        try:
            return cls(**tensors)
        except TypeError as error:
            raise CheckpointError(f"{folder / DOMAIN}: does not fit: {error}") from None

    def tensors(self) -> dict[str, Tensor]:
        """Return the statistics by name, as a model folder holds them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def distance(self, crystals: Crystals) -> Tensor:
        """Return the distance (B,) from the training crystals; 1 is the edge."""
        composition, group, cell = self.parts(crystals)
        return torch.maximum(torch.maximum(composition, group), cell)

    def parts(self, crystals: Crystals) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three distances (B,): of composition, space group and cell."""
        tables = self._tables(crystals)
        vectors, volumes, centres, lengths, mean, inverse_std, rarity = tables
        x = _roots(crystals) @ vectors
        nearest = torch.addmm(lengths, x, centres).amin(1) + x.square().sum(1)
        cells = _cells(crystals, volumes, columns=True)
        group = crystals.space_group
        deviations = (cells - mean[group]) * inverse_std[group]
        return nearest.clamp(min=0).sqrt() / self.edges[0], rarity[group], deviations.norm(dim=1) / self.edges[2]

    def _tables(self, crystals: Crystals) -> tuple[Tensor, ...]:
        key = (crystals.elements, crystals.device)
        if key not in self._table_cache:
            columns = list(crystals.elements)
            centres = self.centres.float() * self.step
            tables = (
                self.vectors[columns],
                torch.as_tensor(atomic_volume_table())[columns],
                -2 * centres.T.contiguous(),
                centres.square().sum(1),
                self.cell_mean,
                1 / self.cell_std,
                self.rarity / self.edges[1],
            )
            self._table_cache.clear()
            self._table_cache[key] = tuple(tensor.to(crystals.device) for tensor in tables)
        return self._table_cache[key]

    @cached_property
    def _table_cache(self) -> dict[tuple[tuple[int, ...], torch.device], tuple[Tensor, ...]]:
        return {}


def _element_features() -> np.ndarray:
    """Vector of each element, (119, F): physical properties, row, column and identity."""
    properties = element_property_table()
    kinds = [np.eye(8)[element_tables.PERIOD], np.eye(19)[element_tables.GROUP], np.eye(len(properties))]
    parts = [properties / np.sqrt(properties.shape[1]), *(KIND_WEIGHT * kind for kind in kinds)]
    return np.concatenate(parts, 1).astype(np.float32)


def _roots(crystals: Crystals) -> Tensor:
    """Square roots of the fractions, (B, D) float32."""
    counts = crystals.counts.float()
    return (counts / counts.sum(1, keepdim=True)).sqrt()


def _cells(crystals: Crystals, volumes: Tensor, *, columns: bool = False) -> Tensor:
    """Log volume over the additive estimate, log b/a and c/a, cosines of the angles: (B, 6) float32.

    ``volumes``: A^3 per atom of all elements (119,), or, with ``columns``, of the elements of the crystals (D,).
    """
    estimate = crystals.counts.float() @ (volumes if columns else volumes[list(crystals.elements)])
    logs = crystals.lattice[:, :3].float().log()
    cosines = torch.cos(torch.deg2rad(crystals.lattice[:, 3:].float()))
    volume = (crystals.volume.float() / estimate).log()
    return torch.cat([volume[:, None], logs[:, 1:] - logs[:, :1], cosines], 1)


def _centres(rows: Tensor, rng: np.random.Generator) -> Tensor:
    """Return at most CENTRES means of groups of near rows (N, 16): Lloyd's algorithm from a random start."""
    rows = torch.unique(rows, dim=0)
    if len(rows) <= CENTRES:
        return rows
    centres = rows[torch.as_tensor(rng.choice(len(rows), CENTRES, replace=False))]
    for _ in range(ROUNDS):
        nearest = torch.cat([torch.cdist(part, centres).argmin(1) for part in rows.split(2048)])
        number = torch.bincount(nearest, minlength=CENTRES)
        means = torch.zeros_like(centres).index_add_(0, nearest, rows) / number.clamp(min=1)[:, None]
        centres = torch.where(number[:, None] > 0, means, centres)
    return centres


def _quantised(centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the step of each direction, (16,), and the centres as int8 multiples of the steps."""
    step = centres.abs().amax(0).clamp(min=1e-6) / 127
    return step, (centres / step).round().to(torch.int8)
