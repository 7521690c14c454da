"""Messages of errors: one line that can be read, whatever a file holds."""

import pickle

import pytest

from crystalgfn.errors import LONGEST, ConfigError, CrystalGFNError, DataError, nearest


def test_a_message_stays_as_it_is():
    assert str(ConfigError("batch_size: found 0,  allowed: 1 or more")) == "batch_size: found 0,  allowed: 1 or more"
    assert str(CrystalGFNError()) == ""


@pytest.mark.parametrize("gap", ["\n", "\r\n", " \n\n ", "\x0b", "\u2028", "\x85"])
def test_lines_of_a_file_become_one(gap):
    assert str(DataError(f"t.csv: no column 'cif', found: data_MgO{gap}loop_, allowed: cif")) == (
        "t.csv: no column 'cif', found: data_MgO loop_, allowed: cif"
    )


def test_what_was_found_may_be_long_and_what_is_allowed_is_still_told():
    message = str(DataError(f"rounds.csv: found text in {'[' * 100_000!r}, allowed: numbers"))
    assert len(message) == LONGEST
    assert message.startswith("rounds.csv: found text in '[[[")
    assert " ... [[[" in message
    assert message.endswith("[[', allowed: numbers")


def test_errors_come_whole_out_of_another_process():
    error = DataError("a\nb")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is DataError
    assert again.args == ("a\nb",)
    assert str(again) == "a b"


def test_the_nearest_is_named():
    assert nearest("bandgap", ["band_gap", "density"]) == " (nearest: 'band_gap')"
    assert nearest("zzz", ["band_gap"]) == ""
