"""Requests: rows of a crystals table, with their sites where the table has them."""

import json

import numpy as np
import pytest
import torch

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.sites import sites_text
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.requests import digests, requests
from crystalgfn.structures.candidates.sources import Choice, read_requests

SALT = [["Mg", "a", 4], ["O", "b", 4]]


def salts(*texts):
    """As many crystals of MgO as there are cells of the column of sites."""
    n = len(texts)
    return Crystals(
        elements=(8, 12),
        space_group=torch.full((n,), 225),
        counts=torch.tensor([[4, 4]] * n),
        lattice=torch.tensor([[4.2, 4.2, 4.2, 90.0, 90.0, 90.0]] * n, dtype=torch.float64),
        columns={"wyckoff": np.array(texts, dtype=object)},
    )


def test_sites_are_read_where_there_is_a_text():
    read = [request.sites for request in requests(salts(json.dumps(SALT), None, ""))]
    assert read == [Assignment(225, ((12, "a"), (8, "b"))), None, None]
    assert sites_text(read[0]) == '[["O", "b", 4], ["Mg", "a", 4]]'
    assert [request.sites for request in requests(salts(sites_text(read[0])))] == [read[0]]


def test_tables_without_sites_have_none():
    crystals = salts(json.dumps(SALT))
    bare = Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    for table in (bare, bare.with_columns(wyckoff=np.array([np.nan]))):
        assert next(requests(table)).sites is None
    assert digests(requests(bare)) != digests(requests(crystals))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[["Mg", "a", 4]', "JSON list"),
        ("4", "JSON list"),
        ("[]", "empty list"),
        ('[["Mg", "a", Infinity]]', "JSON list"),
        ("[" * 100_000, "JSON list"),
        ('[["Mg", "a"], ["O", "b"]]', "JSON list"),
        ('[["Mg", "a", 4], ["O", "m", 4]]', "no Wyckoff position 'm'"),
        ('[["Mg", "a", 4], ["O", "c", 4]]', "4c, but the multiplicity of c in space group 225 is 8"),
        ('[["Mg", "a", 4], ["Ox", "b", 4]]', "unknown element 'Ox'"),
        ('[["Mg", "a", 4], ["O", "a", 4]]', "positions a have no free coordinates and are taken twice"),
        ('[["Mg", "a", 4], ["S", "b", 4]]', "sites hold 0 atoms of O"),
        ('[["Mg", "a", 4], ["O", "b", 4], ["O", "c", 8]]', "sites hold 12 atoms of O"),
    ],
)
def test_wrong_sites_name_their_row(tmp_path, text, message):
    crystals = salts(json.dumps(SALT), None, text)
    with pytest.raises(DataError, match=r"crystals: row 3, column 'wyckoff': ") as caught:
        list(requests(crystals))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    crystals.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"rows.parquet: row 3, column 'wyckoff': "):
        list(read_requests(tmp_path / "rows.parquet"))
    assert len(list(read_requests(tmp_path / "rows.parquet", Choice(2)))) == 2


def test_a_column_of_numbers_holds_no_sites():
    crystals = salts(None).with_columns(wyckoff=np.array([4.0]))
    with pytest.raises(DataError, match=r"row 1, column 'wyckoff': found 4\.0, allowed: text"):
        list(requests(crystals))
