"""Tables: what is written is read back unchanged; a kill or a full disk leaves whole files only."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings

from crystal_strategies import crystals
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.tables import PartWriter, TableWriter, files, schema
from crystalgfn.errors import DataError
from crystalgfn.files import atomic

SHARED = Path(__file__).parents[4] / "shared" / "data"
PATHS = os.pathsep.join((str(Path(__file__).parent), str(Path(__file__).parents[2] / "helpers")))
ROUND_TRIP = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def example(size: int = 3) -> Crystals:
    """Rock salts of growing size with the columns of a samples table."""
    a = torch.linspace(4.0, 6.0, size, dtype=torch.float64)
    angles = torch.full((size, 3), 90.0, dtype=torch.float64)
    return Crystals(
        elements=(3, 8, 12),
        space_group=torch.full((size,), 225),
        counts=torch.tensor([[0, 4, 4]]).repeat(size, 1),
        lattice=torch.cat([a[:, None].repeat(1, 3), angles], dim=1),
        columns={
            "log_pb": np.full(size, -1.0),
            "log_pf": np.full(size, -2.5),
            "material_id": np.array([f"mp-{i}" for i in range(size)], dtype=object),
            "log_reward": np.linspace(0, 1, size),
            "formation_energy [eV/atom]": np.linspace(-3, -2, size, dtype=np.float32),
        },
    )


def without_unused_elements(batch: Crystals) -> Crystals:
    """What CSV can know: the elements that have atoms."""
    return batch.with_elements(sorted(z for z, n in zip(batch.elements, batch.counts.sum(0), strict=True) if n))


@ROUND_TRIP
@given(batch=crystals())
def test_parquet_gives_back_the_same_bits(batch, tmp_path):
    batch.to_parquet(tmp_path / "x.parquet")
    assert Crystals.from_file(tmp_path / "x.parquet").equals(batch)


@ROUND_TRIP
@given(batch=crystals(min_size=1))
def test_csv_gives_back_the_same_bits(batch, tmp_path):
    batch.to_csv(tmp_path / "x.csv")
    assert Crystals.from_file(tmp_path / "x.csv").equals(without_unused_elements(batch))


@ROUND_TRIP
@given(batch=crystals(min_size=1))
def test_data_frames_give_back_the_same_bits(batch):
    assert Crystals.from_dataframe(batch.to_dataframe()).equals(batch)


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_table_without_rows_is_read_back(name, tmp_path):
    example(0).to_file(tmp_path / name)
    assert len(Crystals.from_file(tmp_path / name)) == 0


def test_missing_text_and_numbers_come_back_as_missing(tmp_path):
    batch = example(3).with_columns(note=["a", None, ""], gap=[1.5, np.nan, np.inf])
    for name in ("x.csv", "x.parquet"):
        batch.to_file(tmp_path / name)
        read = Crystals.from_file(tmp_path / name)
        assert read.columns["note"].tolist() == ["a", None, ""]
        np.testing.assert_array_equal(read.columns["gap"], [1.5, np.nan, np.inf])
    assert (tmp_path / "x.csv").read_text().splitlines()[2].endswith(",,")


def test_columns_stand_in_their_order_with_units(tmp_path):
    example().to_parquet(tmp_path / "x.parquet")
    written = pq.read_schema(tmp_path / "x.parquet")
    assert ",".join(written.names) == (
        "formula,elements,spacegroup,crystal_lattice_system,point_symmetry,a,b,c,alpha,beta,gamma,"
        "n_atoms,n_atoms_primitive,volume_per_atom,density,"
        "formation_energy [eV/atom],log_reward,log_pf,log_pb,material_id"
    )
    units = {name: written.field(name).metadata[b"unit"].decode() for name in ("a", "gamma", "density")}
    assert units == {"a": "A", "gamma": "degree", "density": "g/cm3"}
    assert written.field("volume_per_atom").metadata == {b"unit": b"A^3/atom"}
    assert written.field("formation_energy [eV/atom]").metadata == {b"unit": b"eV/atom"}
    assert written.field("log_pf").metadata is None
    assert schema.unit_of(schema.name_with_unit("band_gap", "eV")) == "eV"
    assert schema.name_with_unit("score", "") == "score"


def test_pandas_reads_the_files_and_its_files_are_read(tmp_path):
    batch = example()
    batch.to_csv(tmp_path / "x.csv")
    frame = pd.read_csv(tmp_path / "x.csv")
    assert frame.formula.tolist() == ["MgO"] * 3
    assert json.loads(frame.elements[0]) == {"Mg": 4, "O": 4}
    assert frame.crystal_lattice_system[0] == "cubic"
    assert frame.point_symmetry[0] == "centrosymmetric"
    assert frame.n_atoms_primitive.tolist() == [2, 2, 2]
    frame.to_csv(tmp_path / "y.csv", index=False)
    frame.to_parquet(tmp_path / "y.parquet")
    for name in ("y.csv", "y.parquet"):
        assert Crystals.from_file(tmp_path / name).equals(without_unused_elements(batch))


def test_elements_may_be_dictionaries_in_a_frame():
    frame = example().to_dataframe()
    frame["elements"] = [{"Mg": 4, "O": 4.0}] * 3
    assert Crystals.from_dataframe(frame).equals(example())
    frame["elements"] = [{"Mg": 4, "O": 4}, {"Mg": "four"}, None]
    with pytest.raises(DataError, match="row 2, column 'elements'"):
        Crystals.from_dataframe(frame)


RISKY = [
    "=cmd()",
    "+1+1",
    "@SUM(A1)",
    "\t=1",
    "'=x",
    "'",
    "''",
    "",
    None,
    " ",
    "a, b",
    'a "b"',
    "two\nlines",
    "\r",
    "plain",
]


def test_text_stands_in_csv_as_it_is(tmp_path):
    batch = example(len(RISKY)).with_columns(**{"note": RISKY, "=header": np.arange(len(RISKY))})
    batch.to_csv(tmp_path / "x.csv")
    frame = pd.read_csv(tmp_path / "x.csv", keep_default_na=False)
    assert "=header" in frame
    assert frame.note.tolist() == ["''=x" if t == "'=x" else f"'{t}" if t in ("'", "''") else t or "" for t in RISKY]
    assert Crystals.from_file(tmp_path / "x.csv").columns["note"].tolist() == RISKY


def test_a_spreadsheet_runs_nothing_of_its_csv(tmp_path):
    batch = example(len(RISKY)).with_columns(**{"note": RISKY, "=header": np.arange(len(RISKY))})
    with (tmp_path / "x.csv").open("wb") as stream:
        files.write_csv(iter([schema.to_table(batch)]), stream, spreadsheet=True)
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.reader(stream)):
            for cell in row:
                if number == 0 or not _is_number(cell):
                    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell
    assert Crystals.from_file(tmp_path / "x.csv").columns["note"].tolist() == RISKY


@pytest.mark.parametrize(
    "note", [["1", "-2"], ["NaN", "inf"], ["true", "false"], ["", ""], [" 5", "6 "], ["0x1F", "NA"]]
)
def test_text_that_looks_like_numbers_stays_text(note, tmp_path):
    example(2).with_columns(note=note, material_id=note).to_csv(tmp_path / "x.csv")
    read = Crystals.from_file(tmp_path / "x.csv").columns
    assert read["note"].tolist() == read["material_id"].tolist() == note


def test_numbers_in_quotation_marks_may_be_missing(tmp_path):
    frame = example(3).with_columns(gap=[1.5, np.nan, 2.0]).to_dataframe()
    frame.to_csv(tmp_path / "x.csv", index=False, quoting=csv.QUOTE_ALL)
    np.testing.assert_array_equal(Crystals.from_file(tmp_path / "x.csv").columns["gap"], [1.5, np.nan, 2.0])


def test_apostrophes_of_older_files_are_taken_away(tmp_path):
    example(3).with_columns(note=["a", "b", "c"]).to_csv(tmp_path / "x.csv")
    text = (tmp_path / "x.csv").read_text().splitlines()
    old = [f"{line.rpartition(',')[0]},{cell}" for line, cell in zip(text[1:], ["'", "'=x", "'12"], strict=True)]
    (tmp_path / "x.csv").write_text("\n".join([text[0], *old]))
    assert Crystals.from_file(tmp_path / "x.csv").columns["note"].tolist() == ["", "=x", "12"]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.skipif(not (SHARED / "crystals.parquet").exists(), reason="the development data are not here")
def test_development_data_keep_their_labels():
    batch = Crystals.from_file(SHARED / "crystals.parquet")
    frame = pd.read_parquet(SHARED / "crystals.parquet")
    labels = {"formation_energy_per_atom", "e_above_hull", "band_gap"}
    assert set(batch.columns) == {"material_id", "source", "wyckoff", *labels}
    np.testing.assert_array_equal(batch.column("e_above_hull"), frame.e_above_hull)
    np.testing.assert_allclose(batch.volume, frame.volume, rtol=1e-9)
    np.testing.assert_allclose(batch.density, frame.density, rtol=1e-4)


def test_columns_that_follow_from_the_crystal_cannot_be_set():
    with pytest.raises(DataError, match="'density' follows from the crystal"):
        example().with_columns(density=np.ones(3)).to_dataframe()
    with pytest.raises(DataError, match="'odd' cannot be written"):
        example().with_columns(odd=np.array([1, "a", None], dtype=object)).to_dataframe()
    with pytest.raises(DataError, match=r"space groups from 0 to 0, allowed: 1\.\.230"):
        Crystals((8,), torch.zeros(1), torch.ones(1, 1), torch.ones(1, 6)).to_dataframe()


# ---- writing in parts


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_parts_become_one_file(name, tmp_path):
    batch = example(10)
    with TableWriter(tmp_path / name, manifest={"seed": 0}) as writer:
        for start in range(0, 10, 4):
            writer.write_crystals(batch[start : start + 4])
            assert not (tmp_path / name).exists()
        assert (writer.parts, writer.rows) == (3, 10)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    read = Crystals.from_file(tmp_path / name)
    assert read.with_elements(batch.elements).equals(batch)


KILLED = """
import os, signal, sys
sys.path[:0] = sys.argv[3].split(os.pathsep)
from test_tables import example
from crystalgfn.crystals.tables import TableWriter, files
batch = example(10)
with TableWriter(sys.argv[1], manifest={"seed": 0, "n": 10}) as writer:
    writer.write_crystals(batch[:4])
    writer.write_crystals(batch[4:8])
    if sys.argv[2] == "merging":
        writer.write_crystals(batch[8:])
        files.WRITERS[".parquet"] = lambda tables, stream: (stream.write(b"PAR1"), os.kill(os.getpid(), signal.SIGKILL))
    else:
        files.pq.write_table = lambda table, stream, **_: (stream.write(b"PAR1"), os.kill(os.getpid(), signal.SIGKILL))
        writer.write_crystals(batch[8:])
