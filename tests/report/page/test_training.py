"""Training curves of samplers and of priors."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.report.page.build import read_metrics
from crystalgfn.report.page.training import figures

pytest.importorskip("plotly")

OF_PRIOR = """epoch,updates,lr,train,validation,best,nonfinite,space_group,sites,elements,lattice
1,10,0.002,21,15,1,0,4,5,9,-3
2,20,0.001,19,12,1,0,4,4,8,-4
3,30,0.000,18,13,0,0,4,4,8.5,-3.5
"""


@pytest.fixture
def drawn(tmp_path):
    """A function that draws the figures of the text of a metrics.csv, by their keys."""

    def draw(text):
        (tmp_path / "metrics.csv").write_text(text)
        return {figure.key: figure for figure in figures(read_metrics(tmp_path / "metrics.csv"))}

    return draw


def test_training_curves(drawn):
    found = drawn("iteration,trajectories,loss,log_z,elbo,ess,log_reward,kl_to_prior\n1,100,5,1,0,0.1,2,nan\n"
                  "2,200,3,2,1,0.2,3,nan\n")  # fmt: skip
    assert list(found) == ["training-loss", "training-log-z", "training-ess", "training-reward"]
    assert found["training-loss"].data[0]["x"] == [100.0, 200.0]
    assert found["training-loss"].data[0]["y"] == [5.0, 3.0]
    assert [trace["name"] for trace in found["training-log-z"].data] == ["log_z", "elbo"]


def test_curves_of_a_prior_show_held_out_nats_beside_the_loss_and_mark_the_best_epoch(drawn):
    found = drawn(OF_PRIOR)
    assert list(found) == ["training-nats", "training-parts"]
    loss, held_out = found["training-nats"].data
    assert (loss["name"], loss["y"]) == ("learned from", [21.0, 19.0, 18.0])
    assert (held_out["name"], held_out["x"], held_out["y"]) == ("held out", [1.0, 2.0, 3.0], [15.0, 12.0, 13.0])
    assert [mark["text"] for mark in found["training-nats"].layout["annotations"]] == ["epoch 2"]
    parts = {trace["name"]: trace["y"][-1] for trace in found["training-parts"].data}
    assert parts == {"space group": 4, "sites": 4, "elements": 8.5, "lattice": -3.5}


def test_a_prior_without_held_out_crystals_has_its_loss_alone(drawn):
    lines = [line.split(",") for line in OF_PRIOR.splitlines()]
    text = "\n".join(",".join([*line[:4], "nan", *line[5:7], *["nan"] * 4]) for line in lines[1:])
    found = drawn(f"{','.join(lines[0])}\n{text}\n")
    assert [trace["name"] for trace in found["training-nats"].data] == ["learned from"]
    assert "dotted line" not in found["training-nats"].caption
    assert list(found) == ["training-nats"]


def test_one_row_is_no_curve(drawn):
    assert drawn("\n".join(OF_PRIOR.splitlines()[:2]) + "\n") == {}


def test_metrics_that_cannot_be_read(drawn):
    with pytest.raises(DataError, match="not readable"):
        drawn("loss\nx\n")
