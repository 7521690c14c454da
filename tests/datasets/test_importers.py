"""Importers: the real loaders of matminer and mp-api behind local data, and CSV files of CIFs."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from crystalgfn import datasets
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets import import_source
from crystalgfn.datasets.csv import CsvFile
from crystalgfn.datasets.matbench import DATASET, MatBench
from crystalgfn.datasets.materials_project import FIELDS, MaterialsProject
from crystalgfn.datasets.schema import table_schema
from crystalgfn.errors import DataError

SHARED = Path(__file__).parents[3] / "shared" / "data"
COLUMNS = [
    *("material_id", "source", "formula", "elements", "spacegroup", "a", "b", "c", "alpha", "beta", "gamma"),
    *("n_atoms", "n_atoms_primitive", "volume", "density", "wyckoff"),
    *("formation_energy_per_atom", "e_above_hull", "band_gap"),
]
DISORDERED = Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]])


@functools.cache
def salts() -> list[Structure]:
    """Primitive cells of three rock salts and one structure that cannot be imported."""
    good = [
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for cation, a in (("Mg", 4.212), ("Ca", 4.811), ("Sr", 5.160))
    ]
    return [*(structure.get_primitive_structure() for structure in good), DISORDERED]


@functools.cache
def cifs() -> list[str]:
    """The salts as CIF texts."""
    return [structure.to(fmt="cif") for structure in salts()]


def write_csv(path: Path, **columns: list) -> Path:
    """Write the salts as CIFs with further columns."""
    pd.DataFrame({"cif": cifs(), **columns}).to_csv(path, index=False)
    return path


def test_the_columns_are_those_of_the_development_data():
    assert table_schema().names == COLUMNS
    assert table_schema(("modulus",)).names == [*COLUMNS, "modulus"]
    if (SHARED / "crystals.parquet").exists():
        shared = pq.read_schema(SHARED / "crystals.parquet")
        assert shared.names == COLUMNS
        assert [str(kind).removeprefix("large_") for kind in shared.types] == [
            str(kind) for kind in table_schema().types
        ]


# ---- MatBench


@pytest.fixture
def matbench_folder(tmp_path, monkeypatch):
    """A folder with a small file in matminer's own format, which matminer takes for the published one."""
    retrieval = pytest.importorskip("matminer.datasets.dataset_retrieval", reason="matminer is not installed")
    from matminer.utils.io import store_dataframe_as_json

    path = tmp_path / f"{DATASET}.json.gz"
    frame = pd.DataFrame({"structure": salts(), "e_form": [-3.0, -3.3, -3.1, 0.0]})
    store_dataframe_as_json(frame, str(path), compression="gz")
    published = {**retrieval._load_dataset_dict()[DATASET], "hash": hashlib.sha256(path.read_bytes()).hexdigest()}
    monkeypatch.setattr(retrieval, "_dataset_dict", {DATASET: published})
    return tmp_path


@pytest.mark.filterwarnings("ignore")
def test_matbench_is_loaded_by_matminer(matbench_folder, tmp_path):
    report = import_source(MatBench(folder=matbench_folder), tmp_path / "data.parquet")
    assert report.written == 3
    assert report.failures == (("mb-mp-e-form-000004", "disordered: some sites are partly occupied"),)
    frame = pd.read_parquet(tmp_path / "data.parquet")
    assert frame.columns.tolist() == COLUMNS
    first = frame.iloc[0]
    assert first.material_id == "mb-mp-e-form-000001"
    assert (first.source, first.formula, first.spacegroup) == (DATASET, "MgO", 225)
    assert json.loads(first.elements) == {"Mg": 4, "O": 4}
    assert (first.a, first.gamma) == pytest.approx((4.212, 90.0))
    assert (first.n_atoms, first.n_atoms_primitive) == (8, 2)
    assert first.volume == pytest.approx(4.212**3)
    assert first.density == pytest.approx(3.58, abs=0.01)
    assert sorted((s, n) for s, _, n in json.loads(first.wyckoff)) == [("Mg", 4), ("O", 4)]
    assert frame.formation_energy_per_atom.tolist() == [-3.0, -3.3, -3.1]
    assert frame.band_gap.isna().all()
    assert Crystals.from_file(tmp_path / "data.parquet").formulas == ["MgO", "CaO", "SrO"]


