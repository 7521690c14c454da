"""Figures of cells: a panel for each lattice parameter."""

import numpy as np
import pytest

from crystalgfn.report.page import geometry
from crystalgfn.report.page.figure import Series
from page_setup import samples

pytest.importorskip("plotly")


def test_each_lattice_parameter_has_a_panel():
    series = [Series("one", samples()), Series("two", samples(seed=1))]
    found = {figure.key: figure for figure in geometry.figures(series)}
    lengths = [found[f"length-{name}"] for name in "abc"]
    angles = [found[f"angle-{name}"] for name in ("alpha", "beta", "gamma")]
    assert all(figure.small for figure in (*lengths, *angles))
    for row in (lengths, angles):
        assert len({(figure.data[0]["x"][0], figure.data[0]["x"][-1]) for figure in row}) == 1  # one axis
    lattice = samples().lattice.numpy()
    for column, figure in enumerate(lengths):
        x = figure.data[0]["x"]
        middle = np.average(x, weights=figure.data[0]["y"])
        assert middle == pytest.approx(lattice[:, column].mean(), abs=(x[1] - x[0]) / 2)
    fixed = np.isin(lattice[:, 4], (90, 120)).mean()
    assert f"one {100 * fixed:.0f} %" in angles[1].caption


def test_angles_that_are_all_fixed_have_no_panel():
    cubic = samples()[samples().space_group.numpy() == 225]
    assert not [figure for figure in geometry.figures([Series("cubic", cubic)]) if figure.key.startswith("angle")]
