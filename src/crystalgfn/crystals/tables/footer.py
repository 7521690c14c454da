"""What the footer of a parquet file declares: columns, rows and values, before anything of it is read.

Arrow ends the process where it is asked for a column of a damaged footer (an exception of C++ that nothing catches,
seen with 26.0), so the few numbers that bounds need are read here. The footer is a structure in Thrift's compact
protocol, between the columns and the eight last bytes of the file.

Source: ``parquet.thrift`` of apache/parquet-format, and ``thrift-compact-protocol.md`` of apache/thrift.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"PAR1"

MOST_BYTES = 1 << 26
"""Largest footer, bytes; 10,000 columns have one of about 2 million."""

ROWS_OF_FILE, ROW_GROUPS, COLUMNS, ROWS_OF_GROUP, OF_COLUMN, VALUES = 3, 4, 1, 3, 3, 5
"""Numbers of fields in ``FileMetaData`` (two), ``RowGroup`` (two), ``ColumnChunk`` and ``ColumnMetaData``."""

_DEEPEST = 32
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = (4, 5, 6)


@dataclass(frozen=True)
class Footer:
    """What a parquet file declares.

    Attributes:
        rows: rows of the file.
        rows_of_groups: rows of each of its parts.
        values_of_groups: for each part, the values of each column; a column of lists has more of them than rows.
    """

    rows: int
    rows_of_groups: tuple[int, ...]
    values_of_groups: tuple[tuple[int, ...], ...]

    @classmethod
    def of_file(cls, path: Path) -> Footer:
        """Read the footer of a file.

        Raises:
            ValueError: the file ends early, or its footer is damaged or encrypted.
            OSError: the file cannot be read.
        """
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(size - 8, 0))
            end = stream.read(8)
            length = int.from_bytes(end[:4], "little")
            if end[4:] != MAGIC or length > min(size - 8, MOST_BYTES):
                raise ValueError("damaged footer: its end does not say where it begins")
            stream.seek(size - 8 - length)
            content = stream.read(length)
        return cls.of_bytes(content)

    @classmethod
    def of_bytes(cls, content: bytes) -> Footer:
        """Read a footer.

        Raises:
            ValueError: it is damaged or encrypted.
        """
        try:
            found = _Reader(content).struct()
            groups = found.get(ROW_GROUPS, [])
            return cls(
                rows=_count(found[ROWS_OF_FILE]),
                rows_of_groups=tuple(_count(group[ROWS_OF_GROUP]) for group in groups),
                values_of_groups=tuple(
                    tuple(_count(column[OF_COLUMN][VALUES]) for column in group[COLUMNS]) for group in groups
                ),
            )
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError("damaged footer: no rows and values where they should stand") from error


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"damaged footer: {value!r} rows or values")
    return value


class _Reader:
    """Values of Thrift's compact protocol, one after the other; structures become dictionaries by field number."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0
        self.depth = 0

    def byte(self) -> int:
        self.place += 1
        return self.content[self.place - 1]

    def varint(self) -> int:
        number, shift = 0, 0
        while True:
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
            if shift > 63:
                raise ValueError("damaged footer: a number of more than 64 bits")

    def integer(self) -> int:
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def skip(self, size: int) -> None:
        if size > len(self.content) - self.place:
            raise ValueError("damaged footer: it ends early")
        self.place += size

    def struct(self) -> dict[int, Any]:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError("damaged footer: structures too deep")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self.byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self.integer()
            kind = head & 0x0F
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self.value(kind)
        self.depth -= 1
        return fields

    def value(self, kind: int) -> Any:
        """A value of a kind; of what no count is read from, None."""
        if kind in _INTEGERS:
            return self.integer()
        if kind == _STRUCT:
            return self.struct()
        if kind in (_LIST, _SET):
            return self.list()
        sizes = {_TRUE: 1, _FALSE: 1, _BYTE: 1, _DOUBLE: 8}
        if kind != _BINARY and kind not in sizes:  # parquet has no maps
            raise ValueError(f"damaged footer: a value of kind {kind}")
        self.skip(self.varint() if kind == _BINARY else sizes[kind])
        return None

    def list(self) -> list[Any]:
        head = self.byte()
        size = head >> 4 if head >> 4 < 15 else self.varint()
        if size > len(self.content) - self.place:  # each takes a byte or more
            raise ValueError("damaged footer: it ends early")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError("damaged footer: lists too deep")
        values = [self.value(head & 0x0F) for _ in range(size)]
        self.depth -= 1
        return values
