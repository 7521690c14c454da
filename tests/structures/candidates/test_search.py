"""The search for a structure: whatever placing does, a crystal gives placements or a reason."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates import search
from crystalgfn.structures.candidates.requests import Request, SearchSettings

SALT = Request(row=0, formula="MgO", space_group=225, counts={12: 4, 8: 4}, lattice=(4.2, 4.2, 4.2, 90.0, 90.0, 90.0))
SETTINGS = SearchSettings(placements=3)


def test_a_crystal_is_placed_in_its_group_and_else_without_symmetry(monkeypatch):
    placed = search.place_request(SALT, SETTINGS)
    assert placed.reason == ""
    assert {placement.space_group for placement in placed.placements} == {225}
    real = search.place
    monkeypatch.setattr(search, "place", lambda group, *rest, **more: real(group, *rest, **more) if group == 1 else [])
    placed = search.place_request(SALT, SETTINGS)
    assert placed.reason == ""
    assert {placement.source for placement in placed.placements} == {search.WITHOUT_SYMMETRY}
    assert len(placed.placements[0].structure) == 2


@pytest.mark.parametrize("error", [DataError("no cell"), RuntimeError("panic")])
def test_an_error_of_placing_is_a_reason_in_either_way(monkeypatch, error):
    def fails(*given, **more):
        raise error

    monkeypatch.setattr(search, "place", fails)
    placed = search.place_request(SALT, SETTINGS)
    assert placed.placements == ()
    assert str(error) in placed.reason
    assert search.place_without_symmetry(SALT, SETTINGS) == []
