"""``crystalgfn evaluate``: metrics of a table and of a model, as JSON."""

import json

from typer.testing import CliRunner

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
