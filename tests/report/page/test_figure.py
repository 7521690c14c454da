"""Figures as plain values: plotly accepts them all, and a long tail does not hide the rest."""

import numpy as np
import pytest

from crystalgfn.report.page.build import report
from crystalgfn.report.page.figure import histogram
from page_setup import data

pytest.importorskip("plotly")


def test_figures_are_valid_for_plotly():
    graph_objects = pytest.importorskip("plotly.graph_objects")
    for section in report(data(), smact=False).sections:
        for figure in section.figures:
            traces = [{k: v for k, v in t.items() if v != "sequential"} for t in figure.data]
            for trace in traces:
                if trace.get("line", {}).get("color") == "muted":
                    trace["line"] = {"dash": "dot"}
            graph_objects.Figure({"data": traces, "layout": figure.layout})  # raises on what plotly does not know


@pytest.mark.parametrize(("n", "wanted"), [(1, 8), (20, 8), (400, 20), (3_600, 60), (100_000, 60)])
def test_few_crystals_have_few_bins(n, wanted):
    figure = histogram("k", "t", [("x", np.linspace(0, 1, n)), ("fewer", np.array([0.5]))], "ratio", caption="c.")
    assert [len(trace["x"]) for trace in figure.data] == [wanted, wanted]


def test_a_long_tail_does_not_hide_the_rest():
    values = np.append(np.linspace(0.5, 1.5, 900), np.full(100, 1e4))
    figure = histogram("k", "t", [("x", values)], "ratio", caption="c.", most=4.0)
    assert min(figure.data[0]["x"]) > 0
    assert max(figure.data[0]["x"]) < 4.2
    assert "10.0 % lie outside" in figure.caption
