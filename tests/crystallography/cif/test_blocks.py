"""The text of a CIF: what stands in it is kept, and what cannot be read one way only is refused."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crystalgfn.crystallography.cif.blocks import MAX_CHARACTERS, number, parse
from crystalgfn.errors import DataError

TEXT = """\ufeff# a comment
data_global
_journal_name 'O'Neil's journal'
_note
;two lines, 'quoted'
data_not_a_block
;
data_x
_cell.length_a   5.64(2) # the cell
_Symmetry_Space_Group_Name_H-M "P 1"
loop_
_atom_site_label
_atom_site_occupancy
Na1 ? Cl1 '.'
_last .
"""


def test_values_loops_and_text():
    first, second = parse(TEXT.replace("\n", "\r\n"))
    assert first.name == "global"
    assert first.value("_journal_name") == "O'Neil's journal"
    assert first.values["_note"] == ["two lines, 'quoted'\ndata_not_a_block"]
    assert second.number("_cell_length_a") == 5.64
    assert second.value("_symmetry_space_group_name_h-m") == "P 1"
    assert second.column("_atom_site_occupancy") == [None, "."]
    assert second.value("_last") is None
    assert second.text.startswith("data_x\n")
    assert second.text.endswith("_last .\n")
    assert parse(second.text)[0].values == second.values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("#" * (MAX_CHARACTERS + 1), "too long"),
        ("hello world", "line 1 has 'hello' without a name"),
        ("# nothing", "no data block"),
        ("_a 1\ndata_x", "line 1 is '_a', allowed: data_ before anything else"),
        ("data_x\n_a 'open\n", "line 2 opens a quotation"),
        ("data_x\n_a\n;open\n", "line 3 opens a quotation or text"),
        ("data_x\n_a F m -3 m\n", "line 2 has 'm' without a name of its own"),
        ("data_x\nloop_\n_a\n_b\n1 2 3\n", "3 values for 2 names"),
        ("data_x\n_a 1\n_A 2\n", "_a stands a second time with other values"),
        ("data_x\nloop_\n_a\n_a\n1 2\n", "_a a second time in one loop"),
    ],
)
def test_what_is_no_cif_is_refused_with_the_line(text, reason):
    with pytest.raises(DataError, match=reason):
        parse(text)


def test_a_name_may_stand_again_with_the_same_value_or_none():
    assert parse("data_x\n_a 1\n_a 1\n_a ''\n_b ''\n_b 2\n")[0].values == {"_a": ["1"], "_b": ["2"]}


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("-.25", -0.25), ("1e1", 10), ("5.640(13)", 5.64), ("1/3", 1 / 3), ("+2.", 2)]
)
def test_numbers(text, value):
    assert number(text, "x") == pytest.approx(value)


@pytest.mark.parametrize("text", ["0,5", "nan", "inf", "1/0", "5.6.4", "", "0x1F", "1_0", "5 (3)", "five"])
def test_what_is_no_number(text):
    with pytest.raises(DataError, match="x: found"):
        number(text, "x")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("data_loop_x1?. \n\t'\";#_abz"), max_size=80))
def test_no_text_ends_in_another_error(text):
    with contextlib.suppress(DataError):
        parse(text)
