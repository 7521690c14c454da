"""Tables on narrow terminals: which columns stay, that no label is broken, and what is said of the others."""

import io

import numpy as np
import pytest
import torch

from crystalgfn.crystals.crystal import Crystals
from crystalgfn.report.fitting import Column, FittedTable
from crystalgfn.report.summary import best_table
from crystalgfn.terminal import WIDE, console

FORMULA = "Li10GeP2S12"


def printed(table, width):
    stream = io.StringIO()
    console(file=stream, width=width).print(table)
    return stream.getvalue()


def table():
    made = FittedTable(
        "Some crystals\nof a test",
        [
            Column("formula"),
            Column("energy\neV/atom", "right"),
            Column("a", "right", rank=2),
            Column("b", "right", rank=2),
            Column("group", rank=1),
            Column("what was counted", rank=3, prose=True),
        ],
        caption="* doubtful",
    )
    for formula in (FORMULA, "MgO*"):
        made.add_row(formula, "-3.100", "12.345", "12.345", "137 P4_2/nmc", "a long text of many words " * 3)
    return made


@pytest.mark.parametrize(
    ("width", "out"),
    [
        (200, ""),
        (80, ""),
        (60, "what was counted"),
        (40, "a, b, what was counted"),
        (24, "a, b, group, what was counted"),
    ],
)
def test_columns_without_room_are_left_out_and_named(width, out):
    text = printed(table(), width)
    lines = text.splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    assert text.startswith("Some crystals\nof a test\n")
    assert sum(FORMULA in line and "-3.100" in line for line in lines) == 1
    assert "* doubtful" in text
    said = f"left out, for {width} characters a line: {out}"
    assert (said in " ".join(text.split())) if out else "left out" not in text


def test_what_always_stays_is_kept_where_there_is_no_room_at_all():
    assert [column.name for column in table().fitting(5)] == ["formula", "energy eV/atom"]
    words = printed(table(), 12).split()
    assert {"Li10", "GeP2", "S12", "-3.100"} <= set(words)  # folded, and no digit is lost


def test_prose_is_folded_at_blanks():
    words = {word for line in printed(table(), 80).splitlines() for word in line.split()}
    assert {"long", "text", "many", "words"} <= words


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("also", [(), ("band_gap [eV]", "bulk_modulus [GPa]", "novelty", "stability", "known_formula")])
def test_the_best_crystals_keep_formula_and_energy(width, also):
    lattice = torch.tensor([[23.456, 23.456, 123.456, 90.0, 90.25, 120.0]], dtype=torch.float64)
    columns = {"energy_above_hull [eV/atom]": np.array([0.1234]), **{name: np.array([123.456]) for name in also}}
    crystals = Crystals((3, 15, 16, 17), torch.tensor([194]), torch.tensor([[60, 10, 50, 13]]), lattice, columns)
    text = printed(best_table(crystals, energy="energy_above_hull [eV/atom]", also=also), width)
    (line,) = (line for line in text.splitlines() if crystals.formulas[0] in line)
    assert "0.123" in line
    assert "194 P6_3/mmc" in line
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "left out" in text
    assert "density g/cm³" in " ".join(text.split())


def test_a_file_gets_wide_lines_and_columns_says_otherwise(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console(file=io.StringIO()).width == WIDE
    assert console(file=io.StringIO(), width=70).width == 70
    monkeypatch.setenv("COLUMNS", "60")
    assert console(file=io.StringIO()).width == 60
    monkeypatch.delenv("COLUMNS")
    assert console(file=io.StringIO(), force_terminal=True).width != WIDE
