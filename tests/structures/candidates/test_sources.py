"""Which rows of a table become requests, and in which order."""

import numpy as np
import pandas as pd
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.sources import CHUNK, Choice, read_requests

GAPS = [2.0, np.nan, 1.0, 3.0, 1.0]


def table(path, times=1):
    """Crystals of MgO, LiF, MgO, Mg3O, LiF with a band gap each."""
    n = 5 * times
    crystals = Crystals(
        elements=(3, 8, 9, 12),
        space_group=torch.full((n,), 225),
        counts=torch.tensor([(0, 4, 0, 4), (4, 0, 4, 0), (0, 4, 0, 4), (0, 4, 0, 12), (4, 0, 4, 0)] * times),
        lattice=torch.tensor([[4.2, 4.2, 4.2, 90.0, 90.0, 90.0]] * n, dtype=torch.float64),
        columns={"band_gap [eV]": np.array(GAPS * times), "name": np.array(["x"] * n, dtype=object)},
    )
    crystals.to_parquet(path)
    return path


def rows(path, **choice):
    return [request.row for request in read_requests(path, Choice(**choice))]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"n": 2}, [0, 1]),
        ({"order_by": "band_gap"}, [2, 4, 0, 3, 1]),
        ({"order_by": "band_gap [eV]:desc", "n": 3}, [3, 0, 2]),
        ({"one_per_formula": True}, [0, 1, 3]),
        ({"order_by": "band_gap", "one_per_formula": True}, [2, 4, 3]),
        ({"order_by": "band_gap:desc", "one_per_formula": True, "n": 2}, [3, 0]),
        ({"order_by": "band_gap", "n": 100}, [2, 4, 0, 3, 1]),
    ],
)
def test_rows_keep_their_numbers_in_the_order_of_work(tmp_path, choice, wanted):
    found = list(read_requests(table(tmp_path / "rows.parquet"), Choice(**choice)))
    assert [request.row for request in found] == wanted
    gaps = [request.inputs["band_gap [eV]"] for request in found]
    np.testing.assert_array_equal(gaps, np.array(GAPS)[wanted])
    assert [request.formula for request in found] == [("MgO", "LiF", "MgO", "Mg3O", "LiF")[row] for row in wanted]


def test_large_tables_are_read_in_parts(tmp_path):
    times = CHUNK // 5 + 1
    path = table(tmp_path / "rows.parquet", times)
    assert rows(path, order_by="band_gap:desc")[:times] == list(range(3, 5 * times, 5))
    assert rows(path, one_per_formula=True) == [0, 1, 3]


def test_broken_rows_keep_their_numbers_and_their_places(tmp_path):
    frame = Crystals.from_file(table(tmp_path / "rows.parquet")).to_dataframe()
    frame.loc[[2, 4], "a"] = 0.0
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = list(read_requests(tmp_path / "rows.csv", Choice(order_by="band_gap", one_per_formula=True)))
    assert [(request.row, bool(request.failure)) for request in found] == [
        (2, True),
        (4, True),
        (0, False),
        (3, False),
        (1, False),
    ]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("band_gp", "order by 'band_gp': no such column, allowed: "),
        ("band_gp", "(nearest: 'band_gap [eV]')"),
        ("name:desc", "column 'name': found 'x', allowed: numbers"),
        ("", "order by '': no such column"),
    ],
)
def test_an_order_by_no_column_of_numbers_is_refused(tmp_path, order, said):
    with pytest.raises(DataError) as caught:
        read_requests(table(tmp_path / "rows.parquet"), Choice(order_by=order))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_with_two_units_is_refused(tmp_path):
    frame = pd.read_parquet(table(tmp_path / "rows.parquet")).assign(**{"band_gap [meV]": 1.0})
    frame.to_parquet(tmp_path / "two.parquet")
    with pytest.raises(DataError, match=r"the units band_gap \[eV\], band_gap \[meV\]"):
        read_requests(tmp_path / "two.parquet", Choice(order_by="band_gap"))
