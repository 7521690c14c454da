"""Columns of numbers and text from arrow tables, checked cell by cell; errors name row, column, found and allowed.

Rows are counted from 1, without the header.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crystalgfn.errors import DataError

MISSING_TOKENS = pa.array(["NA", "N/A", "n/a", "#N/A", "null", "NULL", "None", "nan", "NaN", "-nan", "<NA>", ""])
"""Text that stands for a missing number; the last in files whose cells are all in quotation marks."""


def shown(value: object) -> str:
    """Return a short, printable form of a value for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_COMMA_NUMBER = re.compile(r"[+-]?[0-9][0-9.,;\s]*(?:[eE][+-]?[0-9]+)?")
"""A number with a decimal comma, or with separators between its thousands."""


def refuse(source: str, row: int, column: str, found: object, allowed: str) -> NoReturn:
    """Raise the error about one cell.

    Args:
        source: the file's name.
        row: index of the row, from 0.
        column: its column.
        found: the offending value.
        allowed: what is allowed there, with the nearest valid value where there is one.

    Raises:
        DataError: always.
    """
    raise DataError(f"{source}: row {row + 1}, column {column!r}: found {shown(found)}, allowed: {allowed}")


def first(bad: np.ndarray) -> int | None:
    """Return the index of the first true value (B,), or None."""
    position = int(bad.argmax()) if len(bad) else 0
    return position if len(bad) and bad[position] else None


def refuse_doubled(source: str, names: Sequence[str]) -> None:
    """Raise if a column stands twice.

    Raises:
        DataError: it does.
    """
    doubled = [name for name, times in Counter(names).items() if times > 1]
    if doubled:
        raise DataError(f"{source}: column {shown(doubled[0])} appears twice, allowed: once")


def is_text(kind: pa.DataType) -> bool:
    """Whether an arrow type holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether an arrow type holds numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def plain(column: pa.ChunkedArray) -> pa.Array:
    """Return one contiguous array (B,), without dictionary encoding."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    array = column.combine_chunks()
    return array if isinstance(array, pa.Array) else pa.concat_arrays(array.chunks)


def floats(source: str, name: str, column: pa.ChunkedArray, allowed: str) -> np.ndarray:
    """Return finite numbers (B,) float64.

    Raises:
        DataError: a cell that is missing, NaN, infinite or no number.
    """
    array = plain(column)
    values = _as_float(array)
    if values is None:
        refuse(source, _first_unparsable(array), name, array[_first_unparsable(array)].as_py(), allowed)
    row = first(~np.isfinite(values))
    if row is not None:
        refuse(source, row, name, array[row].as_py(), allowed)
    return values


def integers(source: str, name: str, column: pa.ChunkedArray, low: int, high: int) -> np.ndarray:
    """Return whole numbers (B,) int64 in low..high.

    Raises:
        DataError: a cell that is missing, no whole number, or outside the range.
    """
    allowed = f"a whole number from {low} to {high}"
    values = floats(source, name, column, allowed)
    row = first((values != np.floor(values)) | (values < low) | (values > high))
    if row is not None:
        refuse(source, row, name, column[row].as_py(), allowed)
    return values.astype(np.int64)


def texts(source: str, name: str, column: pa.ChunkedArray) -> tuple[np.ndarray, list[str | None]]:
    """Return a text column as codes (B,) into its distinct values, so that each is parsed once.

    Raises:
        DataError: the column is not text.
    """
    array = plain(column)
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if not is_text(array.type):
        raise DataError(f"{source}: column {name!r} holds {array.type}, allowed: text")
    encoded = array.dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def free_column(source: str, name: str, column: pa.ChunkedArray) -> np.ndarray:
    """Return a further column (B,) as float64, int64, bool or object (text).

    Raises:
        DataError: a type that is neither number nor text.
    """
    array = plain(column)
    kind = array.type
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    if pa.types.is_temporal(kind):
        array = array.cast(pa.string())
        kind = array.type
    if is_text(kind):
        return np.array(array.to_pylist(), dtype=object).reshape(len(array))
    if pa.types.is_boolean(kind) and array.null_count == 0:
        return array.to_numpy(zero_copy_only=False)
    if pa.types.is_integer(kind) and array.null_count == 0:
        try:
            return array.cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:  # unsigned numbers above 2^63
            return np.array(array.to_pylist(), dtype=np.float64)
    if pa.types.is_boolean(kind) or is_number(kind):
        values = _as_float(array)
        if values is not None:
            return values
    raise DataError(f"{source}: column {name!r} holds {kind}, allowed: numbers, text or true and false")


def number_column(source: str, name: str, column: pa.ChunkedArray, allowed: str = "numbers, or empty") -> np.ndarray:
    """Return a column of numbers (B,) as float64, NaN where they are missing.

    Raises:
        DataError: a cell that is no number, or a type that is neither number nor text.
    """
    values = free_column(source, name, column)

    def refuse_row(row: int) -> NoReturn:
        text = values[row]
        comma = isinstance(text, str) and _COMMA_NUMBER.fullmatch(text.strip())
        refuse(source, row, name, text, f"{allowed}, with a decimal point, such as -2.1" if comma else allowed)

    return numbers(values, refuse_row)


def numbers(values: np.ndarray, refuse_row: Callable[[int], NoReturn]) -> np.ndarray:
    """Return values (B,) as float64, NaN where they are missing.

    Args:
        values: floats, integers, truth values, or objects: text and None.
        refuse_row: raises the error about a row, counted from 0, whose text is no number.
    """
    if values.dtype.kind in "fiu":
        return values.astype(np.float64)
    if values.dtype.kind == "b":
        return values.astype(np.float64) if not len(values) else refuse_row(0)
    out = np.full(len(values), np.nan)
    missing = {*MISSING_TOKENS.to_pylist(), ""}
    for row, value in enumerate(values):
        if value is None or (isinstance(value, str) and value.strip() in missing):
            continue
        try:
            out[row] = float(str(value)) if "_" not in str(value) else refuse_row(row)
        except ValueError:
            refuse_row(row)
    return out


def _as_float(array: pa.Array) -> np.ndarray | None:
    """Return float64 with NaN where missing, or None if some text is no number."""
    try:
        if is_text(array.type):
            array = pc.utf8_trim(array, " \t\n\r\f")
            array = pc.if_else(pc.is_in(array, MISSING_TOKENS), pa.scalar(None, array.type), array)
        array = array.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return array.to_numpy(zero_copy_only=False)


def _first_unparsable(array: pa.Array) -> int:
    for row in range(len(array)):
        if _as_float(array[row : row + 1]) is None:
            return row
    return 0


def inferred(array: pa.Array) -> pa.Array:
    """Return text as int64, float64 or bool where every cell reads as one."""
    if pc.all(pc.equal(array, "")).as_py():  # no cell but empty text
        return array
    numbers = pc.utf8_trim(array, " \t\n\r\f")
    numbers = pc.if_else(pc.is_in(numbers, MISSING_TOKENS), pa.scalar(None, array.type), numbers)
    for kind in (pa.int64(), pa.float64(), pa.bool_()):
        try:
            return numbers.cast(kind)
        except pa.ArrowInvalid:
            continue
    return array
