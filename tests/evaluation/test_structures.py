"""Metrics of a folder of structures: a broken file is named and counted, not fatal, and novelty has a reference."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from pymatgen.core import Structure

from candidate_setup import candidate, failure, salt, write_candidates
from crystalgfn.crystallography.elements import SYMBOLS
from crystalgfn.errors import DataError
from crystalgfn.evaluation.inputs import evaluate, read_data, read_references
from crystalgfn.structures.export.cif import write_cif
from evaluation_data import rocksalt


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "made elsewhere"
    path.mkdir()
    write_cif(path / "a.cif", rocksalt())
    write_cif(path / "b.cif", rocksalt(4.25))
    write_cif(path / "c.cif", rocksalt(4.8, "Ca"))
    (path / "d.cif").write_text("not a crystal")
    return path


def test_a_broken_file_is_named_and_counted(folder):
    found = evaluate(read_data(folder), smact=False)
    assert list(found["broken"]) == ["d.cif"]
    numbers = found["metrics"]
    assert numbers["outcome"]["submitted"]["value"] == 4
    assert numbers["outcome"]["structures"]["value"] == 0.75
    assert numbers["validity"]["cdvae"]["value"] == 0.75
    assert numbers["uniqueness"]["unique"]["value"] == 0.5  # two cells of MgO are one crystal
    assert numbers["stability"]["sun_0.1"]["value"] is None


def test_novelty_against_a_folder_of_structures(folder, tmp_path):
    known = tmp_path / "known"
    known.mkdir()
    write_cif(known / "mgo.cif", rocksalt(4.2))
    found = evaluate(read_data(folder), read_references([known]), smact=False)
    assert found["metrics"]["uniqueness"]["novel"]["value"] == 0.25
    assert "1 structures of known" in found["metrics"]["uniqueness"]["novel"]["method"]


def test_a_file_of_several_crystals_counts_each(folder):
    text = "".join((folder / f"{name}.cif").read_text().replace("data_", f"data_{name}_") for name in "ac")
    (folder / "all.cif").write_text(text + "data_void\n_atom_site_label Vac\n")
    found = evaluate(read_data(folder), smact=False)
    assert found["metrics"]["outcome"]["submitted"]["value"] == 7
    assert found["metrics"]["outcome"]["structures"]["value"] == pytest.approx(5 / 7)
    assert list(found["broken"]) == ["all.cif#void", "d.cif"]
    assert [row.cif for row in read_data(folder).candidates.rows][1:4] == [
        "all.cif#a_MgO",
        "all.cif#c_CaO",
        "all.cif#void",
    ]


@pytest.mark.parametrize("where", ["reference", "candidates"])
def test_oxidation_states_do_not_make_a_crystal_new(folder, tmp_path, where):
    known = tmp_path / "known"
    known.mkdir()
    write_cif(known / "mgo.cif", rocksalt(4.2))
    charged = known / "mgo.cif" if where == "reference" else folder / "a.cif"
    text = re.sub(
        r"^  (Mg|O)  ",
        lambda match: f"  {match[1]}2{'+' if match[1] == 'Mg' else '-'}  ",
        charged.read_text(),
        flags=re.M,
    )
    charged.write_text(f"{text}loop_\n_atom_type_symbol\n_atom_type_oxidation_number\nMg2+ 2\nO2- -2\n")
    found = evaluate(read_data(folder), read_references([known]), smact=False)
    assert found["metrics"]["uniqueness"]["novel"]["value"] == 0.25


def test_times_that_a_table_lacks(tmp_path):
    made = {0: salt("K", "Cl")}
    old = write_candidates(tmp_path / "old", [candidate(0, made[0], -1.0, seconds_cpu=None), failure(1)], made)
    cost = evaluate(read_data(old), smact=False)["metrics"]["cost"]
    assert (cost["cpu_seconds_mean"]["value"], cost["cpu_seconds_mean"]["n"]) == (6, 1)
    assert "and 1 crystals without a time" in cost["cpu_seconds_mean"]["method"]
    assert cost["cpu_seconds_per_sun_0.08"]["value"] is None


@pytest.fixture
def run(tmp_path):
    """A run with a salt that is known by formula alone, one in P1, and a failure; their hull and references."""
    structures = {0: salt("K", "Cl"), 1: salt("Mg", "O", a=4.21)}
    rows = [
        candidate(0, structures[0], -0.95, novel=None),
        candidate(1, structures[1], -2.9, novel=None, space_group=1, converged=False, flags="not converged"),
        failure(2),
    ]
    folder = write_candidates(tmp_path / "run", rows, structures)
    phases = [{"elements": json.dumps(counts), "formation_energy_per_atom": energy} for counts, energy in PHASES]
    pd.DataFrame(phases).to_parquet(tmp_path / "hull.parquet")
    known = salt("K", "Cl", "caesium")
    pd.DataFrame(
        {
            "material_id": ["a"],
            "numbers": [list(known.atomic_numbers)],
            "cell": [known.lattice.matrix.ravel().tolist()],
            "fractional": [known.frac_coords.ravel().tolist()],
        }
    ).to_parquet(tmp_path / "known.parquet")
    return folder, tmp_path / "hull.parquet", tmp_path / "known.parquet"


PHASES = [({"K": 1, "Br": 1}, -1.0), ({"Cl": 1, "Br": 1}, -0.2), ({"Mg": 1, "O": 1}, -2.95)]


def test_a_run_is_measured_from_another_hull(run):
    folder, hull, known = run
    found = evaluate(read_data(folder), read_references([known], hull=hull), smact=False)["metrics"]
    stability = {name: number["value"] for name, number in found["stability"].items()}
    assert stability["stable_0.08"] == pytest.approx(2 / 3)
    assert stability["stable_0"] == pytest.approx(1 / 3)
    assert stability["n_unflagged_0.08"] == 0  # KCl: far below its hull; MgO: not converged
    assert stability["sun_far_below_hull_counted_0.08"] == pytest.approx(2 / 3)
    assert stability["sun_0.08"] == pytest.approx(1 / 3)  # KCl is no success: its system has no phases
    assert stability["sun_known_formula_excluded_0.08"] == pytest.approx(1 / 3)  # MgO: 0.05 from the phase
    assert stability["sun_unknown_formula_only_0.08"] == 0  # MgO: in the hull
    assert stability["sun_far_below_hull_excluded_0.08"] == pytest.approx(1 / 3)
    assert stability["sun_group_kept_0.08"] == stability["sun_flagged_excluded_0.08"] == 0  # MgO: in P1, not converged
    assert stability["without_energy"] == 1
    assert "most often: no placement" in found["stability"]["without_energy"]["method"]


def test_a_run_says_what_it_cost_and_how_various_it_is(run):
    folder, hull, known = run
    found = evaluate(read_data(folder), read_references([known], hull=hull), smact=False)["metrics"]
    numbers = {f"{group}.{name}": number["value"] for group, own in found.items() for name, number in own.items()}
    expected = {
        "outcome.converged": 1 / 3,
        "outcome.flagged": 2 / 3,  # KCl: far below its hull
        "symmetry.p1": 1 / 3,
        "symmetry.group_kept": 1 / 3,
        "cost.seconds_mean": 5,
        "cost.seconds_median": 3,
        "cost.cpu_seconds_mean": 10 / 3,
        "cost.cpu_seconds_median": 2,
        "cost.cpu_seconds_per_sun_0.08": 10,
        "diversity.n_elements": 6,  # Ag and Br of the failure too
        "diversity.n_site_keys": 2,
        "diversity.most_frequent_pattern": 2 / 3,
        "chemistry.halides": 2 / 3,
        "chemistry.oxides": 1 / 3,
        "chemistry.halides_reference": 1,
    }
    assert {name: numbers[name] for name in expected} == pytest.approx(expected)
    assert numbers["cost.cpu_seconds_per_sun_0"] is None  # MgO: 0.05 above its hull
    assert found["outcome"]["converged"]["standard_error"] == pytest.approx((1 / 3 * 2 / 3 / 3) ** 0.5)


def test_the_hull_that_ships_is_known_without_asking(run, tmp_path):
    from dataclasses import replace

    from crystalgfn.evaluation.sun import with_hull
    from crystalgfn.stability.load import load_hull

    folder, _, known = run
    data = read_data(folder)
    judged = replace(data, candidates=with_hull(data.candidates, load_hull("builtin")))
    found = evaluate(judged, read_references([known]), smact=False)["metrics"]["stability"]
    assert found["sun_hull_error_weighted_0.08"]["value"] is not None
    assert "the hull's phases are the package's own" in found["sun_known_formula_excluded_0.08"]["method"]


@pytest.mark.parametrize("hull", ["builtn", "hull.json", "no.parquet"])
def test_hulls_that_are_none(hull, tmp_path):
    with pytest.raises(DataError, match=r"unknown hull 'builtn' \(nearest: 'builtin'\)|allowed: .parquet|no such file"):
        read_references([], hull=str(tmp_path / hull) if "." in hull else hull)


def test_a_hull_needs_formation_energies(folder, run):
    with pytest.raises(DataError, match="made elsewhere: no formation energies to compare with the hull"):
        evaluate(read_data(folder), read_references([], hull=run[1]), smact=False)


SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not SHARED.is_dir(), reason="no tables of real crystals beside the checkout")
def test_real_crystals_are_known(tmp_path):
    """Ten crystals of the reference, with the energies of the hull's own table, are stable and not novel."""
    structures = pd.read_parquet(SHARED / "structures.parquet").iloc[:10]
    energies = pd.read_parquet(SHARED / "hull_entries.parquet").set_index("material_id")
    rows, made = [], {}
    for number, known in enumerate(structures.itertuples()):
        species = [SYMBOLS[z] for z in known.numbers]
        made[number] = Structure(known.cell.reshape(3, 3), species, known.fractional.reshape(-1, 3))
        formation = energies.loc[known.material_id, "formation_energy_per_atom"]
        rows.append(candidate(number, made[number], formation, novel=None))
    folder = write_candidates(tmp_path / "run", rows, made)
    references = read_references([SHARED / "structures.parquet"], hull=SHARED / "hull_entries.parquet")
    found = evaluate(read_data(folder), references, smact=False)["metrics"]
    assert found["uniqueness"]["novel"]["value"] == 0
    above = energies.loc[structures.material_id, "e_above_hull"]
    assert found["stability"]["stable_0.08"]["value"] == pytest.approx((above <= 0.08).mean())
    assert found["stability"]["e_above_hull"]["value"] == pytest.approx(above.median(), abs=2e-3)
    assert found["chemistry"]["oxides_reference"]["n"] == 32_162
