"""Features of crystals for the property networks: padded element tokens and scalar descriptors.

Nothing here is learned. Everything is batched; tables that depend on the element list alone are computed once and kept
by the :class:`Featuriser`. Elements of a crystal are listed by rising electronegativity, so the result does not depend
on the order of the columns of ``counts``, nor on columns of zeros. Fractions, descriptors of the composition and the
volume ratio do not change when a cell is multiplied; the number of atoms of the conventional cell, which space group
and Wyckoff positions fix, has features of its own.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography import elements as element_tables
from crystalgfn.crystallography import space_groups
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.proxies.networks.inputs import CELL_SCALE, CELL_SHIFT, Inputs

LOG_PROPERTIES = ("melting_point_K", "boiling_point_K", "molar_volume_cm3_per_mol", "thermal_conductivity_W_per_mK")
"""Properties that span decades and enter as logarithms."""

VOLUME_RATIO_RANGE = (0.35, 3.2)
"""Volume over the additive estimate is clamped to this range, that of the strained training crystals."""

AXIAL_RANGE = 12.0
"""Axial ratios are clamped to [1/12, 12], which holds more than 99.9 % of real crystals."""

ABSENT = 1e6
"""Added to values of padding, so that they are never the lowest."""


def element_property_table() -> np.ndarray:
    """Return physical properties (119, F), standardised over the elements 1..103, clipped to [-3, 3]; row 0 is zero."""
    table = np.array(element_tables.PROPERTIES, dtype=float)
    for name in LOG_PROPERTIES:
        column = element_tables.PROPERTY_NAMES.index(name)
        table[1:, column] = np.log(np.maximum(table[1:, column], 1e-3))
    natural = table[1:104]
    table = np.clip((table - natural.mean(0)) / np.maximum(natural.std(0), 1e-9), -3, 3)
    table[0] = 0
    return table.astype(np.float32)


def atomic_volume_table() -> np.ndarray:
    """Return the additive volume (119,) of each element, A^3 per atom; row 0 is zero."""
    return np.array(element_tables.ATOMIC_VOLUME, dtype=np.float32)


class Featuriser:
    """Turns crystals into :class:`Inputs`, with tables kept per element list and device.

    Args:
        properties: (119, F) element property table; by default that of :func:`element_property_table`.
        volumes: (119,) A^3 per atom; by default those of :func:`atomic_volume_table`. A trained model brings its
            own tables, so that a later change of the library's tables does not change its predictions.
    """

    def __init__(self, properties: Tensor | None = None, volumes: Tensor | None = None) -> None:
        self.properties = torch.as_tensor(element_property_table()) if properties is None else properties.float().cpu()
        self.volumes = torch.as_tensor(atomic_volume_table()) if volumes is None else volumes.float().cpu()
        self._centering = torch.as_tensor(space_groups.CENTERING_MULTIPLICITY.astype(np.float32))
        self._columns: dict[tuple[tuple[int, ...], torch.device], tuple[Tensor, Tensor, Tensor]] = {}
        self._scale, self._shift = torch.tensor(CELL_SCALE), torch.tensor(CELL_SHIFT)
        self._tables: dict[torch.device, tuple[Tensor, ...]] = {}

    def _column_tables(self, elements: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Return the columns by rising electronegativity (D,), their atomic numbers (D,) and priorities D..1 (D,)."""
        key = (elements, device)
        if key not in self._columns:
            rank = {z: i for i, z in enumerate(element_tables.FORMULA_ORDER)}
            order = sorted(range(len(elements)), key=lambda column: rank[elements[column]])
            numbers = torch.tensor([elements[column] for column in order])
            priority = torch.arange(len(elements), 0, -1, dtype=torch.float32)
            self._columns[key] = (torch.tensor(order).to(device), numbers.to(device), priority.to(device))
        return self._columns[key]

    def __call__(self, crystals: Crystals) -> Inputs:
        """Return the inputs of B crystals.

        Raises:
            PropertyError: a crystal has no atoms.
        """
        device = crystals.counts.device
        order, numbers, priority = self._column_tables(crystals.elements, device)
        if device not in self._tables:
            constants = (self.properties, self.volumes, self._centering, self._scale, self._shift)
            self._tables[device] = tuple(constant.to(device) for constant in constants)
        properties, volumes, centering, scale, shift = self._tables[device]

        ordered = crystals.counts.index_select(1, order).to(torch.float32)
        occurrence = ordered.clamp(max=1)
        n_elements = occurrence.sum(1)
        if len(crystals) and not bool(n_elements.amin() > 0):
            row = int((n_elements <= 0).nonzero()[0])
            raise PropertyError(f"crystal {row} of the batch has no atoms, allowed: 1 or more")
        widest = int(n_elements.amax()) if len(crystals) else 1
        # elements that occur have the highest priorities, in order; columns that pad the rest have no atoms
        position = (occurrence * priority).topk(widest, dim=1).indices
        counts = ordered.gather(1, position)
        present = counts.clamp(max=1)
        atomic_numbers = numbers[position] * present.to(torch.int64)
        n_atoms = counts.sum(1, keepdim=True)
        fractions = counts / n_atoms
        primitive = n_atoms / centering[crystals.space_group, None]
        absent = (1 - present) * ABSENT
        smallest = (counts + absent).amin(1, keepdim=True)
        amounts = torch.stack(
            [fractions, fractions.sqrt(), (fractions * primitive).log1p(), (counts / smallest).clamp(max=64).log1p()],
            -1,
        )
        lattice = crystals.lattice.to(torch.float32)
        volume = _volume(lattice)
        estimate = (counts * volumes[atomic_numbers]).sum(1)
        descriptors = torch.cat(
            [
                _cell_descriptors(lattice, volume, estimate, n_atoms[:, 0], primitive[:, 0], scale, shift),
                _amount_descriptors(fractions, n_elements, absent, estimate / n_atoms[:, 0]),
                _property_descriptors(properties[atomic_numbers], fractions, absent),
            ],
            dim=1,
        )
        return Inputs(atomic_numbers, amounts, fractions, crystals.space_group, descriptors, lattice)


