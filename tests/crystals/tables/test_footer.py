"""Footers of parquet files: the same numbers as Arrow's, and no damage ends the process."""

import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crystalgfn.crystals.tables.files import read_table
from crystalgfn.crystals.tables.footer import Footer
from crystalgfn.errors import DataError

TABLES = {
    "flat": {"a": [1, 2, 3], "b": ["x", None, "z"], "c": [True, False, None], "d": [0.5, None, 1e300]},
    "lists": {"numbers": [[1, 2], [], None, list(range(300))], "name": ["a", "b", "c", "d"]},
    "nested": {"place": [{"x": 1.0, "of": [1, 2]}, None], "n": [1, 2]},
    "wide": {f"column {number}": [number] for number in range(400)},
    "empty": {"a": pa.array([], pa.float64()), "b": pa.array([], pa.string())},
}


@pytest.fixture(params=TABLES)
def path(request, tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(TABLES[request.param]), path)
    return path


def test_it_says_what_arrow_says(path):
    footer, of_arrow = Footer.of_file(path), pq.read_metadata(path)
    groups = [of_arrow.row_group(number) for number in range(of_arrow.num_row_groups)]
    assert footer.rows == of_arrow.num_rows
    assert list(footer.rows_of_groups) == [group.num_rows for group in groups]
    assert [list(values) for values in footer.values_of_groups] == [
        [group.column(column).num_values for column in range(group.num_columns)] for group in groups
    ]


def test_parts_are_told_apart(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": list(range(1000)), "l": [[1, 2, 3]] * 1000}), path, row_group_size=300)
    footer = Footer.of_file(path)
    assert footer.rows_of_groups == (300, 300, 300, 100)
    assert footer.values_of_groups == ((300, 900), (300, 900), (300, 900), (100, 300))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no rows"),
        (b"\x00", "no rows"),
        (b"\x36\x01\x00", "-1 rows"),
        (b"\x36" + b"\xff" * 20, "more than 64 bits"),
        (b"\x1c" * 100, "too deep"),
        (b"\x19\xf9" * 100, "ends early|too deep"),
        (b"\x18\xff\xff\x03", "ends early"),
        (b"\x1b\x00", "kind 11"),
    ],
)
def test_nonsense_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        Footer.of_bytes(content)


def test_damaged_footers_are_numbers_or_errors(path):
    content = path.read_bytes()
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") : -8]
    assert Footer.of_bytes(footer) == Footer.of_file(path)
    rng = random.Random(5)
    for _ in range(2000):
        damaged = bytearray(footer)
        for _ in range(rng.choice([1, 1, 4])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            Footer.of_bytes(bytes(damaged))
        except ValueError as error:
            assert "damaged footer" in str(error)


EVERY_BYTE = """
import sys
from pathlib import Path
from crystalgfn.crystals.tables.files import read_table
from crystalgfn.errors import DataError

path, place, read, refused = Path(sys.argv[1]), Path(sys.argv[1] + ".damaged.parquet"), 0, 0
content = path.read_bytes()
for number in range(len(content) - 8 - int.from_bytes(content[-8:-4], "little"), len(content)):
    for value in (0, 0x19, 0x58, 255):
        damaged = bytearray(content)
        damaged[number] = value
        place.write_bytes(damaged)
        try:
            read_table(place)
            read += 1
        except DataError:
            refused += 1
print(read, refused)
"""


def test_no_byte_of_a_footer_ends_the_process(tmp_path):
    """In a process of its own, since Arrow's own way of asking ends it."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"l": [[1, 2], [3]], "t": ["a", "b"]}), path)
    found = subprocess.run(
        [sys.executable, "-c", EVERY_BYTE, str(path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert found.returncode == 0, found.stderr[-500:]
    read, refused = map(int, found.stdout.split())
    assert read > 0
    assert refused > 100


def test_a_file_that_ends_early_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:-8], whole[:10], b"PAR1", whole[:-8] + b"\xff\xff\xff\xffPAR1"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a readable parquet table"):
            read_table(path)
