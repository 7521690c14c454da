"""Tables for people: what they show, in which order, and what they say about the method."""

import io

import numpy as np
import pytest
import torch
from rich.console import Console

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.errors import DataError
from crystalgfn.evaluation.metrics import summarise
from crystalgfn.report.summary import ENERGY_ROWS, ROWS, best, best_table, comparison_table


@pytest.fixture
def crystals():
    return Crystals(
        elements=(3, 12, 8),
        space_group=torch.tensor([225, 221, 2]),
        counts=torch.tensor([[0, 4, 4], [1, 0, 0], [4, 0, 2]]),
        lattice=torch.tensor([[4.2, 4.2, 4.2, 90, 90, 90], [3, 3, 3, 90, 90, 90], [4, 5, 6, 80, 90.5, 100]]),
        columns={"formation_energy [eV/atom]": np.array([-3.1, np.nan, -2.0]), "log_reward": np.array([1.0, 3.0, 2.0])},
    )


def printed(table, width=200):
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


def test_best_ranks_by_energy_then_by_log_reward(crystals):
    assert best(crystals, 2).formulas == ["MgO", "Li2O"]
    without = Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    by_reward = without.with_columns(log_reward=crystals.columns["log_reward"])
    assert best(by_reward, 10).formulas == ["Li", "Li2O", "MgO"]
    assert best(crystals, 1, energy="formation_energy").formulas == ["MgO"]
    assert best(crystals, 3, energy="formation_energy:desc").formulas == ["Li2O", "MgO", "Li"]
    assert crystals.best(1, by="log_reward:asc").formulas == ["MgO"]
    with pytest.raises(DataError, match="nothing to rank by"):
        best(without, 1)


def test_best_keeps_one_of_each_formula_and_space_group(crystals):
    twice = Crystals.concatenate([crystals, crystals])
    assert best(twice, 10).formulas == ["MgO", "Li2O", "Li"]
    assert best(twice, 10, distinct=False).formulas == ["MgO", "MgO", "Li2O", "Li2O", "Li", "Li"]
    other_group = Crystals(crystals.elements, crystals.space_group - 1, crystals.counts, crystals.lattice)
    both = Crystals.concatenate([crystals, other_group.with_columns(**crystals.columns)])
    assert len(best(both, 10)) == 6


def test_best_table_shows_units_and_method(crystals):
    text = printed(best_table(crystals, 2))
    assert "The best 2 of 3 crystals" in text
    for word in ("formation energy (proxy)", "(proxy)\n", "eV/atom", "Å³/atom", "g/cm³"):
        assert word in text
    first, second = (line for line in text.splitlines() if "O " in line)
    for word in ("MgO", "225 Fm-3m", "4.20", "90 90 90", "9.3", "3.61", "-3.100"):
        assert word in first
    assert "80 90.5 100" in second
    assert "The best 1 of 1,000 crystals" in printed(best_table(crystals, 1, total=1000))
    assert "(DFT)" in printed(best_table(crystals, 1, method="DFT"))


def test_best_table_fits_80_columns():
    lattice = [23.456, 23.456, 123.456, 90.0, 90.0, 120.0]
    columns = {"formation_energy_paper [eV/atom]": np.array([-3.1234])}
    wide = Crystals((12, 14, 8), torch.tensor([194]), torch.tensor([[12, 14, 16]]), torch.tensor([lattice]), columns)
    text = printed(best_table(wide), width=80)
    assert "…" not in text
    for word in ("Mg6Si7O8", "194 P6_3/mmc", "123.46", "-3.123"):
        assert word in text


def test_the_first_of_further_columns_stay_longest(crystals):
    told = crystals.with_columns(**{"band_gap [eV]": np.ones(3), "known": np.zeros(3), "known_formula": np.zeros(3)})
    told = told.with_columns(log_reward=np.arange(3.0))
    also = ["density [g/cm3]", "band_gap [eV]", "known", "known_formula"]
    shown, left_out = printed(best_table(told, 2, energy="log_reward", also=also), width=46).split("left out")
    assert "g/cm³" in shown
    assert "band" in shown
    assert "known formula" in left_out
    assert "volume" in left_out


def test_best_table_without_energies(crystals):
    plain = Crystals(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    assert "reward" in printed(best_table(plain.with_columns(log_reward=np.arange(3.0))))


def test_comparison_table(crystals):
    ours = summarise(crystals)
    paper = {"energy": {"method": "their proxy", "median": -3.1, "below_minus_2": 0.9595}}
    lines = comparison_table({"ours": ours, "the paper": paper}).splitlines()
    assert lines[:2] == ["|  | ours | the paper |", "| --- | ---: | ---: |"]
    assert "| median energy (eV/atom) | −2.55 | −3.10 |" in lines
    assert "| energy by | formation_energy [eV/atom] | their proxy |" in lines
    assert "| below −2 eV/atom | 50 % | 95.95 % |" in lines
    assert "| space groups | 3 | – |" in lines
    assert not any("effective sample size" in line for line in lines)  # no weights in either
    assert len({line.count("|") for line in lines}) == 1


def test_comparison_table_of_some_rows(crystals):
    lines = comparison_table({"x": summarise(crystals, energy=None)}, rows=ENERGY_ROWS).splitlines()
    assert lines[2:] == ["| crystals | 3 |"]


def test_every_row_finds_its_number(crystals):
    columns = {name: np.zeros(3) for name in ("log_reward", "log_pf", "log_pb")}
    counts = torch.tensor([[0, 4, 4], [1, 0, 0], [4, 2, 2]])
    full = Crystals(crystals.elements, crystals.space_group, counts, crystals.lattice, crystals.columns)
    table = comparison_table({"x": summarise(full.with_columns(**columns))})
    shown = {line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()}
    assert {row.label for row in ROWS} - shown == {"4 elements in a crystal", "5 elements in a crystal"}