"""


@pytest.mark.parametrize("moment", ["writing", "merging"])
def test_a_killed_writer_leaves_whole_rows_and_goes_on(moment, tmp_path):
    path = tmp_path / "x.parquet"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), moment, PATHS], check=False)
    assert done.returncode == -9
    assert not path.exists()
    parts = sorted(path.with_name("x.parquet.partial").glob("part-*.parquet"))
    assert sum(len(Crystals.from_file(part)) for part in parts) == (8 if moment == "writing" else 10)
    with TableWriter(path, manifest={"n": 10, "seed": 0}) as writer:
        assert writer.rows == (8 if moment == "writing" else 10)
        if moment == "writing":
            writer.write_crystals(example(10)[8:])
    assert Crystals.from_file(path).equals(example(10))
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_another_run_may_not_go_on_with_the_parts(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(RuntimeError), TableWriter(path, manifest={"seed": 1, "n": 5}) as writer:
        writer.write_crystals(example())
        raise RuntimeError
    with pytest.raises(DataError, match=r"x\.parquet\.partial .*seed: 1 then, 2 now.*delete the folder"):
        TableWriter(path, manifest={"seed": 2, "n": 5})
    with TableWriter(path, manifest={"seed": 2, "n": 5}, restart=True) as writer:
        assert writer.rows == 0
        writer.write_crystals(example(1))
    assert len(Crystals.from_file(path)) == 1


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    path = tmp_path / "x.csv"
    with TableWriter(path) as writer:
        writer.write_crystals(example())
        with pytest.raises(DataError, match=r"x\.csv\.partial: in use by process"):
            TableWriter(path)
    assert len(Crystals.from_file(path)) == 3


def test_damaged_parts_are_named(tmp_path):
    path = tmp_path / "x.parquet"
    for name, content, message in (
        ("manifest.json", b"{", "not readable as JSON"),
        ("part-000000.parquet", b"garbage", "cannot be read"),
    ):
        partial = path.with_name("x.parquet.partial")
        partial.mkdir(exist_ok=True)
        (partial / "manifest.json").write_text("{}")
        (partial / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{message}.*delete the folder"):
            TableWriter(path)


def test_parts_must_have_the_same_columns(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(DataError, match="allowed: those before"), TableWriter(path) as writer:
        writer.write_crystals(example())
        writer.write_crystals(example().with_columns(extra=np.ones(3)))
    with pytest.raises(DataError, match="allowed: those before"), TableWriter(path) as writer:
        assert writer.rows == 3
        writer.write_crystals(example().with_columns(extra=np.ones(3)))


def test_a_writer_removes_only_its_own_files(tmp_path):
    partial = tmp_path / "x.csv.partial"
    partial.mkdir()
    (partial / "thesis.tex").write_text("mine")
    with TableWriter(tmp_path / "x.csv") as writer:
        writer.write_crystals(example())
    assert [path.name for path in partial.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("name", ["nowhere/x.parquet", "x.parqet", "folder.csv"])
def test_places_that_cannot_be_written_are_refused_at_once(name, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    message = {"nowhere/x.parquet": "there is no folder", "x.parqet": "nearest: '.parquet'", "folder.csv": "folder"}
    with pytest.raises(DataError, match=message[name]):
        TableWriter(tmp_path / name)
    with pytest.raises(DataError):
        example().to_file(tmp_path / name)


# ---- full disk


def full_disk(monkeypatch: pytest.MonkeyPatch, writes: int = 0) -> None:
    """Let the disk be full from a certain fsync on."""
    real, seen = os.fsync, []

    def fsync(handle: int) -> None:
        seen.append(handle)
        if len(seen) > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("name", ["x.csv", "x.parquet"])
def test_a_full_disk_leaves_the_old_file(name, tmp_path, monkeypatch):
    example(2).to_file(tmp_path / name)
    full_disk(monkeypatch)
    with pytest.raises(DataError, match=r"cannot write .*: No space left on device"):
        example(3).to_file(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(Crystals.from_file(tmp_path / name)) == 2


def test_a_full_disk_at_the_start_leaves_nothing(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    with pytest.raises(DataError, match="No space left"), TableWriter(tmp_path / "x.parquet") as writer:
        writer.write_crystals(example())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_later_keeps_the_whole_parts(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    with monkeypatch.context() as patch:
        full_disk(patch, writes=4)  # the manifest and one part, each with its folder
        said = r"No space left on device; 3 rows are kept in .*x\.csv\.partial: .* run the same again"
        with pytest.raises(DataError, match=said), TableWriter(path) as writer:
            writer.write_crystals(example())
            writer.write_crystals(example())
    assert not path.exists()
    with TableWriter(path) as writer:
        assert writer.rows == 3
    assert len(Crystals.from_file(path)) == 3


LIMITED = """
import os, resource, sys
sys.path[:0] = sys.argv[2].split(os.pathsep)
from test_tables import example
from crystalgfn.crystals import tables
from crystalgfn.errors import DataError
batch = example(5_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    if sys.argv[3] == "writer":
        with tables.TableWriter(sys.argv[1]) as writer:
            writer.write_crystals(batch)
    else:
        batch.to_file(sys.argv[1])
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize(("how", "name"), [("writer", "x.csv"), ("write", "x.parquet")])
def test_a_file_size_limit_of_the_system_leaves_nothing(name, how, tmp_path):
    arguments = [str(tmp_path / name), PATHS, how]
    done = subprocess.run([sys.executable, "-c", LIMITED, *arguments], check=True, capture_output=True, text=True)
    assert "File too large" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(atomic.tempfile, "mkstemp", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        example().to_file(tmp_path / "x.csv")
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        TableWriter(tmp_path / "x.csv")


def test_arrow_tables_are_written_in_parts_too(tmp_path):
    table = schema.to_table(example())
    with PartWriter(tmp_path / "x.parquet", manifest={"source": "test"}) as writer:
        writer.write(table)
        writer.write(table)
    assert pq.read_metadata(tmp_path / "x.parquet").num_rows == 6


def test_notes_stay_with_the_parts_and_out_of_the_file(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(RuntimeError), TableWriter(path) as writer:
        writer.write_crystals(example(1), notes={"dead_ends": 0})
        raise RuntimeError
    with TableWriter(path) as writer:
        writer.write_crystals(example(2))
        assert writer.notes() == [{"dead_ends": 0}, None]
    assert list(pq.read_schema(path).metadata) == [b"crystalgfn"]


def test_a_writer_without_parts_leaves_nothing(tmp_path):
    with TableWriter(tmp_path / "x.parquet"):
        pass
    assert list(tmp_path.iterdir()) == []
