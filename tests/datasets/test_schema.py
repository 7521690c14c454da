"""The columns of imported tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from crystalgfn.datasets.schema import table_schema
from import_data import COLUMNS

SHARED = Path(__file__).parents[3] / "shared" / "data"


def test_the_columns_are_those_of_the_development_data():
    assert table_schema().names == COLUMNS
    assert table_schema(("modulus",)).names == [*COLUMNS, "modulus"]
    if (SHARED / "crystals.parquet").exists():
        shared = pq.read_schema(SHARED / "crystals.parquet")
        assert shared.names == COLUMNS
        assert [str(kind).removeprefix("large_") for kind in shared.types] == [
            str(kind) for kind in table_schema().types
        ]
