"""The page as a text: what is in it, and a comparison of several."""

from dataclasses import replace

import numpy as np
import pytest

from candidate_setup import candidate, salt, write_candidates
from crystalgfn.errors import DataError
from crystalgfn.evaluation.inputs import Data, References, read_data
from crystalgfn.evaluation.known import KnownStructures
from crystalgfn.report.page.build import compare, report
from crystalgfn.report.page.document import render
from crystalgfn.stability.hull import Hull
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity
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


def doubtful_run(folder):
    """Three candidates on or near their hull, of which one is doubtful, with a reward that orders them otherwise."""
    above = PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin")
    structures = {0: salt("K", "Cl"), 1: salt("Mg", "O", a=4.21), 2: salt("Ca", "O", a=4.8)}
    rows = []
    for i, (energy, flags, reward) in enumerate(((0.05, "", 1.0), (-0.01, "not converged", 9.0), (0.0, "", 2.0))):
        row = candidate(i, structures[i], -3.0, flags=flags, inputs={"log_reward": reward}, hull="builtin")
        rows.append(replace(row, energies={**row.energies, above: energy}))
    return read_data(write_candidates(folder, rows, structures))


def test_headlines_count_candidates_without_doubts_and_say_both(tmp_path):
    page = report(doubtful_run(tmp_path / "run"), smact=False)
    tiles = {label: (value, note) for label, value, note in page.tiles}
    assert tiles["On the hull"] == ("1 of 3", "by chgnet, not DFT; 2 with doubtful ones")
    assert tiles["Within 0.1 eV/atom of the hull"] == ("2 of 3", "by chgnet; 3 with doubtful ones")
    sun, note = tiles["S.U.N. at 0.1 eV/atom"]
    assert sun == "66.7 %"
    assert "100 % with doubtful ones" in note


def test_structures_are_ranked_by_the_reward_that_was_asked_for(tmp_path):
    page = report(doubtful_run(tmp_path / "run"), smact=False)
    columns = {column["key"]: column["values"] for column in page.data["table"]["columns"]}
    assert columns["row"] == [2, 0, 1]  # the doubtful one comes last, whatever its reward
    assert columns["flags"] == ["", "", "not converged"]
    assert "best first by log reward, doubtful ones (*) last" in page.lead
    (figure,) = [one for section in page.sections for one in section.figures if one.key == "hull"]
    assert sorted(figure.data[0]["text"]) == ["CaO (225)", "KCl (225)", "MgO (225), doubtful: not converged"]


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
        "stable, unique, novel; 50 % with doubtful ones; 50 % of unknown formulas",
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
