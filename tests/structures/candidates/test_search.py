"""The search for a structure: whatever placing does, a crystal gives placements or a reason."""

import pytest

from crystalgfn.errors import DataError
from crystalgfn.structures.candidates import search
from crystalgfn.structures.candidates.requests import Recipe, Request

SALT = Request(row=0, formula="MgO", space_group=225, counts={12: 4, 8: 4}, lattice=(4.2, 4.2, 4.2, 90.0, 90.0, 90.0))
RECIPE = Recipe(starts=3)


def test_a_crystal_is_placed_in_its_group_and_else_without_symmetry(monkeypatch):
    placed, reason = search.place_request(SALT, RECIPE)
    assert reason == ""
    assert {placement.space_group for placement in placed} == {225}
    real = search.place
    monkeypatch.setattr(search, "place", lambda group, *rest, **more: real(group, *rest, **more) if group == 1 else [])
    placed, reason = search.place_request(SALT, RECIPE)
    assert reason == ""
    assert {placement.source for placement in placed} == {search.WITHOUT_SYMMETRY}
    assert len(placed[0].structure) == 2


@pytest.mark.parametrize("error", [DataError("no cell"), RuntimeError("panic")])
def test_an_error_of_placing_is_a_reason_in_either_way(monkeypatch, error):
    def fails(*given, **more):
        raise error

    monkeypatch.setattr(search, "place", fails)
    placed, reason = search.place_request(SALT, RECIPE)
    assert placed == []
    assert str(error) in reason
    assert search.place_without_symmetry(SALT, RECIPE) == []
