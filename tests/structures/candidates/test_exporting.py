"""Which candidates are exported: the best ones, each once, and none that is doubtful unless it is asked for."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.exporting import chosen, exported
from export_setup import RANKED, structures

STRUCTURES = structures()


def formulas(**asked):
    return [row.formula for row in chosen(STRUCTURES.table, **asked)]


def test_best_first_each_once_without_doubtful_ones():
    assert formulas() == RANKED
    assert [row.row for row in chosen(STRUCTURES.table)] == [5, 3, 1, 0]
    assert formulas(flagged=True) == [*RANKED, "SrO"]
    assert formulas(n=2) == RANKED[:2]


def test_up_to_an_energy_above_hull():
    assert formulas(e_above_hull=0.05) == ["NaN", "FeO", "MgO"]
    assert formulas(e_above_hull=0.02, n=1) == ["NaN"]
    with pytest.raises(DataError, match=r"no relaxed candidate up to -1 eV/atom above the hull among 7"):
        formulas(e_above_hull=-1.0)
    with pytest.raises(DataError, match=r"up to -0.1 eV/atom above the hull among 7; 1 are flagged as doubtful"):
        formulas(e_above_hull=-0.1)
    assert formulas(e_above_hull=-0.1, flagged=True) == ["SrO"]


def test_without_energies_there_is_nothing_to_choose_by():
    with pytest.raises(DataError, match="no relaxed candidate among 1"):
        chosen(STRUCTURES[6:].table)
    with pytest.raises(DataError, match="row 6 has no structure: no placement"):
        exported(STRUCTURES[6])


def test_what_is_said_of_a_candidate():
    item = exported(STRUCTURES[3])
    assert item.info == {
        "row": 3,
        "formula": "FeO",
        "space_group": 225,
        "e_above_hull_chgnet_per_atom": 0.02,
        "formation_energy_chgnet_per_atom": -2.98,
        "status": "relaxed",
    }
    assert item.point.energy == -13.0


def test_from_memory_and_from_the_folder_the_same_files(tmp_path, capsys):
    from crystalgfn.structures.candidates.folder import RunFolder

    folder = STRUCTURES.write(tmp_path / "candidates")
    assert STRUCTURES.export("extxyz", tmp_path / "a.xyz", n=3).structures == 3
    assert RunFolder.existing(folder).export("extxyz", tmp_path / "b.xyz", n=3).structures == 3
    assert (tmp_path / "a.xyz").read_text() == (tmp_path / "b.xyz").read_text()
    assert STRUCTURES.export("extxyz", tmp_path / "all.xyz").structures == 6  # all, in their order
    assert (tmp_path / "all.xyz").read_bytes() == (folder / "all.extxyz").read_bytes()