def _volume(lattice: Tensor) -> Tensor:
    """Return volumes (B,) in A^3, at least a thousandth of abc so that the logarithm exists for any angles."""
    cosines = torch.cos(torch.deg2rad(lattice[:, 3:]))
    squared = 1 + 2 * cosines.prod(1) - cosines.square().sum(1)
    return lattice[:, :3].prod(1) * squared.clamp(min=1e-6).sqrt()


def _cell_descriptors(
    lattice: Tensor, volume: Tensor, estimate: Tensor, n_atoms: Tensor, primitive: Tensor, scale: Tensor, offset: Tensor
) -> Tensor:
    """Return (B, 20): volume ratio in several powers, shape of the cell, angles, size; the first 11 scaled by (11,)."""
    low, high = VOLUME_RATIO_RANGE
    log_ratio = (volume / estimate).clamp(low, high).log()
    per_atom = (volume / n_atoms).log()
    edge = volume.log() / 3
    logs = lattice[:, :3].log()
    limit = float(np.log(AXIAL_RANGE))
    a, b, c = logs.unbind(1)
    axial = torch.stack([b - a, c - a, c - b], 1).clamp(-limit, limit)
    shape = (logs - edge[:, None]).clamp(-limit, limit)
    shortest = (logs.amin(1) - per_atom / 3).clamp(-2, 3)
    cosines = torch.cos(torch.deg2rad(lattice[:, 3:]))
    inverse = torch.exp(-log_ratio)
    columns = [
        log_ratio,
        log_ratio.square(),
        inverse,
        inverse.square(),
        torch.exp(log_ratio),
        per_atom.clamp(0, 6),
        shortest,
        n_atoms.clamp(max=256).log(),
        primitive.clamp(max=256).log(),
        (primitive - primitive.round()).abs(),
        axial.abs().amax(1),
    ]
    scaled = torch.addcmul(offset, torch.stack(columns, 1), scale)
    return torch.cat([scaled, axial, shape, cosines * 2], dim=1)


def _amount_descriptors(fractions: Tensor, n_elements: Tensor, absent: Tensor, volume: Tensor) -> Tensor:
    """Return (B, 6): number of elements, entropy, sum of squares, largest and smallest fraction, log of ``volume``.

    ``volume`` (B,): the additive estimate, A^3 per atom.
    """
    columns = [
        n_elements - 3,
        -torch.special.xlogy(fractions, fractions).sum(1),
        fractions.square().sum(1),
        fractions.amax(1),
        (fractions + absent).amin(1),
        volume.log(),
    ]
    return torch.stack(columns, 1)


def _property_descriptors(values: Tensor, fractions: Tensor, absent: Tensor) -> Tensor:
    """Return (B, 4 F): fraction-weighted mean and deviation, lowest and highest, of element properties (B, K, F)."""
    weights = fractions[:, None]
    mean = torch.bmm(weights, values)
    deviation = torch.bmm(weights, (values - mean).square()).add_(1e-8).sqrt_()
    out = absent[:, :, None]
    return torch.cat([mean[:, 0], deviation[:, 0], (values + out).amin(1), (values - out).amax(1)], dim=1)
