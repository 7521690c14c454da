"""A second opinion that is asked for later is the one that the run would have given; kills and limits included."""

import json

import pandas as pd
import pytest
import torch
from ase.calculators.emt import EMT

from crystalgfn.cli import main
from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError, PropertyError
from crystalgfn.stability.hull import Hull
from crystalgfn.stability.phases import write_phases
from crystalgfn.structures import place
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.judging import judge
from crystalgfn.structures.candidates.opinions import AGREES, has_opinion
from crystalgfn.structures.candidates.requests import SearchSettings
from crystalgfn.structures.candidates.workers import Tools
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.references import References
from crystalgfn.structures.relaxing.potentials.registry import POTENTIALS

ALLOYS = Crystals(
    elements=(29, 79),
    space_group=torch.tensor([221, 225, 225, 225]),
    counts=torch.tensor([[3, 1], [4, 0], [0, 4], [4, 0]]),
    lattice=torch.tensor([[a, a, a, 90.0, 90.0, 90.0] for a in (3.8, 3.7, 4.1, 3.6)]),
)


class Mortal(CalculatorPotential):
    """EMT whose elements are 0.02 eV/atom off, and which may end the program after some answers."""

    answers = None

    def energies(self, structures):
        if Mortal.answers is not None:
            Mortal.answers -= 1
            if Mortal.answers < 0:
                raise KeyboardInterrupt
        return super().energies(structures)


def elements(copper, gold):
    return References({29: copper, 79: gold}, "emt")


@pytest.fixture
def registered(monkeypatch):
    """The potential that relaxes, and one to be asked, which agrees on copper and not on gold."""
    monkeypatch.setattr(Mortal, "answers", None)
    monkeypatch.setitem(
        POTENTIALS, "first", lambda given: CalculatorPotential("first", EMT(), given or elements(0.0, 0.0))
    )
    monkeypatch.setitem(POTENTIALS, "second", lambda given: Mortal("second", EMT(), given or elements(0.02, 0.3)))


@pytest.fixture(scope="module")
def hull(tmp_path_factory):
    path = tmp_path_factory.mktemp("hull") / "mine.csv"
    path.write_text('elements,formation_energy_per_atom\n"{""Cu"": 1}",-0.006\n"{""Au"": 1}",-0.5\n')
    return path


def made(folder, hull, **more):
    """A folder of candidates, of which two are the same crystal; gold is 0.5 eV/atom above this hull."""
    structures = place(ALLOYS, seed=0, placements=4, library=None).relax("first", hull=hull, steps=10, **more)
    return structures.write(folder)


def cells(folder):
    """The table without what depends on the clock."""
    frame = pd.read_parquet(folder / "structures.parquet")
    return frame[[name for name in frame if not name.startswith("seconds")]]


def files(folder):
    return {path.name: path.read_bytes() for path in (folder / "cif").iterdir()}


def test_a_later_opinion_is_that_of_the_run(registered, hull, tmp_path):
    at_once = made(tmp_path / "at_once", hull, second_opinion="second")
    later = made(tmp_path / "later", hull)
    before, cpu = files(later), pd.read_parquet(later / "structures.parquet")["seconds_cpu"]
    judge(later, "second")
    pd.testing.assert_frame_equal(cells(later), cells(at_once))
    assert files(later) == before == files(at_once)
    assert json.loads((later / "manifest.json").read_text()) == json.loads((at_once / "manifest.json").read_text())
    assert (pd.read_parquet(later / "structures.parquet")["seconds_cpu"] >= cpu).all()
    frame = cells(later)
    assert "energy_second" not in frame
    copper, gold = frame.iloc[1], frame.iloc[2]
    assert copper["second_opinion"] == AGREES
    assert not copper["flags"]
    assert "formation energy differs by -0.300 eV/atom" in gold["second_opinion"]
    assert gold["second_opinion"] in gold["flags"]
    for row in (copper, gold):
        first, second = (row[f"formation_energy_{name} [eV/atom]"] for name in ("first", "second"))
        above, other = (row[f"e_above_hull_{name} [eV/atom]"] for name in ("first", "second"))
        assert other - above == pytest.approx(second - first)
    assert "formation_energy_second_per_atom" in (later / "all.extxyz").read_text()


def test_only_survivors_are_asked_and_the_limit_may_rise(registered, hull, tmp_path):
    at_once = made(tmp_path / "at_once", hull, second_opinion="second", second_below=0.1)
    later = made(tmp_path / "later", hull)
    judge(later, "second", below=0.1)
    pd.testing.assert_frame_equal(cells(later), cells(at_once))
    words = list(cells(later)["second_opinion"])
    assert words[1] == AGREES
    assert words[2].startswith("not asked: 0.5")
    assert words[2].endswith("eV/atom above hull, asked up to 0.1 eV/atom")
    assert cells(later)["formation_energy_second [eV/atom]"].isna().tolist() == [True, False, True, False]
    judge(later, "second")
    pd.testing.assert_frame_equal(cells(later), cells(made(tmp_path / "all", hull, second_opinion="second")))


def test_without_an_energy_above_hull_nobody_is_asked_up_to_a_limit(registered, tmp_path):
    folder = made(tmp_path / "out", None)
    judge(folder, "second", below=0.1)
    assert set(cells(folder)["second_opinion"]) == {"not asked: no energy above hull, asked up to 0.1 eV/atom"}


