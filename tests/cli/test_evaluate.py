"""``crystalgfn evaluate``: metrics of a table and of a model, as JSON."""

import json
import re

from typer.testing import CliRunner

from candidate_setup import candidate, failure, salt, write_candidates
from command_line import is_one_line, run
from crystalgfn.cli.evaluate import app
from evaluation_data import samples


def test_the_verb_writes_json(tmp_path):
    samples().to_parquet(tmp_path / "s.parquet")
    ran = CliRunner().invoke(app, [str(tmp_path / "s.parquet"), "-o", str(tmp_path / "m.json"), "--no-smact"])
    assert ran.exit_code == 0, ran.output
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["input"]["table"] == "s.parquet"
    assert found["metrics"]["validity"]["cell"]["value"] == 1
    assert "[eV/atom]" in ran.output.replace("\n", "")


def test_a_hull_needs_structures(tmp_path):
    samples().to_parquet(tmp_path / "s.parquet")
    ran = run("evaluate", str(tmp_path / "s.parquet"), "-o", str(tmp_path / "m.json"), "--hull", "builtin")
    assert ran.returncode == 2
    assert is_one_line(ran.stderr)
    assert "s: crystals without atoms, allowed with a hull: a folder of structures" in ran.stderr
    assert not (tmp_path / "m.json").exists()


def test_shares_of_structures_have_an_error(tmp_path):
    structures = {0: salt("K", "Cl")}
    folder = write_candidates(tmp_path / "run", [candidate(0, structures[0], -3.0), failure(1)], structures)
    ran = CliRunner().invoke(app, [str(folder), "-o", str(tmp_path / "m.json"), "--no-smact"], env={"COLUMNS": "200"})
    assert ran.exit_code == 0, ran.output
    assert "0.5 ± 0.35" in ran.output
    assert re.search(r"sun_group_kept +– +– +– +not measured: no energy above hull in the table", ran.output)
    assert json.loads((tmp_path / "m.json").read_text())["metrics"]["symmetry"]["p1"]["value"] == 0


def test_a_prior_with_sites_has_exact_nats(tmp_path):
    ran = CliRunner().invoke(app, ["prior", "-n", "10", "-o", str(tmp_path / "m.json"), "--no-smact"])
    assert ran.exit_code == 0, ran.output
    numbers = json.loads((tmp_path / "m.json").read_text())["metrics"]["likelihood"]
    parts = [
        numbers[f"exact_nats_{stage}_samples"]["value"] for stage in ("space_group", "sites", "elements", "lattice")
    ]
    assert abs(numbers["exact_nats_samples"]["value"] - sum(parts)) < 1e-6
    assert "summed over all writings" in numbers["exact_nats_samples"]["method"]
