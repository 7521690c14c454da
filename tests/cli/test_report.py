"""``crystalgfn report``: page and figures of a table, a preset and structures."""

import pytest
from typer.testing import CliRunner

from crystalgfn.cli.report import app
from crystalgfn.errors import DataError
from page_setup import samples, write_structures

pytest.importorskip("plotly")


def test_the_verb_writes_page_and_figures(tmp_path):
    pytest.importorskip("matplotlib")
    samples().to_parquet(tmp_path / "s.parquet")
    args = [str(tmp_path / "s.parquet"), "-o", str(tmp_path / "r.html"), "--figures", str(tmp_path / "f"), "--no-smact"]
    ran = CliRunner().invoke(app, args)
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    names = {path.name for path in (tmp_path / "f").iterdir()}
    assert {"energies.svg", "energies.png", "elements-atoms.svg", "groups.png"} <= names


def test_the_verb_takes_the_constraints_of_a_table_from_a_model(tmp_path):
    pytest.importorskip("matplotlib")
    samples().to_parquet(tmp_path / "s.parquet")
    args = [str(tmp_path / "s.parquet"), "-o", str(tmp_path / "r.html"), "--figures", str(tmp_path / "f"), "--no-smact"]
    ran = CliRunner().invoke(app, [*args, "--constraints", "twelve-elements"])
    assert ran.exit_code == 0, ran.output
    assert 'id="plot-funnel"' in (tmp_path / "r.html").read_text()
    assert (tmp_path / "f" / "funnel.png").stat().st_size > 5_000


def test_constraints_of_structures_are_refused(tmp_path):
    ran = CliRunner().invoke(app, [str(write_structures(tmp_path / "s")), "--constraints", "twelve-elements"])
    assert isinstance(ran.exception, DataError)
    assert "allowed: samples" in str(ran.exception)


def test_a_preset_has_a_page(tmp_path):
    ran = CliRunner().invoke(app, ["twelve-elements", "-n", "40", "-o", str(tmp_path / "r.html"), "--no-smact"])
    assert ran.exit_code == 0, ran.output
    text = (tmp_path / "r.html").read_text()
    assert 'id="plot-funnel"' in text
    assert "samples of twelve-elements" in text or "40 samples" in text
