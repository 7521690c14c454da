"""Figures of energies, and of training."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.report.page.build import read_metrics
from crystalgfn.report.page.energies import training

pytest.importorskip("plotly")


def test_training_curves(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,trajectories,loss,log_z,elbo,ess,log_reward\n1,100,5,1,0,0.1,2\n2,200,3,2,1,0.2,3\n")
    figures = {figure.key: figure for figure in training(read_metrics(path))}
    assert figures["training-loss"].data[0]["y"] == [5.0, 3.0]
    assert [trace["name"] for trace in figures["training-log-z"].data] == ["log_z", "elbo"]
    path.write_text("loss\nx\n")
    with pytest.raises(DataError, match="not readable"):
        read_metrics(path)