@pytest.mark.filterwarnings("ignore")
def test_a_file_that_matbench_did_not_publish_is_not_read(matbench_folder):
    with (matbench_folder / f"{DATASET}.json.gz").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(DataError, match=r"is not the published file.*delete it"):
        MatBench(folder=matbench_folder)


@pytest.mark.filterwarnings("ignore")
def test_matbench_without_network_or_matminer(tmp_path, monkeypatch):
    pytest.importorskip("matminer.datasets", reason="matminer is not installed")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr("requests.get", unreachable)
    with pytest.raises(DataError, match=r"could not be loaded \(ConnectionError: no route to host"):
        MatBench(folder=tmp_path)
    monkeypatch.setitem(sys.modules, "matminer.datasets", None)
    with pytest.raises(DataError, match=r"pip install 'crystalgfn\[data\]'"):
        MatBench(folder=tmp_path)


# ---- Materials Project


def arguments_of(file: str, class_name: str, method: str) -> set[str]:
    """The arguments of a method of the installed mp-api, read without importing it, which takes many seconds."""
    try:
        path = importlib.metadata.distribution("mp-api").locate_file(f"mp_api/{file}")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("mp-api is not installed")
    classes = [
        n for n in ast.parse(Path(path).read_text()).body if isinstance(n, ast.ClassDef) and n.name == class_name
    ]
    found = [n for n in classes[0].body if isinstance(n, ast.FunctionDef) and n.name == method]
    return {argument.arg for argument in (*found[0].args.args, *found[0].args.kwonlyargs)}


class Client:
    """Answers as mp_api.client.MPRester with use_document_model=False; refuses queries that it would not understand."""

    def __init__(self, documents: list[dict]) -> None:
        self.documents = {document["material_id"]: document for document in documents}
        self.queries: list[dict] = []
        self.materials = SimpleNamespace(summary=SimpleNamespace(search=self.search))

    def search(self, **query) -> list[dict]:
        assert set(query) <= arguments_of("client/routes/materials/summary.py", "SummaryRester", "search")
        self.queries.append(query)
        names = query.get("material_ids") or reversed(self.documents)
        return [{field: self.documents[name].get(field) for field in query["fields"]} for name in names]


def documents() -> list[dict]:
    return [
        {
            "material_id": f"mp-{number}",
            "structure": structure.as_dict(),
            "formation_energy_per_atom": -3.0 - number,
            "energy_above_hull": 0.0,
            "band_gap": None if number == 9 else 4.5,
        }
        for number, structure in zip((10, 9, 111, 2), salts(), strict=True)
    ]


def test_materials_project_asks_for_names_and_then_for_structures(tmp_path):
    client = Client(documents())
    source = MaterialsProject(client=client, chemsys=["Mg-O", "Ca-O"], max_e_above_hull=0.1)
    report = import_source(source, tmp_path / "data.parquet")
    frame = pd.read_parquet(tmp_path / "data.parquet")
    assert frame.material_id.tolist() == ["mp-9", "mp-10", "mp-111"]
    assert frame.source.unique().tolist() == ["materials_project"]
    assert frame.formation_energy_per_atom.tolist() == [-12.0, -13.0, -114.0]
    assert frame.e_above_hull.tolist() == [0.0, 0.0, 0.0]
    assert math.isnan(frame.band_gap[0])
    assert report.failures[0][0] == "mp-2"
    names, structures = client.queries
    assert names["fields"] == ["material_id"]
    assert names["chemsys"] == ["Mg-O", "Ca-O"]
    assert names["energy_above_hull"] == (0.0, 0.1)
    assert names["include_gnome"] is False
    assert structures["material_ids"] == ["mp-2", "mp-9", "mp-10", "mp-111"]
    assert structures["fields"] == FIELDS


