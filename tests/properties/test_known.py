"""Properties that say whether a crystal, its site pattern or its formula is known."""

import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.crystals.known import KnownCrystals
from crystalgfn.errors import DataError, PropertyError
from crystalgfn.properties.known import Known, KnownFormula, KnownPattern, known_property
from crystalgfn.properties.registry import resolve
from cubic_crystals import ROWS, cubic


def test_a_crystal_is_known_whatever_its_origin_and_cell():
    table = KnownCrystals.of(cubic(ROWS[0]))
    crystals = cubic(*ROWS)
    assert Known(table)(crystals).tolist() == [1, 1, 0, 0]
    assert KnownPattern(table)(crystals).tolist() == [1, 1, 1, 0]
    assert resolve("known")(crystals).tolist() == [1, 1, 0, 0]  # in the table that ships: NaCl
    assert resolve("known_pattern")(crystals).tolist() == [1, 1, 1, 1]


def test_a_formula_is_known_whatever_its_structure():
    crystals = cubic(*ROWS)
    assert KnownFormula(KnownCrystals.of(cubic(ROWS[2])))(crystals).tolist() == [0, 0, 1, 0]
    assert resolve("known_formula")(crystals).tolist() == [1, 1, 1, 0]  # NaCl and Li2O2; LiF2 is none


@pytest.mark.parametrize("kind", [Known, KnownPattern, KnownFormula])
def test_no_crystals_have_no_values(kind):
    crystals = cubic(*ROWS)
    empty = crystals[torch.zeros(0, dtype=torch.int64)]
    assert kind(KnownCrystals.of(crystals))(empty).shape == (0,)


@pytest.mark.parametrize(("kind", "before"), [(Known, [1, 1, 0, 0]), (KnownFormula, [1, 1, 1, 0])])
def test_a_table_of_ones_own_adds_to_the_one_that_ships(tmp_path, kind, before):
    mine, crystals = tmp_path / "mine.parquet", cubic(*ROWS)
    cubic(ROWS[3]).to_parquet(mine)
    assert known_property(kind, [])(crystals).tolist() == before
    assert known_property(kind, [str(mine)])(crystals).tolist() == [*before[:3], 1]
    with pytest.raises(DataError, match="no-such-table"):
        known_property(kind, [str(tmp_path / "no-such-table.parquet")])


def test_only_the_formula_needs_no_sites():
    crystals = cubic(*ROWS)
    bare = Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    table = KnownCrystals.of(crystals)
    for kind in (Known, KnownPattern):
        with pytest.raises(PropertyError, match=f"property {kind.name!r}: no sites"):
            kind(table)(bare)
    assert KnownFormula(table)(bare).tolist() == [1, 1, 1, 1]
