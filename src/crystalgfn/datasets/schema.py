"""What an importer reads and what it writes: entries in, one table of real crystals out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pyarrow as pa

from crystalgfn.crystallography.lattices import LATTICE_PARAMETERS
from crystalgfn.crystals.tables.schema import UNITS, unit_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

LABELS = {"formation_energy_per_atom": "eV/atom", "e_above_hull": "eV/atom", "band_gap": "eV"}
"""Labels that every imported table has, with their units; missing where the source has none."""


def table_schema(extra_labels: tuple[str, ...] = (), methods: Mapping[str, str] | None = None) -> pa.Schema:
    """Return the columns of an imported table, in order, followed by the ``extra_labels`` (numbers).

    Args:
        extra_labels: names of further labels.
        methods: how the numbers of a label were made, for the metadata of its field.
    """
    text, whole, number = pa.string(), pa.int64(), pa.float64()
    fields = [
        *((name, text, "") for name in ("material_id", "source", "formula", "elements")),
        ("spacegroup", whole, ""),
        *((name, number, UNITS[name]) for name in LATTICE_PARAMETERS),
        ("n_atoms", whole, ""),
        ("n_atoms_primitive", whole, ""),
        ("volume", number, UNITS["volume"]),
        ("density", number, UNITS["density"]),
        ("wyckoff", text, ""),
        *((name, number, unit) for name, unit in LABELS.items()),
        *((name, number, unit_of(name)) for name in extra_labels),
    ]
    known = methods or {}
    metadata = [
        {**({"unit": unit} if unit else {}), **({"method": known[name]} if name in known else {})}
        for name, _, unit in fields
    ]
    return pa.schema(
        [pa.field(name, kind, metadata=meta or None) for (name, kind, _), meta in zip(fields, metadata, strict=True)]
    )


@dataclass(frozen=True)
class Entry:
    """One crystal of a source.

    Attributes:
        material_id: name of the crystal in the source.
        source: the name of the source.
        load: returns the structure; whatever it raises makes this entry a failure, not the import.
        labels: numbers by column name, in the units of :data:`LABELS`; None or absent where the source has no value.
    """

    material_id: str
    source: str
    load: Callable[[], Structure]
    labels: Mapping[str, float | None] = field(default_factory=dict)


class Source(Protocol):
    """Where crystals come from: a fixed sequence of entries that can be read from any position on.

    Attributes:
        extra_labels: names of further labels, beyond :data:`LABELS`.
    """

    extra_labels: tuple[str, ...]

    def __len__(self) -> int:
        """Number of entries."""
        ...

    def entries(self, start: int) -> Iterator[Entry]:
        """Yield the entries from position ``start`` on."""
        ...

    def identity(self) -> dict[str, Any]:
        """Return JSON values that identify the sequence: an interrupted import continues only if they are unchanged."""
        ...


@runtime_checkable
class CheckedSource(Protocol):
    """A source whose labels nobody has checked: a file of the user's."""

    def check(self, table: pa.Table, numbers: Sequence[int]) -> None:
        """Raise a DataError about the first label of imported rows that cannot be right.

        Args:
            table: imported rows, with their labels.
            numbers: (B,) numbers of the rows in the source, from 0.
        """
        ...
