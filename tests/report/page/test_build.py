"""The page as a text: what is in it, and a comparison of several."""

import numpy as np
import pytest

from candidate_setup import candidate, salt, write_candidates
from crystalgfn.errors import DataError
from crystalgfn.evaluation.inputs import Data, References, read_data
from crystalgfn.evaluation.known import KnownStructures
from crystalgfn.report.page.build import compare, report
from crystalgfn.report.page.document import render
from crystalgfn.stability.hull import Hull
from page_setup import content, data, samples, write_structures

pytest.importorskip("plotly")


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


def test_every_figure_has_words_for_who_cannot_see_it():
    page = report(data(), smact=False)
    figures = [figure for section in page.sections for figure in section.figures]
    assert {"energies", "elements-atoms", "elements-presence", "together", "groups", "sunburst", "volume"} <= {
        figure.key for figure in figures
    }
    assert all(len(figure.alt) > 20 and figure.caption for figure in figures)
    assert len({figure.key for figure in figures}) == len(figures)


def test_structures_have_files_atoms_and_named_failures(tmp_path):
    text = render(report(read_data(write_structures(tmp_path / "s")), smact=False))
    held = content(text)
    assert sorted(len(scene["atoms"]) for scene in held["atoms"].values()) == [
        57,
        57,
    ]  # rock salt, with bonded neighbours
    assert all(cif.startswith("data_") for cif in held["cif"].values())
    assert "broken.cif" in text
    assert "<script>alert" not in text


def test_a_page_does_not_flatter(tmp_path):
    structures = {0: salt("K", "Cl"), 1: salt("Mg", "O", a=4.21)}
    rows = [candidate(0, structures[0], -0.05), candidate(1, structures[1], -3.0)]
    hull = Hull([({"Mg": 1, "O": 1}, -3.0), ({"K": 1, "Br": 1}, -1.0), ({"Br": 1, "Cl": 1}, -0.1)])
    known = KnownStructures(write_structures(tmp_path / "known"))
    run = read_data(write_candidates(tmp_path / "run", rows, structures))
    page = report(run, References("known", None, known, hull), smact=False)
    notes = {label: (value, note) for label, value, note in page.tiles}
    assert notes["S.U.N. at 0.1 eV/atom"] == (
        "50 %",
        "stable, unique, novel; of all handed in; 50 % of unknown formulas",
    )
    assert "50 ± 35.4 %" in render(page)


def test_a_comparison_shows_each_side_by_side():
    page = compare([data("one"), data("two", seed=1)], smact=False)
    assert [tile[0] for tile in page.tiles] == ["one", "two"]
    figures = {figure.key: figure for section in page.sections for figure in section.figures}
    assert [trace["name"] for trace in figures["density"].data] == ["one", "two"]
    assert figures["energies"].caption.count("proxy") == 2
    with pytest.raises(DataError, match="two or more"):
        compare([data("one"), data("one")], smact=False)


def test_crystals_without_energies_have_a_page():
    crystals = samples()
    bare = type(crystals)(crystals.elements, crystals.space_group, crystals.counts, crystals.lattice)
    page = report(Data("bare", bare), smact=False)
    assert "energies" not in [section.key for section in page.sections]
    assert np.isfinite(len(render(page)))
