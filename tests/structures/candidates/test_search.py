"""The search for a structure: whatever placing does, a crystal gives placements or a reason."""

from dataclasses import replace

import numpy as np
import pytest

from crystalgfn.crystallography.sites.assignments import Assignment
from crystalgfn.errors import DataError
from crystalgfn.structures.candidates import search
from crystalgfn.structures.candidates.requests import Request, SearchSettings
from crystalgfn.structures.relaxing.relaxation import Prerelaxed, Relaxed

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


class Batches:
    """A potential that fails for the placements it thinks best, and notes how many it is asked to relax at once."""

    name = "batches"

    def __init__(self, failures):
        self.failures, self.sizes = failures, []

    def energies(self, structures):
        return np.array([structure.volume for structure in structures])

    def prerelax(self, structures, *, steps):
        return [Prerelaxed(structure, 1.0, 0.0, float(i)) for i, structure in enumerate(structures)]

    def relax(self, structures, *, seed, schedule, prerelaxed):
        self.sizes.append(len(structures))
        assert [start.structure for start in prerelaxed] == list(structures)
        failing = [start.energy < self.failures for start in prerelaxed]
        return [
            Relaxed(s, failure="no") if fails else Relaxed(s, energy=start.energy, chosen="symmetric")
            for s, start, fails in zip(structures, prerelaxed, failing, strict=True)
        ]


@pytest.mark.parametrize(
    ("failures", "sizes", "energy"), [(0, [2], 0.0), (1, [2, 1], 1.0), (3, [2, 2], 3.0), (4, [2, 2], None)]
)
def test_placements_are_relaxed_together_and_spare_ones_only_where_some_fail(monkeypatch, failures, sizes, energy):
    monkeypatch.setattr(search, "screen", lambda placements, potential, keep: list(placements)[:keep])
    placements = 6 * [search.place_request(SALT, SETTINGS).placements[0]]
    potential = Batches(failures)
    best, reasons = search.best_of(SALT, SETTINGS, potential, placements)
    assert potential.sizes == sizes
    assert (None if best is None else best[1].energy) == energy
    assert reasons == (["no"] if failures else [])


def test_a_potential_without_an_energy_is_a_reason():
    class Silent(Batches):
        def energies(self, structures):
            return np.full(len(structures), np.nan)

    placements = search.place_request(SALT, SETTINGS).placements
    assert search.best_of(SALT, SETTINGS, Silent(0), placements) == (
        None,
        ["the potential gives no energy of any placement"],
    )


ON_SITES = replace(SALT, sites=Assignment(225, ((12, "a"), (8, "b"))))


def test_with_known_sites_placements_grow_with_the_free_coordinates():
    def numbers(group, *sites):
        request = Request(row=0, space_group=group, sites=Assignment(group, sites))
        found = search.settings_for(request, SearchSettings(placements=20))
        return found.placements, found.tried, found.relaxed

    assert numbers(225, (12, "a"), (8, "b")) == (1, 1, 1)
    assert numbers(136, (22, "a"), (8, "f")) == (5, 2, 1)
    assert numbers(62, (12, "c"), (8, "c")) == (17, 3, 1)
    assert numbers(1, (12, "a"), (8, "a"), (8, "a")) == (20, 3, 1)
    assert search.settings_for(SALT, SETTINGS) is SETTINGS


def test_known_sites_that_cannot_hold_the_atoms_are_a_reason_and_never_p1():
    near = replace(ON_SITES, lattice=(1.5, 1.5, 1.5, 90.0, 90.0, 90.0))
    placed = search.place_request(near, SETTINGS)
    assert placed.placements == ()
    assert "on the sites 225: O(4b) Mg(4a)" in placed.reason
    # all atoms alike, the cell is half as large
    alike = Request(
        row=0,
        space_group=221,
        counts={26: 2},
        lattice=(2.9, 2.9, 2.9, 90.0, 90.0, 90.0),
        sites=Assignment(221, ((26, "a"), (26, "b"))),
    )
    assert "no smaller primitive cell" in search.place_request(alike, SETTINGS).reason


def test_a_single_placement_on_known_sites_is_not_screened():
    class Unscreened(Batches):
        def energies(self, structures):
            raise AssertionError

    placements = search.place_request(ON_SITES, SETTINGS).placements
    assert len(placements) == 1
    best, reasons = search.best_of(ON_SITES, SETTINGS, Unscreened(0), placements)
    assert best[0] is placements[0]
    assert reasons == []