def test_a_material_that_is_gone_is_a_failure_of_its_own(tmp_path):
    client = Client(documents())
    source = MaterialsProject(client=client, limit=2)
    client.documents["mp-9"]["structure"] = None
    with pytest.raises(DataError, match="none of 2 entries could be imported; the first, mp-2: disordered"):
        import_source(source, tmp_path / "data.parquet")
    assert list(tmp_path.iterdir()) == []


def test_materials_project_without_key_client_or_answer(monkeypatch):
    with pytest.raises(DataError, match="set MP_API_KEY or give --api-key"):
        MaterialsProject()
    silent = SimpleNamespace(materials=SimpleNamespace(summary=SimpleNamespace(search=lambda **_: 1 / 0)))
    with pytest.raises(DataError, match=r"did not answer \(ZeroDivisionError"):
        MaterialsProject(client=silent)
    with pytest.raises(DataError, match="has no entry for"):
        MaterialsProject(client=Client([]))
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(DataError, match=r"pip install 'crystalgfn\[data\]'"):
        MaterialsProject(api_key="k" * 32)


def test_materials_project_opens_mp_api_with_the_key_and_never_shows_it(monkeypatch):
    seen = {}

    def rester(api_key, **options):
        assert set(options) <= arguments_of("client/mprester.py", "MPRester", "__init__")
        seen.update(options, api_key=api_key)
        if api_key == "secret":
            raise ValueError(f"bad key {api_key}")
        return Client(documents())

    monkeypatch.setitem(sys.modules, "mp_api.client", SimpleNamespace(MPRester=rester))
    assert len(MaterialsProject(api_key="k" * 32)) == 4
    assert seen == {"api_key": "k" * 32, "use_document_model": False, "mute_progress_bars": True}
    with pytest.raises(DataError, match=r"refused \(ValueError: bad key \.\.\.\)"):
        MaterialsProject(api_key="secret")


# ---- CSV


@pytest.mark.filterwarnings("ignore")
def test_csv_of_cifs(tmp_path):
    path = write_csv(
        tmp_path / "mine.csv", material_id=["x1", None, "x3", "x4"], e_form=[-3.0, None, -1.0, 0.0], K=[160, 110, 90, 1]
    )
    source = CsvFile(path, labels={"formation_energy_per_atom": "e_form"}, keep=["K"])
    report = import_source(source, tmp_path / "data.csv")
    read = Crystals.from_file(tmp_path / "data.csv")
    assert read.formulas == ["MgO", "CaO", "SrO"]
    assert read.column("material_id").tolist() == ["x1", "mine-000002", "x3"]
    assert read.column("source").tolist() == ["mine"] * 3
    assert read.column("K").tolist() == [160, 110, 90]
    assert math.isnan(read.column("formation_energy_per_atom")[1])
    assert report.failures[0][0] == "x4"
    failures = pd.read_csv(report.failures_path)
    assert failures.material_id.tolist() == ["x4"]
    assert report.failures_path.name == "data.failures.csv"
    assert "wrote 3 crystals" in report.summary()
    assert "1 failed" in report.summary()
    assert "x4" in report.summary()


