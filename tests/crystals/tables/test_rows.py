"""Hostile and broken tables: one clear DataError each, and never any other exception."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import pickle
import random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crystal_strategies import crystals
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables import rows
from crystalgfn.crystals.tables.schema import REQUIRED
from crystalgfn.errors import DataError

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GOOD = {
    "formula": "MgO",
    "elements": '{"Mg": 4, "O": 4}',
    "spacegroup": 225,
    "a": 4.2,
    "b": 4.2,
    "c": 4.2,
    "alpha": 90.0,
    "beta": 90.0,
    "gamma": 90.0,
    "n_atoms": 8,
    "material_id": "mp-1265",
}


def write(path, *changes: dict) -> None:
    """Write a good row and then one row a change, each cell as pandas would."""
    frame = pd.DataFrame([GOOD, *({**GOOD, **change} for change in changes)])
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        for name in frame:
            if frame[name].dtype == object:
                frame[name] = [None if value is None else str(value) for value in frame[name]]
        frame.to_parquet(path)


BAD_CELLS = [
    ("spacegroup", 231, r"row 2, column 'spacegroup': found .*231.*, allowed: a whole number from 1 to 230"),
    ("spacegroup", 0, "from 1 to 230"),
    ("spacegroup", -1, "from 1 to 230"),
    ("spacegroup", 2.5, "from 1 to 230"),
    ("spacegroup", 10**30, "from 1 to 230"),
    ("spacegroup", "Fm-3m", "found 'Fm-3m'"),
    ("spacegroup", None, "from 1 to 230"),
    ("elements", '{"Mg": 4, "Xx": 4}', r"symbols of elements, not 'Xx' \(nearest: 'Xe'\)"),
    ("elements", '{"mg": 4}', r"not 'mg' \(nearest: 'Mg'\)"),
    ("elements", '{"Mg": -4, "O": 4}', "whole counts from 1 to 100000, not -4 of Mg"),
    ("elements", '{"Mg": 0, "O": 4}', "not 0 of Mg"),
    ("elements", '{"Mg": 0.5, "O": 4}', "not 0.5 of Mg"),
    ("elements", '{"Mg": true}', "not True of Mg"),
    ("elements", '{"Mg": "4"}', "not '4' of Mg"),
    ("elements", '{"Mg": NaN}', "JSON counts"),
    ("elements", '{"Mg": 1e400}', "not inf of Mg"),
    ("elements", '{"Mg": ' + "9" * 5000 + "}", "JSON counts"),
    ("elements", '{"Mg": 99999999999999999999, "O": 4}', "not 99999999999999999999 of Mg"),
    ("elements", '{"Mg": 4, "O": 4, "Mg": 8}', "each element once, not Mg twice"),
    ("elements", "{}", "JSON counts"),
    ("elements", "[]", "JSON counts"),
    ("elements", "{'Mg': 4}", "JSON counts"),
    ("elements", "[" * 9000, "JSON counts"),
    ("elements", '{"Mg": ' * 900, "JSON counts"),
    ("elements", "x" * 20_000, "JSON counts"),
    ("elements", None, "JSON counts"),
    ("elements", '{"Mg": 2, "O": 2}', "multiples of 4 in space group 225"),
    ("a", float("nan"), r"row 2, column 'a': found .*, allowed: a number above 0 and below 100000 \(A\)"),
    ("b", float("inf"), "column 'b'"),
    ("c", float("-inf"), "column 'c'"),
    ("a", 0.0, "above 0"),
    ("a", -4.2, "above 0"),
    ("a", 1e300, "below 100000"),
    ("a", "4,2", "found '4,2'"),
    ("a", "0x1p3", "column 'a'"),
    ("alpha", 180.0, r"below 180 \(degree\)"),
    ("gamma", 120.0, r"conventional cell of space group 225 \(cubic\): a = b = c"),
    ("formula", "=cmd()", "found '=cmd\\(\\)'"),
    ("formula", "+MgO", r"found '\+MgO'"),
    ("formula", "@MgO", "found '@MgO'"),
    ("formula", "-MgO", "found '-MgO'"),
    ("formula", "MgO2", r"a formula of the elements of its row \(Mg 4, O 4\)"),
    ("formula", "MgO)(", "a formula of"),
    ("formula", "(" * 2000, "a formula of"),
    ("formula", "Mg9999999O", "a formula of"),
    ("n_atoms", 7, "found .*7.*, allowed: 8, from elements and space group 225"),
]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(("column", "value", "message"), BAD_CELLS, ids=[f"{c}={str(v)[:20]}" for c, v, _ in BAD_CELLS])
def test_an_impossible_cell_is_named_by_row_and_column(column, value, message, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    write(path, {column: value})
    with pytest.raises(DataError, match=message) as caught:
        Crystals.from_file(path)
    assert "row 2, column" in str(caught.value)
    assert len(str(caught.value)) < 400


def test_angles_that_close_no_cell_are_refused(tmp_path):
    write(tmp_path / "x.csv", {"spacegroup": 1, "alpha": 60.0, "beta": 60.0, "gamma": 150.0})
    with pytest.raises(DataError, match=r"found \(60.0, 60.0, 150.0\), allowed: three angles that enclose a volume"):
        Crystals.from_file(tmp_path / "x.csv")


def test_rhombohedral_axes_are_refused_unless_asked_for(tmp_path):
    change = {"spacegroup": 166, "alpha": 60.0, "beta": 60.0, "gamma": 60.0, "elements": '{"Mg": 3, "O": 3}'}
    write(tmp_path / "x.csv", {**change, "n_atoms": 6})
    with pytest.raises(DataError, match=r"trigonal-rhombohedral\): .*hexagonal axes"):
        Crystals.from_file(tmp_path / "x.csv")
    assert len(Crystals.from_file(tmp_path / "x.csv", check_convention=False)) == 2


def test_names_that_contradict_the_space_group_are_refused(tmp_path):
    frame = pd.DataFrame([GOOD]).assign(crystal_lattice_system="cubic", point_symmetry="polar")
    with pytest.raises(DataError, match="found 'polar', allowed: 'centrosymmetric' for space group 225"):
        Crystals.from_dataframe(frame)


# ---- files


def test_a_pickle_is_never_loaded(tmp_path, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    for name in ("x.parquet", "x.csv"):
        (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"x\.parquet: a pickle, which is never loaded"):
        Crystals.from_file(tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.csv"):
        Crystals.from_file(tmp_path / "x.csv")
    assert not (tmp_path / "exploded").exists()


def test_files_of_another_kind_are_named(tmp_path):
    write(tmp_path / "good.parquet")
    (tmp_path / "x.csv").write_bytes((tmp_path / "good.parquet").read_bytes())
    (tmp_path / "text.parquet").write_text("formula,elements\n")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "folder.parquet").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    for name, message in (
        ("x.csv", "a parquet file under a .csv name"),
        ("text.parquet", "a file that starts with b'form'"),
        ("empty.csv", "the file is empty"),
        ("empty.parquet", "the file is empty"),
        ("folder.parquet", "a folder"),
        ("pipe.csv", "not a regular file"),
        ("god.parquet", r"no such file \(nearest: 'good.parquet'\)"),
        ("x.xlsx", "unknown kind of table '.xlsx'"),
        ("nul\0.csv", "null byte|no such file"),
        ("n" * 300 + ".csv", "cannot read|no such file"),
    ):
        with pytest.raises(DataError, match=message):
            Crystals.from_file(tmp_path / name)


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    write(tmp_path / "x.csv")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DataError, match=r"x\.csv: cannot be read \(Permission denied\)"):
        Crystals.from_file(tmp_path / "x.csv")


def test_columns_that_are_missing_doubled_or_nested(tmp_path):
    path = tmp_path / "x.csv"
    for name in REQUIRED:
        pd.DataFrame([GOOD]).rename(columns={name: f"{name}_"}).to_csv(path, index=False)
        with pytest.raises(DataError, match=f"no column '{name}', found"):
            Crystals.from_file(path)
    path.write_text("a,a,b\n1,2,3\n")
    with pytest.raises(DataError, match="column 'a' appears twice"):
        Crystals.from_file(path)
    for values in ([[1, 2]], [{"x": 1}], [b"\x00\xff"]):
        table = pa.Table.from_pandas(pd.DataFrame([GOOD])).append_column("odd", pa.array(values))
        pq.write_table(table, tmp_path / "x.parquet")
        with pytest.raises(DataError, match="column 'odd' holds"):
            Crystals.from_file(tmp_path / "x.parquet")


def test_harmless_types_are_understood(tmp_path):
    table = pa.Table.from_pandas(pd.DataFrame([GOOD, GOOD]))
    extras = {
        "category": pa.array(["x", "y"]).dictionary_encode(),
        "day": pa.array([0, 1], pa.date32()),
        "price": pa.array(["1.25", None]).cast(pa.decimal128(5, 2)),
        "half": pa.array([1.5, None], pa.float16()),
        "maybe": pa.array([True, None]),
        "big": pa.array([2**64 - 1, 0], pa.uint64()),
        "nothing": pa.nulls(2),
    }
    for name, array in extras.items():
        table = table.append_column(name, array)
    pq.write_table(table, tmp_path / "x.parquet")
    read = {name: values.tolist() for name, values in Crystals.from_file(tmp_path / "x.parquet").columns.items()}
    assert read["category"] == ["x", "y"]
    assert read["day"] == ["1970-01-01", "1970-01-02"]
    assert read["price"][0] == 1.25
    assert read["half"][0] == 1.5
    assert read["maybe"][0] == 1.0
    assert read["big"][0] == 2.0**64


def test_broken_rows_of_a_csv_are_named(tmp_path):
    path = tmp_path / "x.csv"
    write(path)
    path.write_text(path.read_text() + "MgO,oops\n")
    with pytest.raises(DataError, match="Expected 11 columns, got 2"):
        Crystals.from_file(path)
    write(path, {"material_id": "=HYPERLINK('http://evil')"})  # text like any other, which nothing here runs
    assert "=HYPERLINK('http://evil')" in Crystals.from_file(path).columns["material_id"].tolist()
    path.write_bytes(b"\xff\xfe" + path.read_bytes())
    with pytest.raises(DataError, match=r"x\.csv"):
        Crystals.from_file(path)


# ---- fuzzing: never any exception but DataError


def read_or_refuse(path) -> None:
    with contextlib.suppress(DataError):
        Crystals.from_file(path)


@FUZZ
@given(content=st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda b: b"PAR1" + b + b"PAR1")))
@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_random_bytes(content, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    read_or_refuse(tmp_path / name)


@FUZZ
@given(batch=crystals(min_size=1), data=st.data())
@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_cut_and_damaged_files(batch, data, name, tmp_path):
    path = tmp_path / name
    batch.to_file(path)
    content = bytearray(path.read_bytes())
    random_source = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(0, 5))):
        content[random_source.randrange(len(content))] = random_source.randrange(256)
    cut = data.draw(st.sampled_from([len(content), random_source.randrange(len(content) + 1)]))
    path.write_bytes(content[:cut])
    read_or_refuse(path)


CELL = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.sampled_from(['{"Mg": 4}', "225", "=1+1", "nan", "1e999", "9" * 400, "\x00", '"', "'", "\r", "{", "√"]),
)


@FUZZ
@given(table=st.lists(st.dictionaries(st.sampled_from([*GOOD, "extra", "=x"]), CELL), max_size=4))
@pytest.mark.parametrize("complete", [True, False])
def test_random_cells(table, complete, tmp_path):
    frame = pd.DataFrame([{**GOOD, **row} if complete else row for row in table])
    with io.StringIO() as text:
        frame.to_csv(text, index=False)
        (tmp_path / "x.csv").write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    read_or_refuse(tmp_path / "x.csv")
    with contextlib.suppress(DataError):
        Crystals.from_dataframe(frame)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["Mg", "O", "Xx"]), inner)),
    max_leaves=6,
)


@FUZZ
@given(text=st.one_of(st.text(max_size=30), JSON.map(json.dumps)))
def test_random_compositions(text):
    try:
        counts = rows.parse_elements(text)
    except DataError:
        return
    assert counts
    assert all(1 <= z <= 118 and isinstance(n, int) and n > 0 for z, n in counts.items())


@FUZZ
@given(text=st.one_of(st.text(max_size=30), st.text("MgOCa()0123456789 ", max_size=30)))
def test_random_formulas(text):
    counts = rows.parse_formula(text)
    assert counts is None or all(1 <= z <= 118 and n > 0 for z, n in counts.items())


METADATA = st.one_of(st.binary(max_size=50), JSON.map(lambda value: json.dumps({"elements": value}).encode()))


@FUZZ
@given(metadata=METADATA)
def test_random_metadata_is_ignored(metadata):
    table = pa.Table.from_pandas(pd.DataFrame([GOOD])).replace_schema_metadata({b"crystalgfn": metadata})
    assert Crystals(*rows.from_table(table, "x")).formulas == ["MgO"]


def test_metadata_may_list_more_elements_than_are_used():
    table = pa.Table.from_pandas(pd.DataFrame([GOOD]))
    listed = table.replace_schema_metadata({b"crystalgfn": b'{"elements": ["O", "Fe", "Mg"]}'})
    assert rows.from_table(listed, "x").elements == (8, 26, 12)
