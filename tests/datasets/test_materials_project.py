"""The Materials Project: the real client's interface behind local data, and a key that is never shown."""

from __future__ import annotations

import ast
import importlib.metadata
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from crystalgfn.datasets import import_source
from crystalgfn.datasets.materials_project import FIELDS, MaterialsProject
from crystalgfn.errors import DataError
from import_data import salts


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
    with pytest.raises(DataError, match="set MP_API_KEY in the environment"):
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
