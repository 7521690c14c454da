"""The notebooks run from a clean folder, in under a minute each, and show what their texts promise."""

from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

NOTEBOOKS = Path(__file__).resolve().parents[1] / "examples" / "notebooks"

NEEDS = {
    "first_candidates": ("chgnet", "plotly"),
    "your_own_property": (),
    "cif_to_dft": ("ase",),
}
"""Libraries of extras that each notebook needs."""


def executed(name, folder):
    for library in NEEDS[name]:
        pytest.importorskip(library)
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    return notebook


def shown(notebook, kind):
    """Outputs of a kind (MIME type) of all cells, in order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def printed(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output["text"] for output in outputs if output["output_type"] == "stream")


def test_every_notebook_is_run():
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(NEEDS)


@pytest.mark.parametrize("name", NEEDS)
def test_notebooks_are_stored_without_outputs(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)


def test_first_candidates(tmp_path):
    notebook = executed("first_candidates", tmp_path)
    pages = shown(notebook, "text/html")
    assert "<svg" in pages[0]
    assert sum("<iframe" in page for page in pages) == 2
    assert max(map(len, shown(notebook, "text/plain"))) < 3_000
    assert len(list((tmp_path / "candidates" / "cif").glob("*.cif"))) == 2
    assert (tmp_path / "candidates.html").stat().st_size > 1e5


def test_your_own_property(tmp_path):
    notebook = executed("your_own_property", tmp_path)
    before, after = printed(notebook).split(" wt% after")[0].split("\n")[-1].split(" wt% before, ")
    assert float(after) > 1.5 * float(before)
    assert (tmp_path / "lithium.parquet").is_file()


def test_cif_to_dft(tmp_path):
    notebook = executed("cif_to_dft", tmp_path)
    folders = list((tmp_path / "vasp").iterdir())
    assert len(folders) == 3
    assert all({path.name for path in folder.iterdir()} == {"INCAR", "KPOINTS", "POSCAR"} for folder in folders)
    assert shown(notebook, "text/plain")[-1].count("Atoms(") == 3
