"""The page as a text: what is in it, that it asks for nothing, and that nothing from outside becomes HTML."""

import base64
import gzip
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from crystalgfn.cli.report import app
from crystalgfn.config import parse_config
from crystalgfn.errors import DataError
from crystalgfn.evaluation.inputs import Data, energy_methods, read_data
from crystalgfn.report.page import geometry
from crystalgfn.report.page.build import compare, read_metrics, report
from crystalgfn.report.page.chemistry import place
from crystalgfn.report.page.constraints import percent_of
from crystalgfn.report.page.document import render
from crystalgfn.report.page.energies import training
from crystalgfn.report.page.figure import Series, histogram
from page_setup import samples, write_structures

pytest.importorskip("plotly")


def data(name="samples", **more):
    crystals = samples(**more)
    return Data(name, crystals, provenance={"table": "t.parquet"}, methods=energy_methods(crystals))


def content(text):
    packed = re.search(r'id="packed-data">([^<]*)<', text).group(1)
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def test_a_page_holds_all_crystals_best_first():
    text = render(report(data(), smact=False))
    table = content(text)["table"]
    columns = {column["key"]: column for column in table["columns"]}
    energies = columns["formation_energy [eV/atom]"]["values"]
    assert table["n"] == 80
    assert energies == sorted(energies)
    assert "proxy" in columns["formation_energy [eV/atom]"]["method"]
    row = columns["row"]["values"][0]
    assert samples().formulas[row] == columns["formula"]["values"][0]


def test_a_page_names_no_address_outside():
    text = render(report(data(), smact=False))
    assert len(text) < 3e6
    assert not re.findall(r"""\b(?:src|href)=(?!"#|"data:,").{0,40}""", text)
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text


def test_every_figure_has_words_for_who_cannot_see_it():
    page = report(data(), smact=False)
    figures = [figure for section in page.sections for figure in section.figures]
    assert {"energies", "elements-atoms", "elements-presence", "together", "groups", "sunburst", "volume"} <= {
        figure.key for figure in figures
    }
    assert all(len(figure.alt) > 20 and figure.caption for figure in figures)
    assert len({figure.key for figure in figures}) == len(figures)


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


def test_names_from_outside_stay_text():
    text = render(report(data("<img src=x onerror=alert(1)>"), smact=False))
    assert "<img" not in text


def test_structures_have_files_atoms_and_named_failures(tmp_path):
    text = render(report(read_data(write_structures(tmp_path / "s")), smact=False))
    held = content(text)
    assert sorted(len(scene["atoms"]) for scene in held["atoms"].values()) == [27, 27]  # rock salt with its faces
    assert all(cif.startswith("data_") for cif in held["cif"].values())
    assert "broken.cif" in text
    assert "<script>alert" not in text


def test_a_comparison_shows_each_side_by_side():
    page = compare([data("one"), data("two", seed=1)], smact=False)
    assert [tile[0] for tile in page.tiles] == ["one", "two"]
    figures = {figure.key: figure for section in page.sections for figure in section.figures}
    assert [trace["name"] for trace in figures["density"].data] == ["one", "two"]
    assert figures["energies"].caption.count("proxy") == 2
    with pytest.raises(DataError, match="two or more"):
        compare([data("one"), data("one")], smact=False)


def test_figures_are_valid_for_plotly():
    graph_objects = pytest.importorskip("plotly.graph_objects")
    for section in report(data(), smact=False).sections:
        for figure in section.figures:
            traces = [{k: v for k, v in t.items() if v != "sequential"} for t in figure.data]
            for trace in traces:
                if trace.get("line", {}).get("color") == "muted":
                    trace["line"] = {"dash": "dot"}
            graph_objects.Figure({"data": traces, "layout": figure.layout})  # raises on what plotly does not know


def test_every_element_has_a_place_of_its_own():
    places = {place(z) for z in range(1, 119)}
    assert len(places) == 118
    assert place(1) == (0, 0)
    assert place(118) == (6, 17)


def test_training_curves(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,trajectories,loss,log_z,elbo,ess,log_reward\n1,100,5,1,0,0.1,2\n2,200,3,2,1,0.2,3\n")
    figures = {figure.key: figure for figure in training(read_metrics(path))}
    assert figures["training-loss"].data[0]["y"] == [5.0, 3.0]
    assert [trace["name"] for trace in figures["training-log-z"].data] == ["log_z", "elbo"]
    path.write_text("loss\nx\n")
    with pytest.raises(DataError, match="not readable"):
        read_metrics(path)


def test_the_verb_writes_page_and_figures(tmp_path):
    pytest.importorskip("matplotlib")
    samples().to_parquet(tmp_path / "s.parquet")
    args = [str(tmp_path / "s.parquet"), "-o", str(tmp_path / "r.html"), "--figures", str(tmp_path / "f"), "--no-smact"]
    ran = CliRunner().invoke(app, args)
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    names = {path.name for path in (tmp_path / "f").iterdir()}
    assert {"energies.svg", "energies.png", "elements-atoms.svg", "groups.png"} <= names


def test_the_verb_takes_the_constraints_of_a_table_from_a_model(tmp_path):
    pytest.importorskip("matplotlib")
    samples().to_parquet(tmp_path / "s.parquet")
    args = [str(tmp_path / "s.parquet"), "-o", str(tmp_path / "r.html"), "--figures", str(tmp_path / "f"), "--no-smact"]
    ran = CliRunner().invoke(app, [*args, "--constraints", "default"])
    assert ran.exit_code == 0, ran.output
    assert 'id="plot-funnel"' in (tmp_path / "r.html").read_text()
    assert (tmp_path / "f" / "funnel.png").stat().st_size > 5_000


def test_constraints_of_structures_are_refused(tmp_path):
    ran = CliRunner().invoke(app, [str(write_structures(tmp_path / "s")), "--constraints", "default"])
    assert isinstance(ran.exception, DataError)
    assert "allowed: samples" in str(ran.exception)


def test_a_preset_has_a_page(tmp_path):
    ran = CliRunner().invoke(app, ["default", "-n", "40", "-o", str(tmp_path / "r.html"), "--no-smact"])
    assert ran.exit_code == 0, ran.output
    text = (tmp_path / "r.html").read_text()
    assert 'id="plot-funnel"' in text
    assert "samples of default" in text or "40 samples" in text


def test_crystals_without_energies_have_a_page():
    crystals = samples()
    bare = type(crystals)(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    page = report(Data("bare", bare), smact=False)
    assert "energies" not in [section.key for section in page.sections]
    assert np.isfinite(len(render(page)))


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
        middle = np.average(figure.data[0]["x"], weights=figure.data[0]["y"])
        assert middle == pytest.approx(lattice[:, column].mean(), abs=0.2)
    fixed = np.isin(lattice[:, 4], (90, 120)).mean()
    assert f"one {100 * fixed:.0f} %" in angles[1].caption


def test_angles_that_are_all_fixed_have_no_panel():
    cubic = samples()[samples().space_group.numpy() == 225]
    assert not [figure for figure in geometry.figures([Series("cubic", cubic)]) if figure.key.startswith("angle")]


def test_a_long_tail_does_not_hide_the_rest():
    values = np.append(np.linspace(0.5, 1.5, 900), np.full(100, 1e4))
    figure = histogram("k", "t", [("x", values)], "ratio", caption="c.", most=4.0)
    assert min(figure.data[0]["x"]) > 0
    assert max(figure.data[0]["x"]) < 4.2
    assert "10.0 % lie outside" in figure.caption
