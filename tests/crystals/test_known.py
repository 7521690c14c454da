"""Tables of known crystals: the one that ships, a user's own, and what becomes of rows without sites."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from crystalgfn.crystallography.sites.keys import pattern_keys, site_keys
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals, formula_keys_of
from crystalgfn.crystals.sites import Sites, parse_sites
from crystalgfn.errors import CheckpointError, DataError

ROCK_SALT = '[["Mg", "a", 4], ["O", "b", 4]]'
SHIFTED = '[["Mg", "b", 4], ["O", "a", 4]]'
ZINC_BLENDE = '[["Mg", "a", 4], ["O", "c", 4]]'


def table(*texts: object, group: int = 225) -> Crystals:
    """MgO with the given cells of the column ``wyckoff``."""
    n = len(texts)
    return Crystals(
        elements=(8, 12),
        space_group=torch.full((n,), group),
        counts=torch.full((n, 2), 4),
        lattice=torch.tensor([[4.2, 4.2, 4.2, 90.0, 90.0, 90.0]]).repeat(n, 1),
        columns={"wyckoff": np.array(texts, dtype=object)},
    )


def keys(text: str, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    sites = Sites.from_assignments([parse_sites(text, group)])
    number = torch.tensor([group])
    return site_keys(number, sites.elements, sites.letters), pattern_keys(number, sites.slots, sites.letters)


def test_the_builtin_table_knows_real_crystals_and_patterns():
    known = KnownCrystals.builtin()
    assert len(known.sites) == 31_794
    assert len(known.patterns) == 6_712
    assert len(known.formulas) == 48_354
    assert known.knows_formula(formula_keys_of(table(ROCK_SALT))).all()  # MgO
    assert (known.sites.diff() > 0).all()
    assert (known.patterns.diff() > 0).all()
    crystal, pattern = keys('[["Cl", "a", 4], ["Li", "b", 4]]', 225)
    assert known.contains(crystal).tolist() == [True]
    assert known.knows_pattern(pattern).tolist() == [True]
    # a crystal that cannot be, with the same pattern
    crystal, pattern = keys('[["He", "a", 4], ["Ne", "b", 4]]', 225)
    assert known.contains(crystal).tolist() == [False]
    assert known.knows_pattern(pattern).tolist() == [True]


def test_batches_are_looked_up_row_by_row():
    known = KnownCrystals(torch.tensor([3, 7, 20]), torch.tensor([5]))
    asked = torch.tensor([20, 2, 7, 21, 3, 2**63 - 1, 0])
    assert known.contains(asked).tolist() == [True, False, True, False, True, False, False]
    assert known.knows_pattern(asked[:0]).tolist() == []
    nothing = KnownCrystals(asked[:0], asked[:0])
    assert not nothing.contains(asked).any()


def test_a_table_of_the_user_is_added():
    builtin = KnownCrystals.builtin()
    crystal, pattern = keys('[["He", "a", 1], ["Ne", "A", 8]]', 47)
    assert not builtin.contains(crystal).any()
    helium = replace(
        table('[["He", "h", 1], ["Ne", "A", 8]]', group=47), elements=(2, 10), counts=torch.tensor([[1, 8]])
    )
    known = builtin.with_table(helium)
    assert known.contains(crystal).all()
    assert known.knows_pattern(pattern).all()
    assert known.contains(builtin.sites).all()
    assert len(known.sites) == len(builtin.sites) + 1
    assert known.without_sites == 0


def test_crystals_with_sites_need_no_column():
    crystals = table(ROCK_SALT, SHIFTED)
    sampled = replace(
        crystals, columns={}, sites=Sites.from_assignments([parse_sites(t, 225) for t in (ROCK_SALT, SHIFTED)])
    )
    known, read = KnownCrystals.of(sampled), KnownCrystals.of(crystals)
    assert torch.equal(known.sites, read.sites)
    assert len(known.sites) == len(known.patterns) == 1


@pytest.mark.parametrize("missing", [None, "", " ", float("nan")])
def test_rows_without_sites_are_counted(missing):
    known = KnownCrystals.of(table(ROCK_SALT, missing, missing))
    assert known.without_sites == 2
    assert len(known.sites) == 1
    assert known.with_table(table(missing, SHIFTED)).without_sites == 3


@pytest.mark.parametrize(
    ("crystals", "message"),
    [
        (replace(table(ROCK_SALT), columns={}), "known crystals: found no column 'wyckoff', allowed: a table whose"),
        (table(None, None), "known crystals: found no sites in 2 rows, allowed: a table whose column"),
        (table(ROCK_SALT, '[["Mg", "z", 4], ["O", "b", 4]]'), "known crystals: row 2: space group 225 has no Wyckoff"),
        (table(ROCK_SALT, ZINC_BLENDE), "known crystals: row 2: sites: O on 4c, but the multiplicity of c in space"),
        (table('[["Mg", "a", 4]]'), "known crystals: row 1: sites hold 0 atoms of O in the conventional cell"),
        (table("MgO"), "known crystals: row 1: sites: found 'MgO', allowed: a JSON list such as"),
    ],
    ids=["no column", "no sites", "no such letter", "multiplicity", "counts", "no list"],
)
def test_tables_that_say_nothing_or_contradict_themselves_are_refused(crystals, message):
    with pytest.raises(DataError) as found:
        KnownCrystals.builtin().with_table(crystals)
    assert str(found.value).startswith(message)
    assert "\n" not in str(found.value)


def test_keys_are_written_and_read(tmp_path):
    known = KnownCrystals.of(table(ROCK_SALT))
    known.write(tmp_path / "known.safetensors", source="a test")
    again = KnownCrystals.read(tmp_path / "known.safetensors")
    assert torch.equal(again.sites, known.sites)
    assert torch.equal(again.patterns, known.patterns)
    with pytest.raises(CheckpointError, match="no such file"):
        KnownCrystals.read(tmp_path / "none.safetensors")
