"""Pages from Python: the same as those of ``crystalgfn report``."""

import pytest

from candidate_setup import candidate, salt
from crystalgfn import write_report
from crystalgfn.structures.candidates.candidate import Candidate
from crystalgfn.structures.candidates.collection import Structures
from page_setup import content, samples

pytest.importorskip("plotly")


def test_crystals_have_a_page(tmp_path):
    path = write_report(samples(30), tmp_path / "page.html", name="mine", smact=False)
    text = path.read_text()
    assert "<h1>mine</h1>" in text
    assert content(text)["table"]["n"] == 30


def test_structures_have_a_page_with_their_atoms(tmp_path):
    cells = [salt("Mg", "O", a=4.21), salt("Ca", "O", a=4.81)]
    rows = [candidate(n, cell, -3.0 + n) for n, cell in enumerate(cells)]
    structures = Structures(tuple(Candidate(row, cell) for row, cell in zip(rows, cells, strict=True)))
    held = content(structures.report(tmp_path / "page.html").read_text())
    assert sorted(held["atoms"]) == ["0", "1"]
    assert held["table"]["n"] == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]
