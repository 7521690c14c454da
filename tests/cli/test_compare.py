"""``crystalgfn compare``: one page of several tables."""

import pytest
from typer.testing import CliRunner

from crystalgfn.cli.compare import app as compare
from crystalgfn.errors import DataError
from page_setup import samples

pytest.importorskip("plotly")


def test_compare_writes_a_page_and_tells_files_of_one_name_apart(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        samples(20, seed=len(folder)).to_parquet(tmp_path / folder / "s.parquet")
    sources = [str(tmp_path / folder / "s.parquet") for folder in ("one", "two")]
    ran = CliRunner().invoke(compare, [*sources, "-o", str(tmp_path / "c.html"), "--no-smact"])
    assert ran.exit_code == 0, ran.output
    text = (tmp_path / "c.html").read_text()
    assert "one/s" in text
    assert "two/s" in text


def test_compare_wants_two(tmp_path):
    samples(20).to_parquet(tmp_path / "s.parquet")
    ran = CliRunner().invoke(compare, [str(tmp_path / "s.parquet")])
    assert isinstance(ran.exception, DataError)
