"""The figure of constraints: what they leave of proposals, also where that is nothing."""

from dataclasses import replace

import pytest

from crystalgfn.config import parse_config
from crystalgfn.report.page.build import report
from crystalgfn.report.page.constraints import percent_of
from page_setup import data

pytest.importorskip("plotly")


def limits(**more):
    wanted = {"elements": ["Li", "O", "Mg"], "n_elements": [1, 3], "n_atoms_primitive": [1, 9], **more}
    return parse_config({"constraints": wanted}).constraints.model_dump()


def constrained(**more):
    page = report(replace(data(), constraints=limits(**more)), smact=False)
    return next(section for section in page.sections if section.key == "constraints").figures[0]


def test_constraints_are_shown_where_they_are_known():
    figure = constrained()
    steps = ["proposals", "number of atoms", "Wyckoff positions", "charge neutrality", "cell exists"]
    proposals, of_model = figure.data
    assert proposals["y"] == [*steps, "lengths and angles", "space for the atoms"]
    assert proposals["x"][0] == 100
    assert proposals["x"] == sorted(proposals["x"], reverse=True)
    assert of_model["y"] == ["samples of samples"]
    assert of_model["customdata"][0].endswith(" of 80")
    assert 10 ** figure.layout["xaxis"]["range"][0] < min(proposals["x"])
    assert all(step in figure.alt for step in steps[1:])
    assert "constraints" not in [section.key for section in report(data(), smact=False).sections]


def test_constraints_that_leave_nothing():
    figure = constrained(lattice={"volume_per_atom": [1e-3, 2e-3]})
    assert figure.data[0]["x"][-1] is None
    assert figure.data[0]["text"][-1] == "none"
    assert "; none obey every constraint" in figure.caption


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (0, "none"),
        (1, "0.0001 %"),
        (994, "0.099 %"),
        (99_400, "9.9 %"),
        (99_500, "9.95 %"),
        (123_456, "12.3 %"),
        (999_499, "99.9 %"),
        (999_999, "over 99.9 %"),
        (1_000_000, "100 %"),
    ],
)
def test_only_all_are_100_percent(left, text):
    assert percent_of(left, 1_000_000) == text
