"""What a run may go on with: more rows and moved files, but no other crystals, tools, settings or contents."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.engines.local import LocalEngine
from crystalgfn.structures.candidates.pipeline import run
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.sources import Choice
from crystalgfn.structures.candidates.workers import Tools
from crystalgfn.structures.placing.prototype_files import from_structures, write

PLACE = Tools(potential="", hull="", library="")
QUICK = SearchSettings(placements=1)


@pytest.fixture
def table(tmp_path):
    """Four crystals of rock salt with a number to order by."""
    crystals = Crystals(
        elements=(8, 12, 20),
        space_group=torch.full((4,), 225),
        counts=torch.tensor([(4, 4, 0), (4, 0, 4), (4, 4, 0), (4, 0, 4)]),
        lattice=torch.tensor([[a, a, a, 90.0, 90.0, 90.0] for a in (4.2, 4.8, 4.3, 4.9)]),
        columns={"score": np.array([1.0, 4.0, 3.0, 2.0])},
    )
    crystals.to_parquet(tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.fixture
def known(tmp_path):
    """A table of structures, which known crystals and prototypes can be made of."""

    def write_known(name, a=4.2):
        cell = [a / 2 * (i != j) for i in range(3) for j in range(3)]
        one = {"material_id": "mp-1265", "numbers": [12, 8], "cell": cell, "fractional": [0.0] * 3 + [0.5] * 3}
        pd.DataFrame([one]).to_parquet(tmp_path / name)
        return tmp_path / name

    return write_known


def rows_of(folder):
    return pd.read_parquet(folder / "structures.parquet")["row"].tolist()


def go(table, folder, *, choice=None, tools=PLACE, settings=QUICK, **more):
    return run(table, folder, tools, settings, choice=choice, engine=LocalEngine(1), **more)


def test_a_run_goes_on_to_more_rows_of_the_same_order(table, tmp_path):
    folder = tmp_path / "out"
    go(table, folder, choice=Choice(2, "score:desc"))
    assert rows_of(folder) == [1, 2]
    first = (folder / "parts" / "00000001.json").stat().st_mtime_ns
    go(table, folder, choice=Choice(3, "score:desc"), resume=True)
    assert rows_of(folder) == [1, 2, 3]
    assert (folder / "parts" / "00000001.json").stat().st_mtime_ns == first
    go(table, tmp_path / "at once", choice=Choice(3, "score:desc"))
    assert (folder / "manifest.json").read_text() == (tmp_path / "at once" / "manifest.json").read_text()
    with pytest.raises(DataError, match="-n: found 2, but the run was started with 3; allowed: 3 or more"):
        go(table, folder, choice=Choice(2, "score:desc"), resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"choice": Choice(3, "score")}, "started with order_by 'score:desc', found 'score'"),
        ({"choice": Choice(3, "score:desc", one_per_formula=True)}, "started with one_per_formula None, found True"),
        ({"settings": SearchSettings(placements=2)}, "started with placements 1, found 2"),
        ({"tools": Tools(potential="", hull="", library="builtin")}, "started with library '', found 'builtin'"),
    ],
    ids=["order", "formulas", "settings", "tools"],
)
def test_what_has_changed_is_named(table, tmp_path, change, said):
    given = {"choice": Choice(2, "score:desc"), **change}
    go(table, tmp_path / "out", choice=Choice(2, "score:desc"))
    with pytest.raises(DataError, match=said):
        go(table, tmp_path / "out", resume=True, **given)


def test_other_crystals_are_refused(table, tmp_path):
    go(table, tmp_path / "out", choice=Choice(2))
    before = (tmp_path / "out" / "manifest.json").read_text()
    frame = pd.read_parquet(table)
    frame[::-1].to_parquet(table)
    with pytest.raises(DataError, match="the first 2 crystals are not those that the run was started with"):
        go(table, tmp_path / "out", choice=Choice(4), resume=True)
    assert (tmp_path / "out" / "manifest.json").read_text() == before


def test_rows_may_be_added_to_the_table(table, tmp_path):
    go(table, tmp_path / "out")
    pd.concat([pd.read_parquet(table)] * 2).to_parquet(table)
    go(table, tmp_path / "out", resume=True)
    assert rows_of(tmp_path / "out") == list(range(8))


@pytest.mark.parametrize("kind", ["compare", "library"])
def test_files_may_move_but_not_change(table, known, tmp_path, kind):
    def given(name, a=4.2):
        if kind == "compare":
            return {"compare": known(name, a)}
        write(from_structures(known(f"of {name}", a)), tmp_path / name)
        return {"tools": Tools(potential="", hull="", library=str(tmp_path / name))}

    go(table, tmp_path / "out", **given("one.parquet"))
    written = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert len(written[f"{kind}_sha256"]) == 64
    (tmp_path / "elsewhere.parquet").write_bytes((tmp_path / "one.parquet").read_bytes())
    where = tmp_path / "elsewhere.parquet"
    moved = {"compare": where} if kind == "compare" else {"tools": Tools(potential="", hull="", library=str(where))}
    go(table, tmp_path / "out", resume=True, **moved)
    with pytest.raises(DataError, match=f"started with {kind}_sha256 '{written[f'{kind}_sha256']}', found"):
        go(table, tmp_path / "out", resume=True, **given("one.parquet", 4.4))


@pytest.mark.parametrize("content", ['{"n": "two", "table": ""}', "[]", "{"])
def test_a_damaged_manifest_is_named(table, tmp_path, content):
    go(table, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=r"manifest\.json"):
        go(table, tmp_path / "out", resume=True)
