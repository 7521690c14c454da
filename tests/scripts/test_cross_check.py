"""scripts/docs/cross_check.py compares our metrics with tools that others wrote, where they are installed."""

import re
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from script_files import SCRIPTS, load_script

from crystalgfn.crystals.crystal import Crystals


@pytest.fixture(scope="module")
def script():
    return load_script("docs/cross_check.py")


def test_smact_agrees_where_it_has_our_oxidation_states(script):
    pytest.importorskip("smact")
    counts = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (60, 5)))
    counts[:, 0] += 1
    lattice = torch.tensor([[5.0, 5, 5, 90, 90, 90]]).double().expand(60, 6)
    table = Crystals((3, 8, 9, 12, 26), torch.ones(60, dtype=torch.int64), counts, lattice)
    rows = list(script.smact_labels({"random": table}, 50))
    assert [row.agreement == "50 of 50 the same" for row in rows[:2]] == [True, True]
    assert "smact14" in rows[2].metric
    assert all(0 < float(row.ours.rstrip("%")) < 100 for row in rows)


@pytest.fixture
def crystals(tmp_path):
    """Relaxed crystals, a table of known ones and a hull, all of two elements."""
    from pymatgen.core import Lattice, Structure

    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    caesium = Structure.from_spacegroup("Pm-3m", Lattice.cubic(2.6), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    peroxide = Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.0), ["Mg", "O"], [[0, 0, 0], [0.5, 0, 0]])
    rows = [
        {
            "material_id": "salt",
            "numbers": list(salt.atomic_numbers),
            "cell": salt.lattice.matrix.ravel().tolist(),
            "fractional": salt.frac_coords.ravel().tolist(),
        }
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "known.parquet")
    hull = {"elements": ['{"Mg": 1, "O": 1}'], "formation_energy_per_atom": [-3.0], "e_above_hull": [0.0]}
    pd.DataFrame(hull).to_parquet(tmp_path / "hull.parquet")
    doubled = salt.copy()
    doubled.make_supercell((1, 1, 2))
    return [salt, caesium, doubled, peroxide], [-3.0, -2.95, -2.9, -1.0], tmp_path


def test_groups_are_those_of_pymatgen(script, crystals):
    (row,) = script.matcher_groups(crystals[0], "four")
    assert row[2:] == ("3", "3", "4 of 4 in the same group")


def test_a_mixture_holds_copies_and_known_crystals(script, crystals):
    structures, energies, folder = crystals
    mixed, values = script.mixture(structures, energies, folder / "known.parquet", folder / "hull.parquet", n=2)
    assert len(mixed) == len(values) == 4 + 2 + 1
    assert sum(structure in structures for structure in mixed) >= 4
    assert np.isfinite(values).all()


def test_mattergen_counts_as_we_do(script, crystals):
    pytest.importorskip("mattergen.evaluation.metrics.structure")
    structures, energies, folder = crystals
    tables = (folder / "known.parquet", folder / "hull.parquet")
    rows = {row.metric: row for row in script.mattergen_metrics(structures, energies, *tables, "four")}
    found = rows["unique / novel / S.U.N., its ordered matcher"]
    assert found.ours == found.theirs == "3 / 2 / 1"


def test_estimators_agree_with_torchgfn(script, monkeypatch):
    pytest.importorskip("gfn.estimators")
    monkeypatch.syspath_prepend(str(SCRIPTS / "docs"))
    rows = list(script._hypergrid())
    assert [row.metric.split(" (")[0].split(",")[0] for row in rows[:4]] == ["log Z", "ELBO", "EUBO", "EUBO by weight"]
    for row in rows[:4]:
        assert float(re.match(r"[\d.]+", row.agreement).group()) < 4
    assert rows[4].ours == rows[4].theirs


def test_tools_that_are_missing_are_named(script, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "hypergrid", None)
    assert script.main([]) == 0
    printed = capsys.readouterr()
    assert "left out" in printed.err
    assert "Versions: smact" in printed.out
