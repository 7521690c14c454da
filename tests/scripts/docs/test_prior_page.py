"""scripts/docs/prior_page.py describes a prior's samples beside real crystals, in tables of a page and in a figure."""

import pytest

from crystalgfn.config import parse_config
from crystalgfn.runs.model import untrained
from script_files import load_script
from small_run import small_config

pytest.importorskip("matplotlib")

PAGE = "# Prior\n\n<!-- begin nats -->\n<!-- end nats -->\n\n<!-- begin shares -->\n<!-- end shares -->\n"
PAGE += "\n<!-- begin table -->\n<!-- end table -->\n"


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """The script, with an untrained prior of a small space, and a table of crystals of that space."""
    content = small_config().model_dump(mode="json")
    content["constraints"] |= {"sites": "wyckoff", "charge": "none"}
    content["training"] |= {"objective": "likelihood"}
    model = untrained(parse_config({**content, "objective": []}))
    table = tmp_path_factory.mktemp("data") / "real.parquet"
    model.sample(80, seed=1).to_parquet(table)
    script = load_script("docs/prior_page.py")
    script.load = lambda where: model if where == "prior" else untrained(small_config())
    return script, table


def test_it_fills_the_page_and_draws_the_figure(setting, tmp_path):
    script, table = setting
    page, figure = tmp_path / "prior.md", tmp_path / "images" / "prior.png"
    page.write_text(PAGE)
    call = ["prior", "--data", str(table), "-n", "60", "--page", str(page), "--figure", str(figure)]
    assert script.main(call) == 0
    text = page.read_text()
    for words in (
        "| pattern of sites | ",
        "| **without the cell** | ",
        "| crystals | 60 | ",
        "| oxides | ",
        "| with the table | ",
    ):
        assert words in text
    assert "samples of `prior` | real crystals held out | real crystals learned from" in text
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_parts_of_the_nats_add_up(setting, capsys):
    script, table = setting
    assert script.main(["prior", "--data", str(table), "-n", "20"]) == 0
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    numbers = {cells[0].strip("| "): cells[1].strip("| ").replace("−", "-") for cells in lines}
    parts = sum(float(numbers[part]) for part in script.PARTS.values())
    assert float(numbers["all"].split(" ± ")[0]) == pytest.approx(parts, abs=0.03)


def test_a_model_that_is_no_prior_is_one_line(setting, capsys):
    script, table = setting
    assert script.main(["other", "--data", str(table)]) == 2
    assert "error: found a model that was trained on a reward" in capsys.readouterr().err
