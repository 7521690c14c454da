"""Crystals: a batch of crystals as tensors and columns, the value every layer hands to the next.

B crystals, D elements. Counts, lattice, volume and density refer to the ITA conventional cell (monoclinic unique
axis b; hexagonal axes for the seven rhombohedral groups).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystals.columns import Named, same_values, settled
from crystalgfn.crystals.derived import Derived
from crystalgfn.crystals.indexing import Index, rows_of
from crystalgfn.crystals.sites import Sites
from crystalgfn.crystals.tabular import Tabular
from crystalgfn.errors import DataError, nearest

if TYPE_CHECKING:
    from crystalgfn.crystals.tables.rows import Contents

ALIASES = {"space_group": "spacegroup"}
"""Names of attributes under which columns of a table are found, too."""


@dataclass(frozen=True, eq=False)
class Crystals(Derived, Named, Tabular):
    """A batch of B crystals over D elements.

    Example::

        crystals = Crystals(elements=(8, 12), space_group=torch.tensor([225]), counts=torch.tensor([[4, 4]]),
                            lattice=torch.tensor([[4.2, 4.2, 4.2, 90.0, 90.0, 90.0]]))
        crystals.formulas     # ["MgO"]
        crystals[crystals.density > 3].to_parquet("dense.parquet")

    Attributes:
        elements: (D,) atomic numbers, each once: the columns of ``counts``.
        space_group: (B,) int64, international number 1..230.
        counts: (B, D) int64, atoms in the conventional cell.
        lattice: (B, 6) float64: a, b, c in A and alpha, beta, gamma in degree, of the conventional cell.
        columns: further columns by name, each (B,) and float64, int64, bool or object (text, None where missing):
            properties (named with their unit, as ``"band_gap [eV]"``), ``log_reward``, ``log_pf``, ``log_pb``,
            ``material_id`` ... Narrower numbers are widened, so that every file format gives back the same types.
        sites: occupied Wyckoff positions of samples from a space with sites; None elsewhere. Tables have them in the
            column ``wyckoff``.
        origins: what the numbers of a column come from, by its name, where they are predictions and not given;
            parquet files keep it in the metadata of the column.

    Raises:
        DataError: shapes that do not fit each other, or a column that is neither number nor text. Other values are
            checked where a file is read, not here.
    """

    elements: tuple[int, ...]
    space_group: Tensor
    counts: Tensor
    lattice: Tensor
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    sites: Sites | None = None
    origins: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen: only dtypes are settled here
        set_field(self, "elements", tuple(int(z) for z in self.elements))
        set_field(self, "space_group", torch.as_tensor(self.space_group).to(torch.int64))
        set_field(self, "counts", torch.as_tensor(self.counts).to(torch.int64))
        set_field(self, "lattice", torch.as_tensor(self.lattice).to(torch.float64))
        set_field(self, "columns", {name: settled(name, values) for name, values in self.columns.items()})
        if self.space_group.ndim != 1:
            raise DataError(f"space_group has shape {tuple(self.space_group.shape)}, allowed: (B,)")
        size = len(self)
        if len(set(self.elements)) != len(self.elements):
            raise DataError(f"elements {self.elements} name an element twice")
        if self.counts.shape != (size, len(self.elements)):
            raise DataError(f"counts have shape {tuple(self.counts.shape)}, allowed: {(size, len(self.elements))}")
        if self.lattice.shape != (size, 6):
            raise DataError(f"lattice has shape {tuple(self.lattice.shape)}, allowed: {(size, 6)}")
        for name, values in self.columns.items():
            if values.shape != (size,):
                raise DataError(f"column {name!r} has shape {values.shape}, allowed: {(size,)}")

    @classmethod
    def _of(cls, contents: Contents) -> Crystals:
        return cls(*contents)

    def __len__(self) -> int:
        return int(self.space_group.shape[0])

    @overload
    def __getitem__(self, index: str) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: Index) -> Crystals: ...

    def __getitem__(self, index: Index | str) -> Crystals | np.ndarray:
        """Return the crystals at a position, slice, boolean mask (B,) or sequence of positions, as a batch.

        A name returns the column (B,) that a table of the crystals has under it, with or without its unit:
        ``crystals["formula"]``, ``crystals["density"]``, ``crystals["band_gap"]``.

        Raises:
            DataError: a position outside the batch, a mask of the wrong length, or no such column.
        """
        if isinstance(index, str):
            return self._named(index)
        rows = rows_of(index, len(self))
        on_device = rows.to(self.device)
        on_host = rows.cpu().numpy()
        return Crystals(
            elements=self.elements,
            space_group=self.space_group[on_device],
            counts=self.counts[on_device],
            lattice=self.lattice[on_device],
            columns={name: values[on_host] for name, values in self.columns.items()},
            sites=self.sites[on_device] if self.sites is not None else None,
            origins=self.origins,
        )

    @classmethod
    def concatenate(cls, batches: Sequence[Crystals]) -> Crystals:
        """Join batches in order. Element lists may differ: the result has their union, in order of appearance.

        Raises:
            DataError: no batch, or batches with different columns.
        """
        if not batches:
            raise DataError("no crystals to concatenate: found 0 batches, allowed: 1 or more")
        first = batches[0]
        elements = tuple(dict.fromkeys(z for batch in batches for z in batch.elements))
        for batch in batches:
            if set(batch.columns) != set(first.columns):
                odd = sorted(set(batch.columns) ^ set(first.columns))
                raise DataError(f"batches differ in their columns {odd}: give each the same before joining them")
        aligned = [batch.with_elements(elements) for batch in batches]
        sites = [batch.sites for batch in batches if batch.sites is not None]
        return cls(
            elements=elements,
            space_group=torch.cat([batch.space_group for batch in aligned]),
            counts=torch.cat([batch.counts for batch in aligned]),
            lattice=torch.cat([batch.lattice for batch in aligned]),
            columns={name: np.concatenate([batch.columns[name] for batch in aligned]) for name in first.columns},
            sites=Sites.concatenate(sites) if len(sites) == len(batches) else None,
            origins={name: origin for batch in batches for name, origin in batch.origins.items()},
        )

    def with_columns(self, **arrays: Any) -> Crystals:
        """Return the same crystals with columns added or replaced; arrays or tensors (B,).

        Raises:
            DataError: an array of another length.
        """
        columns = {**self.columns, **arrays}
        origins = {name: origin for name, origin in self.origins.items() if name not in arrays}
        return Crystals(self.elements, self.space_group, self.counts, self.lattice, columns, self.sites, origins)

    def with_predictions(self, origin: str, **arrays: Any) -> Crystals:
        """Return the same crystals with columns added or replaced that are predictions; arrays or tensors (B,).

        Args:
            origin: what predicts them, such as ``"property model band_gap"``.
            arrays: the columns by name.

        Raises:
            DataError: an array of another length.
        """
        crystals = self.with_columns(**arrays)
        crystals.origins.update(dict.fromkeys(arrays, origin))
        return crystals

    def with_elements(self, elements: Sequence[int]) -> Crystals:
        """Return the same crystals with ``counts`` over atomic numbers (E,), in their order.

        Raises:
            DataError: an element that is left out has atoms.
        """
        elements = tuple(int(z) for z in elements)
        if elements == self.elements:
            return self
        column_of = {z: column for column, z in enumerate(self.elements)}
        for z in set(self.elements) - set(elements):
            if self.counts[:, column_of[z]].any():
                raise DataError(f"element {SYMBOLS[z]} has atoms, but is not among those asked for")
        counts = self.counts.new_zeros(len(self), len(elements))
        shared = [(new, column_of[z]) for new, z in enumerate(elements) if z in column_of]
        if shared:
            counts[:, [new for new, _ in shared]] = self.counts[:, [old for _, old in shared]]
        return Crystals(elements, self.space_group, counts, self.lattice, self.columns, self.sites, self.origins)

    def _named(self, name: str) -> np.ndarray:
        """Return the column (B,) of a name, as a table of the crystals has it."""
        from crystalgfn.crystals.tables import STANDARD

        if name in self.columns:
            return self.columns[name]
        if name == "volume":
            return self.volume.cpu().numpy()
        standard = ALIASES.get(name, name)
        if standard in STANDARD:
            bare = Crystals(self.elements, self.space_group, self.counts, self.lattice)
            return bare.to_dataframe()[standard].to_numpy()
        if any(column.split(" [")[0] == name for column in self.columns):
            return self.column(name)
        known = (*STANDARD, "volume", *self.columns)
        raise DataError(f"no column {name!r}, allowed: {', '.join(known)}{nearest(name, known)}")

    def _ipython_key_completions_(self) -> list[str]:
        from crystalgfn.crystals.tables import STANDARD

        return [*STANDARD, *self.columns]

    def __repr__(self) -> str:
        from crystalgfn.crystals.display import text

        return text(self)

    def _repr_html_(self) -> str:
        from crystalgfn.crystals.display import page

        return page(self)

    def to(self, device: torch.device | str) -> Crystals:
        """Return the crystals with their tensors on ``device``; columns stay numpy arrays on the host."""
        space_group, counts, lattice = (t.to(device) for t in (self.space_group, self.counts, self.lattice))
        sites = self.sites.to(device) if self.sites is not None else None
        return Crystals(self.elements, space_group, counts, lattice, self.columns, sites, self.origins)

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.counts.device

    def equals(self, other: Crystals) -> bool:
        """Whether both hold the same crystals bit for bit, NaN equal to NaN; columns may stand in another order."""
        return (
            self.elements == other.elements
            and torch.equal(self.space_group, other.space_group)
            and torch.equal(self.counts, other.counts)
            and torch.equal(self.lattice.view(torch.int64), other.lattice.view(torch.int64))
            and self.columns.keys() == other.columns.keys()
            and all(same_values(values, other.columns[name]) for name, values in self.columns.items())
        )

    def best(self, n: int = 10, *, by: str | None = None, distinct: bool = True) -> Crystals:
        """Return the best crystals, best first; see :func:`crystalgfn.report.summary.best`.

        Args:
            n: most crystals to return.
            by: column to rank by, lowest first (``"band_gap"``) or highest first (``"band_gap:desc"``), or
                ``"log_reward"``, highest first; the usual one by default.
            distinct: keep only the best of each formula and space group.

        Raises:
            DataError: there is nothing to rank by, or the column holds text.
        """
        from crystalgfn import best

        return best(self, n, energy=by, distinct=distinct)

    def report(self, path: str | Path = "report.html") -> Path:
        """Write the page of ``crystalgfn report`` and return its path; see :func:`crystalgfn.write_report`."""
        from crystalgfn import write_report

        return write_report(self, path)
