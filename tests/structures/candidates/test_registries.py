"""What adding a potential or a file format takes: a line in a registry, and the whole pipeline knows it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from ase.calculators.emt import EMT
from pymatgen.core import Structure
from pymatgen.io.vasp import Poscar

from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import PropertyError
from crystalgfn.evaluation.inputs import evaluate, read_data
from crystalgfn.structures import place
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity
from crystalgfn.structures.export.formats import FORMATS, Format
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.registry import POTENTIALS, load_potential

ALLOY = Crystals(
    elements=(29, 79),
    space_group=torch.tensor([221, 225]),
    counts=torch.tensor([[3, 1], [4, 0]]),
    lattice=torch.tensor([[3.8, 3.8, 3.8, 90.0, 90.0, 90.0], [3.7, 3.7, 3.7, 90.0, 90.0, 90.0]]),
)


class Batches(CalculatorPotential):
    """EMT, which notes how many structures it is asked about at once."""

    def __init__(self, name, references):
        super().__init__(name, EMT(), references)
        self.asked = []

    def prerelax(self, structures, *, steps):
        self.asked.append(("prerelax", len(structures)))
        return super().prerelax(structures, steps=steps)

    def relax(self, structures, **more):
        self.asked.append(("relax", len(structures)))
        return super().relax(structures, **more)


@pytest.fixture
def registered(monkeypatch):
    """Two potentials, one line each: the second is 0.3 eV/atom off."""
    monkeypatch.setitem(POTENTIALS, "my_pot:make", lambda given: Batches("my_pot:make", given or elements(0.0)))
    monkeypatch.setitem(POTENTIALS, "shifted", lambda given: Batches("shifted", given or elements(0.3)))


def elements(energy):
    return References({29: energy, 79: energy}, "emt")


def relaxed(**more):
    return place(ALLOY, seed=0, placements=4, library=None).relax("my_pot:make", relaxed=2, steps=10, **more)


def test_a_potential_is_one_line_in_the_registry(registered, tmp_path):
    hull = tmp_path / "mine.csv"
    hull.write_text('elements,formation_energy_per_atom\n"{""Cu"": 1}",0.0\n"{""Au"": 1}",0.0\n')
    structures = relaxed(hull=hull, second_opinion="shifted")
    table = structures.table
    assert table.formation == PotentialColumn(Quantity.FORMATION, "my_pot:make")
    assert table.above_hull.potential == "my_pot:make"
    for row in table.rows:
        assert row.status == "relaxed"
        second = row.energy(PotentialColumn(Quantity.FORMATION, "shifted"))
        assert second == pytest.approx(row.energy(table.formation) - 0.3, abs=1e-6)
        assert "shifted: formation energy differs by -0.300 eV/atom" in row.flags
    assert table.rows[1].energy(table.above_hull) == pytest.approx(0, abs=0.05)  # copper

    folder = structures.write(tmp_path / "out")
    data = read_data(folder)
    assert len(data.crystals) == 2
    assert data.methods["formation_energy_my_pot:make [eV/atom]"].startswith("my_pot:make (machine-learned")
    assert "; hull: " in data.methods["e_above_hull_my_pot:make [eV/atom]"]
    numbers = evaluate(data, smact=False)["metrics"]["stability"]
    assert numbers["e_above_hull"]["method"].startswith("median my_pot:make energy above the hull")


def test_the_command_knows_it_as_well(registered, tmp_path, capsys):
    ALLOY.to_parquet(tmp_path / "alloy.parquet")
    arguments = ["structures", str(tmp_path / "alloy.parquet"), "-o", str(tmp_path / "out"), "--relax", "shifted"]
    arguments += ["--second", "my_pot:make", "--placements", "4", "--relaxed", "2", "--steps", "10"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--hull", "none", "--library", "none", "--workers", "1"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "energies by shifted" in said
    assert "above the" not in said  # no hull was asked for
    frame = pd.read_parquet(tmp_path / "out" / "structures.parquet")
    assert {"formation_energy_shifted [eV/atom]", "formation_energy_my_pot:make [eV/atom]"} <= set(frame)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["second"] == "my_pot:make"
    with pytest.raises(SystemExit):
        main(["structures", "x.parquet", "-o", str(tmp_path / "no"), "--relax", "shiftd"])
    assert "nearest: 'shifted'" in capsys.readouterr().err


def test_a_second_opinion_is_another_potential(registered):
    with pytest.raises(PropertyError, match="relaxes already"):
        relaxed(hull=None, second_opinion="my_pot:make")


def test_a_loaded_potential_is_asked_through_its_batched_interface(registered):
    potential = load_potential("my_pot:make")
    structures = place(ALLOY, seed=0, placements=6, library=None).relax(potential, hull=None, relaxed=2, steps=10)
    assert all(candidate.ok for candidate in structures)
    assert [what for what, _ in potential.asked] == ["prerelax", "relax"] * 2


def test_a_file_format_is_one_line_in_the_registry(registered, monkeypatch, tmp_path):
    monkeypatch.setitem(FORMATS, "vasp", Format(lambda given: Poscar(given.structure).get_str()))
    monkeypatch.setitem(FORMATS, "list", Format(lambda given: f"{given.info['formula']}\n", together=True))
    structures = relaxed(hull=None)
    folder = structures.write(tmp_path / "out")
    names = sorted(path.stem for path in (folder / "vasp").iterdir())
    assert names == sorted(path.stem for path in (folder / "cif").iterdir())
    again = Structure.from_file(folder / "vasp" / f"{names[0]}.vasp", primitive=False)
    np.testing.assert_allclose(again.lattice.matrix, structures[0].structure.lattice.matrix, atol=1e-6)
    assert (folder / "all.list").read_text().split() == ["Cu3Au", "Cu"]
    assert (folder / "all.extxyz").is_file()
