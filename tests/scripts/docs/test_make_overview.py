"""scripts/docs/make_overview.py draws its picture from samples with sites, alone or beside real crystals."""

import pytest

from candidate_setup import FORMATION, failure
from crystalgfn.config import parse_config
from crystalgfn.runs.model import untrained
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity, Row, Status
from crystalgfn.structures.candidates.table import write_tables
from script_files import load_script
from small_run import small_config

pytest.importorskip("matplotlib")
ABOVE = PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin")


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """The script, with an untrained prior of a small space, and a table of its samples."""
    content = small_config().model_dump(mode="json")
    content["constraints"] |= {"sites": "wyckoff", "charge": "none"}
    content["training"] |= {"objective": "likelihood"}
    model = untrained(parse_config({**content, "objective": []}))
    samples = model.sample(100, seed=0)
    table = tmp_path_factory.mktemp("data") / "samples.parquet"
    samples.with_columns(known_pattern=[1.0] * 100).to_parquet(table)
    script = load_script("docs/make_overview.py")
    script.load = lambda where: model
    return script, table


@pytest.mark.parametrize("more", [(), ("real",), ("real", "structures")], ids=len)
def test_it_draws_a_picture(setting, tmp_path, more):
    script, table = setting
    call = ["--samples", str(table), "-o", str(tmp_path / "images" / "o.png")]
    if "real" in more:
        call += ["--real", str(table)]
    if "structures" in more:
        rows = [Row(0, "MgO", Status.RELAXED, energies={FORMATION: -3.0, ABOVE: 0.05}, hull="builtin"), failure(1)]
        write_tables(tmp_path, lambda: iter(rows))
        call += ["--structures", f"relaxed={tmp_path / 'structures.parquet'}"]
    assert script.main(call) == 0
    assert (tmp_path / "images" / "o.png").read_bytes().startswith(b"\x89PNG")


def test_the_example_is_new_and_small(setting):
    script, table = setting
    crystals = script.Crystals.from_file(table)
    one = script.example(crystals)
    assert int((one.counts > 0).sum()) == 3
    assert one.columns["known"][0] == 0
    with pytest.raises(script.DataError, match="none of three elements"):
        script.example(crystals.with_columns(known=[1.0] * 100))


def test_tables_without_energies_are_one_line(setting, tmp_path, capsys):
    script, table = setting
    write_tables(tmp_path, lambda: iter([failure(1)]))
    call = ["--samples", str(table), "-o", str(tmp_path / "o.png"), "--structures", f"x={tmp_path / 'structures.csv'}"]
    assert script.main(call) == 2
    assert "error: x: no energies above hull" in capsys.readouterr().err
