"""Parts of pages that scripts write."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.report.pages import fill, parts

PAGE = "# Title\n\n<!-- begin one -->\nold\n<!-- end one -->\n\nkept\n\n<!-- begin two -->\n<!-- end two -->\n"


def test_fill_replaces_one_part_and_keeps_the_rest():
    page = fill(PAGE, "one", "| a |\n")
    assert page == PAGE.replace("\nold\n", "\n\n| a |\n\n")
    assert fill(page, "one", "| a |") == page
    assert parts(page) == ["one", "two"]


@pytest.mark.parametrize("broken", ["", PAGE + PAGE, "<!-- end one --><!-- begin one -->"])
def test_fill_needs_its_markers(broken):
    with pytest.raises(DataError, match="begin one"):
        fill(broken, "one", "x")


def test_fill_names_the_nearest_part():
    with pytest.raises(DataError, match="nearest: 'one'"):
        fill(PAGE, "ones", "x")
