"""Crystals to and from tables: frames and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pandas as pd

    from crystalgfn.crystals.tables.rows import Contents
    from crystalgfn.crystals.tables.schema import Batch


class Tabular:
    """Reading and writing, for the one subclass whose arguments are the contents of a table."""

    if TYPE_CHECKING:

        @classmethod
        def _of(cls, contents: Contents) -> Self: ...

    def to_dataframe(self: Batch) -> pd.DataFrame:
        """Return a table with one row per crystal; its columns are those of :mod:`crystalgfn.crystals.tables`."""
        from crystalgfn.crystals import tables

        return tables.to_dataframe(self)

    @classmethod
    def from_dataframe(cls, frame: pd.DataFrame, *, check_convention: bool = True) -> Self:
        """Return the crystals of a table that has at least elements, spacegroup, a, b, c, alpha, beta, gamma.

        Args:
            frame: one row per crystal; ``elements`` may hold JSON or dictionaries.
            check_convention: refuse rows that are not in the ITA conventional cell of their space group.

        Raises:
            DataError: a missing column or an impossible row, by number.
        """
        from crystalgfn.crystals import tables

        return cls._of(tables.from_dataframe(frame, check_convention=check_convention))

    def to_file(self: Batch, path: str | Path) -> None:
        """Write a crystals table in the format of the file's ending (.parquet or .csv), atomically.

        Raises:
            DataError: another ending, or the file cannot be written.
        """
        from crystalgfn.crystals import tables

        tables.write(self, Path(path))

    def to_csv(self: Batch, path: str | Path) -> None:
        """Write a CSV file, atomically.

        Raises:
            DataError: the file cannot be written.
        """
        from crystalgfn.crystals import tables

        tables.write(self, Path(path), kind="csv")

    def to_parquet(self: Batch, path: str | Path) -> None:
        """Write a parquet file, atomically.

        Raises:
            DataError: the file cannot be written.
        """
        from crystalgfn.crystals import tables

        tables.write(self, Path(path), kind="parquet")

    def write(self: Batch, path: str | Path) -> Path:
        """Write a crystals table (.parquet or .csv), atomically, and return its path; as :meth:`to_file`."""
        from crystalgfn.crystals import tables

        tables.write(self, Path(path))
        return Path(path)

    @classmethod
    def from_file(cls, path: str | Path, *, check_convention: bool = True) -> Self:
        """Read a crystals table (.parquet or .csv).

        Args:
            path: the file.
            check_convention: refuse rows that are not in the ITA conventional cell of their space group.

        Raises:
            DataError: unreadable file, missing column, or an impossible row, by number.
        """
        from crystalgfn.crystals import tables

        return cls._of(tables.read(path, check_convention=check_convention))
