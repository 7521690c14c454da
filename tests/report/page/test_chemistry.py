"""Figures of composition: the periodic table."""

import pytest

from crystalgfn.report.page.chemistry import place

pytest.importorskip("plotly")


def test_every_element_has_a_place_of_its_own():
    places = {place(z) for z in range(1, 119)}
    assert len(places) == 118
    assert place(1) == (0, 0)
    assert place(118) == (6, 17)
