"""MatBench: the real loader of matminer behind local data."""

from __future__ import annotations

import hashlib
import json
import sys

import pandas as pd
import pytest

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.datasets import import_source
from crystalgfn.datasets.matbench import DATASET, MatBench
from crystalgfn.errors import DataError
from import_data import COLUMNS, salts


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
