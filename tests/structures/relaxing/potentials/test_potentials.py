"""Potentials: batches in which one fails, references, and any ASE calculator."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure

from crystalgfn.errors import DataError, PropertyError
from crystalgfn.structures.relaxing.potentials.chgnet import CHGNetPotential
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.registry import load_potential
from script_files import load_script

COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]]).get_primitive_structure()
SALT = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
ALONE = Structure(Lattice.cubic(30), ["Na"], [[0, 0, 0]])


@pytest.fixture(scope="module")
def chgnet():
    pytest.importorskip("chgnet", reason="the extra 'structures' is not installed")
    return load_potential("chgnet")


def test_a_batch_with_failures_keeps_the_rest(chgnet, capfd):
    energies = chgnet.energies([SALT, ALONE, COPPER, SALT])
    assert energies.shape == (4,)
    assert np.isfinite(energies).tolist() == [True, False, True, True]
    assert energies[0] == pytest.approx(energies[3], abs=1e-5)
    assert energies[2] == pytest.approx(float(chgnet.energies([COPPER])[0]), abs=1e-5)
    assert chgnet.energies([]).shape == (0,)
    assert capfd.readouterr().out == ""


def test_one_pass_back_gives_what_the_package_of_chgnet_gives(chgnet):
    from chgnet.model.dynamics import CHGNetCalculator
    from pymatgen.io.ase import AseAtomsAdaptor

    structure = Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.2, 5.3), ["Mg"], [[1 / 3, 2 / 3, 0.25]])
    for given in (SALT, structure.perturb(0.1), COPPER.apply_strain([0.02, -0.03, 0.01], inplace=False)):
        ours, theirs = AseAtomsAdaptor.get_atoms(given), AseAtomsAdaptor.get_atoms(given)
        ours.calc, theirs.calc = chgnet.calculator(), CHGNetCalculator(use_device="cpu")
        assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=1e-4)
        assert ours.get_potential_energy() / len(ours) == pytest.approx(float(chgnet.energies([given])[0]), abs=1e-4)
        np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-4)
        np.testing.assert_allclose(ours.get_stress(), theirs.get_stress(), atol=1e-5)
        assert np.abs(ours.get_stress()).max() > 0


def test_formation_energy_of_salt(chgnet):
    rock_salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    primitive = rock_salt.get_primitive_structure()
    found = chgnet.formation_energy(primitive, float(chgnet.energies([primitive])[0]))
    assert found.value == pytest.approx(-2.1, abs=0.1)  # Materials Project: -2.10 eV/atom
    assert found.reason == ""


@pytest.mark.parametrize("name", ["chgnet", "7net-0", "7net-l3i5"])
def test_shipped_references_cover_the_elements_and_say_their_error(name):
    references = References.builtin(name)
    assert references.potential == name
    assert len(references.energies) >= 88
    assert 0 < references.error < 0.05


# energies by PBE of the elements' ground states, eV/atom: the Materials Project corrects no element that stands alone
@pytest.mark.parametrize("name", ["7net-0", "7net-l3i5"])
@pytest.mark.parametrize(("z", "energy"), [(17, -1.85), (34, -3.50), (35, -1.64), (52, -3.14), (53, -1.52)])
def test_shipped_references_of_anions_are_on_the_scale_of_the_corrections(name, z, energy):
    assert References.builtin(name).energies[z] == pytest.approx(energy, abs=0.1)


@pytest.mark.parametrize("name", ["7net-0", "7net-l3i5"])
def test_shipped_references_agree_with_those_of_another_potential(name):
    own, others = References.builtin(name).energies, References.builtin("chgnet").energies
    anions = [abs(own[z] - others[z]) for z in (7, 8, 9, 15, 16, 17, 33, 34, 35, 51, 52, 53)]
    assert max(anions) < 0.05
    assert np.median([abs(own[z] - others[z]) for z in others]) < 0.02


def test_rows_with_earlier_corrections_are_left_out():
    script = load_script("data/above_hull.py")
    held = [("wbm", '{"K": 1, "Br": 1}'), ("mp20b_val", '{"K": 1, "Br": 1}'), ("wbm", '{"Na": 2, "O": 1}')]
    held += [("wbm", '{"Sr": 1, "Sb": 2}'), ("wbm", '{"B": 1, "Si": 1}')]
    crystals = pd.DataFrame(held, columns=["source", "elements"])
    assert script.on_one_scale(crystals)["elements"].tolist() == [held[row][1] for row in (1, 2, 4)]


def test_rare_elements_are_added_to_crystals_drawn_at_random():
    script = load_script("data/fit_references.py")
    table = pd.DataFrame({"numbers": [[11, 17]] * 50 + [[2]] * 3 + [[10, 10]] * 9})
    chosen, drawn = script.chosen(table, 20, 4, 0)
    held = [set(numbers) for numbers in chosen["numbers"]]
    assert drawn == 20
    assert [sum(z in one for one in held) for z in (2, 10)] == [3, max(4, sum(10 in one for one in held[:20]))]
    assert all(17 not in one for one in held[20:])
    everything, drawn = script.chosen(table, 100, 4, 0)
    assert len(everything) == drawn == 62


def test_reasons_instead_of_formation_energies():
    references = References({11: -1.3}, "some")
    assert "Cl" in references.formation_energy(SALT, -3.0).reason
    assert math.isnan(references.formation_energy(SALT, -3.0).value)
    assert references.formation_energy(ALONE, math.nan).reason == "no energy"
    assert references.formation_energy(ALONE, -1.0).value == pytest.approx(0.3)


def test_any_ase_calculator(tmp_path):
    potential = load_potential("ase.calculators.emt:EMT")
    assert potential.name == "ase.calculators.emt:EMT"
    assert isinstance(potential.calculator(), EMT)
    energies = potential.energies([COPPER, SALT])
    assert math.isfinite(energies[0])
    assert math.isnan(energies[1])  # EMT knows no sodium
    assert "references" in potential.formation_energy(COPPER, energies[0]).reason
    path = tmp_path / "references.json"
    path.write_text(json.dumps({"potential": "emt", "references": {"Cu": 0.0}}))
    again = load_potential("ase.calculators.emt:EMT", references=path)
    assert again.formation_energy(COPPER, 0.1).value == pytest.approx(0.1)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"references": {"Xx": 1}}', '{"references": {"Cu": "low"}}'])
def test_wrong_references_are_errors(tmp_path, text):
    path = tmp_path / "references.json"
    path.write_text(text)
    with pytest.raises(DataError, match="references"):
        References.from_file(path)
    with pytest.raises(DataError, match="cannot be read"):
        References.from_file(tmp_path / "none.json")


def test_references_must_be_finite(tmp_path):
    path = tmp_path / "references.json"
    path.write_text('{"references": {"Cu": NaN}}')
    with pytest.raises(DataError, match="finite"):
        References.from_file(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chgnett", "nearest: 'chgnet'"),
        ("no_such_module:Thing", "ModuleNotFoundError"),
        ("ase.calculators.emt:Nothing", "AttributeError"),
        ("builtins:dict", "allowed: an ASE calculator"),
        (":x", "unknown potential"),
    ],
)
def test_wrong_names_are_errors(name, message):
    with pytest.raises(PropertyError, match=message):
        load_potential(name)


def test_without_chgnet_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "chgnet.model", None)
    with pytest.raises(PropertyError, match=r"crystalgfn\[structures\]"):
        CHGNetPotential()
