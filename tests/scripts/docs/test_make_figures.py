"""scripts/docs/make_figures.py draws the paper's figures from tables, and leaves out what there is no table for."""

import numpy as np
import pandas as pd
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.proxies.data.splits import grouped_split
from script_files import load_script

pytest.importorskip("matplotlib")
PROXY = "formation_energy_paper"


@pytest.fixture(scope="module")
def script():
    return load_script("docs/make_figures.py")


def table(seed, elements=(3, 8, 12), n=60, **columns):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (n, len(elements)))
    counts[:, 0] += 1
    lattice = np.column_stack((rng.uniform(3, 6, (n, 3)), np.full((n, 3), 90.0)))
    groups = torch.tensor(rng.choice([1, 2, 16, 47], n))
    oxygen = counts[:, 1] / counts.sum(1)
    columns = {name: rng.normal(0, 0.05, n) - 5.0 * np.minimum(oxygen, 1 - oxygen) for name in columns.values()}
    return Crystals(elements, groups, torch.tensor(counts), torch.tensor(lattice), columns)


@pytest.fixture
def files(tmp_path):
    table(0, e=f"{PROXY} [eV/atom]").to_parquet(tmp_path / "samples.parquet")
    table(1, e=f"{PROXY} [eV/atom]").to_parquet(tmp_path / "untrained.parquet")
    real = table(2, (3, 8, 12, 26), n=300, e="formation_energy_per_atom")
    real.with_columns(material_id=np.array([f"m{i}" for i in range(300)], dtype=object)).to_parquet(
        tmp_path / "real.parquet"
    )
    rng = np.random.default_rng(3)
    energies = {name: rng.normal(-2, 0.4, 30) for name in ("formation_energy_chgnet", "input formation_energy")}
    found = {f"{name} [eV/atom]": values for name, values in energies.items()}
    found["e_above_hull_chgnet [eV/atom]"] = np.append(rng.uniform(0, 0.6, 29), np.nan)
    pd.DataFrame({"row": range(30), "status": "relaxed", "formula": "LiO", "counts": "{}", **found}).to_parquet(
        tmp_path / "structures.parquet"
    )
    return tmp_path


def test_every_figure_is_drawn_and_small(script, files, monkeypatch):
    monkeypatch.setattr(script, "PROPOSALS", 2_000)
    call = [f"--samples=a={files}/samples.parquet", f"--samples=b={files}/samples.parquet"]
    call += [f"--untrained=u={files}/untrained.parquet", f"--real={files}/real.parquet"]
    call += [f"--structures=a={files}/structures.parquet", "--constraints=a=default", "-o", str(files / "images")]
    assert script.main(call) == 0
    drawn = {path.stem: path for path in (files / "images").glob("*.png")}
    listed = script.__doc__.split("comes with pymatgen.")[1].strip().splitlines()
    assert set(drawn) == {line.split()[0] for line in listed}
    for path in drawn.values():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size < 150_000


def test_without_labels_and_structures_the_rest_is_drawn(script, files):
    assert script.main([f"--samples=a={files}/samples.parquet", "-o", str(files / "images")]) == 0
    drawn = {path.stem for path in (files / "images").glob("*.png")}
    assert drawn == {"energies", "elements", "co-occurrence", "space-groups", "lattice", "volumes"}


def test_errors_are_those_of_rows_that_were_held_out(script, files, monkeypatch):
    labelled = script.read_labelled(files / "real.parquet")
    split = grouped_split(labelled.crystals.formulas, labelled.target, seed=0)
    monkeypatch.setattr(script, "split_of", lambda *_: split)
    found = script._predictions(files / "real.parquet", [PROXY], {3, 8})[PROXY]
    assert found.true.tolist() == labelled.target[split.test].tolist()
    assert len(found.fitted) == 300 - split.test.sum()
    held = (labelled.crystals.counts[:, 2:] > 0).any(1).numpy()
    assert found.within.tolist() == (~held[split.test]).tolist()


def test_samples_without_energies(script, files, capsys):
    table(4).to_parquet(files / "bare.parquet")
    assert script.main([f"--samples=a={files}/bare.parquet", "-o", str(files / "images")]) == 2
    assert "a: no column in eV/atom" in capsys.readouterr().err
