"""Columns of a crystals table: names, units, order, and crystals -> arrow table.

The order: the crystal (:data:`STANDARD`), its properties, ``log_reward``, ``log_pf``, ``log_pb``, ``log_prior``,
everything else.

A property carries its unit in its name, ``"band_gap [eV]"``, so that CSV keeps it, and in the parquet field metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
from torch import Tensor

from crystalgfn.crystallography import space_groups
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.crystallography.lattices import LATTICE_PARAMETERS
from crystalgfn.errors import DataError

UNITS = {
    "a": "A",
    "b": "A",
    "c": "A",
    "alpha": "degree",
    "beta": "degree",
    "gamma": "degree",
    "volume": "A^3",
    "volume_per_atom": "A^3/atom",
    "density": "g/cm3",
}
"""Units of the columns whose names do not carry one."""

STANDARD = (
    "formula",
    "elements",
    "spacegroup",
    "crystal_lattice_system",
    "point_symmetry",
    *LATTICE_PARAMETERS,
    "n_atoms",
    "n_atoms_primitive",
    "volume_per_atom",
    "density",
)
"""Columns every table of crystals has, in order."""

REQUIRED = ("elements", "spacegroup", *LATTICE_PARAMETERS)
"""Columns a crystal is read from."""

DERIVED = tuple(name for name in (*STANDARD, "volume") if name not in REQUIRED)
"""Columns that follow from the required ones: written, and never taken over when read."""

TEXT = ("formula", "elements", "crystal_lattice_system", "point_symmetry", "material_id", "source", "wyckoff")
"""Columns that are text even where every cell looks like a number."""

LOGARITHMS = ("log_reward", "log_pf", "log_pb", "log_prior", "log_weight")
"""Columns of samples that are always numbers."""

METADATA_KEY = b"crystalgfn"

ORIGIN_KEY = b"origin"
"""Metadata of a parquet column: what its numbers come from, where they are predictions."""

PREDICTED = "_predicted"
"""End of the names of columns that a property model added to a table, before the unit."""


class Batch(Protocol):
    """What a table is made from: B crystals, such as :class:`~crystalgfn.crystals.crystal.Crystals`."""

    @property
    def elements(self) -> tuple[int, ...]:
        """(D,) atomic numbers: what the columns of ``counts`` stand for."""
        ...

    @property
    def space_group(self) -> Tensor:
        """(B,) int64, international number."""
        ...

    @property
    def counts(self) -> Tensor:
        """(B, D) int64, atoms in the conventional cell."""
        ...

    @property
    def lattice(self) -> Tensor:
        """(B, 6) float64, A and degree, of the conventional cell."""
        ...

    @property
    def columns(self) -> Mapping[str, np.ndarray]:
        """Further columns by name, each (B,)."""
        ...

    @property
    def origins(self) -> Mapping[str, str]:
        """What the numbers of a column come from, by its name; columns that were given are left out."""
        ...

    @property
    def n_atoms(self) -> Tensor:
        """(B,) int64, atoms in the conventional cell."""
        ...

    @property
    def volume_per_atom(self) -> Tensor:
        """(B,) float64, A^3/atom."""
        ...

    @property
    def density(self) -> Tensor:
        """(B,) float64, g/cm3."""
        ...

    @property
    def formulas(self) -> list[str]:
        """(B,) reduced formulas."""
        ...

    @property
    def elements_json(self) -> list[str]:
        """(B,) counts by symbol, as JSON."""
        ...


def name_with_unit(name: str, unit: str) -> str:
    """Return the column name of a property: ``"band_gap [eV]"``; without unit, the bare name."""
    return f"{name} [{unit}]" if unit else name


def unit_of(column: str) -> str:
    """Return the unit of a column, or an empty string."""
    if column.endswith("]") and " [" in column:
        return column[column.rindex(" [") + 2 : -1]
    return UNITS.get(column, "")


def bare_name(column: str) -> str:
    """Return the name of a column without its unit."""
    return column[: column.rindex(" [")] if column.endswith("]") and " [" in column else column


def field_of(name: str, kind: pa.DataType, origin: str = "") -> pa.Field:
    """Return the arrow field of a column, with its unit, and the origin of its numbers, in the metadata."""
    unit = unit_of(name)
    metadata = {**({"unit": unit} if unit else {}), **({ORIGIN_KEY.decode(): origin} if origin else {})}
    return pa.field(name, kind, metadata=metadata or None)


def origin_of(field: pa.Field) -> str:
    """Return the origin that the metadata of a field state, or an empty string."""
    return str((field.metadata or {}).get(ORIGIN_KEY, b"").decode("utf-8", errors="replace"))


def table_metadata(elements: Sequence[int]) -> dict[bytes, bytes]:
    """Return schema metadata that keeps the element list (D,), which may hold more than the rows use."""
    content = {"format": 1, "elements": [SYMBOLS[z] for z in elements]}
    return {METADATA_KEY: json.dumps(content).encode()}


def to_table(crystals: Batch) -> pa.Table:
    """Return the arrow table of B crystals.

    Raises:
        DataError: a space group outside 1..230, a negative count, or a column that is neither number nor text.
    """
    groups = crystals.space_group.cpu().numpy()
    if len(groups) and not (groups.min() >= 1 and groups.max() <= 230):
        raise DataError(f"space groups from {groups.min()} to {groups.max()}, allowed: 1..230")
    if len(groups) and crystals.elements and int(crystals.counts.min()) < 0:
        raise DataError(f"a count of {int(crystals.counts.min())} atoms, allowed: 0 or more")
    n_atoms = crystals.n_atoms.cpu().numpy()
    lattice = crystals.lattice.cpu().numpy()
    systems = np.array(("", *space_groups.CRYSTAL_LATTICE_SYSTEMS), dtype=object)
    symmetries = np.array(("", *space_groups.POINT_SYMMETRIES), dtype=object)
    arrays: dict[str, pa.Array] = {
        "formula": pa.array(crystals.formulas, pa.string()),
        "elements": pa.array(crystals.elements_json, pa.string()),
        "spacegroup": pa.array(groups),
        "crystal_lattice_system": pa.array(systems[space_groups.CRYSTAL_LATTICE_SYSTEM[groups]], pa.string()),
        "point_symmetry": pa.array(symmetries[space_groups.POINT_SYMMETRY[groups]], pa.string()),
        **{name: pa.array(lattice[:, column]) for column, name in enumerate(LATTICE_PARAMETERS)},
        "n_atoms": pa.array(n_atoms),
        "n_atoms_primitive": pa.array(n_atoms // space_groups.CENTERING_MULTIPLICITY[groups]),
        "volume_per_atom": pa.array(crystals.volume_per_atom.cpu().numpy()),
        "density": pa.array(crystals.density.cpu().numpy()),
    }
    for name in sorted(crystals.columns, key=_rank):
        if name in STANDARD or name in DERIVED:
            raise DataError(f"column {name!r} follows from the crystal itself: give yours another name")
        arrays[name] = _array(name, crystals.columns[name])
    schema = pa.schema(
        [field_of(name, array.type, crystals.origins.get(name, "")) for name, array in arrays.items()],
        metadata=table_metadata(crystals.elements),
    )
    return pa.Table.from_arrays(list(arrays.values()), schema=schema)


def _rank(column: str) -> int:
    """Properties first, then the logarithms, then the rest; sorting is stable within each."""
    logarithms = LOGARITHMS[:4]
    if column in logarithms:
        return 1 + logarithms.index(column)
    return 0 if unit_of(column) else 1 + len(logarithms)


def _array(name: str, values: np.ndarray) -> pa.Array:
    try:
        if values.dtype.kind == "O":
            return pa.array(values, pa.string(), from_pandas=True)
        return pa.array(values)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"column {name!r} cannot be written: {error}, allowed: numbers, booleans or text") from None
