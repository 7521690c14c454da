"""Columns of crystals: their kinds, and how they are found by a name with or without its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from crystalgfn.crystals.tables.cells import numbers, refuse
from crystalgfn.errors import DataError, nearest


class Named:
    """Columns by name, of a subclass that has ``columns``."""

    if TYPE_CHECKING:

        @property
        def columns(self) -> dict[str, np.ndarray]:
            """Columns (B,) by name."""
            ...

    def column(self, name: str) -> np.ndarray:
        """Return the column (B,) of a name with or without its unit; see :meth:`column_name`.

        Raises:
            DataError: no such column, or several units of this name.
        """
        return self.columns[self.column_name(name)]

    def column_name(self, name: str) -> str:
        """Return the full name of a column: the one of exactly this name, or else the one that adds a unit to it.

        ``"band_gap"`` finds ``"band_gap [eV]"`` where there is no column ``"band_gap"``.

        Raises:
            DataError: no such column, or several units of this name.
        """
        if name in self.columns:
            return name
        found = [column for column in self.columns if column.endswith("]") and column.rpartition(" [")[0] == name]
        if len(found) > 1:
            raise DataError(f"column {name!r}: found {', '.join(found)}, allowed: one unit, or the name with its unit")
        if found:
            return found[0]
        allowed = ", ".join(self.columns) or "none"
        raise DataError(f"no column {name!r}, allowed: {allowed}{nearest(name, self.columns)}")

    def numbers(self, name: str, *, source: str = "table") -> np.ndarray:
        """Return a column of numbers (B,) as float64, NaN where they are missing; see :meth:`column_name`.

        Args:
            name: the column.
            source: name of the table in messages.

        Raises:
            DataError: no such column, or a row, counted from 1, that holds text or a truth value.
        """
        column = self.column_name(name)
        values = self.columns[column]
        return numbers(values, lambda row: refuse(source, row, column, values[row], "numbers, or empty"))


def settled(name: str, values: Any) -> np.ndarray:
    """Return a column (B,) as float64, int64, bool or object.

    Raises:
        DataError: it is neither number nor text.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    wide = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_, "U": object, "O": object}
    if array.dtype.kind not in wide:
        raise DataError(f"column {name!r} holds {array.dtype}, allowed: numbers, booleans or text")
    return array.astype(wide[array.dtype.kind], copy=False)


def same_values(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two columns are of one kind and equal bit for bit, NaN equal to NaN."""
    if left.dtype != right.dtype:
        return False
    if left.dtype.kind == "f":
        # array_equal takes 0.0 for -0.0: compare the signs of zeros too, but not those of NaN
        signs = np.signbit(left) == np.signbit(right)
        return np.array_equal(left, right, equal_nan=True) and bool((signs | np.isnan(left)).all())
    return np.array_equal(left, right)