def test_a_killed_call_goes_on_and_leaves_the_tables_whole(registered, hull, tmp_path, monkeypatch):
    folder, wanted = made(tmp_path / "out", hull), made(tmp_path / "wanted", hull, second_opinion="second")
    before = cells(folder)
    monkeypatch.setattr(Mortal, "answers", 2)
    with pytest.raises(KeyboardInterrupt):
        judge(folder, "second")
    pd.testing.assert_frame_equal(cells(folder), before)
    assert [has_opinion(row, "second") for row in RunFolder.existing(folder).rows()] == [True, True, False, False]
    monkeypatch.setattr(Mortal, "answers", 2)  # as many as are left
    judge(folder, "second")
    pd.testing.assert_frame_equal(cells(folder), cells(wanted))


def test_a_known_crystal_stays_known(registered, hull, tmp_path):
    folder = made(tmp_path / "out", hull)
    table = pd.read_parquet(folder / "structures.parquet")
    table["matches"], table["novel"] = ["gold", "", "", ""], [False, True, True, True]
    table.to_parquet(folder / "structures.parquet")
    judge(folder, "second")
    assert list(cells(folder)["novel"]) == [False, True, True, True]
    assert list(cells(folder)["match_group"]) == [0, 1, 2, 1]


def test_what_cannot_be_judged_is_refused_and_stays_as_it_is(registered, hull, tmp_path):
    with pytest.raises(DataError, match="no folder of crystalgfn structures"):
        judge(tmp_path, "second")
    folder = made(tmp_path / "out", hull)
    with pytest.raises(PropertyError, match="relaxes already"):
        judge(folder, "first")
    with pytest.raises(PropertyError, match="nearest: 'second'"):
        judge(folder, "secnd")
    assert json.loads((folder / "manifest.json").read_text())["second"] == ""
    judge(folder, "second")
    with pytest.raises(DataError, match="has a second opinion with second 'second', found '7net-0'"):
        judge(folder, "7net-0")
    with pytest.raises(DataError, match=r"second_references None, found 'other\.json'"):
        judge(folder, "second", references="other.json")
    (folder / "structures.parquet").unlink()
    with pytest.raises(DataError, match="not finished"):
        judge(folder, "second")


def test_the_command_says_how_many_agree(registered, hull, tmp_path, capsys):
    folder = made(tmp_path / "out", hull)
    with pytest.raises(SystemExit) as ended:
        main(["judge", str(folder), "--second", "second", "--second-below", "0.1", "--workers", "1"])
    assert ended.value.code == 0
    assert "second on 2 of 4 crystals: 2 agree, 0 flagged" in capsys.readouterr().out


def test_a_process_that_dies_costs_one_opinion_and_no_structure(registered, hull, tmp_path):
    from crystalgfn.structures.candidates.candidate import failed

    candidate = RunFolder.existing(made(tmp_path / "out", hull)).read(1)
    lost = failed(candidate, "died")
    assert lost.ok
    assert lost.row.second_opinion == "died"
    assert lost.row.energies == candidate.row.energies


class ByPotential(Hull):
    """A hull of copper and gold that lies 0.2 eV/atom lower for the potential ``second``."""

    def for_potential(self, potential):
        ground = -0.2 if potential == "second" else 0.0
        return ByPotential([({"Cu": 1}, ground), ({"Au": 1}, ground)], elements={"Cu": ground, "Au": ground})


def test_each_potential_is_measured_from_its_own_hull(registered, tmp_path):
    frame = cells(made(tmp_path / "out", ByPotential(()), second_opinion="second"))
    for name, ground in (("first", 0.0), ("second", -0.2)):
        above, formation = (frame[f"{quantity}_{name} [eV/atom]"] for quantity in ("e_above_hull", "formation_energy"))
        assert (above - formation)[1:3].tolist() == pytest.approx([-ground, -ground])


def test_a_later_opinion_is_measured_from_the_builtin_hull_of_its_potential(registered, tmp_path, monkeypatch):
    at_once = made(tmp_path / "at_once", "builtin", second_opinion="second")
    later = made(tmp_path / "later", "builtin")
    judge(later, "second")
    pd.testing.assert_frame_equal(cells(later), cells(at_once))
    gold = cells(later).iloc[2]
    assert gold["e_above_hull_second [eV/atom]"] == pytest.approx(gold["formation_energy_second [eV/atom]"])


def test_the_hull_of_the_first_potential_is_none_for_the_second(registered, tmp_path):
    table = tmp_path / "first.parquet"
    rows = [{"elements": f'{{"{symbol}": 1}}', "formation_energy_per_atom": 0.0} for symbol in ("Cu", "Au")]
    write_phases(table, rows, "first")
    assert cells(made(tmp_path / "out", table))["e_above_hull_first [eV/atom]"].notna().all()
    with pytest.raises(DataError, match="its phases are by first, found energies by second"):
        made(tmp_path / "refused", table, second_opinion="second")
    with pytest.raises(DataError, match="its phases are by first, found energies by chgnet"):
        Tools(hull=str(table)).load(SearchSettings())
