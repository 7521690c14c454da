"""``evaluate``: every number has its method, and a broken file is named, not fatal."""

import json
import math

import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from crystalgfn.cli.evaluate import app
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.evaluation.chemistry import smact_validity
from crystalgfn.evaluation.crystals import evaluate_crystals, weights
from crystalgfn.evaluation.distributions import against
from crystalgfn.evaluation.inputs import evaluate, read_data, read_references
from crystalgfn.evaluation.metrics import summarise
from crystalgfn.structures.export.cif import write_cif

MGO = ([4.2, 4.2, 4.2, 90.0, 90.0, 90.0], [4, 4], 225)
CSCL_TYPE = ([2.6, 2.6, 2.6, 90.0, 90.0, 90.0], [1, 1], 221)


def crystals(*kinds, **columns):
    lattice, counts, groups = zip(*kinds, strict=True)
    return Crystals((8, 12), list(groups), list(counts), list(lattice), columns)


def samples():
    return crystals(
        MGO,
        MGO,
        CSCL_TYPE,
        **{"formation_energy [eV/atom]": [-3.0, -3.0, -1.0]},
        log_reward=[3.0, 3.0, 1.0],
        log_pf=[-1.0, -1.0, -1.5],
        log_pb=[-0.5, -0.5, -0.5],
    )


def rocksalt(a=4.21, metal="Mg"):
    return Structure.from_spacegroup(225, Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "made elsewhere"
    path.mkdir()
    write_cif(path / "a.cif", rocksalt())
    write_cif(path / "b.cif", rocksalt(4.25))
    write_cif(path / "c.cif", rocksalt(4.8, "Ca"))
    (path / "d.cif").write_text("not a crystal")
    return path


def test_every_number_has_a_method_and_a_denominator():
    found = evaluate_crystals(samples(), samples(), smact=False)
    numbers = [number for group in found.values() for number in group.values()]
    assert len(numbers) > 40
    assert all(set(number) == {"value", "method", "n"} and number["method"] for number in numbers)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_numbers_of_a_small_table():
    found = evaluate_crystals(samples(), smact=False)
    assert found["uniqueness"]["modes"]["value"] == 2
    assert found["uniqueness"]["unique"]["value"] == pytest.approx(2 / 3)
    assert found["energy"]["below_minus_2"]["value"] == pytest.approx(2 / 3)
    assert "proxy" in found["energy"]["median"]["method"]
    log_w = [3.5, 3.5, 2.0]
    mean = math.log(sum(map(math.exp, log_w)) / 3)
    assert found["weights"]["log_z"]["value"] == pytest.approx(mean)
    assert found["weights"]["elbo"]["value"] == pytest.approx(3.0)


def test_samples_that_were_drawn_again_have_no_log_z():
    drawn = samples().with_columns(log_weight=[0.0, 0.0, 0.0])
    found = weights(drawn, summarise(drawn)["weights"])
    assert found["log_z"]["value"] is None
    assert "drawn again" in found["log_z"]["method"]


def test_distance_to_itself_is_zero_and_to_others_is_known():
    same = against(samples(), samples())
    assert all(number["value"] == 0 for name, number in same.items() if name.startswith(("wasserstein", "tv", "novel")))
    assert same["coverage_space_groups"]["value"] == 1
    shifted = against(crystals(MGO), crystals(MGO, CSCL_TYPE))
    assert shifted["coverage_space_groups"]["value"] == 0.5
    assert shifted["tv_space_groups"]["value"] == 0.5
    assert shifted["wasserstein_n_atoms"]["value"] == pytest.approx(3.0)  # half the reference is 6 atoms away


def test_smact_uses_the_named_set():
    pytest.importorskip("smact")
    found = smact_validity(["MgO", "MgO", "MgO7"])
    assert found["value"] == pytest.approx(2 / 3)
    assert "smact14" in found["method"]


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


def test_the_verb_writes_json(tmp_path):
    samples().to_parquet(tmp_path / "s.parquet")
    ran = CliRunner().invoke(app, [str(tmp_path / "s.parquet"), "-o", str(tmp_path / "m.json"), "--no-smact"])
    assert ran.exit_code == 0, ran.output
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["input"]["table"] == "s.parquet"
    assert found["metrics"]["validity"]["cell"]["value"] == 1
    assert "[eV/atom]" in ran.output.replace("\n", "")
