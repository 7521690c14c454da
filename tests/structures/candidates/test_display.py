"""Structures at a prompt and in a notebook."""

import numpy as np
import pytest

from candidate_setup import FORMATION, candidate, failure, salt
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.collection import Structures
from crystalgfn.structures.candidates.schema import PotentialColumn, Quantity

METALS = ("Li", "Na", "K", "Rb", "Cs", "Mg", "Ca", "Sr", "Ba", "Ag", "Cu", "Mn", "Fe", "Co")
ABOVE = PotentialColumn(Quantity.ABOVE_HULL, "chgnet", "builtin")


@pytest.fixture
def structures():
    made = []
    for number in range(len(METALS)):
        structure = salt(METALS[number], "Cl", a=5.0)
        energies = {FORMATION: -3 + number / 10, ABOVE: 0.5 - 0.1 * (number % 5)}
        row = candidate(
            number, structure, 0.0, energies=energies, match_group=None, flags="not converged" if number == 4 else ""
        )
        made.append(Candidate(row, structure))
    return Structures((*made, Candidate(failure(14))))


def test_a_look_is_short_and_the_best_come_first(structures):
    text = repr(structures)
    assert text.startswith("Structures: 15 (14 relaxed, 1 failed)")
    assert len(text.splitlines()) == 13
    assert len(text) < 2_000
    assert text.splitlines()[2].split()[0] == "9"  # as low as row 4, which is doubtful
    assert "and 5 more" in text


def test_a_notebook_shows_rows_and_one_frame(structures):
    page = structures._repr_html_()
    assert page.count("<tr") == 11
    assert page.count("<iframe") == 1
    assert len(page) < 400_000
    assert "<iframe" in structures[0]._repr_html_()
    assert "no placement" in structures[14]._repr_html_()
    assert "<iframe" not in structures[14]._repr_html_()
    assert repr(structures[:0]) == "Structures: 0 (none)"


def test_texts_of_a_row_stay_text():
    row = candidate(0, salt("Mg", "O"), -3.0, flags="<script>alert(1)</script>")
    made = Structures((Candidate(row, salt("Mg", "O")),))
    assert "<script>alert" not in made._repr_html_()
    assert "<script>alert" not in made[0]._repr_html_()


def test_a_candidate_is_one_line(structures):
    assert repr(structures[4]) == (
        "Candidate(4: CsCl, Fm-3m (225), relaxed, 0.100 eV/atom above hull by chgnet, not converged)"
    )
    assert "\n" not in repr(structures[14])


def test_columns_go_by_name(structures):
    energies = structures["e_above_hull"]
    assert energies.dtype == np.float64
    assert energies[:5].tolist() == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1])
    assert np.isnan(energies[14])
    assert structures["e_above_hull_chgnet"].tolist()[:14] == energies.tolist()[:14]
    assert structures["e_above_hull_chgnet [eV/atom]"].tolist()[:14] == energies.tolist()[:14]
    assert structures["formula"].tolist() == [*(candidate.row.formula for candidate in structures[:14]), "AgBr"]
    assert structures["row"].tolist() == list(range(15))
    assert structures["formation_energy"][0] == -3
    with pytest.raises(DataError, match="nearest: 'e_above_hull'"):
        structures["e_above_hul"]
    assert "e_above_hull" in structures._ipython_key_completions_()


def test_parts_are_structures(structures):
    assert isinstance(structures[:3], Structures)
    assert len(structures.best(2)) == 2
    assert [one.row.row for one in structures.best(2)] == [9, 3]
    assert len(structures[2:2]) == 0