@pytest.mark.filterwarnings("ignore")
def test_broken_cifs_are_failures_with_reasons(tmp_path):
    good = cifs()[0]
    endless, infinite = "data_\n" + "x" * 1_000_001, re.sub(r"(_cell_length_a +)\S+", r"\1 inf", good)
    texts = [good, "", "not a cif", good[: len(good) // 2], endless, infinite]
    pd.DataFrame({"cif": texts}).to_csv(tmp_path / "x.csv", index=False)
    report = import_source(CsvFile(tmp_path / "x.csv"), tmp_path / "data.parquet", chunk=2)
    assert report.written == 1
    assert [name for name, _ in report.failures] == [f"x-{row:06d}" for row in range(2, 7)]
    assert all(reason for _, reason in report.failures)


@pytest.mark.filterwarnings("ignore")
def test_the_failures_of_an_earlier_import_do_not_stay(tmp_path):
    path = write_csv(tmp_path / "mine.csv")
    import_source(CsvFile(path), tmp_path / "data.parquet")
    assert (tmp_path / "data.failures.csv").exists()
    report = import_source(CsvFile(path, limit=3), tmp_path / "data.parquet")
    assert report.failures == ()
    assert not (tmp_path / "data.failures.csv").exists()
    assert report.summary() == f"wrote 3 crystals to {tmp_path / 'data.parquet'}"


def test_wrong_csv_files_are_refused(tmp_path):
    path = write_csv(tmp_path / "x.csv", energy=["a", "b", None, "d"], K=[1, 2, 3, 4])
    for arguments, message in (
        ({"labels": {"e_form": "K"}}, r"label 'e_form', allowed: formation_energy_per_atom"),
        ({"labels": {"band_gap": "gap"}}, "no column 'gap'"),
        ({"labels": {"band_gap": "energy"}}, "row 1, column 'energy': found 'a', allowed: numbers"),
        ({"keep": ["energies"]}, r"no column 'energies'.*nearest: 'energy'"),
        ({"keep": ["cif"]}, "taken over anyway"),
    ):
        with pytest.raises(DataError, match=message):
            CsvFile(path, **arguments)
    (tmp_path / "no.csv").write_text("structure\ndata_\n")
    with pytest.raises(DataError, match="no column 'cif', found: structure"):
        CsvFile(tmp_path / "no.csv")
    with pytest.raises(DataError, match=r"allowed: a \.csv file"):
        CsvFile(tmp_path / "x.parquet")


# ---- resuming

KILLED = """
import os, signal, sys
from pathlib import Path
from crystalgfn.datasets import import_source
from crystalgfn.datasets.csv import CsvFile
class Killed(CsvFile):
    def entries(self, start):
        for entry in super().entries(start):
            if entry.material_id == "mine-000004":
                os.kill(os.getpid(), signal.SIGKILL)
            yield entry
import_source(Killed(Path(sys.argv[1])), Path(sys.argv[2]), chunk=1)
"""


@pytest.mark.filterwarnings("ignore")
def test_a_killed_import_goes_on_where_it_stopped(tmp_path):
    path, output = write_csv(tmp_path / "mine.csv"), tmp_path / "data.parquet"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(path), str(output)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert not output.exists()
    source = CsvFile(path)
    asked = []
    source_entries = source.entries
    source.entries = lambda start: asked.append(start) or source_entries(start)
    report = import_source(source, output, chunk=1)
    assert asked == [3]
    assert (report.written, len(report.failures)) == (3, 1)
    whole = import_source(CsvFile(path), tmp_path / "whole.parquet")
    assert whole.failures == report.failures
    assert pd.read_parquet(output).equals(pd.read_parquet(tmp_path / "whole.parquet"))


def test_rows_that_a_reader_would_refuse_become_failures(tmp_path, monkeypatch):
    original = datasets.conventional_cell

    def impossible(structure):
        cell = original(structure)
        if 12 in cell.counts:
            object.__setattr__(cell, "lattice", (4.0, 5.0, 6.0, 90.0, 90.0, 90.0))
        return cell

    monkeypatch.setattr(datasets, "conventional_cell", impossible)
    path = write_csv(tmp_path / "mine.csv")
    report = import_source(CsvFile(path, limit=3), tmp_path / "data.parquet")
    assert report.written == 2
    assert report.failures[0][0] == "mine-000001"
    assert "impossible crystal" in report.failures[0][1]
