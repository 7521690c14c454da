"""The screen of a folder: which candidates it takes, what it writes, and that it goes on after a kill."""

import math
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from ase.calculators.emt import EMT
from pymatgen.core import Lattice, Structure

from candidate_setup import candidate
from crystalgfn.cli import main
from crystalgfn.errors import PropertyError
from crystalgfn.structures.candidates import phonons
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.folder import RunFolder
from crystalgfn.structures.candidates.phonons import load_for_phonons, screen_phonons
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity
from crystalgfn.structures.relaxing.phonons import Phonons
from crystalgfn.structures.relaxing.potentials.calculator import CalculatorPotential
from crystalgfn.structures.relaxing.potentials.registry import POTENTIALS

pytest.importorskip("phonopy", reason="the extra 'phonons' is not installed")

POTENTIAL = CalculatorPotential("emt", EMT())
COLUMN = "lowest_phonon_emt [THz]"


def metal(symbol, edge, group="Fm-3m"):
    return Structure.from_spacegroup(group, Lattice.cubic(edge), [symbol], [[0, 0, 0]]).get_primitive_structure()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four candidates: the best but one carries a flag, and the best is simple cubic."""
    held = RunFolder(tmp_path_factory.mktemp("made") / "run", {"potential": "chgnet"}, resume=False)
    crystals = (metal("Cu", 3.6), metal("Cu", 2.4, "Pm-3m"), metal("Ag", 4.1), metal("Au", 4.1))
    for number, (crystal, energy) in enumerate(zip(crystals, (-0.1, -0.3, -0.2, -0.05), strict=True)):
        row = candidate(number, crystal, energy, flags="not converged" if number == 2 else "", match_group=None)
        held.write(Candidate(row, crystal))
    held.finish()
    return held.path


@pytest.fixture
def folder(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def counted(monkeypatch):
    """Phonons of which every call is counted, and which may end the program after some."""
    calls = []

    def answer(structure, potential, **settings):
        calls.append(structure.composition.reduced_formula)
        if len(calls) == answer.most:
            raise KeyboardInterrupt
        return Phonons(1.0, "made up")

    answer.most = None
    monkeypatch.setattr(phonons, "lowest_phonon", answer)
    return calls, answer


def table(folder):
    return pd.read_parquet(folder / "structures.parquet")


def test_the_best_without_flags_are_screened_and_saddle_points_flagged(folder):
    rows = screen_phonons(folder, 2, POTENTIAL)
    assert [row.row for row in rows] == [1, 0]
    frame = table(folder)
    assert frame[COLUMN].isna().tolist() == [False, False, True, True]
    assert frame[COLUMN][1] < -1 < 1 < frame[COLUMN][0]
    assert frame["flags"][1] == f"imaginary phonons: {frame[COLUMN][1]:.2f} THz by emt, allowed: -0.1 or more"
    assert frame["flags"][[0, 2, 3]].tolist() == ["", "not converged", ""]
    assert frame["phonons"][0] == "emt: 4 x 4 x 4 primitive cells, 64 atoms; displacements: 1"
    assert frame["seconds"][0] > 3.0  # what it took before
    (header,) = [f for f in RunFolder.existing(folder).table().columns if f.quantity is Quantity.LOWEST_PHONON]
    assert header.metadata() == {"unit": "THz", "quantity": "lowest_phonon", "method": "emt", "hull": ""}
    assert PotentialColumn.parse(COLUMN) == header
    assert phonons.summary(rows, "emt") == (
        "phonons by emt of the best 2: 1 without imaginary modes, 1 flagged, 0 not finished"
    )


def test_what_is_done_is_not_repeated_and_a_greater_number_adds(folder, counted):
    calls, _ = counted
    screen_phonons(folder, 2, POTENTIAL)
    screen_phonons(folder, 3, POTENTIAL)
    assert calls == ["Cu", "Cu", "Au"]


def test_a_flag_of_its_own_does_not_make_room_for_others(folder, monkeypatch):
    monkeypatch.setattr(phonons, "lowest_phonon", lambda *args, **settings: Phonons(-2.0, "made up"))
    screen_phonons(folder, 1, POTENTIAL)
    screen_phonons(folder, 1, POTENTIAL)
    assert table(folder)[COLUMN].isna().tolist() == [True, False, True, True]


def test_a_killed_screen_goes_on(folder, counted):
    calls, answer = counted
    before, answer.most = table(folder), 2
    with pytest.raises(KeyboardInterrupt):
        screen_phonons(folder, 3, POTENTIAL)
    pd.testing.assert_frame_equal(table(folder), before)
    answer.most = None
    screen_phonons(folder, 3, POTENTIAL)
    assert calls == ["Cu", "Cu", "Cu", "Au"]  # the second one twice
    assert table(folder)[COLUMN].notna().sum() == 3


def test_who_ran_out_of_time_is_tried_again(folder):
    (row,) = screen_phonons(folder, 1, POTENTIAL, time_limit_s=0.0)
    assert row.phonons == "emt: time limit of 0 s"
    assert row.flags == ""
    assert COLUMN not in table(folder)
    (row,) = screen_phonons(folder, 1, POTENTIAL)
    assert math.isfinite(row.energy(PotentialColumn(Quantity.LOWEST_PHONON, "emt")))


def test_unfit_potentials_are_refused_with_the_reason(monkeypatch):
    with pytest.raises(PropertyError, match=r"found 'chgnet', allowed: another potential.*too soft.*Deng"):
        load_for_phonons("chgnet")
    monkeypatch.setitem(POTENTIALS, "energies-only", lambda references: object())
    with pytest.raises(PropertyError, match="'energies-only' has no ASE calculator"):
        load_for_phonons("energies-only")
    monkeypatch.setitem(sys.modules, "phonopy", None)
    with pytest.raises(PropertyError, match=r"crystalgfn\[phonons\]"):
        load_for_phonons("7net-l3i5")


def test_the_commands_screen(folder, counted, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(POTENTIALS, "emt", lambda references: POTENTIAL)
    with pytest.raises(SystemExit) as ended:
        main(["judge", str(folder), "--second", "none", "--phonons", "1", "--phonon-potential", "emt"])
    assert ended.value.code == 0
    assert "phonons by emt of the best 1: 1 without imaginary modes" in capsys.readouterr().out
    crystals = tmp_path / "crystals.csv"
    crystals.write_text('elements,spacegroup,a,b,c,alpha,beta,gamma\n"{""Cu"": 4}",225,3.6,3.6,3.6,90,90,90\n')
    call = ["structures", str(crystals), "-o", str(tmp_path / "out"), "--hull", "none", "--phonons", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*call, "--relax", "emt", "--phonon-potential", "emt", "--workers", "1"])
    assert ended.value.code == 0
    assert "phonons by emt of the best 0" in capsys.readouterr().out  # without references, there is nothing to rank by
    for refused in (["--relax", "none"], ["--phonon-potential", "chgnet"]):
        with pytest.raises(SystemExit) as ended:
            main([*call, "-o", str(tmp_path / "other"), *refused])
        assert ended.value.code == 2
        assert not (tmp_path / "other").exists()
