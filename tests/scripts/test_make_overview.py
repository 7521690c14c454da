"""scripts/docs/make_overview.py draws its picture from any samples table, with or without others to compare."""

import numpy as np
import pytest
import torch
from script_files import load_script

from crystalgfn.crystals.crystal import Crystals

pytest.importorskip("matplotlib")
ENERGY = "formation_energy [eV/atom]"


@pytest.fixture(scope="module")
def script():
    return load_script("docs/make_overview.py")


def table(seed, elements=(3, 8, 12), n=50):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (n, len(elements)))
    counts[:, 0] += 1
    lattice = np.column_stack((rng.uniform(3, 6, (n, 3)), np.full((n, 3), 90.0)))
    groups = torch.tensor(rng.choice([1, 2, 16, 47], n))
    return Crystals(elements, groups, torch.tensor(counts), torch.tensor(lattice), {ENERGY: rng.normal(-2, 0.5, n)})


@pytest.mark.parametrize("compared", [(), ("untrained",), ("untrained", "real")])
def test_it_draws_a_picture(script, tmp_path, compared):
    call = ["-o", str(tmp_path / "images" / "o.png")]
    for seed, name in enumerate(("samples", *compared)):
        table(seed).to_parquet(tmp_path / f"{name}.parquet")
        call += [f"--{name}", str(tmp_path / f"{name}.parquet")]
    assert script.main(call) == 0
    assert (tmp_path / "images" / "o.png").read_bytes().startswith(b"\x89PNG")


def test_real_crystals_are_those_of_the_same_elements(script):
    foreign = table(1, elements=(3, 8, 92), n=200)
    tables, energy = script.prepare(table(0), None, foreign)
    assert energy == ENERGY
    assert len(tables["real"]) == int((foreign.counts[:, 2] == 0).sum())


def test_density_integrates_to_one(script):
    x = np.linspace(-6, 2, 4001)
    assert script.density(table(0).columns[ENERGY], x).sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-3)


def test_samples_without_energies(script, tmp_path, capsys):
    plain = table(0)
    Crystals(plain.elements, plain.space_group, plain.counts, plain.lattice).to_csv(tmp_path / "s.csv")
    assert script.main(["--samples", str(tmp_path / "s.csv")]) == 2
    assert "no column in eV/atom" in capsys.readouterr().err
